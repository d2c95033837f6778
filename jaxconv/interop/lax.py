"""lax's own convolutions: any layout of axes, no bias.

`lax.conv_transpose` convolves the stretched y directly. Its words speak of the forward convolution's
padding; its pairs pad the stretched y, unless ``use_consistent_padding``. It flips no kernel and takes
it with the layer's features, unless ``transpose_kernel``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jaxconv.convolution import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.geometry import Padding
from jaxconv.geometry.arguments import padding_per_axis, per_axis
from jaxconv.interop.call import without_defaults
from jaxconv.interop.direct import direct_padding, of_direct
from jaxconv.interop.layer import Convolution
from jaxconv.interop.refusals import check_convolution, refuse

_LETTERS = {1: "W", 2: "HW", 3: "DHW"}
_TRANSPOSE_DEFAULTS = {
    1: ("NHC", "HIO", "NHC"),
    2: ("NHWC", "HWIO", "NHWC"),
    3: ("NHWDC", "HWDIO", "NHWDC"),
}


def from_lax_conv(
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: tuple[str, str, str] | lax.ConvDimensionNumbers | None = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
) -> Convolution:
    """`lax.conv_general_dilated`, from its kernel and its own arguments after ``lhs``.

    Args:
      rhs: The kernel, in the layout of `dimension_numbers`.
      window_strides: As in lax, as all that follow.
      padding: Likewise.
      lhs_dilation: Likewise.
      rhs_dilation: Likewise.
      dimension_numbers: Likewise; channels first by default, as in lax.
      feature_group_count: Likewise.
      batch_group_count: Only 1.

    Returns:
      A `Convolution` on channels-last maps. Its spatial axes are in the order of `window_strides`,
      which is the kernel's.

    Raises:
      GeometryError: lax refuses the arguments too, or batch groups are asked for.

    >>> layer = from_lax_conv(jnp.ones((8, 4, 3, 5)), (2, 1), "SAME")
    >>> layer.kernel.shape, layer.geometry((9, 9)).output_shape
    ((3, 5, 4, 8), (5, 9))
    """
    if batch_group_count != 1:
        raise GeometryError(
            f"batch_group_count={batch_group_count} gives every part of the batch a kernel of its own, "
            "which no convolution of a feature map does; split the batch."
        )
    rhs = _kernel(rhs)
    n = rhs.ndim - 2
    if isinstance(padding, str):
        padding = padding.upper()
        if lhs_dilation is not None and max(lhs_dilation) > 1:
            raise GeometryError(f"lax takes no padding word beside lhs_dilation, got {padding!r}.")
        _check_word(padding, ("VALID", "SAME", "SAME_LOWER"))
    return Convolution(
        _channels_last(rhs, dimension_numbers),
        strides=_all_axes("window_strides", window_strides, n),
        padding=cast(Padding, padding),
        input_dilation=_all_axes("lhs_dilation", lhs_dilation, n),
        kernel_dilation=_all_axes("rhs_dilation", rhs_dilation, n),
        feature_group_count=feature_group_count,
    )


def from_lax_conv_transpose(
    rhs: ArrayLike,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: tuple[str, str, str] | lax.ConvDimensionNumbers | None = None,
    transpose_kernel: bool = False,
    use_consistent_padding: bool = False,
) -> Convolution:
    """`lax.conv_transpose`, from its kernel and its own arguments after ``lhs``.

    Args:
      rhs: The kernel, in the layout of `dimension_numbers`.
      strides: As in lax, as all that follow.
      padding: Likewise: a word speaks of the forward convolution, a pair of the stretched y.
      rhs_dilation: Likewise.
      dimension_numbers: Likewise; channels *last* by default, as in lax.
      transpose_kernel: Likewise: whether `rhs` is the forward convolution's kernel.
      use_consistent_padding: Likewise: whether pairs speak of the forward convolution too.

    Returns:
      A transposed `Convolution` on channels-last maps, with the forward convolution's arguments.

    Raises:
      GeometryError: lax refuses the arguments too.

    >>> layer = from_lax_conv_transpose(jnp.ones((3, 1, 1)), (2,), ((1, 2),), transpose_kernel=True)
    >>> layer.geometry((3,))
    ConvGeometry((6,), (3,), strides=(2,), padding=((1, 1),))
    """
    rhs = _kernel(rhs)
    n = rhs.ndim - 2
    if dimension_numbers is None:
        if n not in _TRANSPOSE_DEFAULTS:
            raise GeometryError(f"lax.conv_transpose needs dimension_numbers for {n} spatial axes.")
        dimension_numbers = _TRANSPOSE_DEFAULTS[n]
    kernel = _channels_last(rhs, dimension_numbers)
    s = _all_axes("strides", strides, n)
    d = _all_axes("rhs_dilation", rhs_dilation, n)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel.shape[:-2], d, strict=True)]
    pads = transpose_padding(spans, s, padding, use_consistent_padding)
    return of_direct(transposed_kernel(kernel) if transpose_kernel else kernel, None, s, pads, d)


def transpose_padding(spans, strides, padding, use_consistent_padding: bool = False):
    """How `lax.conv_transpose` pads the stretched y, a pair an axis.

    >>> transpose_padding([3], [2], "SAME"), transpose_padding([3], [2], "VALID")
    (((2, 1),), ((2, 2),))
    """
    if padding in ("SAME", "VALID"):
        return tuple(_word_padding(k, s, padding) for k, s in zip(spans, strides, strict=True))
    if isinstance(padding, str):
        _check_word(padding.upper(), ("VALID", "SAME", "SAME_LOWER"))
        if use_consistent_padding or max(strides) > 1:
            raise GeometryError(f"lax.conv_transpose takes only 'SAME' and 'VALID', got {padding!r}.")
        # Unstretched, it is a direct convolution like any other, and so is the word.
        return tuple(lax.padtype_to_pads(spans, spans, strides, padding))
    pairs = [pair for pair in padding_per_axis(padding, len(spans)) if not isinstance(pair, str)]
    if use_consistent_padding:
        return tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(spans, pairs, strict=True))
    return tuple(pairs)


def _word_padding(span: int, stride: int, word: str) -> tuple[int, int]:
    """Of one axis. SAME returns stride x the size, VALID what has that many cells at least."""
    if word == "VALID":
        return span - 1, max(span, stride) - 1
    total = span + stride - 2
    low = span - 1 if stride > span - 1 else -(-total // 2)
    return low, total - low


def to_lax_conv(layer: Convolution) -> tuple[jax.Array, dict[str, Any]]:
    """The kernel and the arguments with which `lax.conv_general_dilated` computes the layer.

    A transposed layer too, as the equivalent direct convolution: groups and both dilations, which
    `lax.conv_transpose` lacks, included.

    Args:
      layer: With zero padding and without a bias.

    Returns:
      ``kernel, arguments``, for ``lax.conv_general_dilated(x, kernel, **arguments)`` on maps with
      one batch axis.

    Raises:
      GeometryError: lax has no such convolution.

    >>> layer = Convolution(jnp.ones((3, 1, 1)), strides=2, padding=1, transposed=True, output_padding=1)
    >>> kernel, arguments = to_lax_conv(layer)
    >>> arguments["lhs_dilation"], arguments["padding"]
    ((2,), ((1, 2),))
    """
    check_convolution(layer)
    _check_no_bias(layer)
    if not layer.transposed:
        return layer.kernel, conv_arguments(layer)
    groups = layer.feature_group_count
    return transposed_kernel(layer.kernel, groups), {
        "window_strides": layer.input_dilation,
        "padding": direct_padding(layer),
        **without_defaults(
            lhs_dilation=layer.strides, rhs_dilation=layer.kernel_dilation, feature_group_count=groups
        ),
        "dimension_numbers": dimension_numbers(layer.ndim),
    }


def to_lax_conv_transpose(layer: Convolution) -> tuple[jax.Array, dict[str, Any]]:
    """The kernel and the arguments with which `lax.conv_transpose` computes a transposed layer.

    Args:
      layer: Transposed, with zero padding and without groups, input dilation and bias.

    Returns:
      ``kernel, arguments``, for ``lax.conv_transpose(y, kernel, **arguments)`` on maps with one
      batch axis.

    Raises:
      GeometryError: lax has no such convolution; `to_lax_conv` may have.

    >>> layer = Convolution(jnp.ones((3, 1, 1)), strides=2, padding=1, transposed=True, output_padding=1)
    >>> kernel, arguments = to_lax_conv_transpose(layer)
    >>> arguments["padding"], arguments["transpose_kernel"]
    (((1, 2),), True)
    """
    check_convolution(layer)
    if not layer.transposed:
        raise GeometryError("lax.conv_transpose computes transposed layers only: use `to_lax_conv`.")
    _check_no_bias(layer)
    return layer.kernel, conv_transpose_arguments(layer)


def conv_arguments(layer: Convolution) -> dict[str, Any]:
    """Of `lax.conv_general_dilated` for a forward layer.

    Raises:
      GeometryError: It has no such convolution.
    """
    refuse("lax", (f"{layer.padding_mode} padding: use jnp.pad first", layer.padding_mode != "zeros"))
    if layer.depends_on_size and max(layer.input_dilation) > 1:
        raise GeometryError("lax takes no padding word beside lhs_dilation: settle it by `.at(input_shape)`")
    return {
        "window_strides": layer.strides,
        "padding": layer.padding,
        **without_defaults(
            lhs_dilation=layer.input_dilation,
            rhs_dilation=layer.kernel_dilation,
            feature_group_count=layer.feature_group_count,
        ),
        "dimension_numbers": dimension_numbers(layer.ndim),
    }


def conv_transpose_arguments(layer: Convolution) -> dict[str, Any]:
    """Of `lax.conv_transpose` for a transposed layer.

    Raises:
      GeometryError: It has no such convolution.
    """
    refuse_transposed(layer, "lax.conv_transpose")
    return {
        "strides": layer.strides,
        "padding": direct_padding(layer),
        **without_defaults(rhs_dilation=layer.kernel_dilation),
        "dimension_numbers": dimension_numbers(layer.ndim),
        "transpose_kernel": True,
    }


def refuse_transposed(layer: Convolution, library: str) -> None:
    """What neither `lax.conv_transpose` nor the layers built on it have.

    Raises:
      GeometryError: The layer needs it.
    """
    refuse(
        library,
        (f"{layer.padding_mode} padding", layer.padding_mode != "zeros"),
        ("groups", layer.feature_group_count > 1),
        ("input dilation", max(layer.input_dilation) > 1),
    )


def dimension_numbers(n: int) -> tuple[str, str, str]:
    """Channels last, for any number of axes.

    >>> dimension_numbers(2)
    ('NHWC', 'HWIO', 'NHWC')
    """
    axes = _LETTERS.get(n, "0123456789"[:n])
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def _kernel(rhs) -> jax.Array:
    rhs = jnp.asarray(rhs)
    if rhs.ndim < 3:
        raise GeometryError(f"the kernel needs a spatial axis beside its features, got shape {rhs.shape}.")
    return rhs


def _channels_last(rhs: jax.Array, numbers) -> jax.Array:
    """The kernel as ``(*kernel_shape, in // groups, out)``."""
    try:
        out, inputs, *spatial = lax.conv_dimension_numbers(rhs.shape, rhs.shape, numbers).rhs_spec
    except (TypeError, ValueError) as error:
        raise GeometryError(
            f"`dimension_numbers` must name the {rhs.ndim} axes of a map, of the kernel and of the result, "
            f"such as {dimension_numbers(rhs.ndim - 2)}; lax refuses {numbers}: {error}"
        ) from None
    return rhs.transpose(*spatial, inputs, out)


def _all_axes(name: str, values, n: int) -> tuple[int, ...]:
    return (1,) * n if values is None else per_axis(name, values, n)


def _check_word(word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise GeometryError(f"`padding` of lax is one of {words} or a pair an axis, got {word!r}.")


def _check_no_bias(layer: Convolution) -> None:
    if layer.bias is not None:
        raise GeometryError(
            "lax's convolutions have no bias: take dataclasses.replace(layer, bias=None), and add it after."
        )
