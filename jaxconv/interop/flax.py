"""flax.nnx's layers, and this library's own: channels last, kernels as here.

`nnx.ConvTranspose` is `lax.conv_transpose` with its defaults: pairs pad the stretched y, and the kernel
is the direct convolution's, unless ``transpose_kernel``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, overload

from jaxconv.convolution import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import padding_per_axis
from jaxconv.interop.call import Call, Name, without_defaults
from jaxconv.interop.direct import direct_padding, of_direct
from jaxconv.interop.lax import refuse_transposed, transpose_padding
from jaxconv.interop.layer import Convolution
from jaxconv.interop.refusals import check_convolution, check_type, refuse

if TYPE_CHECKING:
    from flax import nnx

_MODES = {"CIRCULAR": "circular", "REFLECT": "reflect"}


class _OwnLayer(Protocol):
    """A layer of `jaxconv.nn`, which stands above this room."""

    def as_convolution(self) -> Convolution: ...


@overload
def from_flax(layer: nnx.Conv | nnx.ConvTranspose) -> Convolution: ...
@overload
def from_flax(layer: _OwnLayer) -> Convolution: ...
def from_flax(layer: Any) -> Convolution:
    """A flax.nnx layer in this library's terms, or one of `jaxconv.nn`.

    A mask is folded into the kernel.

    Args:
      layer: `flax.nnx.Conv`, `flax.nnx.ConvTranspose`, `jaxconv.nn.Conv` or
        `jaxconv.nn.ConvTranspose`.

    Returns:
      The layer as a `Convolution`.

    Raises:
      GeometryError: It pads as no convolution does, or as flax itself refuses.
      TypeError: It is none of these layers.

    >>> from flax import nnx
    >>> layer = from_flax(nnx.Conv(2, 8, (4,), strides=2, padding="CIRCULAR", rngs=nnx.Rngs(0)))
    >>> layer.padding_mode, layer.padding, layer.geometry((10,)).output_shape
    ('circular', ((1, 2),), (5,))
    """
    from flax import nnx
    from flax.nnx.nn import dtypes
    from jax import lax

    if hasattr(layer, "as_convolution"):  # of this library: it says it itself
        return layer.as_convolution()
    check_type(layer, (nnx.Conv, nnx.ConvTranspose), ("__call__",), "flax.nnx and jaxconv.nn")
    refuse(
        "a Convolution",
        ("convolution function of its own", getattr(layer, "conv_general_dilated", None)
         not in (None, lax.conv_general_dilated)),
        ("promotion of its own", layer.promote_dtype is not dtypes.promote_dtype),
        ("preferred_element_type: convert its result", layer.preferred_element_type is not None),
    )  # fmt: skip
    kernel, bias = layer.kernel[...], None if layer.bias is None else layer.bias[...]
    if layer.mask is not None:
        kernel = kernel * layer.mask.astype(kernel.dtype)
    n = len(layer.kernel_size)
    strides, d = _per_axis(layer.strides, n), _per_axis(layer.kernel_dilation, n)
    numbers = {"dtype": layer.dtype, "precision": layer.precision}
    if isinstance(layer, nnx.ConvTranspose):
        return _read_transposed(layer, kernel, bias, strides, d, numbers)
    f = _per_axis(layer.input_dilation, n)
    padding, mode = _read_padding(layer.padding, _spans(layer.kernel_size, d), f)
    return Convolution(
        kernel,
        bias,
        strides=strides,
        padding=padding,
        padding_mode=mode,
        input_dilation=f,
        kernel_dilation=d,
        feature_group_count=layer.feature_group_count,
        **numbers,
    )


def _read_padding(padding, spans, input_dilation):
    """Padding and its mode as here."""
    if not isinstance(padding, str):
        return padding, "zeros"
    if max(input_dilation) > 1:
        raise GeometryError(f"nnx.Conv itself refuses words beside input_dilation, got {padding!r} padding.")
    if padding in _MODES:
        return _border(spans), _MODES[padding]
    if padding == "CAUSAL" and len(spans) > 1:
        raise GeometryError("nnx.Conv itself refuses 'CAUSAL' padding on more than one axis.")
    return padding.upper(), "zeros"


def _border(spans) -> tuple[tuple[int, int], ...]:
    """How nnx.Conv pads for 'CIRCULAR' and 'REFLECT'."""
    return tuple(((span - 1) // 2, span // 2) for span in spans)


def _read_transposed(layer, kernel, bias, strides, d, numbers) -> Convolution:
    if layer.transpose_kernel:
        kernel = transposed_kernel(kernel)  # the direct convolution's
    spans, padding = _spans(layer.kernel_size, d), layer.padding
    if padding == "CIRCULAR":
        padding, a = _fold_spans(spans, strides, layer.transpose_kernel)
        return Convolution(
            transposed_kernel(kernel),
            bias,
            strides=strides,
            padding=padding,
            padding_mode="circular",
            kernel_dilation=d,
            transposed=True,
            output_padding=a,
            **numbers,
        )
    if padding in ("CAUSAL", "REFLECT"):
        raise GeometryError(f"nnx.ConvTranspose itself refuses {padding!r} padding.")
    if not isinstance(padding, str):
        padding = padding_per_axis(padding, len(spans))
    pads = transpose_padding(spans, strides, padding)
    return of_direct(kernel, bias, strides, pads, d, **numbers)


def _fold_spans(spans, strides, transpose_kernel: bool):
    """Padding and output padding of the forward convolution whose transpose 'CIRCULAR' is.

    nnx.ConvTranspose folds what exceeds strides x size, an odd cell on the low side of a forward kernel.
    """
    excess = [span - s for span, s in zip(spans, strides, strict=True)]
    halves = [(max(e, 0) // 2, (max(e, 0) + 1) // 2) for e in excess]
    padding = tuple((high, low) if transpose_kernel else (low, high) for low, high in halves)
    return padding, tuple(max(-e, 0) for e in excess)


def to_flax(layer: Convolution) -> nnx.Conv | nnx.ConvTranspose:
    """The same layer in flax.nnx.

    Args:
      layer: Forward ones with zero padding, or the border that nnx.Conv calls CIRCULAR or REFLECT;
        transposed ones without groups and input dilation.

    Returns:
      `flax.nnx.Conv` or `flax.nnx.ConvTranspose`.

    Raises:
      GeometryError: flax has no such layer.

    >>> import jax.numpy as jnp
    >>> to_flax(Convolution(jnp.ones((3, 1, 1)), strides=2, padding=1, transposed=True)).padding
    ((1, 1),)
    """
    from flax import nnx

    check_convolution(layer)
    kernel, bias = layer.kernel, layer.bias
    made = call(layer)
    if made.name == "nnx.ConvTranspose" and "transpose_kernel" not in made.options:
        kernel = transposed_kernel(kernel)
    return made.call_in(
        nnx,
        kernel_init=lambda *_: kernel,
        bias_init=lambda *_: bias,
        dtype=layer.dtype,
        param_dtype=kernel.dtype,
        precision=layer.precision,
        rngs=nnx.Rngs(0),
    )


def call(layer: Convolution, input_shape: tuple[int, ...] | None = None) -> Call:
    """The constructor that makes `layer`, its random numbers named ``rngs``.

    Raises:
      GeometryError: There is none.
    """
    positional = (layer.in_features, layer.out_features, layer.kernel_shape, layer.strides)
    options = _transpose_options(layer) if layer.transposed else _forward_options(layer)
    options |= without_defaults(use_bias=False if layer.bias is None else None) | {"rngs": Name("rngs")}
    return Call("nnx.ConvTranspose" if layer.transposed else "nnx.Conv", positional, options)


def _forward_options(layer: Convolution) -> dict:
    padding = layer.padding
    if layer.depends_on_size and (layer.padding_mode != "zeros" or max(layer.input_dilation) > 1):
        raise GeometryError(
            f"nnx.Conv takes {padding!r} for zeros and without input_dilation only: settle it by "
            "`.at(input_shape)`"
        )
    if layer.padding_mode != "zeros":
        words = {mode: word for word, mode in _MODES.items()}
        refuse("nnx.Conv", (f"{layer.padding_mode} padding", layer.padding_mode not in words))
        padding = words[layer.padding_mode]
        if max(layer.input_dilation) > 1 or layer.padding != _border(layer.spans):
            raise GeometryError(
                f"nnx.Conv's {padding!r} always pads ((span - 1) // 2, span // 2), without input_dilation: "
                "use jnp.pad first"
            )
    return {
        "padding": padding,
        **without_defaults(
            input_dilation=layer.input_dilation,
            kernel_dilation=layer.kernel_dilation,
            feature_group_count=layer.feature_group_count,
        ),
    }


def _transpose_options(layer: Convolution) -> dict:
    dilation, flip = without_defaults(kernel_dilation=layer.kernel_dilation), {"transpose_kernel": True}
    for transpose_kernel in (True, False):
        if _folds(layer, transpose_kernel):
            return {"padding": "CIRCULAR", **dilation, **(flip if transpose_kernel else {})}
    refuse_transposed(layer, "nnx.ConvTranspose")
    return {"padding": direct_padding(layer), **dilation, **flip}


def _folds(layer: Convolution, transpose_kernel: bool) -> bool:
    """Whether the layer is nnx.ConvTranspose's 'CIRCULAR'."""
    return (
        layer.padding_mode == "circular"
        and layer.feature_group_count == max(layer.input_dilation) == 1
        and (layer.padding, layer.output_padding) == _fold_spans(layer.spans, layer.strides, transpose_kernel)
    )


def _spans(kernel_shape, dilation) -> tuple[int, ...]:
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel_shape, dilation, strict=True))


def _per_axis(value, n: int) -> tuple[int, ...]:
    """As flax reads it: None is 1."""
    value = 1 if value is None else value
    return (value,) * n if isinstance(value, int) else tuple(value)
