"""Ranges of options, written into their annotations: a configuration is checked against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal


@dataclass(frozen=True, slots=True)
class Within:
    """A range of numbers, or of the lengths of a list.

    ``Annotated[int, Within(1, 9)]`` is an integer from 1 to 9, ``Annotated[tuple[int, ...], Within(1, 9)]``
    a list of 1 to 9 integers. `jaxconv.training.options` checks them; Python itself does not.

    Attributes:
      least: Lower end of the range.
      most: Upper end of the range.
      ends: Which of the two ends belong to the range, in the notation of intervals.

    >>> 0.5 in Within(0, 1, "[)"), 1 in Within(0, 1, "[)"), float("nan") in Within(0, 1)
    (True, False, False)
    >>> print(Within(0, 1), "|", Within(0, 1, "[)"), "|", Within(0, 1, "()"))
    from 0 to 1 | of at least 0 and below 1 | above 0 and below 1
    """

    least: float
    most: float
    ends: Literal["[]", "[)", "()"] = "[]"

    def __contains__(self, number: float) -> bool:
        low = self.least < number if self.ends == "()" else self.least <= number
        return low and (number <= self.most if self.ends == "[]" else number < self.most)

    def __str__(self) -> str:
        least, most = (f"{end:g}" if isinstance(end, float) else str(end) for end in (self.least, self.most))
        if self.ends == "[]":
            return f"from {least} to {most}"
        return f"{'of at least' if self.ends == '[)' else 'above'} {least} and below {most}"


# The upper ends are far beyond any use: a larger number is a typing error and would run out of memory.
Seed = Annotated[int, Within(0, 2**32 - 2)]  # jax reads 32 bits of a seed; seed + 1 seeds dropout
Examples = Annotated[int, Within(1, 10**7)]
Pixels = Annotated[int, Within(1, 2**14)]
Features = Annotated[int, Within(1, 2**16)]
Layers = Annotated[int, Within(1, 64)]
Taps = Annotated[int, Within(1, 255)]
Fraction = Annotated[float, Within(0, 1, "[)")]
