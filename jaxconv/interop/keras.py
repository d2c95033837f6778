"""Keras's layers: channels-last or channels-first maps, kernels in the same layout as here.

Padding is always a word. The kernel of a transposed layer is that of the forward convolution. Without an
``output_padding``, ``"valid"`` returns at least strides x size cells and ``"same"`` exactly that; with an
``output_padding`` both return other sizes, see `_direct_padding`.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp

from jaxconv.convolution import transposed_kernel
from jaxconv.core.checks import check_option
from jaxconv.errors import GeometryError, needs_extra
from jaxconv.interop.call import Call, without_defaults
from jaxconv.interop.direct import direct_padding, of_direct
from jaxconv.interop.lax import refuse_transposed
from jaxconv.interop.layer import Convolution
from jaxconv.interop.padding import spans
from jaxconv.interop.refusals import check_convolution, check_library, check_type, dilates_input, refuse

if TYPE_CHECKING:
    import keras


def from_keras(layer: keras.layers.Layer) -> Convolution:
    """Converts a Keras layer to a `Convolution`.

    Args:
      layer: `keras.layers.Conv1D`, `Conv2D`, `Conv3D`, one of their ``Transpose``, `DepthwiseConv1D` or
        `DepthwiseConv2D`. It must be built, without an activation.

    Returns:
      The layer as a `Convolution` on channels-last maps, whatever its ``data_format``. It computes
      in the layer's ``compute_dtype``.

    Raises:
      GeometryError: The layer is not built yet, or has an activation.
      MissingExtraError: Keras is not installed.
      TypeError: `layer` is another layer.

    >>> import keras  # doctest: +SKIP
    >>> layer = keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same")  # doctest: +SKIP
    >>> layer.build((None, 9, 6, 8))  # doctest: +SKIP
    >>> from_keras(layer).geometry((9, 6)).input_shape  # doctest: +SKIP
    (18, 12)
    """
    check_library(layer, "keras")
    with needs_extra(__name__, "peers"):
        from keras import activations, layers, ops

    if "SeparableConv" in type(layer).__name__:
        raise TypeError(
            f"`layer` must be one convolution, got a {type(layer).__name__}, which is two of them; convert a "
            "depthwise and a 1x1 layer instead."
        )
    kinds = [f"Conv{n}D{kind}" for kind in ("", "Transpose") for n in (1, 2, 3)]
    kinds += ["DepthwiseConv1D", "DepthwiseConv2D"]
    check_type(layer, [getattr(layers, kind) for kind in kinds], ("call", "convolution_op"), "keras.layers")
    if not layer.built:
        raise GeometryError(
            "`layer` has no kernel until it is built: call it, or `layer.build(shape)`, once."
        )
    if layer.activation not in (None, activations.linear):
        raise GeometryError(
            f"`layer` has the activation {getattr(layer.activation, '__name__', layer.activation)!r}, which "
            "is not part of a convolution: set `layer.activation = None` and apply it afterwards."
        )

    def to_jax(numbers: keras.Variable) -> jax.Array:
        return jnp.array(ops.convert_to_numpy(ops.convert_to_tensor(numbers)))

    kernel, bias = to_jax(layer.kernel), None if layer.bias is None else to_jax(layer.bias)
    s, d = layer.strides, layer.dilation_rate
    if "Transpose" in type(layer).__name__:
        lengths = spans(layer.kernel_size, d)
        outputs = layer.output_padding or (None,) * layer.rank
        pads = [_direct_padding(*axis, layer.padding) for axis in zip(lengths, s, outputs, strict=True)]
        return of_direct(transposed_kernel(kernel), bias, s, pads, d, dtype=layer.compute_dtype)
    groups = getattr(layer, "groups", None)
    if groups is None:  # depthwise: (*kernel_shape, in, multiplier)
        *taps, groups, multiplier = kernel.shape
        kernel = kernel.reshape(*taps, 1, groups * multiplier)
    return Convolution(
        kernel,
        bias,
        strides=s,
        padding=layer.padding.upper(),
        kernel_dilation=d,
        feature_group_count=groups,
        dtype=layer.compute_dtype,
    )


def _direct_padding(span: int, stride: int, output_padding: int | None, word: str) -> tuple[int, int]:
    """Returns how Keras pads the stretched y on one axis."""
    if word == "valid":
        a = max(stride - span, 0) if output_padding is None else output_padding
        return span - 1, span - 1 + a
    total = span + stride - 2 if output_padding is None else span + span % 2 - 2 + output_padding
    low = min(-(-total // 2), span - 1)
    return low, total - low


def to_keras(
    layer: Convolution, data_format: Literal["channels_last", "channels_first"] = "channels_last"
) -> keras.layers.Layer:
    """Converts a `Convolution` to a built Keras layer.

    Args:
      layer: A `Convolution` of at most three axes, with zero padding that one of Keras's words describes.
      data_format: Layout of the maps that the Keras layer takes.

    Returns:
      `keras.layers.Conv1D`, `Conv2D`, `Conv3D` or one of their ``Transpose``.

    Raises:
      GeometryError: Keras has no such layer, or `data_format` is another word.
      MissingExtraError: Keras is not installed.
      TypeError: `layer` is not a `Convolution`.
    """
    check_convolution(layer)
    check_option("data_format", data_format, ("channels_last", "channels_first"))
    with needs_extra(__name__, "peers"):
        from keras import layers

    made = call(layer).call_in(layers, data_format=data_format, dtype=_policy(layer))
    unknown = (None,) * layer.ndim
    features = (layer.in_features,)
    made.build((None, *unknown, *features) if data_format == "channels_last" else (None, *features, *unknown))
    made.set_weights([layer.kernel] if layer.bias is None else [layer.kernel, layer.bias])
    return made


def _policy(layer: Convolution) -> str:
    """Returns Keras's name for the dtypes of the parameters and of the computation."""
    stored = layer.kernel.dtype.name
    computed = stored if layer.dtype is None else layer.dtype.name
    if computed == stored:
        return stored
    if stored == "float32" and computed in ("float16", "bfloat16"):
        return f"mixed_{computed}"
    raise GeometryError(f"Keras has no policy that stores {stored} and computes in {computed}")


def call(layer: Convolution, input_shape: tuple[int, ...] | None = None) -> Call:
    """Returns the constructor call that makes `layer`.

    Args:
      layer: The layer.
      input_shape: Spatial shape of its input; if given, the padding need be right only for that.

    Raises:
      GeometryError: Keras has no such layer.
    """
    if layer.ndim > 3:
        raise GeometryError(f"Keras has no {layer.ndim}-dimensional convolution")
    if max(layer.strides) > 1 and max(layer.kernel_dilation) > 1:
        raise GeometryError("Keras has no strides together with a dilation_rate")
    if layer.transposed:
        options, kind = _transpose_options(layer), f"Conv{layer.ndim}DTranspose"
    else:
        options, kind = _forward_options(layer, input_shape), f"Conv{layer.ndim}D"
    positional = (layer.out_features, layer.kernel_shape, layer.strides)
    options |= without_defaults(
        dilation_rate=layer.kernel_dilation, use_bias=False if layer.bias is None else None
    )
    return Call(f"layers.{kind}", positional, options)


def _forward_options(layer: Convolution, input_shape: tuple[int, ...] | None) -> dict[str, Any]:
    refuse(
        "Keras",
        (f"{layer.padding_mode} padding: pad first", layer.padding_mode != "zeros"),
        dilates_input(layer),
    )
    causal = tuple((span - 1, 0) for span in layer.spans)
    if layer.padding == ((0, 0),) * layer.ndim:
        word = "valid"
    elif layer.pads_same(input_shape):
        word = "same"
    elif layer.padding == causal and layer.ndim == 1:
        word = "causal"
    else:
        raise GeometryError("Keras has no padding in cells: use layers.ZeroPadding first, then 'valid'")
    return {"padding": word, **without_defaults(groups=layer.feature_group_count)}


def _transpose_options(layer: Convolution) -> dict[str, Any]:
    refuse_transposed(layer, "Keras's transposed convolution")
    wanted = direct_padding(layer)
    for word, given in product(("valid", "same"), (False, True)):
        found = [
            [a for a in (range(s) if given else (None,)) if _direct_padding(span, s, a, word) == pair]
            for span, s, pair in zip(layer.spans, layer.strides, wanted, strict=True)
        ]
        if all(found):
            a = tuple(first for first, *_ in found) if given else None
            return {"padding": word, **({"output_padding": a} if given else {})}
    raise GeometryError("Keras has no padding in cells: use 'valid' and crop the result")
