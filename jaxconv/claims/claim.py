"""A claim: a statement, its source, and a check that tries it on geometries."""

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
    """Result of one check.

    Attributes:
      gap: Largest error in units of the rounding bound; the claim holds up to 1.
      example: Returns Python code that makes the geometry of the trial; called if the claim fails.
      geometries: Number of geometries that the trial covers.
    """

    gap: float
    example: Callable[[], str]
    geometries: int = 1


Numbers = Literal["any", "real", "integers"]
"""The numbers of a claim: of any dtype; real, if it compares numbers; or integers, whatever the dtype."""


@dataclass(frozen=True)
class Claim:
    """A statement with the check that tries it.

    Attributes:
      name: Name of the claim, as in `CLAIMS`.
      statement: The statement, in a line.
      source: Publication that states it, or "definition".
      check: Yields trials on the geometries of `Cases`.
      numbers: Numbers that the claim is about; "real" claims are not tried in complex dtypes.
    """

    name: str
    statement: str
    source: str
    check: Callable[[Cases], Iterable[Trial]]
    numbers: Numbers = "any"

    def applies_to(self, dtype: np.dtype) -> bool:
        """Returns whether the claim makes sense for numbers of this dtype."""
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


Check = Callable[[Cases], Iterable[Trial]]


def claim(name: str, statement: str, source: str, numbers: Numbers = "any") -> Callable[[Check], Check]:
    """Returns a decorator that registers a check under a name."""

    def register(check: Check) -> Check:
        REGISTERED[name] = Claim(name, statement, source, check, numbers)
        return check

    return register


def by_method(case: Case, results: dict[str, np.ndarray], answer: Answer) -> Iterator[Trial]:
    """Yields one trial per formulation; together they count as one geometry."""
    auto_last = sorted(results, key=lambda method: method == "auto")
    for count, method in enumerate(auto_last):
        yield Trial(
            case.gap(results[method], answer, method),
            partial(case.example, f"method={method!r}"),
            int(count == 0),
        )


def exact(holds: bool, example: str) -> Trial:
    """Returns a trial without rounding, which holds or does not."""
    return Trial(0.0 if holds else float("inf"), lambda: example)
