"""The layers of flax.nnx, and those of `jaxconv.nn`: channels-last maps, kernels in the same layout as here.

`nnx.ConvTranspose` is `lax.conv_transpose` with its defaults: pairs pad the stretched y, and the kernel
is that of the direct convolution, unless ``transpose_kernel``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

import jax

from jaxconv.convolution import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.geometry import PaddingMode
from jaxconv.geometry.arguments import PaddingPairs, padding_per_axis
from jaxconv.interop.call import Call, Name, without_defaults
from jaxconv.interop.direct import direct_padding, of_direct
from jaxconv.interop.lax import refuse_transposed, transpose_padding
from jaxconv.interop.layer import Convolution
from jaxconv.interop.padding import spans
from jaxconv.interop.refusals import check_convolution, check_type, refuse

if TYPE_CHECKING:
    from flax import nnx

_MODES: dict[str, PaddingMode] = {"CIRCULAR": "circular", "REFLECT": "reflect"}


class _OwnLayer(Protocol):
    """A layer of `jaxconv.nn`, which this package cannot import."""

    def as_convolution(self) -> Convolution: ...


@overload
def from_flax(layer: nnx.Conv | nnx.ConvTranspose) -> Convolution: ...
@overload
def from_flax(layer: _OwnLayer) -> Convolution: ...
def from_flax(layer: Any) -> Convolution:
    """Converts a layer of flax.nnx or of `jaxconv.nn` to a `Convolution`.

    The kernel is multiplied by the mask of the layer, if it has one.

    Args:
      layer: `flax.nnx.Conv`, `flax.nnx.ConvTranspose`, `jaxconv.nn.Conv` or
        `jaxconv.nn.ConvTranspose`.

    Returns:
      The layer as a `Convolution`.

    Raises:
      GeometryError: The layer has options without an equivalent, or padding that flax itself refuses.
      TypeError: `layer` is another layer.

    >>> from flax import nnx
    >>> layer = from_flax(nnx.Conv(2, 8, (4,), strides=2, padding="CIRCULAR", rngs=nnx.Rngs(0)))
    >>> layer.padding_mode, layer.padding, layer.geometry((10,)).output_shape
    ('circular', ((1, 2),), (5,))
    """
    from flax import nnx
    from flax.nnx.nn import dtypes
    from jax import lax

    if hasattr(layer, "as_convolution"):  # of jaxconv.nn
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
    padding, mode = _read_padding(layer.padding, spans(layer.kernel_size, d), f)
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


def _read_padding(
    padding: Any, lengths: Sequence[int], input_dilation: Sequence[int]
) -> tuple[Any, PaddingMode]:
    """Returns the padding and the padding mode of nnx.Conv in this library's words."""
    if not isinstance(padding, str):
        return padding, "zeros"
    if max(input_dilation) > 1:
        raise GeometryError(
            f"`layer` has padding {padding!r} with input_dilation, which nnx.Conv itself refuses; use pairs "
            "of ints."
        )
    if padding in _MODES:
        return _border(lengths), _MODES[padding]
    if padding == "CAUSAL" and len(lengths) > 1:
        raise GeometryError(
            "`layer` has 'CAUSAL' padding on several axes, which nnx.Conv itself refuses; use pairs of ints."
        )
    return padding.upper(), "zeros"


def _border(lengths: Sequence[int]) -> PaddingPairs:
    """Returns how nnx.Conv pads for 'CIRCULAR' and 'REFLECT'."""
    return tuple(((span - 1) // 2, span // 2) for span in lengths)


def _read_transposed(
    layer: nnx.ConvTranspose,
    kernel: jax.Array,
    bias: jax.Array | None,
    strides: tuple[int, ...],
    d: tuple[int, ...],
    numbers: dict[str, Any],
) -> Convolution:
    if layer.transpose_kernel:
        kernel = transposed_kernel(kernel)  # now the kernel of the direct convolution
    lengths, padding = spans(layer.kernel_size, d), layer.padding
    if padding == "CIRCULAR":
        padding, a = _fold_spans(lengths, strides, layer.transpose_kernel)
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
        raise GeometryError(f"`layer` has {padding!r} padding, which nnx.ConvTranspose itself refuses.")
    pairs = padding if isinstance(padding, str) else padding_per_axis(padding, len(lengths))
    pads = transpose_padding(lengths, strides, pairs)
    return of_direct(kernel, bias, strides, pads, d, **numbers)


def _fold_spans(
    lengths: Sequence[int], strides: Sequence[int], transpose_kernel: bool
) -> tuple[PaddingPairs, tuple[int, ...]]:
    """Returns the padding and output padding of the forward convolution whose transpose 'CIRCULAR' is.

    nnx.ConvTranspose wraps around what exceeds strides x size; for a forward kernel an odd cell is on the low
    side.
    """
    excess = [span - s for span, s in zip(lengths, strides, strict=True)]
    halves = [(max(e, 0) // 2, (max(e, 0) + 1) // 2) for e in excess]
    padding = tuple((high, low) if transpose_kernel else (low, high) for low, high in halves)
    return padding, tuple(max(-e, 0) for e in excess)


def to_flax(layer: Convolution) -> nnx.Conv | nnx.ConvTranspose:
    """Converts a `Convolution` to a layer of flax.nnx.

    Args:
      layer: A forward `Convolution` with zero padding, or with the border that nnx.Conv adds for CIRCULAR or
        REFLECT; or a transposed one without groups and input dilation.

    Returns:
      `flax.nnx.Conv` or `flax.nnx.ConvTranspose`.

    Raises:
      GeometryError: flax.nnx has no such layer.
      TypeError: `layer` is not a `Convolution`.

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
    """Returns the constructor call that makes `layer`, with ``rngs`` for its random numbers.

    Args:
      layer: The layer.
      input_shape: Not used; every library's `call` takes it.

    Raises:
      GeometryError: flax.nnx has no such layer.
    """
    positional = (layer.in_features, layer.out_features, layer.kernel_shape, layer.strides)
    options = _transpose_options(layer) if layer.transposed else _forward_options(layer)
    options |= without_defaults(use_bias=False if layer.bias is None else None) | {"rngs": Name("rngs")}
    return Call("nnx.ConvTranspose" if layer.transposed else "nnx.Conv", positional, options)


def _forward_options(layer: Convolution) -> dict[str, Any]:
    padding = layer.padding
    if layer.depends_on_size and (layer.padding_mode != "zeros" or max(layer.input_dilation) > 1):
        raise GeometryError(
            f"nnx.Conv has {padding!r} only for zero padding without input_dilation: call "
            "`layer.at(input_shape)` first"
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


def _transpose_options(layer: Convolution) -> dict[str, Any]:
    dilation, flip = without_defaults(kernel_dilation=layer.kernel_dilation), {"transpose_kernel": True}
    for transpose_kernel in (True, False):
        if _folds(layer, transpose_kernel):
            return {"padding": "CIRCULAR", **dilation, **(flip if transpose_kernel else {})}
    refuse_transposed(layer, "nnx.ConvTranspose")
    return {"padding": direct_padding(layer), **dilation, **flip}


def _folds(layer: Convolution, transpose_kernel: bool) -> bool:
    """Returns whether the layer is nnx.ConvTranspose with 'CIRCULAR' padding."""
    return (
        layer.padding_mode == "circular"
        and layer.feature_group_count == max(layer.input_dilation) == 1
        and (layer.padding, layer.output_padding) == _fold_spans(layer.spans, layer.strides, transpose_kernel)
    )


def _per_axis(value: int | Sequence[int] | None, n: int) -> tuple[int, ...]:
    """Returns one int per axis, as flax reads its arguments: None is 1."""
    value = 1 if value is None else value
    return (value,) * n if isinstance(value, int) else tuple(value)
