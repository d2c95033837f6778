r"""Counts the entries of C along one axis and the cells that no window reaches, without listing them.

Output $o$ reads with tap $t$ the position $o s + t d - p_l$ (see `AxisGeometry`) of an axis that extends
beyond its ends; the padding mode says which input cell a position outside shows. Several pairs $(o, t)$
of one output that read the same cell are one entry.
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
    """Returns the number of distinct (output, input) pairs that a tap connects on one axis.

    >>> entry_count(AxisGeometry(2, 3, padding=(1, 1), padding_mode="circular"))
    4
    >>> entry_count(AxisGeometry(10**12, 10**11))
    90000000000100000000000
    """
    if not _has_copied_padding(axis):
        return _pairs_inside(windows_of(axis), axis)
    if axis.padding_mode == "replicate":
        return _replicated_entries(axis)
    count = _circular_entries if axis.padding_mode == "circular" else _reflected_entries
    windows, period = windows_of(axis), _period(axis)
    outputs = period // math.gcd(axis.stride, period)  # after this many outputs the cells repeat
    whole, rest = divmod(axis.out_size, outputs)
    windows = windows.modulo(period)
    return sum(
        times * count(windows._replace(outputs=number), axis)
        for times, number in ((whole, outputs), (1, rest))
        if times and number
    )


@lru_cache(maxsize=1024)
def unused_count(axis: AxisGeometry) -> int:
    """Returns the number of input cells that no window reaches.

    >>> unused_count(AxisGeometry(6, 3, stride=2))
    1
    """
    windows = windows_of(axis)
    # Pairs that read the same cell form chains, each pair one `repeat` from the next: count the last of each.
    reached = _pairs_inside(windows, axis) - _pairs_inside(windows.repetitions(), axis)
    if reached == axis.size or not _has_copied_padding(axis):
        return axis.size - reached
    if axis.size == 1:
        return 0  # every window reads the only cell, through the padding at least
    if axis.padding_mode == "replicate":
        for cell, outside in zip((0, axis.stretched - 1), _windows_outside(windows, axis), strict=True):
            reached += bool(outside) and not windows.pairs(cell, cell)
        return axis.size - reached
    return axis.size - _reached_through_padding(windows.modulo(_period(axis)), axis)


class Windows(NamedTuple):
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

    @property
    def repeat(self) -> tuple[int, int]:
        """(outputs, taps): so many outputs further, a tap so many lower reads the same position."""
        s, d = max(self.stride, 1), max(self.dilation, 1)  # `modulo` leaves 0 for a single output or tap
        return d // math.gcd(s, d), s // math.gcd(s, d)

    def pairs(self, low: int, high: int, remainder: int = 0, modulus: int = 1) -> int:
        """Counts the (o, t) with a position from `low` to `high` that has `remainder` modulo `modulus`."""
        return count_points(*self.region(low, high, remainder, modulus))

    def region(self, low: int, high: int, remainder: int, modulus: int) -> tuple[list[HalfPlane], Congruence]:
        """Returns what the (o, t) fulfil whose position lies from `low` to `high` with a remainder."""
        s, d, start = self.stride, self.dilation, self.start
        box = [(1, 0, 0), (-1, 0, self.outputs - 1), (0, 1, 0), (0, -1, self.taps - 1)]
        between = [(s, d, start - low), (-s, -d, high - start)]
        sides = [HalfPlane(*side) for side in (*box, *between)]
        return sides, Congruence(s, d, remainder - start, modulus)

    def repetitions(self) -> Windows:
        """Returns the pairs (o, t) whose position another pair with a smaller tap has too."""
        outputs, taps = self.repeat
        return self._replace(
            outputs=self.outputs - outputs,
            taps=self.taps - taps,
            start=self.start + taps * self.dilation,
        )

    def modulo(self, period: int) -> Windows:
        """Returns the same positions modulo `period`, without outputs and taps that only repeat others."""
        outputs, taps = (period // math.gcd(step, period) for step in (self.stride, self.dilation))
        return self._replace(
            outputs=min(self.outputs, outputs),
            stride=self.stride % period,
            taps=min(self.taps, taps),
            dilation=self.dilation % period,
        )


def windows_of(axis: AxisGeometry) -> Windows:
    """Returns the positions that the windows of an axis read, of the stretched axis, which begins at 0."""
    return Windows(axis.out_size, axis.stride, axis.kernel, axis.dilation, -axis.padding[0])


def _has_copied_padding(axis: AxisGeometry) -> bool:
    """Returns whether the padding holds copies of cells rather than zeros."""
    return axis.padding_mode != "zeros" and max(axis.padding) > 0


def _period(axis: AxisGeometry) -> int:
    """Returns after how many positions a circular or reflected axis repeats."""
    return axis.stretched if axis.padding_mode == "circular" else 2 * (axis.stretched - 1)


def inside(axis: AxisGeometry) -> tuple[int, int, int, int]:
    """Returns the least and the largest stretched cell, and remainder and modulus of those with an input."""
    return 0, axis.stretched - 1, 0, axis.input_dilation


def _pairs_inside(windows: Windows, axis: AxisGeometry) -> int:
    """Counts the pairs that read an input cell in its own place, not a copy in the padding."""
    return windows.pairs(*inside(axis))


def _circular_entries(windows: Windows, axis: AxisGeometry) -> int:
    """Counts the entries of a circular axis, period by period.

    In period q, position x shows the stretched cell x - q n, which holds an input if f divides it.
    """
    n, f = axis.stretched, axis.input_dilation
    if f == 1:
        return windows.outputs * windows.taps
    turns = range(windows.start // n, windows.last // n + 1)
    return sum(windows.pairs(q * n, (q + 1) * n - 1, q, f) for q in turns)


def _reflected_entries(windows: Windows, axis: AxisGeometry) -> int:
    """Counts all pairs that read an input, minus the repeated ones: two taps of a window on the same cell.

    The axis is mirrored at the multiples of n - 1, so two taps read the same cell if they are equally far
    from one of these positions. Where they read an input, ``f`` divides half of their distance, so they are
    tap t and tap t + B j, where B is the smallest number for which ``f`` divides half of ``B d``.
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
    """Counts the pairs inside, and one for each window that reads an end's cell only through the padding."""
    windows, end = windows_of(axis), axis.stretched - 1
    if axis.size == 1:
        return axis.out_size
    shorter = windows._replace(taps=windows.taps - 1)
    without_first = shorter._replace(start=windows.start + windows.dilation)
    both = without_first.pairs(0, 0) + shorter.pairs(end, end)
    return _pairs_inside(windows, axis) + sum(_windows_outside(windows, axis)) - both


def _windows_outside(windows: Windows, axis: AxisGeometry) -> tuple[int, int]:
    """Counts the windows that begin before the axis, and the windows that end after it."""

    def starting_by(position: int) -> int:
        return min(max((position - windows.start) // windows.stride + 1, 0), windows.outputs)

    last_fitting = axis.stretched - 1 - (windows.taps - 1) * windows.dilation
    return starting_by(-1), windows.outputs - starting_by(last_fitting)


def _reached_through_padding(windows: Windows, axis: AxisGeometry) -> int:
    """Counts the cells of a circular or reflected axis that a window reads, in place or as a copy.

    All positions are a few arithmetic progressions with the same step, and so are the cells that they show.
    The cells with one remainder modulo the step are intervals, whose union is counted.
    """
    intervals: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for positions in _progressions(windows):
        for cells in _cells_of(positions, axis):
            intervals[cells.start % cells.step].append((cells.start // cells.step, cells[-1] // cells.step))
    return sum(_union_size(group) for group in intervals.values())


def _progressions(windows: Windows) -> Iterator[range]:
    """Yields all positions, as ranges with the same step."""
    s, d = max(windows.stride, 1), max(windows.dilation, 1)  # 0 for a single output or tap
    outputs, taps = windows.outputs, windows.taps
    # One `repeat` further, the positions of a tap continue those of a lower tap if there are enough outputs;
    # in the same way the positions of an output continue those of a lower output if there are enough taps.
    repeat_outputs, repeat_taps = windows.repeat
    by_tap = min(taps, repeat_taps) if outputs >= repeat_outputs else taps
    by_output = min(outputs, repeat_outputs) if taps >= repeat_taps else outputs
    if by_tap <= by_output:
        for tap in range(by_tap):
            last = tap + (taps - 1 - tap) // by_tap * by_tap
            yield range(windows.start + tap * d, windows.start + last * d + (outputs - 1) * s + 1, s)
    else:
        for output in range(by_output):
            last = output + (outputs - 1 - output) // by_output * by_output
            yield range(windows.start + output * s, windows.start + last * s + (taps - 1) * d + 1, d)


def _cells_of(positions: range, axis: AxisGeometry) -> Iterator[range]:
    """Yields the stretched cells that hold an input and that the positions show, as ranges with one step."""
    f, circular = axis.input_dilation, axis.padding_mode == "circular"
    n = axis.stretched if circular else axis.stretched - 1
    start, step = positions.start, positions.step
    for turn in range(start // n, positions[-1] // n + 1):
        first = start + max(-((start - turn * n) // step), 0) * step
        skip = first_multiple(first - (turn if circular else 0), step, f)
        if skip is None:
            continue
        last = min(positions[-1], (turn + 1) * n - circular)
        inputs = range(first + skip * step, last + 1, step * f // math.gcd(step, f))
        if not inputs:
            continue
        if circular or turn % 2 == 0:
            yield range(inputs.start - turn * n, inputs[-1] - turn * n + 1, inputs.step)
        else:
            end = (turn + 1) * n
            yield range(end - inputs[-1], end - inputs.start + 1, inputs.step)


def _union_size(intervals: list[tuple[int, int]]) -> int:
    """Counts the integers that lie in at least one of the intervals, ends included."""
    total, reached = 0, None
    for first, last in sorted(intervals):
        if reached is not None:
            first = max(first, reached + 1)
        if last >= first:
            total += last - first + 1
            reached = last
    return total
