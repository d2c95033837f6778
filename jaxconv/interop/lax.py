"""The convolutions of lax: any layout of axes, no bias.

`lax.conv_transpose` is a direct convolution of the stretched y. Its padding words are those of the forward
convolution; its pairs pad the stretched y, unless ``use_consistent_padding``. It takes the kernel of that
direct convolution, unless ``transpose_kernel``.
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
from jaxconv.geometry.arguments import PaddingPairs, padding_per_axis, per_axis
from jaxconv.interop.call import without_defaults
from jaxconv.interop.direct import direct_padding, of_direct
from jaxconv.interop.layer import Convolution
from jaxconv.interop.padding import spans
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
    """Converts a call of `lax.conv_general_dilated` to a `Convolution`.

    The arguments are those of lax after ``lhs``.

    Args:
      rhs: Kernel, in the layout of `dimension_numbers`.
      window_strides: Strides, one int per spatial axis.
      padding: ``"VALID"``, ``"SAME"``, ``"SAME_LOWER"``, or one ``(low, high)`` pair per spatial axis.
      lhs_dilation: Input dilation, one int per spatial axis; by default 1.
      rhs_dilation: Kernel dilation, one int per spatial axis; by default 1.
      dimension_numbers: Layout of the axes, such as ``("NHWC", "HWIO", "NHWC")``; by default channels-first,
        as in lax.
      feature_group_count: Number of groups.
      batch_group_count: Must be 1.

    Returns:
      A `Convolution` on channels-last maps. Its spatial axes are in the order of `window_strides`,
      which is that of the kernel.

    Raises:
      GeometryError: lax refuses the arguments too, or `batch_group_count` is not 1.

    >>> layer = from_lax_conv(jnp.ones((8, 4, 3, 5)), (2, 1), "SAME")
    >>> layer.kernel.shape, layer.geometry((9, 9)).output_shape
    ((3, 5, 4, 8), (5, 9))
    """
    if batch_group_count != 1:
        raise GeometryError(
            f"`batch_group_count` must be 1, got {batch_group_count}: it gives every part of the batch its "
            "own kernel, which a Convolution cannot do; split the batch."
        )
    rhs = _kernel(rhs)
    n = rhs.ndim - 2
    if isinstance(padding, str):
        padding = padding.upper()
        if lhs_dilation is not None and max(lhs_dilation) > 1:
            raise GeometryError(
                f"`padding` must be pairs of ints if `lhs_dilation` is above 1, as in lax, got {padding!r}."
            )
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
    """Converts a call of `lax.conv_transpose` to a transposed `Convolution`.

    The arguments are those of lax after ``lhs``.

    Args:
      rhs: Kernel, in the layout of `dimension_numbers`.
      strides: Strides of the forward convolution, one int per spatial axis.
      padding: ``"SAME"`` or ``"VALID"`` padding of the forward convolution, or one ``(low, high)`` pair per
        spatial axis: the padding of the stretched y.
      rhs_dilation: Kernel dilation, one int per spatial axis; by default 1.
      dimension_numbers: Layout of the axes; by default channels-*last*, as in lax.
      transpose_kernel: Whether `rhs` is the kernel of the forward convolution, rather than of the direct one.
      use_consistent_padding: Whether pairs are the padding of the forward convolution too.

    Returns:
      A transposed `Convolution` on channels-last maps, with the arguments of the forward convolution.

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
            raise GeometryError(f"`dimension_numbers` must be given for {n} spatial axes, as in lax.")
        dimension_numbers = _TRANSPOSE_DEFAULTS[n]
    kernel = _channels_last(rhs, dimension_numbers)
    s = _all_axes("strides", strides, n)
    d = _all_axes("rhs_dilation", rhs_dilation, n)
    pads = transpose_padding(spans(kernel.shape[:-2], d), s, padding, use_consistent_padding)
    return of_direct(transposed_kernel(kernel) if transpose_kernel else kernel, None, s, pads, d)


def transpose_padding(
    lengths: Sequence[int], strides: Sequence[int], padding: Any, use_consistent_padding: bool = False
) -> PaddingPairs:
    """Returns how `lax.conv_transpose` pads the stretched y, one pair per axis.

    Args:
      lengths: Cells from the first tap to the last, for every axis.
      strides: Strides, one int per axis.
      padding: Padding as lax takes it: a word or pairs.
      use_consistent_padding: Whether pairs are the padding of the forward convolution.

    >>> transpose_padding([3], [2], "SAME"), transpose_padding([3], [2], "VALID")
    (((2, 1),), ((2, 2),))
    """
    if padding in ("SAME", "VALID"):
        return tuple(_word_padding(k, s, padding) for k, s in zip(lengths, strides, strict=True))
    if isinstance(padding, str):
        _check_word(padding.upper(), ("VALID", "SAME", "SAME_LOWER"))
        if use_consistent_padding or max(strides) > 1:
            raise GeometryError(
                f"`padding` of lax.conv_transpose must be 'SAME', 'VALID' or pairs of ints, got {padding!r}."
            )
        # With strides of 1 it is an ordinary direct convolution, and the word is the direct one's.
        return tuple(lax.padtype_to_pads(lengths, lengths, strides, padding))
    pairs = [pair for pair in padding_per_axis(padding, len(lengths)) if not isinstance(pair, str)]
    if use_consistent_padding:
        return tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(lengths, pairs, strict=True))
    return tuple(pairs)


def _word_padding(span: int, stride: int, word: str) -> tuple[int, int]:
    """Returns the padding of one axis: SAME gives stride x size outputs, VALID at least as many."""
    if word == "VALID":
        return span - 1, max(span, stride) - 1
    total = span + stride - 2
    low = span - 1 if stride > span - 1 else -(-total // 2)
    return low, total - low


def to_lax_conv(layer: Convolution) -> tuple[jax.Array, dict[str, Any]]:
    """Returns the kernel and the arguments with which `lax.conv_general_dilated` computes the layer.

    A transposed layer becomes the equivalent direct convolution, including groups and both dilations, which
    `lax.conv_transpose` does not have.

    Args:
      layer: A `Convolution` with zero padding and without a bias.

    Returns:
      ``kernel, arguments``, for ``lax.conv_general_dilated(x, kernel, **arguments)`` on maps with
      one batch axis.

    Raises:
      GeometryError: lax has no such convolution.
      TypeError: `layer` is not a `Convolution`.

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
    """Returns the kernel and the arguments with which `lax.conv_transpose` computes a transposed layer.

    Args:
      layer: A transposed `Convolution` with zero padding, without groups, input dilation and bias.

    Returns:
      ``kernel, arguments``, for ``lax.conv_transpose(y, kernel, **arguments)`` on maps with one
      batch axis.

    Raises:
      GeometryError: lax has no such transposed convolution; `to_lax_conv` may work.
      TypeError: `layer` is not a `Convolution`.

    >>> layer = Convolution(jnp.ones((3, 1, 1)), strides=2, padding=1, transposed=True, output_padding=1)
    >>> kernel, arguments = to_lax_conv_transpose(layer)
    >>> arguments["padding"], arguments["transpose_kernel"]
    (((1, 2),), True)
    """
    check_convolution(layer)
    if not layer.transposed:
        raise GeometryError("`layer` must be transposed for lax.conv_transpose: use `to_lax_conv`.")
    _check_no_bias(layer)
    return layer.kernel, conv_transpose_arguments(layer)


def conv_arguments(layer: Convolution) -> dict[str, Any]:
    """Returns the arguments of `lax.conv_general_dilated` for a forward layer.

    Raises:
      GeometryError: lax has no such convolution.
    """
    refuse("lax", (f"{layer.padding_mode} padding: use jnp.pad first", layer.padding_mode != "zeros"))
    if layer.depends_on_size and max(layer.input_dilation) > 1:
        raise GeometryError("lax has no padding words with lhs_dilation: call `layer.at(input_shape)` first")
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
    """Returns the arguments of `lax.conv_transpose` for a transposed layer.

    Raises:
      GeometryError: lax has no such convolution.
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
    """Refuses a layer that needs what `lax.conv_transpose` and the layers built on it do not have.

    Raises:
      GeometryError: It needs some of that.
    """
    refuse(
        library,
        (f"{layer.padding_mode} padding", layer.padding_mode != "zeros"),
        ("groups", layer.feature_group_count > 1),
        ("input dilation", max(layer.input_dilation) > 1),
    )


def dimension_numbers(n: int) -> tuple[str, str, str]:
    """Returns the channels-last layout of lax for any number of axes.

    >>> dimension_numbers(2)
    ('NHWC', 'HWIO', 'NHWC')
    """
    axes = _LETTERS.get(n, "0123456789"[:n])
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def _kernel(rhs: ArrayLike) -> jax.Array:
    rhs = jnp.asarray(rhs)
    if rhs.ndim < 3:
        raise GeometryError(
            "`rhs`, the kernel, must have a spatial axis beside its two axes of features, got shape "
            f"{rhs.shape}."
        )
    return rhs


def _channels_last(
    rhs: jax.Array, numbers: tuple[str, str, str] | lax.ConvDimensionNumbers | None
) -> jax.Array:
    """Returns the kernel as ``(*kernel_shape, in // groups, out)``."""
    try:
        out, inputs, *spatial = lax.conv_dimension_numbers(rhs.shape, rhs.shape, numbers).rhs_spec
    except (TypeError, ValueError) as error:
        raise GeometryError(
            f"`dimension_numbers` must name the {rhs.ndim} axes of a map, of the kernel and of the result, "
            f"such as {dimension_numbers(rhs.ndim - 2)}; lax refuses {numbers}: {error}"
        ) from None
    return rhs.transpose(*spatial, inputs, out)


def _all_axes(name: str, values: Sequence[int] | None, n: int) -> tuple[int, ...]:
    return (1,) * n if values is None else per_axis(name, values, n)


def _check_word(word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise GeometryError(
            f"`padding` of lax must be one of {words} or one (low, high) pair per axis, got {word!r}."
        )


def _check_no_bias(layer: Convolution) -> None:
    if layer.bias is not None:
        raise GeometryError(
            "lax's convolutions have no bias, but `layer` has one: pass "
            "dataclasses.replace(layer, bias=None), and add the bias afterwards."
        )
