"""A statement with plain integers: random ones, or those of a counterexample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxconv.claims.proofs.statement import Condition, Number, Question, Refuted, Skipped, Statement
from jaxconv.errors import GeometryError

# Least and most of random integers, by the first letter of their names; 0 or 1 is in each.
RANGES = {"i": (1, 16), "k": (1, 6), "p": (-3, 6), "s": (1, 4), "d": (1, 4), "f": (1, 3), "index": (-2, 16)}
REACH = (0, 1, 2, 4, 16, 16, 16, 16)  # how far from 1 (0 for paddings and indices) all integers of a trial lie
MOST_SKIPPED = 1_000  # random integers in a row that do not meet the conditions of a statement


class Trial(Question):
    """A question about given integers, or about random ones."""

    def __init__(self, draw: np.random.Generator | Mapping[str, int]):
        """Takes a generator for random integers, or the integers by name."""
        self._draw = draw
        self._made: dict[str, str] = {}
        self._names: dict[str, Any] = {}
        self._reach = 0 if isinstance(draw, Mapping) else int(draw.choice(REACH))
        self.proved = 0

    def integer(self, name: str, least: int | None = None) -> int:
        """Returns the integer with a name."""
        if isinstance(self._draw, Mapping):
            value = self._draw[name]
        else:
            low, high = RANGES.get(name[0], RANGES["index"])
            low, middle = (low, 0) if least is None else (max(low, least), least)
            low, high = max(low, middle - self._reach), min(high, middle + self._reach)
            value = int(self._draw.integers(low, high, endpoint=True))
        self._names[name] = value
        return value

    def given(self, *conditions: Condition) -> None:
        """Skips the integers if a condition does not hold."""
        if not all(conditions):
            raise Skipped

    def prove(self, condition: Condition, *shown: str) -> None:
        """Raises an error with the integers if the condition does not hold."""
        self.proved += 1
        if not condition:
            raise Refuted(self._example(shown))

    def count(self, name: str, holds: Callable[[Number], Condition]) -> int:
        """Counts one by one."""
        count = 0
        while holds(count):
            count += 1
        self._names[name] = count
        return count

    def make(self, name: str, kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Makes an object, of which a counterexample prints the code."""
        try:
            made = kind(*arguments, **options)
        except GeometryError:
            raise Skipped from None
        self._made[name], self._names[name] = f"{name} = {made!r}", made
        return made

    def _example(self, shown: tuple[str, ...]) -> str:
        indices = {name: value for name, value in self._names.items() if isinstance(value, int)}
        if self._made:  # which has the sizes
            indices = {name: value for name, value in indices.items() if name[0] not in RANGES}
        numbers = "; ".join(f"{name} = {value}" for name, value in indices.items())
        lines = [*self._made.values(), *([numbers] if numbers else [])]
        return "\n".join([*lines, *([", ".join(shown)] if shown else [])])


def tries(statement: Statement, rng: np.random.Generator, number: int) -> int:
    """Tries a statement with random integers, and returns with how many.

    Args:
      statement: The statement.
      rng: Generator of the integers.
      number: How many integers that meet its conditions to try.

    Raises:
      Refuted: It does not hold; the message is Python code that shows it.
    """
    tried, skipped = 0, 0
    while tried < number and skipped < MOST_SKIPPED:
        trial = Trial(rng)
        try:
            statement.check(trial)
        except Skipped:
            pass
        tried, skipped = (tried + 1, 0) if trial.proved else (tried, skipped + 1)
    return tried
