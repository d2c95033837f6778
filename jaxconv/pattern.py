"""Which input cell each (output, tap) of one axis reads: small NumPy index arrays.

This is the sparsity pattern of C on one axis; C's own is the Kronecker product over axes. Padding
modes are defined here and nowhere else. Arrays are int64, read-only and cached by geometry.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jaxconv.axis import AxisGeometry


def _frozen(array) -> np.ndarray:
    array = np.asarray(array, np.int64)
    array.flags.writeable = False
    return array


def shown_cell(axis: AxisGeometry, position: np.ndarray) -> np.ndarray:
    """The stretched cell that each padded position shows; -1 where it shows a zero.

    A mode fills the positions outside of the uncropped stretched axis, repeating as `numpy.pad`
    does when the padding is wider than the axis. Position 0 is the first after padding.

    >>> shown_cell(AxisGeometry(4, 1, padding=(3, 1), padding_mode="reflect"), np.arange(8)).tolist()
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
    window = np.arange(axis.out_size)[:, None] * axis.stride + np.arange(axis.kernel) * axis.dilation
    stretched = shown_cell(axis, window)
    out, tap = np.nonzero((stretched >= 0) & (stretched % axis.input_dilation == 0))
    return Reads(_frozen(out), _frozen(tap), _frozen(stretched[out, tap] // axis.input_dilation))


class Rows(NamedTuple):
    """The entries of one axis as rows of equal width, the way a matrix product wants them.

    Each array is (rows, width). Slots beyond a row's own entries are not `filled`.
    """

    cell: np.ndarray  # the column each slot reads; one past the last column where empty
    tap: np.ndarray  # the tap it multiplies with; 0 where empty
    rank: np.ndarray  # where the same entry stands in its row of the transpose; 0 where empty
    filled: np.ndarray  # bool


@lru_cache(maxsize=1024)
def width(axis: AxisGeometry, transposed: bool = False) -> int:
    """Slots of a row: the most entries that any output cell, or input cell for the transpose, has.

    >>> width(AxisGeometry(5, 3, stride=2)), width(AxisGeometry(5, 3, stride=2), transposed=True)
    (3, 2)
    """
    out, _, cell = reads(axis)
    return int(_slots(cell if transposed else out).max(initial=-1)) + 1


@lru_cache(maxsize=1024)
def rows(axis: AxisGeometry, transposed: bool = False) -> Rows:
    """The entries grouped by output cell, or by input cell for the transpose.

    >>> rows(AxisGeometry(3, 2, stride=2, padding=(1, 1))).cell.tolist()
    [[0, 3], [1, 2]]
    >>> rows(AxisGeometry(3, 2, stride=2, padding=(1, 1)), transposed=True).tap.tolist()
    [[1], [0], [1]]
    """
    out, tap, cell = reads(axis)
    row, column = (cell, out) if transposed else (out, cell)
    n_rows, n_columns = (axis.size, axis.out_size) if transposed else (axis.out_size, axis.size)
    slot, rank = _slots(row), _slots(column)
    shape = (n_rows, width(axis, transposed))

    def table(values, empty):
        array = np.full(shape, empty, np.int64)
        array[row, slot] = values
        return _frozen(array)

    filled = np.zeros(shape, bool)
    filled[row, slot] = True
    filled.flags.writeable = False
    return Rows(table(column, n_columns), table(tap, 0), table(rank, 0), filled)


def _slots(key: np.ndarray) -> np.ndarray:
    """For each entry, how many entries with the same key stand before it.

    >>> _slots(np.array([0, 1, 0, 0, 1])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(key, kind="stable")
    first = np.searchsorted(key[order], key[order])
    slot = np.empty_like(key)
    slot[order] = np.arange(key.size) - first
    return slot


def tap_outputs(axis: AxisGeometry, tap: int) -> range:
    """The outputs whose `tap` meets an input cell rather than a zero; zero padding only.

    >>> tap_outputs(AxisGeometry(5, 3, stride=2, padding=(1, 1)), 0)
    range(1, 3)
    """
    offset = tap * axis.dilation - axis.padding[0]  # of output 0, in stretched cells
    first = max(0, -(offset // axis.stride))
    last = min(axis.out_size - 1, (axis.stretched - 1 - offset) // axis.stride)
    step = axis.input_dilation // math.gcd(axis.input_dilation, axis.stride)
    for start in range(first, min(first + step, last + 1)):
        if (start * axis.stride + offset) % axis.input_dilation == 0:
            return range(start, last + 1, step)
    return range(0)


@lru_cache(maxsize=1024)
def entry_count(axis: AxisGeometry) -> int:
    """Distinct (output, input) pairs: the stored entries of one axis.

    >>> entry_count(AxisGeometry(2, 3, padding=(1, 1), padding_mode="circular"))
    4
    """
    if axis.padding_mode == "zeros":  # no cell is read twice: counted without listing the entries
        return sum(len(tap_outputs(axis, tap)) for tap in range(axis.kernel))
    out, _, cell = reads(axis)
    return np.unique(out * axis.size + cell).size


@lru_cache(maxsize=1024)
def unused_count(axis: AxisGeometry) -> int:
    """Input cells that no window reaches.

    >>> unused_count(AxisGeometry(6, 3, stride=2))
    1
    """
    if axis.padding_mode != "zeros":
        return axis.size - np.unique(reads(axis).cell).size
    if entry_count(axis) < axis.stretched:  # few entries on a long axis: listed, not marked
        return axis.size - np.unique(reads(axis).cell).size
    reached = np.zeros(axis.stretched, bool)
    for tap in range(axis.kernel):
        outputs = np.asarray(tap_outputs(axis, tap), np.int64)
        reached[outputs * axis.stride + tap * axis.dilation - axis.padding[0]] = True
    return axis.size - int(reached.sum())
