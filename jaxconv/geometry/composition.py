r"""Two convolutions in sequence as one, in integers: the geometry of $C_2 C_1$, where a convolution has it.

On one axis the second convolution reads, with tap $u$, the position $m = o s_2 + u d_2 - p_2$, where it finds
window number $m / f_2$ of the first. That window reads, with tap $t$, the position
$s_1 m / f_2 + t d_1 - p_1$. So the two are one convolution with stride $s_1 s_2$, input dilation $f_1 f_2$,
low padding $f_2 p_1 + s_1 p_2$ and a tap at every $f_2 d_1 t + s_1 d_2 u$, wherever the windows exist. In its
padding the second convolution reads windows that the first one does not have. There the two are one
convolution exactly if those windows would read what the padding shows.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import PADDING_MODES, PaddingMode, describe
from jaxconv.geometry.axis import AxisGeometry, least_size
from jaxconv.geometry.conv_geometry import ConvGeometry
from jaxconv.geometry.lattice import first_multiple
from jaxconv.geometry.pattern import source_cells


class TapSums(NamedTuple):
    """How the kernel of a composition is made on one axis.

    Tap t of the first kernel times tap u of the second belongs to tap ``t first_step + u second_step``. The
    slices select the taps of each kernel that can meet an input cell, before and after.
    """

    first_taps: slice
    second_taps: slice
    first_step: int
    second_step: int
    taps: slice


class Composition(NamedTuple):
    """Two convolutions as one: its geometry, and how its kernel is made on each axis."""

    geometry: ConvGeometry
    axes: tuple[TapSums, ...]


def compose(first: ConvGeometry, second: ConvGeometry) -> ConvGeometry:
    r"""Returns the one convolution that is `first` followed by `second`: the geometry of $C_2 C_1$.

    Its kernel is the one that `jaxconv.linalg.compose_kernels` returns. It holds for all kernels or is
    refused: away from the borders the two are always one convolution, but at a border the padding of `second`
    may stand for windows of `first` that do not exist, and would have read the input. The condition is
    exact, except that two kinds may be refused needlessly: products which are zero for all kernels, and pairs
    where the strides of `first` and the input dilation of `second` have a common factor.

    Args:
      first: Geometry of the convolution that is applied first.
      second: Geometry of the convolution of its result: ``second.input_shape`` must be
        ``first.output_shape``, and ``second.in_features`` must be ``first.out_features``.

    Returns:
      The geometry of the composition. Strides and input dilations multiply.

    Raises:
      GeometryError: `second` does not take the result of `first`, or the two are not one convolution; the
        message names the axis and the border.
      TypeError: An argument is not a `ConvGeometry`.

    References:
      Ding et al., arXiv:2103.13425, section 3.2, on sequences of convolutions and their padding.

    >>> compose(ConvGeometry((8,), (3,), strides=2), ConvGeometry((3,), (2,)))
    ConvGeometry((8,), (5,), strides=(2,))
    >>> compose(ConvGeometry((8,), (3,), padding=1), ConvGeometry((8,), (1,)))
    ConvGeometry((8,), (3,), padding=((1, 1),))
    """
    return composition(first, second).geometry


def composition(first: ConvGeometry, second: ConvGeometry) -> Composition:
    """Returns the geometry of a composition, and how its kernel is made; see `compose`.

    Raises:
      GeometryError: `second` does not take the result of `first`, or the two are not one convolution.
      TypeError: An argument is not a `ConvGeometry`.
    """
    _check_chain(first, second)
    errors = []
    modes = (first.padding_mode, second.padding_mode, *PADDING_MODES)
    for mode in dict.fromkeys(modes):
        try:
            axes = [
                _compose_axes(*pair, mode, f"on axis {number}, " if first.ndim > 1 else "")
                for number, pair in enumerate(zip(first.axes, second.axes, strict=True))
            ]
        except GeometryError as error:
            errors.append(error)
            continue
        geometry = ConvGeometry(
            first.input_shape,
            [axis.kernel for axis, _ in axes],
            in_features=first.in_features,
            out_features=second.out_features,
            strides=[axis.stride for axis, _ in axes],
            padding=[axis.padding for axis, _ in axes],
            padding_mode=mode,
            input_dilation=[axis.input_dilation for axis, _ in axes],
            kernel_dilation=[axis.dilation for axis, _ in axes],
            feature_group_count=math.gcd(first.feature_group_count, second.feature_group_count),
        )
        return Composition(geometry, tuple(sums for _, sums in axes))
    raise errors[0]


def without_common_stride(axis: AxisGeometry) -> tuple[AxisGeometry, slice]:
    """Returns the same convolution without a common factor of stride and input dilation, and its taps.

    With such a factor c, only the taps t with ``t d = p`` modulo c ever meet an input cell. An axis is
    returned as it is where c is 1, where no tap meets a cell, and in other modes than zero padding.

    >>> axis, taps = without_common_stride(AxisGeometry(4, 5, stride=2, padding=(4, 4), input_dilation=2))
    >>> axis.kernel, axis.stride, axis.input_dilation, axis.padding, taps
    (3, 1, 1, (2, 2), slice(0, None, 2))
    """
    s, d, f = axis.stride, axis.dilation, axis.input_dilation
    common = math.gcd(s, f)
    first = first_multiple(-axis.padding[0], d, common)
    if common == 1 or axis.padding_mode != "zeros" or first is None or first >= axis.kernel:
        return axis, slice(None)
    step = common // math.gcd(common, d)
    kernel, dilation = (axis.kernel - 1 - first) // step + 1, d // math.gcd(common, d)
    low = (axis.padding[0] - first * d) // common
    read = (axis.out_size - 1) * s // common + dilation * (kernel - 1) + 1
    high = read - f // common * (axis.size - 1) - 1 - low
    reduced = replace(
        axis,
        kernel=kernel,
        stride=s // common,
        padding=(low, high),
        dilation=dilation,
        input_dilation=f // common,
    )
    return reduced, slice(first, None, step)


def low_border_agrees(first: AxisGeometry, second: AxisGeometry) -> bool:
    """Returns whether two zero-padded axes are one convolution at the low border, by a sufficient rule.

    Either `second` reads no window before the first one, or window -1 of `first` ends before the input.

    >>> same = AxisGeometry(8, 3, padding=(1, 1))
    >>> low_border_agrees(same, same), low_border_agrees(AxisGeometry(8, 3, padding=(2, 1)), same)
    (False, True)
    """
    return second.padding[0] < second.input_dilation or first.padding[0] >= first.span - first.stride


def high_border_agrees(first: AxisGeometry, second: AxisGeometry) -> bool:
    """Returns whether two zero-padded axes are one convolution at the high border, by a sufficient rule.

    Either `second` reads no window after the last one, or the window after the last starts after the input.

    >>> same = AxisGeometry(8, 3, padding=(1, 1))
    >>> high_border_agrees(same, same), high_border_agrees(AxisGeometry(8, 3, padding=(2, 2)), same)
    (False, True)
    """
    last_read = (second.out_size - 1) * second.stride + second.span - 1 - second.padding[0]
    after_last = first.out_size * first.stride - first.padding[0]
    return last_read < first.out_size * second.input_dilation or after_last >= first.stretched


def _check_chain(first: ConvGeometry, second: ConvGeometry) -> None:
    for name, geometry in (("first", first), ("second", second)):
        if not isinstance(geometry, ConvGeometry):
            raise TypeError(
                f"`{name}` must be a jaxconv.ConvGeometry, got {describe(geometry)}; make one, for example "
                "jaxconv.ConvGeometry((6, 6), (3, 3))."
            )
    passed = first.output_shape, first.out_features
    taken = second.input_shape, second.in_features
    if passed != taken:
        swapped = (second.output_shape, second.out_features) == (first.input_shape, first.in_features)
        raise GeometryError(
            f"`second` must take the result of `first`, which has shape {passed[0]} and {passed[1]} "
            f"feature(s); it takes shape {taken[0]} and {taken[1]} feature(s)."
            + (" Are the two swapped? C2 @ C1 is compose(first, second)." if swapped else "")
        )


def _compose_axes(
    first: AxisGeometry, second: AxisGeometry, mode: PaddingMode, where: str
) -> tuple[AxisGeometry, TapSums]:
    """Returns one axis of a composition whose padding has a given mode.

    Raises:
      GeometryError: The two are not one convolution with this mode.
    """
    first, first_taps = without_common_stride(first)
    second, second_taps = without_common_stride(second)
    common = math.gcd(first.stride, second.input_dilation)
    if common > 1:
        raise GeometryError(
            f"`second` after `first` is not one convolution: {where}the strides of `first` and the input "
            f"dilation of `second` have the common factor {common}, so that different outputs need different "
            "kernels. Apply one after the other, or multiply the matrices as C2 @ C1."
        )
    composed, steps = interior(first, second, mode)
    _check_borders(first, second, composed, where)
    composed, taps = without_common_stride(composed)
    return composed, TapSums(first_taps, second_taps, *steps, taps)


def interior(
    first: AxisGeometry, second: AxisGeometry, mode: PaddingMode
) -> tuple[AxisGeometry, tuple[int, int]]:
    """Returns the convolution that two are away from the borders, and its taps per tap of each."""
    first_step, second_step = first.dilation * second.input_dilation, second.dilation * first.stride
    dilation = math.gcd(first_step * (first.kernel > 1), second_step * (second.kernel > 1)) or 1
    span = first_step * (first.kernel - 1) + second_step * (second.kernel - 1) + 1
    stride = first.stride * second.stride
    input_dilation = first.input_dilation * second.input_dilation
    low, high = (
        second.input_dilation * p + first.stride * q
        for p, q in zip(first.padding, second.padding, strict=True)
    )
    unread = input_dilation * (first.size - 1) + low + high - (span - 1) - (second.out_size - 1) * stride
    high -= max(unread - (stride - 1), 0)  # cells that `first` leaves unread
    if least_size(mode, (low, high)) > first.size:
        mode = "replicate"  # the same on an axis of one cell, which cannot be reflected
    composed = replace(
        first,
        kernel=(span - 1) // dilation + 1,
        stride=stride,
        padding=(low, high),
        dilation=dilation,
        input_dilation=input_dilation,
        padding_mode=mode,
    )
    # the step of a single tap is any number, but lax takes no dilation of 0
    return composed, (max(first_step // dilation, 1), max(second_step // dilation, 1))


def _check_borders(first: AxisGeometry, second: AxisGeometry, composed: AxisGeometry, where: str) -> None:
    """Checks that one convolution reads what two read, in all outputs that read beyond a map.

    Raises:
      GeometryError: It reads something else; the message has the axis and the border.
    """
    if first.padding_mode == second.padding_mode == "zeros":
        if low_border_agrees(first, second) and high_border_agrees(first, second):
            return
    outputs = np.union1d(border_outputs(second), border_outputs(composed))
    reads = outputs[:, None] * second.stride - second.padding[0] + np.arange(second.kernel) * second.dilation
    position = np.unique(reads)
    window = _cells(second, position)
    tap = np.arange(first.kernel) * first.dilation - first.padding[0]
    places = first.stride * position[:, None] + second.input_dilation * tap
    expected = np.where(window[:, None] < 0, -1, _cells(first, first.stride * window[:, None] + tap))
    differs = _cells(composed, places) != expected
    if differs.any():
        row, column = np.argwhere(differs)[0]
        raise GeometryError(
            f"`second` after `first` is not one convolution: {where}"
            + _difference(first, second, int(position[row]), bool(places[row, column] < 0))
            + "; apply one after the other, or multiply the matrices as C2 @ C1."
        )


def border_outputs(axis: AxisGeometry) -> np.ndarray:
    """Returns the outputs whose windows begin before the stretched axis, or end after it."""
    starts_inside = min(max(-(-axis.padding[0] // axis.stride), 0), axis.out_size)
    ends_inside = (axis.stretched - axis.span + axis.padding[0]) // axis.stride + 1
    after = min(max(ends_inside, starts_inside), axis.out_size)
    return np.concatenate([np.arange(starts_inside), np.arange(after, axis.out_size)])


def _cells(axis: AxisGeometry, positions: np.ndarray) -> np.ndarray:
    """Returns the input cells at positions of the stretched axis, which begins at 0; -1 for a zero."""
    stretched = source_cells(axis, positions + axis.padding[0])
    holds = (stretched >= 0) & (stretched % axis.input_dilation == 0)
    return np.where(holds, stretched // axis.input_dilation, -1)


def _difference(first: AxisGeometry, second: AxisGeometry, position: int, before: bool) -> str:
    """Returns where and why two convolutions differ from one, for a message."""
    if 0 <= position < second.stretched:
        return (
            f"at the {'low' if before else 'high'} border `first` has padding_mode={first.padding_mode!r}, "
            f"which one convolution of the two cannot have"
        )
    side = "low" if position < 0 else "high"
    text = (
        f"at the {side} border the padding of `second` ({second.padding[side == 'high']}, "
        f"{second.padding_mode}) stands for window {position // second.input_dilation} of `first`, which "
        f"does not exist and would read other cells"
    )
    if first.padding_mode == second.padding_mode == "zeros" and side == "low":
        text += f" (unless `first` has padding of {first.span - first.stride} there)"
    return text
