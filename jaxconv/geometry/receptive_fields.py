r"""Computes exactly which input cells an output of a stack of convolutions sees.

Axes do not interact, in one layer or in many. So a receptive field is a box of cells, or with kernel
dilation a grid with holes, and is computed axis by axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import describe, index_of_output
from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.conv_geometry import ConvGeometry
from jaxconv.geometry.lattice import first_multiple
from jaxconv.geometry.pattern import source_cells


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a stack of layers, as `receptive_field` returns it.

    Attributes:
      stack: The geometries of the layers, from the input up.
      size: Per axis, the number of input cells from the first to the last that one output sees, padding
        included. With input dilation it differs between outputs, and the largest is given.
      jump: Per axis, the distance between the windows of neighbouring outputs, in input cells; a `Fraction`
        where outputs are denser than inputs. With input dilation it is an average.
      offset: Per axis, the index of the first cell that the first output sees, negative in the padding. If
        that output sees only inserted zeros, the next output counts.
      center: Per axis, the middle of the first output's window, in input cells from the first one: an int,
        or a `Fraction` where it lies between two cells.
    """

    stack: tuple[ConvGeometry, ...]
    size: tuple[int, ...] = field(init=False)
    jump: tuple[int | Fraction, ...] = field(init=False)
    offset: tuple[int, ...] = field(init=False)
    center: tuple[int | Fraction, ...] = field(init=False)

    def __post_init__(self) -> None:
        columns = zip(*(_summary(layers) for layers in self._by_axis()), strict=True)
        for name, values in zip(_Summary._fields, columns, strict=True):
            object.__setattr__(self, name, values)

    def cells(self, output: Sequence[int], *, clip: bool = False) -> tuple[tuple[int, ...], ...]:
        """Returns the input cells that an output sees, per axis; kernel dilation leaves holes.

        Args:
          output: Index of the output, one int per axis.
          clip: Whether to leave out cells in the padding of any layer. In padding modes other than
            ``"zeros"`` the padding holds copies of cells of the map, and those cells are included.

        Raises:
          GeometryError: The stack has no output with this index.

        >>> atrous = receptive_field([ConvGeometry((9,), (3,), kernel_dilation=3, padding=3)])
        >>> atrous.cells((1,)), atrous.cells((1,), clip=True)
        (((-2, 1, 4),), ((1, 4),))
        """
        index = index_of_output("output", output, self.stack[-1].output_shape)
        cells_of = _cells_of_map if clip else _cells_of_extended_axis
        return tuple(
            tuple(reduce(cells_of, reversed(layers), np.array([o])).tolist())
            for o, layers in zip(index, self._by_axis(), strict=True)
        )

    def interval(self, output: Sequence[int], *, clip: bool = False) -> tuple[range, ...]:
        """Returns the range from the first to the last cell that an output sees, per axis.

        Args:
          output: Index of the output, one int per axis.
          clip: Whether to leave out cells in the padding of any layer. In padding modes other than
            ``"zeros"`` the padding holds copies of cells of the map, and those cells are included.

        Raises:
          GeometryError: The stack has no output with this index.

        >>> receptive_field([ConvGeometry((9, 6), (3, 2), strides=2, padding=1)]).interval((1, 2))
        (range(1, 4), range(3, 5))
        """
        if clip:
            return tuple(_hull(cells) for cells in self.cells(output, clip=True))
        index = index_of_output("output", output, self.stack[-1].output_shape)
        return tuple(_interval(layers, o) for o, layers in zip(index, self._by_axis(), strict=True))

    def _by_axis(self) -> list[tuple[AxisGeometry, ...]]:
        """Returns, for each axis, the geometry of every layer along it."""
        return list(zip(*(g.axes for g in self.stack), strict=True))


def receptive_field(stack: Sequence[ConvGeometry]) -> ReceptiveField:
    r"""Computes which input cells one output of a stack of layers sees.

    For a pooling layer give the geometry of its windows (`jaxconv.pool_geometry`), for a transposed
    convolution its equivalent direct convolution, ``g.equivalent_direct()``, whose inserted zeros make the
    jump a fraction. The taps are followed down from the output, in integers. Without input dilation the
    result is

    $$ size = 1 + \sum_l (span_l - 1) \prod_{m < l} s_m \qquad jump = \prod_l s_l $$

    with $span = d(k-1)+1$. Cells in the padding count as cells of an input that extends beyond its border,
    in every padding mode.

    Args:
      stack: The geometries, from the input up. The output shape and features of each must be the input
        shape and features of the next.

    Returns:
      A `ReceptiveField`: per axis its `size`, `jump`, `offset` and `center`, and methods for the cells that
      one output sees.

    Raises:
      GeometryError: The stack is empty, or two neighbours do not fit; the message names both.
      TypeError: An entry of the stack is not a `ConvGeometry`.

    References:
      Araujo, Norris & Sim, "Computing receptive fields of convolutional neural networks", Distill
      2019, doi:10.23915/distill.00021.

    A 2x2 pooling (P = 2) of a 3x3 convolution (K = 3) sees P + K - 1 = 4 cells on each axis:

    >>> from jaxconv import pool_geometry
    >>> field = receptive_field([ConvGeometry((8, 8), (3, 3)), pool_geometry((6, 6), (2, 2))])
    >>> field.size, field.jump, field.offset
    ((4, 4), (2, 2), (0, 0))

    The outputs of the transpose of a strided convolution see two cells and one cell in turn:

    >>> up = ConvGeometry((7,), (3,), strides=2).equivalent_direct()
    >>> field = receptive_field([up])
    >>> field.jump, [field.cells((o,))[0] for o in range(4)]
    ((Fraction(1, 2),), [(-1, 0), (0,), (0, 1), (1,)])
    """
    if isinstance(stack, ConvGeometry):
        raise TypeError("`stack` must be a list of ConvGeometry objects, got a single one; write [geometry].")
    if not hasattr(stack, "__iter__"):
        raise TypeError(f"`stack` must be a list of ConvGeometry objects, got {describe(stack)}.")
    layers = tuple(stack)
    if not layers:
        raise GeometryError("`stack` needs at least one geometry, got none.")
    for number, layer in enumerate(layers):
        if not isinstance(layer, ConvGeometry):
            raise TypeError(
                f"`stack` must contain only ConvGeometry objects, got {describe(layer)} as layer {number}."
            )
    for number, (below, above) in enumerate(pairwise(layers)):
        output = (*below.output_shape, below.out_features)
        expected = (*above.input_shape, above.in_features)
        if output != expected:
            raise GeometryError(
                f"the layers of `stack` do not fit: layer {number} returns (*output_shape, features) = "
                f"{output}, but layer {number + 1} takes {expected}; make each geometry for the output of "
                f"the layer before. Got {below} and {above}."
            )
    return ReceptiveField(layers)


class _Summary(NamedTuple):
    """The attributes of `ReceptiveField` on one axis."""

    size: int
    jump: int | Fraction
    offset: int
    center: int | Fraction


def _summary(layers: tuple[AxisGeometry, ...]) -> _Summary:
    jump, center, period = Fraction(1), Fraction(0), 1
    for axis in reversed(layers):  # output o is at `center + o jump`, in cells of the layer reached so far
        scale = Fraction(axis.stride, axis.input_dilation)
        middle = Fraction(axis.span - 1, 2) - axis.padding[0]
        center = center * scale + middle / axis.input_dilation
        jump *= scale
        period = math.lcm(period, jump.denominator)  # after this many outputs the pattern repeats
    hulls = [_interval(layers, o) for o in _nonzero_outputs(layers[-1], min(period, layers[-1].out_size))]
    offset = next((hull.start for hull in hulls if hull), 0)
    return _Summary(max(map(len, hulls), default=0), _plain(jump), offset, _plain(center))


def _nonzero_outputs(axis: AxisGeometry, outputs: int) -> list[int]:
    """Returns which of the first outputs of a layer have a tap that does not meet an inserted zero."""
    f, turns = axis.input_dilation, axis.input_dilation // math.gcd(axis.input_dilation, axis.stride)
    taps = range(min(axis.kernel, f // math.gcd(f, axis.dilation)))  # further taps repeat these
    firsts = {first_multiple(tap * axis.dilation - axis.padding[0], axis.stride, f) for tap in taps}
    return sorted(o for first in firsts if first is not None for o in range(first, outputs, turns))


def _interval(layers: tuple[AxisGeometry, ...], output: int) -> range:
    """Returns the range from the first to the last cell that an output sees; see `ends_of`."""
    ends = ends_of(layers, output)
    return range(ends[0], ends[1] + 1) if ends else range(0)


def ends_of(layers: tuple[AxisGeometry, ...], output: int) -> tuple[int, int] | None:
    """Returns the first and the last cell that an output sees, on an axis that extends beyond its ends.

    Returns None if it sees only inserted zeros.

    Going down through the layers, only the first and the last cell with each remainder are needed. The
    remainder is taken modulo the product of all input dilations below, and decides which taps meet a cell
    rather than an inserted zero. Without input dilation there is a single remainder.
    """
    modulus = math.prod(axis.input_dilation for axis in layers)
    ends = {0: (output, output)}
    for axis in reversed(layers):
        below = modulus // axis.input_dilation
        ends_below: dict[int, tuple[int, int]] = {}
        repeats = modulus // math.gcd(axis.dilation, modulus)  # taps after which remainders repeat
        step = axis.input_dilation // math.gcd(axis.dilation, axis.input_dilation)
        for first_and_last in ends.values():
            low, high = (cell * axis.stride - axis.padding[0] for cell in first_and_last)
            skip = first_multiple(low, axis.dilation, axis.input_dilation)
            if skip is None:
                continue
            for tap in range(skip, min(axis.kernel, repeats), step):
                last_tap = tap + (axis.kernel - 1 - tap) // repeats * repeats
                first = (low + tap * axis.dilation) // axis.input_dilation
                last = (high + last_tap * axis.dilation) // axis.input_dilation
                known = ends_below.get(first % below, (first, last))
                ends_below[first % below] = min(first, known[0]), max(last, known[1])
        ends, modulus = ends_below, below
    return ends.get(0)


def _cells_of_extended_axis(outputs: np.ndarray, axis: AxisGeometry) -> np.ndarray:
    """Returns the cells that the given outputs of a layer see, sorted; the axis extends beyond its ends."""
    stretched = _positions(outputs, axis)
    return stretched[stretched % axis.input_dilation == 0] // axis.input_dilation


def _cells_of_map(outputs: np.ndarray, axis: AxisGeometry) -> np.ndarray:
    """Returns the cells of the map itself that the given outputs of a layer see, sorted."""
    stretched = source_cells(axis, _positions(outputs, axis) + axis.padding[0])
    stretched = stretched[(stretched >= 0) & (stretched % axis.input_dilation == 0)]
    return np.unique(stretched // axis.input_dilation)


def _positions(outputs: np.ndarray, axis: AxisGeometry) -> np.ndarray:
    """Returns the stretched positions that the taps of the given outputs read, sorted."""
    if not outputs.size:
        return outputs
    starts = outputs * axis.stride - axis.padding[0]
    extent = int(starts[-1] - starts[0]) + axis.span
    if starts.size * axis.kernel < extent:  # few positions of many: list them
        return np.unique(np.add.outer(starts, np.arange(axis.kernel) * axis.dilation))
    is_read = np.zeros(extent, bool)
    for tap in range(axis.kernel):
        is_read[starts - starts[0] + tap * axis.dilation] = True
    return np.flatnonzero(is_read) + starts[0]


def _hull(cells: Any) -> range:
    return range(int(cells[0]), int(cells[-1]) + 1) if len(cells) else range(0)


def _plain(number: Fraction) -> int | Fraction:
    return int(number) if number.denominator == 1 else number
