"""Counts integer points of the plane without listing them, in Python's integers of any size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations, pairwise
from typing import NamedTuple


def first_multiple(start: int, step: int, modulus: int) -> int | None:
    """Returns the least t >= 0 at which ``start + t step`` is a multiple of `modulus`, or None.

    >>> first_multiple(2, 3, 7), first_multiple(1, 2, 4)
    (4, None)
    """
    common = math.gcd(step, modulus)
    if start % common:
        return None
    modulus //= common
    return -start // common * pow(step // common, -1, modulus) % modulus


def floor_sum(count: int, modulus: int, step: int, start: int) -> int:
    r"""Returns $\sum_{x=0}^{count-1} \lfloor (step\, x + start) / modulus \rfloor$, by Euclid's algorithm.

    >>> floor_sum(4, 3, 2, 1), sum((2 * x + 1) // 3 for x in range(4))
    (4, 4)
    """
    total = 0
    while count > 0:
        whole, step = divmod(step, modulus)
        total += whole * (count * (count - 1) // 2)
        whole, start = divmod(start, modulus)
        total += whole * count
        # The remaining points lie under a line of slope below 1: count them along the other axis.
        count, start = divmod(step * count + start, modulus)
        modulus, step = step, modulus
    return total


class HalfPlane(NamedTuple):
    """The points at which ``x_weight x + y_weight y + constant`` is at least 0."""

    x_weight: int
    y_weight: int
    constant: int


class Congruence(NamedTuple):
    """The points at which ``x_weight x + y_weight y`` equals `value` modulo `modulus`."""

    x_weight: int
    y_weight: int
    value: int
    modulus: int


def count_points(half_planes: Iterable[HalfPlane], congruence: Congruence | None = None) -> int:
    """Counts the integer points (x, y) that lie in all half planes and fulfil the congruence.

    Args:
      half_planes: Half planes whose intersection is bounded.
      congruence: A condition on the points; by default all are counted.

    >>> triangle = [HalfPlane(1, 0, 0), HalfPlane(0, 1, 0), HalfPlane(-1, -1, 3)]
    >>> count_points(triangle), count_points(triangle, Congruence(1, 1, 0, 2))
    (10, 4)
    """
    if congruence is not None:
        steps = _in_steps(list(half_planes), congruence)
        return 0 if steps is None else count_points(steps)
    sides = list(half_planes)
    lower = [_Line(-a, -c, b) for a, b, c in sides if b > 0]  # y is at least ...
    upper = [_Line(a, c, -b) for a, b, c in sides if b < 0]  # y is at most ...
    widths = [(a, c) for a, b, c in sides if b == 0]
    for low in lower:
        for high in upper:
            widths.append(high.minus(low))
    first = max((-(c // a) for a, c in widths if a > 0), default=0)
    last = min((c // -a for a, c in widths if a < 0), default=-1)
    if first > last or any(a == 0 and c < 0 for a, c in widths):
        return 0
    crossings = {x + 1 for lines in (lower, upper) for one, other in combinations(lines, 2)
                 for x in one.crossing(other)}  # fmt: skip
    starts = [first, *sorted(x for x in crossings if first < x <= last), last + 1]
    return sum(
        min(upper, key=lambda line: line.at(start)).floors(start, stop)
        + max(lower, key=lambda line: line.at(start)).negated().floors(start, stop)
        + stop
        - start
        for start, stop in pairwise(starts)
    )


class _Line(NamedTuple):
    """``(slope x + constant) / divisor``, the divisor positive."""

    slope: int
    constant: int
    divisor: int

    def at(self, x: int) -> Fraction:
        return Fraction(self.slope * x + self.constant, self.divisor)

    def minus(self, other: _Line) -> tuple[int, int]:
        """Returns slope and constant of a line that has the sign of the difference."""
        return (
            self.slope * other.divisor - other.slope * self.divisor,
            self.constant * other.divisor - other.constant * self.divisor,
        )

    def crossing(self, other: _Line) -> list[int]:
        """Returns the last integer before the lines cross, in a list; parallel lines give an empty list."""
        slope, constant = self.minus(other)
        return [-constant // slope] if slope else []

    def negated(self) -> _Line:
        return _Line(-self.slope, -self.constant, self.divisor)

    def floors(self, start: int, stop: int) -> int:
        """Returns the sum of the line's values, rounded down, at the integers of a range."""
        return floor_sum(stop - start, self.divisor, self.slope, self.slope * start + self.constant)


def _in_steps(half_planes: list[HalfPlane], congruence: Congruence) -> list[HalfPlane] | None:
    """Returns the half planes in coordinates u, v that number the solutions of a congruence.

    ``x = x0 + x_step u + shift v`` and ``y = y0 + y_step v``. Returns None without a solution.
    """
    a, b, value, modulus = congruence
    common = math.gcd(a, modulus)
    y0 = first_multiple(-value, b, common)
    if y0 is None:
        return None
    y_step, x_step = common // math.gcd(b, common), modulus // common
    x0, shift = (first_multiple(start, a, modulus) for start in (b * y0 - value, b * y_step))
    assert x0 is not None  # `common` divides both starts
    assert shift is not None
    return [HalfPlane(p * x_step, p * shift + q * y_step, p * x0 + q * y0 + c) for p, q, c in half_planes]
