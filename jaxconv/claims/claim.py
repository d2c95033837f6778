"""What a claim is: a statement, its source, and a check that tries it on geometries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from jaxconv.claims.cases import Answer, Case, CaseError, Cases
from jaxconv.claims.report import Row


class Trial(NamedTuple):
    """One thing tried.

    Attributes:
      gap: In units of the rounding bound; it holds up to 1.
      example: Called for Python that makes it again, should it fail.
      geometries: How many it stands for.
    """

    gap: float
    example: Callable[[], str]
    geometries: int = 1


Numbers = Literal["any", "real", "integers"]
"""What a claim is about: numbers of any dtype; real ones, where it needs their order; or integers alone,
which are the same whatever the dtype."""


@dataclass(frozen=True)
class Claim:
    """A statement with the check that tries it."""

    name: str
    statement: str
    source: str
    check: Callable[[Cases], Iterable[Trial]]
    numbers: Numbers = "any"

    def can_have(self, dtype: np.dtype) -> bool:
        """Whether there is such a claim of numbers of this dtype."""
        return self.numbers != "real" or not np.issubdtype(dtype, np.complexfloating)

    def run(self, cases: Cases) -> Row:
        """Tries the claim on the cases."""
        start = time.perf_counter()
        worst, trials, example = 0.0, 0, ""
        try:
            for trial in self.check(cases):
                trials += trial.geometries
                if not trial.gap <= 1 and not example:  # nan is a failure too
                    example = trial.example()
                worst = max(worst, trial.gap) if trial.gap == trial.gap else float("inf")
        except CaseError as error:
            worst, trials, example = float("inf"), trials + 1, example or str(error)
        ok = trials > 0 and not example
        return Row(
            self.name, self.statement, self.source, trials, worst, ok, example, time.perf_counter() - start
        )


REGISTERED: dict[str, Claim] = {}


def claim(name: str, statement: str, source: str, numbers: Numbers = "any") -> Callable:
    """Registers a check under a name."""

    def register(check: Callable[[Cases], Iterable[Trial]]) -> Callable:
        REGISTERED[name] = Claim(name, statement, source, check, numbers)
        return check

    return register


def by_method(case: Case, results: dict[str, np.ndarray], answer: Answer) -> Iterator[Trial]:
    """One trial a formulation; together they stand for one geometry."""
    named_first = sorted(results, key=lambda method: method == "auto")
    for count, method in enumerate(named_first):
        yield Trial(
            case.gap(results[method], answer, method),
            partial(case.example, f"method={method!r}"),
            int(count == 0),
        )


def exact(holds: bool, example: str) -> Trial:
    """A trial in integers: it holds or it does not."""
    return Trial(0.0 if holds else float("inf"), lambda: example)
