"""Which input cell each (output, tap) of one axis reads: small NumPy index arrays.

This is the sparsity pattern of C on one axis; C's own is the Kronecker product over axes. Padding
modes are defined here and nowhere else. Arrays are int64, read-only and cached by geometry.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.lattice import first_multiple


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array, np.int64)
    array.flags.writeable = False
    return array


def source_cells(axis: AxisGeometry, position: np.ndarray) -> np.ndarray:
    """The stretched cell that each padded position shows; -1 where it shows a zero.

    A mode fills the positions outside of the uncropped stretched axis, repeating as `numpy.pad`
    does when the padding is wider than the axis. Position 0 is the first after padding.

    >>> source_cells(AxisGeometry(4, 1, padding=(3, 1), padding_mode="reflect"), np.arange(8)).tolist()
    [3, 2, 1, 0, 1, 2, 3, 2]
    """
    n = axis.stretched
    cell = position - axis.padding[0]
    if axis.padding_mode == "circular":
        return cell % n
    if axis.padding_mode == "replicate":
        return cell.clip(0, n - 1)
    if axis.padding_mode == "reflect" and n > 1:
        return n - 1 - abs(cell % (2 * n - 2) - (n - 1))
    return np.where((cell >= 0) & (cell < n), cell, -1)


class Reads(NamedTuple):
    """Every (output, tap) that reads an input cell, and the cell, in row-major order."""

    out: np.ndarray
    tap: np.ndarray
    cell: np.ndarray


@lru_cache(maxsize=1024)
def reads(axis: AxisGeometry) -> Reads:
    """The entries of one axis, duplicates included: two taps may read one cell through its padding.

    >>> entries = reads(AxisGeometry(3, 3, stride=2, padding=(1, 1)))
    >>> list(zip(*(index.tolist() for index in entries)))
    [(0, 1, 0), (0, 2, 1), (1, 0, 1), (1, 1, 2)]
    """
    layout = rows(axis)
    out, slot = np.nonzero(layout.filled)
    return Reads(_frozen(out), _frozen(layout.tap[out, slot]), _frozen(layout.cell[out, slot]))


class Slots(NamedTuple):
    """Where the entries of one axis are kept: a position has a slot for every tap that may meet a cell.

    With zeros between the cells only every `tap_step`-th tap can, from a first one that depends on
    the position's *phase*: its remainder by ``len(taps)``. Slot `j` of a position of phase `i` holds
    the tap ``taps[i] + j tap_step``. It reads the cell ``cells[i] + j cell_step``, and the same slot
    ``len(taps)`` positions further reads `row_step` cells further: slices, never a gather.
    """

    width: int  # slots of a position
    taps: tuple[int, ...]  # of slot 0, for every phase; `kernel` where no tap meets a cell
    tap_step: int
    cells: tuple[int, ...]  # of slot 0, for every phase; outside of the axis is padding
    cell_step: int
    row_step: int


@lru_cache(maxsize=1024)
def slots(axis: AxisGeometry) -> Slots:
    """How the entries of an axis are kept.

    Cells are the input's with zero padding. In the other modes they are those of the stretched,
    padded axis, where every tap has a slot.

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
    """What every slot of every position holds; each array is (positions, slots)."""

    cell: np.ndarray  # the input cell that it reads; one past the last where none
    tap: np.ndarray  # the tap that it holds; 0 where none
    filled: np.ndarray  # bool: whether it connects the two


@lru_cache(maxsize=1024)
def rows(axis: AxisGeometry) -> Rows:
    """`slots`, written out.

    >>> rows(AxisGeometry(3, 2, stride=2, padding=(1, 1))).cell.tolist()
    [[3, 0], [1, 2]]
    """
    layout, position = slots(axis), np.arange(axis.out_size)
    first = np.array(layout.taps)[position % len(layout.taps)]
    tap = first[:, None] + np.arange(layout.width) * layout.tap_step
    stretched = source_cells(axis, position[:, None] * axis.stride + tap * axis.dilation)
    filled = (tap < axis.kernel) & (stretched >= 0) & (stretched % axis.input_dilation == 0)
    cell = np.where(filled, stretched // axis.input_dilation, axis.size)
    table = Rows(_frozen(cell), _frozen(np.where(filled, tap, 0)), filled)
    table.filled.flags.writeable = False
    return table
