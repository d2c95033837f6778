"""A convolution step by step, in integers: what the window covers at every output cell.

One scene is one row of C. The transpose is shown as the equivalent direct convolution of
arXiv:1603.07285, chapter 4, and its scenes are the rows of C-transposed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from jaxconv.errors import SizeError
from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.conv_geometry import ConvGeometry
from jaxconv.geometry.pattern import source_cells

MOST_READS = 1_000_000  # of all scenes together; more would fill the memory before anybody looks at them

Kind = Literal["input", "inserted", "padding", "cropped"]
KINDS: tuple[Kind, ...] = ("input", "inserted", "padding", "cropped")


class PaddedCell(NamedTuple):
    """One cell of the stretched and padded input.

    Attributes:
      kind: ``"input"``; ``"inserted"``, a zero between two inputs; ``"padding"``; or ``"cropped"``, which
        negative padding removes.
      cell: Input cell whose value it holds, one index per axis; None if it holds a zero. Cells of the
        padding hold values of input cells if the padding mode is circular, reflect or replicate.
    """

    kind: Kind
    cell: tuple[int, ...] | None


class TapRead(NamedTuple):
    """What one tap of the window reads.

    Attributes:
      position: Position in the stretched and padded input, one index per axis; 0 is the first cell of the
        padding.
      tap: Tap of the kernel of the forward convolution, one index per axis.
      kind: Kind of the cell at the position.
      cell: Input cell that the tap reads, one index per axis; None for a zero.
    """

    position: tuple[int, ...]
    tap: tuple[int, ...]
    kind: Kind
    cell: tuple[int, ...] | None


class Entry(NamedTuple):
    """One product of a scene.

    Attributes:
      column: Column of the matrix.
      kernel_index: Index into the kernel ``(*kernel_shape, in // groups, out)``.
    """

    column: int
    kernel_index: tuple[int, ...]


@dataclass(frozen=True)
class Scene:
    """The window of a convolution at one output cell.

    Attributes:
      geometry: Geometry of the forward convolution.
      shown: Geometry of the convolution that is shown: `geometry`, or the equivalent direct
        convolution of its transpose.
      transposed: Whether the transpose is shown.
      row: Row of C, or of C-transposed, whose entries the scene reads.
      output: Output cell of `shown`, one index per axis.
      output_feature: Output feature of `shown`.
      input_features: Input features of `shown` that are read: those of one group.
      reads: One entry per tap, in the order in which the window covers them.
    """

    geometry: ConvGeometry
    shown: ConvGeometry
    transposed: bool
    row: int
    output: tuple[int, ...]
    output_feature: int
    input_features: range
    reads: tuple[TapRead, ...]

    def kernel_index(self, tap: Sequence[int], input_feature: int) -> tuple[int, ...]:
        """Returns the index into the forward kernel of the weight between two features.

        Args:
          tap: Tap of the forward kernel, one index per axis.
          input_feature: One of `input_features`.
        """
        inputs = self.geometry.in_features // self.geometry.feature_group_count
        first, last = input_feature, self.output_feature
        if self.transposed:
            first, last = last, first
        return (*tap, first % inputs, last)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Products of the scene, zeros left out: row `row` of C, or of C-transposed."""
        return tuple(
            Entry(column, self.kernel_index(read.tap, feature))
            for read in self.reads
            if read.cell is not None
            for feature in self.input_features
            for column in [flat_index(read.cell, self.shown.input_shape) * self.shown.in_features + feature]
        )


def scenes(geometry: ConvGeometry, *, transposed: bool = False) -> tuple[Scene, ...]:
    """Returns one scene per output cell: what the window reads there, in the order of the rows of C.

    Args:
      geometry: Geometry of the forward convolution.
      transposed: Whether the scenes are the rows of C-transposed, shown as the equivalent direct convolution:
        zeros are inserted between the inputs, and the kernel is rotated by 180 degrees.

    Returns:
      One scene per row.

    Raises:
      GeometryError: `transposed`, and the padding does not hold zeros: no direct convolution is equivalent.
      SizeError: More than a million reads.

    References:
      Dumoulin & Visin, arXiv:1603.07285, chapter 2, and relationships 8 to 14 for the transpose.

    >>> last = scenes(ConvGeometry((5,), (3,), strides=2, padding=1))[-1]
    >>> last.output, [(read.position, read.kind) for read in last.reads]
    ((2,), [((4,), 'input'), ((5,), 'input'), ((6,), 'padding')])
    >>> first = scenes(ConvGeometry((5,), (3,), strides=2), transposed=True)[0]
    >>> [(read.tap, read.kind, read.cell) for read in first.reads]
    [((2,), 'padding', None), ((1,), 'padding', None), ((0,), 'input', (0,))]
    """
    shown = geometry.equivalent_direct() if transposed else geometry
    reads = math.prod(shown.output_shape) * shown.out_features * math.prod(shown.kernel_shape)
    if reads > MOST_READS:
        raise SizeError(
            f"the scenes of this geometry read {reads:,} cells, and at most {MOST_READS:,} are listed; use "
            f"a smaller `input_shape` or `kernel_shape`. Got {geometry}."
        )
    return tuple(_scenes(geometry, shown, transposed))


def _scenes(geometry: ConvGeometry, shown: ConvGeometry, transposed: bool) -> Iterator[Scene]:
    groups = shown.feature_group_count
    inputs, outputs = shown.in_features // groups, shown.out_features // groups
    row = itertools.count()
    for output in np.ndindex(*shown.output_shape):
        reads = _reads(shown, output, transposed)
        for feature in range(shown.out_features):
            first = feature // outputs * inputs
            features = range(first, first + inputs)
            yield Scene(geometry, shown, transposed, next(row), output, feature, features, reads)


def _reads(shown: ConvGeometry, output: tuple[int, ...], transposed: bool) -> tuple[TapRead, ...]:
    first = [o * s for o, s in zip(output, shown.strides, strict=True)]
    reads = []
    for tap in np.ndindex(*shown.kernel_shape):
        position = tuple(o + t * d for o, t, d in zip(first, tap, shown.kernel_dilation, strict=True))
        cell = cell_at(shown, position)
        rotated = tuple(k - 1 - t for k, t in zip(shown.kernel_shape, tap, strict=True))
        reads.append(TapRead(position, rotated if transposed else tap, cell.kind, cell.cell))
    return tuple(reads)


def cell_at(geometry: ConvGeometry, position: Sequence[int]) -> PaddedCell:
    """Returns what the stretched and padded input holds at one position.

    Args:
      geometry: Convolution that reads the input.
      position: Position in the stretched and padded input, one index per axis; 0 is the first cell of the
        padding. Positions outside of it give a cell of kind ``"cropped"``.

    >>> [cell_at(ConvGeometry((2,), (2,), padding=1, input_dilation=2), [at]).kind for at in range(5)]
    ['padding', 'input', 'inserted', 'input', 'padding']
    """
    along = [_axis_cell(axis, at) for axis, at in zip(geometry.axes, position, strict=True)]
    kind = max((kind for kind, _ in along), key=KINDS.index)
    cells = [cell for _, cell in along if cell is not None]
    return PaddedCell(kind, tuple(cells) if len(cells) == len(along) else None)


def drawn_positions(axis: AxisGeometry) -> range:
    """Returns the positions of one axis that a picture shows: padded cells, and cropped ones beside them.

    >>> drawn_positions(AxisGeometry(5, 3, padding=(-1, 2)))
    range(-1, 6)
    """
    low = axis.padding[0]
    return range(min(low, 0), max(axis.padded, low + axis.stretched))


def _axis_cell(axis: AxisGeometry, position: int) -> tuple[Kind, int | None]:
    stretched = int(source_cells(axis, np.array(position)))
    cell, between = divmod(stretched, axis.input_dilation)
    filled = stretched >= 0 and between == 0
    kind: Kind = "input" if filled else "inserted"
    if not 0 <= position < axis.padded:
        kind = "cropped"
    elif not 0 <= position - axis.padding[0] < axis.stretched:
        kind = "padding"
    return kind, cell if filled else None


def flat_index(index: Sequence[int], shape: Sequence[int]) -> int:
    """Returns the place of an index in row-major order.

    >>> flat_index((1, 2), (3, 4))
    6
    """
    return int(np.ravel_multi_index(tuple(index), tuple(shape)))
