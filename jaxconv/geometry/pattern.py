"""Which input cell each (output, tap) of one axis reads, as small NumPy index arrays.

This is the sparsity pattern of C on one axis; the pattern of C is the Kronecker product over the axes.
`source_cells` says which cell a padding mode copies to each position. Arrays are int64, read-only and
cached by geometry.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.lattice import first_multiple


def _read_only(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array, np.int64)
    array.flags.writeable = False
    return array


def source_cells(axis: AxisGeometry, positions: np.ndarray) -> np.ndarray:
    """Returns the stretched cell whose value each position of the padded axis holds; -1 for a zero.

    A padding mode fills the positions outside of the stretched axis before it is cropped. It repeats, as
    `numpy.pad` does, where the padding is wider than the axis.

    Args:
      axis: The axis, with its padding and padding mode.
      positions: Positions of the padded axis; 0 is the first cell of the padding.

    >>> source_cells(AxisGeometry(4, 1, padding=(3, 1), padding_mode="reflect"), np.arange(8)).tolist()
    [3, 2, 1, 0, 1, 2, 3, 2]
    """
    n = axis.stretched
    cell = positions - axis.padding[0]
    if axis.padding_mode == "circular":
        return cell % n
    if axis.padding_mode == "replicate":
        return cell.clip(0, n - 1)
    if axis.padding_mode == "reflect" and n > 1:
        return n - 1 - abs(cell % (2 * n - 2) - (n - 1))
    return np.where((cell >= 0) & (cell < n), cell, -1)


class Reads(NamedTuple):
    """Every (output, tap) that reads an input cell, and that cell, in row-major order."""

    out: np.ndarray
    tap: np.ndarray
    cell: np.ndarray


@lru_cache(maxsize=1024)
def reads(axis: AxisGeometry) -> Reads:
    """Returns the entries of one axis, with duplicates: two taps can read one cell through the padding.

    >>> entries = reads(AxisGeometry(3, 3, stride=2, padding=(1, 1)))
    >>> list(zip(*(index.tolist() for index in entries)))
    [(0, 1, 0), (0, 2, 1), (1, 0, 1), (1, 1, 2)]
    """
    layout = rows(axis)
    out, slot = np.nonzero(layout.filled)
    return Reads(_read_only(out), _read_only(layout.tap[out, slot]), _read_only(layout.cell[out, slot]))


class Slots(NamedTuple):
    """The storage of the entries of one axis: a slot per output position for each tap that meets a cell.

    With input dilation only every `tap_step`-th tap meets a cell rather than an inserted zero, starting from
    a tap that depends on the *phase* of the position, which is its remainder modulo ``len(taps)``. Slot ``j``
    of a position of phase ``i`` holds the tap ``taps[i] + j tap_step`` and reads the cell
    ``cells[i] + j cell_step``. The same slot of the position ``len(taps)`` further reads the cell `row_step`
    further. So a slot reads slices of the input, without a gather.
    """

    width: int  # number of slots per position
    taps: tuple[int, ...]  # tap of slot 0, for each phase; `kernel` where no tap meets a cell
    tap_step: int  # taps from one slot to the next
    cells: tuple[int, ...]  # cell of slot 0, for each phase; outside of the axis is padding
    cell_step: int  # cells from one slot to the next
    row_step: int  # cells from one position to the next of the same phase


@lru_cache(maxsize=1024)
def slots(axis: AxisGeometry) -> Slots:
    """Returns how the entries of one axis are stored.

    With zero padding the cells are those of the input. In the other modes they are those of the stretched
    and padded axis, where every tap has a slot.

    >>> slots(AxisGeometry(5, 3, stride=2, padding=(1, 1)))
    Slots(width=3, taps=(0,), tap_step=1, cells=(-1,), cell_step=1, row_step=2)
    >>> slots(AxisGeometry(3, 3, padding=(2, 2), input_dilation=2))
    Slots(width=2, taps=(0, 1), tap_step=2, cells=(-1, 0), cell_step=1, row_step=1)
    """
    s, d, f = axis.stride, axis.dilation, axis.input_dilation
    if axis.padding_mode != "zeros":
        return Slots(axis.kernel, (0,), 1, (0,), d, s)
    tap_step, phases = f // math.gcd(f, d), f // math.gcd(f, s)
    taps, cells = [], []
    for position in range(min(phases, axis.out_size)):
        start = position * s - axis.padding[0]
        first = first_multiple(start, d, f)
        taps.append(axis.kernel if first is None else first)
        cells.append(0 if first is None else (start + first * d) // f)
    width = max(-(-(axis.kernel - tap) // tap_step) for tap in taps)
    return Slots(width, tuple(taps), tap_step, tuple(cells), d // math.gcd(f, d), s // math.gcd(f, s))


class Rows(NamedTuple):
    """The contents of every slot of every position; each array is (positions, slots)."""

    cell: np.ndarray  # the input cell that the slot reads; the size of the axis if the slot is empty
    tap: np.ndarray  # the tap in the slot; 0 if the slot is empty
    filled: np.ndarray  # bool: whether the slot connects a tap and a cell


@lru_cache(maxsize=1024)
def rows(axis: AxisGeometry) -> Rows:
    """Returns the contents of all slots of one axis.

    >>> rows(AxisGeometry(3, 2, stride=2, padding=(1, 1))).cell.tolist()
    [[3, 0], [1, 2]]
    """
    layout, position = slots(axis), np.arange(axis.out_size)
    first = np.array(layout.taps)[position % len(layout.taps)]
    tap = first[:, None] + np.arange(layout.width) * layout.tap_step
    stretched = source_cells(axis, position[:, None] * axis.stride + tap * axis.dilation)
    filled = (tap < axis.kernel) & (stretched >= 0) & (stretched % axis.input_dilation == 0)
    cell = np.where(filled, stretched // axis.input_dilation, axis.size)
    table = Rows(_read_only(cell), _read_only(np.where(filled, tap, 0)), filled)
    table.filled.flags.writeable = False
    return table
