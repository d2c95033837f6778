r"""Which input cells an output of a stack of convolutions sees, exactly.

Axes do not interact, in one layer or in many, so a receptive field is a box of cells, or with
dilations a grid with holes, and all of it is said one axis at a time.
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
from jaxconv.geometry.arguments import index_of_output
from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.conv_geometry import ConvGeometry
from jaxconv.geometry.lattice import first_multiple
from jaxconv.geometry.pattern import source_cells


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a stack; every tuple has one entry an axis. See `receptive_field`.

    Attributes:
      stack: The geometries, from the input up.
      size: Input cells from the first to the last that one output sees, padding included. Where
        zeros were inserted it depends on the output's phase: the largest.
      jump: Input cells between neighbouring outputs' windows, a `Fraction` where outputs are denser
        than inputs. Where zeros were inserted the cells that windows see advance so much on average.
      offset: The first cell that the first output sees, negative in the padding. (If zeros are all
        that it sees, the next output's.)
      center: The middle of the first output's window, which may lie between two cells.
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
        """The input cells that an output sees, on every axis; kernel dilation leaves holes.

        Args:
          output: Its index, one int an axis.
          clip: Leave out what lies in the padding of any layer. Padding modes other than zeros
            show cells of the map in theirs, and those are counted.

        Raises:
          GeometryError: There is no such output.

        >>> atrous = receptive_field([ConvGeometry((9,), (3,), kernel_dilation=3, padding=3)])
        >>> atrous.cells((1,)), atrous.cells((1,), clip=True)
        (((-2, 1, 4),), ((1, 4),))
        """
        index = index_of_output("output", output, self.stack[-1].output_shape)
        pull = _shown_cells if clip else _unfolded_cells
        return tuple(
            tuple(reduce(pull, reversed(layers), np.array([o])).tolist())
            for o, layers in zip(index, self._by_axis(), strict=True)
        )

    def interval(self, output: Sequence[int], *, clip: bool = False) -> tuple[range, ...]:
        """From the first to the last of `cells`, on every axis; empty where there is none.

        >>> receptive_field([ConvGeometry((9, 6), (3, 2), strides=2, padding=1)]).interval((1, 2))
        (range(1, 4), range(3, 5))
        """
        if clip:
            return tuple(_hull(cells) for cells in self.cells(output, clip=True))
        index = index_of_output("output", output, self.stack[-1].output_shape)
        return tuple(_interval(layers, o) for o, layers in zip(index, self._by_axis(), strict=True))

    def _by_axis(self) -> list[tuple[AxisGeometry, ...]]:
        """The layers' geometries along each axis."""
        return list(zip(*(g.axes for g in self.stack), strict=True))


def receptive_field(stack: Sequence[ConvGeometry]) -> ReceptiveField:
    r"""Which input cells one output of a stack of layers sees.

    A pooling enters by the geometry of its windows (`jaxconv.pool_geometry`); a transposed
    convolution by its equivalent direct one, ``g.equivalent_direct()``, whose zeros between the cells make
    the jump a fraction. The field is found by following taps down from the output, in integers;
    without inserted zeros it is

    $$ size = 1 + \sum_l (span_l - 1) \prod_{m < l} s_m \qquad jump = \prod_l s_l $$

    with $span = d(k-1)+1$. It is that of the unfolded map: what a padding mode shows beyond the
    border counts as the cells of an input that goes on.

    Args:
      stack: The geometries, from the input up, each made for the one before: its output shape and
        features are the next one's input.

    Raises:
      GeometryError: The stack is empty, or two neighbours do not fit; the message names both.
      TypeError: What is stacked is no geometry.

    References:
      Araujo, Norris & Sim, "Computing receptive fields of convolutional neural networks", Distill
      2019; lecture on convolution layers, pooling.

    A 2x2 pooling of a 3x3 convolution sees (P + K - 1) cells on each axis, 4x4:

    >>> from jaxconv import pool_geometry
    >>> field = receptive_field([ConvGeometry((8, 8), (3, 3)), pool_geometry((6, 6), (2, 2))])
    >>> field.size, field.jump, field.offset
    ((4, 4), (2, 2), (0, 0))

    The transpose of a strided convolution, whose outputs take turns to see one or two cells:

    >>> up = ConvGeometry((7,), (3,), strides=2).equivalent_direct()
    >>> field = receptive_field([up])
    >>> field.jump, [field.cells((o,))[0] for o in range(4)]
    ((Fraction(1, 2),), [(-1, 0), (0,), (0, 1), (1,)])
    """
    if isinstance(stack, ConvGeometry):
        raise TypeError(f"`stack` is a list of geometries, got a single one; write [{stack!r}].")
    layers = tuple(stack)
    if not layers:
        raise GeometryError("`stack` needs at least one geometry, got none.")
    for layer in layers:
        if not isinstance(layer, ConvGeometry):
            raise TypeError(f"`stack` holds ConvGeometry objects, got {layer!r}.")
    for number, (below, above) in enumerate(pairwise(layers)):
        gives = (*below.output_shape, below.out_features)
        takes = (*above.input_shape, above.in_features)
        if gives != takes:
            raise GeometryError(
                f"layer {number} gives (*output_shape, features) = {gives}, but layer {number + 1} takes "
                f"{takes}; make each geometry for the output of the one before. Got {below} and {above}."
            )
    return ReceptiveField(layers)


class _Summary(NamedTuple):
    """`ReceptiveField` on one axis."""

    size: int
    jump: int | Fraction
    offset: int
    center: int | Fraction


def _summary(layers: tuple[AxisGeometry, ...]) -> _Summary:
    jump, center, period = Fraction(1), Fraction(0), 1
    for axis in reversed(layers):  # an output at `center + o jump`, in cells of the layers passed so far
        scale = Fraction(axis.stride, axis.input_dilation)
        middle = Fraction(axis.span - 1, 2) - axis.padding[0]
        center = center * scale + middle / axis.input_dilation
        jump *= scale
        period = math.lcm(period, jump.denominator)  # after so many outputs the pattern repeats
    hulls = [_interval(layers, o) for o in _seeing(layers[-1], min(period, layers[-1].out_size))]
    offset = next((hull.start for hull in hulls if hull), 0)
    return _Summary(max(map(len, hulls), default=0), _plain(jump), offset, _plain(center))


def _seeing(axis: AxisGeometry, outputs: int) -> list[int]:
    """The first outputs of a layer, without those whose taps all meet inserted zeros."""
    f, turns = axis.input_dilation, axis.input_dilation // math.gcd(axis.input_dilation, axis.stride)
    taps = range(min(axis.kernel, f // math.gcd(f, axis.dilation)))  # others meet what these do
    firsts = {first_multiple(tap * axis.dilation - axis.padding[0], axis.stride, f) for tap in taps}
    return sorted(o for first in firsts if first is not None for o in range(first, outputs, turns))


def _interval(layers: tuple[AxisGeometry, ...], output: int) -> range:
    """From the first to the last cell that an output sees, on an axis that goes on beyond its ends.

    Going down, only the first and the last of the cells with each remainder are kept. The remainder by what
    all input dilations below multiply to says which taps meet a cell rather than an inserted zero; without
    inserted zeros there is one.
    """
    modulus = math.prod(axis.input_dilation for axis in layers)
    ends = {0: (output, output)}
    for axis in reversed(layers):
        below = modulus // axis.input_dilation
        found: dict[int, tuple[int, int]] = {}
        repeats = modulus // math.gcd(axis.dilation, modulus)  # taps after which remainders repeat
        step = axis.input_dilation // math.gcd(axis.dilation, axis.input_dilation)
        for ends_of_one in ends.values():
            low, high = (cell * axis.stride - axis.padding[0] for cell in ends_of_one)
            skipped = first_multiple(low, axis.dilation, axis.input_dilation)
            if skipped is None:
                continue
            for tap in range(skipped, min(axis.kernel, repeats), step):
                last_tap = tap + (axis.kernel - 1 - tap) // repeats * repeats
                first = (low + tap * axis.dilation) // axis.input_dilation
                last = (high + last_tap * axis.dilation) // axis.input_dilation
                known = found.get(first % below, (first, last))
                found[first % below] = min(first, known[0]), max(last, known[1])
        ends, modulus = found, below
    return range(ends[0][0], ends[0][1] + 1) if ends else range(0)


def _unfolded_cells(outputs: np.ndarray, axis: AxisGeometry) -> np.ndarray:
    """The cells that some outputs of a layer see, sorted, on an axis that goes on beyond its ends."""
    stretched = _positions(outputs, axis)
    return stretched[stretched % axis.input_dilation == 0] // axis.input_dilation


def _shown_cells(outputs: np.ndarray, axis: AxisGeometry) -> np.ndarray:
    """The cells of the map itself that some outputs of a layer see, sorted."""
    stretched = source_cells(axis, _positions(outputs, axis) + axis.padding[0])
    stretched = stretched[(stretched >= 0) & (stretched % axis.input_dilation == 0)]
    return np.unique(stretched // axis.input_dilation)


def _positions(outputs: np.ndarray, axis: AxisGeometry) -> np.ndarray:
    """The stretched positions that the taps of some outputs read, sorted."""
    if not outputs.size:
        return outputs
    starts = outputs * axis.stride - axis.padding[0]
    extent = int(starts[-1] - starts[0]) + axis.span
    if starts.size * axis.kernel < extent:  # few of many: listed, not marked
        return np.unique(np.add.outer(starts, np.arange(axis.kernel) * axis.dilation))
    seen = np.zeros(extent, bool)
    for tap in range(axis.kernel):
        seen[starts - starts[0] + tap * axis.dilation] = True
    return np.flatnonzero(seen) + starts[0]


def _hull(cells: Any) -> range:
    return range(int(cells[0]), int(cells[-1]) + 1) if len(cells) else range(0)


def _plain(number: Fraction) -> int | Fraction:
    return int(number) if number.denominator == 1 else number
