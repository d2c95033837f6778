r"""How many entries C has along one axis, and how many cells no window reaches: counted, not listed.

Window $o$ reads with tap $t$ the position $o s + t d - p_l$ of an axis that goes on beyond its ends,
which a padding mode folds onto the input's cells. Pairs $(o, t)$ that read one cell count once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.lattice import Congruence, HalfPlane, count_points, first_multiple


@lru_cache(maxsize=1024)
def entry_count(axis: AxisGeometry) -> int:
    """Distinct (output, input) pairs: the stored entries of one axis.

    >>> entry_count(AxisGeometry(2, 3, padding=(1, 1), padding_mode="circular"))
    4
    >>> entry_count(AxisGeometry(10**12, 10**11))
    90000000000100000000000
    """
    if not _shows_cells(axis):
        return _inside(_windows(axis), axis)
    if axis.padding_mode == "replicate":
        return _replicated_entries(axis)
    count = _circular_entries if axis.padding_mode == "circular" else _reflected_entries
    windows, period = _windows(axis), _period(axis)
    outputs = period // math.gcd(axis.stride, period)  # after so many the cells repeat
    whole, rest = divmod(axis.out_size, outputs)
    windows = windows.modulo(period)
    return sum(
        times * count(windows._replace(outputs=number), axis)
        for times, number in ((whole, outputs), (1, rest))
        if times and number
    )


@lru_cache(maxsize=1024)
def unused_count(axis: AxisGeometry) -> int:
    """Input cells that no window reaches.

    >>> unused_count(AxisGeometry(6, 3, stride=2))
    1
    """
    windows = _windows(axis)
    # The pairs that read one cell are neighbours in a row, (s, d) divided by their common divisor apart.
    reached = _inside(windows, axis) - _inside(windows.repeated(), axis)
    if reached == axis.size or not _shows_cells(axis):
        return axis.size - reached
    if axis.size == 1:
        return 0  # every window shows it
    if axis.padding_mode == "replicate":
        for cell, beyond in zip((0, axis.stretched - 1), _beyond(windows, axis), strict=True):
            reached += bool(beyond) and not windows.pairs(cell, cell)
        return axis.size - reached
    return axis.size - _reached_folded(windows.modulo(_period(axis)), axis)


class _Windows(NamedTuple):
    """The positions ``start + o stride + t dilation`` of all outputs o and taps t."""

    outputs: int
    stride: int
    taps: int
    dilation: int
    start: int

    @property
    def last(self) -> int:
        """The largest position."""
        return self.start + (self.outputs - 1) * self.stride + (self.taps - 1) * self.dilation

    def pairs(self, low: int, high: int, remainder: int = 0, modulus: int = 1) -> int:
        """How many (o, t) have a position from `low` to `high`, of this remainder."""
        s, d, start = self.stride, self.dilation, self.start
        box = [(1, 0, 0), (-1, 0, self.outputs - 1), (0, 1, 0), (0, -1, self.taps - 1)]
        between = [(s, d, start - low), (-s, -d, high - start)]
        sides = [HalfPlane(*side) for side in (*box, *between)]
        return count_points(sides, Congruence(s, d, remainder - start, modulus))

    def repeated(self) -> _Windows:
        """The pairs (o, t) whose position another pair with a smaller tap has too."""
        common = math.gcd(self.stride, self.dilation)
        return self._replace(
            outputs=self.outputs - self.dilation // common,
            taps=self.taps - self.stride // common,
            start=self.start + math.lcm(self.stride, self.dilation),
        )

    def modulo(self, period: int) -> _Windows:
        """The same remainders by `period`, without the outputs and taps that only repeat others."""
        outputs, taps = (period // math.gcd(step, period) for step in (self.stride, self.dilation))
        return self._replace(
            outputs=min(self.outputs, outputs),
            stride=self.stride % period,
            taps=min(self.taps, taps),
            dilation=self.dilation % period,
        )


def _windows(axis: AxisGeometry) -> _Windows:
    return _Windows(axis.out_size, axis.stride, axis.kernel, axis.dilation, -axis.padding[0])


def _shows_cells(axis: AxisGeometry) -> bool:
    """Whether there is padding, and cells in it."""
    return axis.padding_mode != "zeros" and max(axis.padding) > 0


def _period(axis: AxisGeometry) -> int:
    """After so many positions a circular or reflected axis repeats."""
    return axis.stretched if axis.padding_mode == "circular" else 2 * (axis.stretched - 1)


def _inside(windows: _Windows, axis: AxisGeometry) -> int:
    """Pairs that read a cell of the axis itself rather than its padding."""
    return windows.pairs(0, axis.stretched - 1, 0, axis.input_dilation)


def _circular_entries(windows: _Windows, axis: AxisGeometry) -> int:
    """Turn by turn: the q-th shows the cells ``x - q n``, which are inputs where x has q's remainder by f."""
    n, f = axis.stretched, axis.input_dilation
    if f == 1:
        return windows.outputs * windows.taps
    turns = range(windows.start // n, windows.last // n + 1)
    return sum(windows.pairs(q * n, (q + 1) * n - 1, q, f) for q in turns)


def _reflected_entries(windows: _Windows, axis: AxisGeometry) -> int:
    """All pairs at inputs, less those of two taps of a window that a mirror makes one cell.

    Mirrors stand at the multiples of n - 1. With taps t and t + B j at equal distance from one, and t at an
    input, ``f`` divides half of ``B d j``: B is the least for which it does.
    """
    n, f = axis.stretched, axis.input_dilation
    apart = 2 * f // math.gcd(2 * f, windows.dilation)
    half, s, d = apart * windows.dilation // 2, windows.stride, windows.dilation
    total = windows.pairs(windows.start, windows.last, 0, f)
    for turn in range(windows.start // (n - 1), windows.last // (n - 1) + 1):
        distance = turn * (n - 1) - windows.start  # = o s + t d + half j
        sides = [
            HalfPlane(1, 0, 0),  # in the plane of t and j
            HalfPlane(0, 1, -1),
            HalfPlane(-1, -apart, windows.taps - 1),
            HalfPlane(-d, -half, distance),
            HalfPlane(d, half, (windows.outputs - 1) * s - distance),
        ]
        total -= count_points(sides, Congruence(d, half, distance, max(s, 1)))
    return total


def _replicated_entries(axis: AxisGeometry) -> int:
    """Those inside, and an end's cell for every window that reads beyond it but not the cell itself."""
    windows, end = _windows(axis), axis.stretched - 1
    if axis.size == 1:
        return axis.out_size
    shorter = windows._replace(taps=windows.taps - 1)
    without_first = shorter._replace(start=windows.start + windows.dilation)
    both = without_first.pairs(0, 0) + shorter.pairs(end, end)
    return _inside(windows, axis) + sum(_beyond(windows, axis)) - both


def _beyond(windows: _Windows, axis: AxisGeometry) -> tuple[int, int]:
    """Windows that begin before the axis, and that end after it."""

    def starting_by(position: int) -> int:
        return min(max((position - windows.start) // windows.stride + 1, 0), windows.outputs)

    last_fitting = axis.stretched - 1 - (windows.taps - 1) * windows.dilation
    return starting_by(-1), windows.outputs - starting_by(last_fitting)


def _reached_folded(windows: _Windows, axis: AxisGeometry) -> int:
    """Cells that a circular or reflected axis shows to some window.

    Positions are few arithmetic progressions, of one step, and so are the cells that they show: by their
    remainder by the step, intervals, whose union is counted.
    """
    intervals: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in _rows(windows):
        for cells in _shown(row, axis):
            intervals[cells.start % cells.step].append((cells.start // cells.step, cells[-1] // cells.step))
    return sum(_union(found) for found in intervals.values())


def _rows(windows: _Windows) -> Iterator[range]:
    """All positions, as ranges of one step."""
    s, d = max(windows.stride, 1), max(windows.dilation, 1)  # 0 where there is but one output or tap
    outputs, taps = windows.outputs, windows.taps
    # A tap `more_taps` further reads what the same tap does `more_outputs` further. Where there are so many
    # outputs, the range of the one goes on in that of the other; with taps and outputs exchanged alike.
    more_taps, more_outputs = s // math.gcd(s, d), d // math.gcd(s, d)
    by_tap = min(taps, more_taps) if outputs >= more_outputs else taps
    by_output = min(outputs, more_outputs) if taps >= more_taps else outputs
    if by_tap <= by_output:
        for tap in range(by_tap):
            last = tap + (taps - 1 - tap) // by_tap * by_tap
            yield range(windows.start + tap * d, windows.start + last * d + (outputs - 1) * s + 1, s)
    else:
        for output in range(by_output):
            last = output + (outputs - 1 - output) // by_output * by_output
            yield range(windows.start + output * s, windows.start + last * s + (taps - 1) * d + 1, d)


def _shown(row: range, axis: AxisGeometry) -> Iterator[range]:
    """The stretched cells that positions show, ranges of one step; those that are inputs."""
    f, circular = axis.input_dilation, axis.padding_mode == "circular"
    n = axis.stretched if circular else axis.stretched - 1
    for turn in range(row.start // n, row[-1] // n + 1):
        first = row.start + max(-((row.start - turn * n) // row.step), 0) * row.step
        skipped = first_multiple(first - (turn if circular else 0), row.step, f)
        if skipped is None:
            continue
        last = min(row[-1], (turn + 1) * n - circular)
        found = range(first + skipped * row.step, last + 1, row.step * f // math.gcd(row.step, f))
        if not found:
            continue
        if circular or turn % 2 == 0:
            yield range(found.start - turn * n, found[-1] - turn * n + 1, found.step)
        else:
            end = (turn + 1) * n
            yield range(end - found[-1], end - found.start + 1, found.step)


def _union(intervals: list[tuple[int, int]]) -> int:
    """Integers in any of some intervals, ends included."""
    total, reached = 0, None
    for first, last in sorted(intervals):
        if reached is not None:
            first = max(first, reached + 1)
        if last >= first:
            total += last - first + 1
            reached = last
    return total
