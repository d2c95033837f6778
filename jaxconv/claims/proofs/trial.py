"""A statement with plain integers: random ones, or those of a counterexample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxconv.claims.proofs.statement import Condition, Number, Question, Refuted, Skipped, Statement
from jaxconv.errors import GeometryError

# Least and most of random integers, by the first letter of their names; 0 or 1 is in each.
RANGES = {"i": (1, 16), "k": (1, 6), "p": (-3, 6), "s": (1, 4), "d": (1, 4), "f": (1, 3), "index": (-2, 16)}
# How far from their least values, or 0, all integers of a trial lie.
REACH = (0, 1, 2, 4, 16, 16, 16, 16)
MOST_SKIPPED = 1_000  # random integers in a row that do not meet the conditions of a statement

IMPORTS = {  # by what a counterexample shows
    "RELATIONSHIPS": "from jaxconv.geometry import RELATIONSHIPS",
    "resolve_padding": "from jaxconv.geometry.arguments import resolve_padding",
    "receptive_fields.": "from jaxconv.geometry import receptive_fields",
    "counting.": "from jaxconv.geometry import counting",
    "composition.": "from jaxconv.geometry import composition",
    "is_even_axis": "from jaxconv.geometry.evenness import is_even_axis",
    "pool_geometry": "from jaxconv.operators import pool_geometry",
}


class Trial(Question):
    """A question about given integers, or about random ones."""

    def __init__(self, draw: np.random.Generator | Mapping[str, int]):
        """Takes a generator for random integers, or the integers by name."""
        self._draw = draw
        self._made: dict[str, str] = {}
        self._kinds: list[Callable[..., Any]] = []
        self._names: dict[str, int] = {}
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
            raise Skipped("a condition does not hold")

    def prove(self, condition: Condition, *shown: str) -> None:
        """Raises an error with the integers if the condition does not hold."""
        self.proved += 1
        if not condition:
            raise Refuted(self.example(*shown))

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
        except GeometryError as error:
            if isinstance(self._draw, Mapping):  # the proof has assumed that these integers are accepted
                call = ", ".join(map(repr, arguments))
                code = f"from {kind.__module__} import {kind.__name__}\n{kind.__name__}({call})"
                raise Refuted(f"{code}  # is refused") from error
            raise Skipped from None
        self._made[name] = f"{name} = {made!r}"
        self._kinds.append(kind)
        return made

    def example(self, *shown: str) -> str:
        """Returns Python code that makes the objects, sets the indices and shows what is wrong."""
        indices = dict(self._names)
        if self._made:  # which have the sizes
            indices = {name: value for name, value in indices.items() if name[0] not in RANGES}
        numbers = "; ".join(f"{name} = {value}" for name, value in indices.items())
        lines = filter(None, [*self._made.values(), numbers, ", ".join(shown)])
        made = [f"from {kind.__module__} import {kind.__name__}" for kind in self._kinds]
        imports = [line for name, line in IMPORTS.items() if any(name in code for code in shown)]
        return "\n".join(dict.fromkeys([*made, *imports, *lines]))


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
