"""`prove`: proves the statements for all sizes, and tries them with numbers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from jaxconv.claims.proofs.report import ProofReport, ProofRow
from jaxconv.claims.proofs.statement import STATEMENTS, Refuted, Statement, Undecided
from jaxconv.claims.proofs.trial import Trial, tries
from jaxconv.claims.report import Row
from jaxconv.claims.verification import CLAIMS, verify
from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry.arguments import at_least_one, did_you_mean, integer

if TYPE_CHECKING:
    from jaxconv.claims.proofs.symbols import Explorer

LETTERS = "iokpsdf"  # sizes, numbers of outputs and taps, paddings, strides and dilations
STEPS = "sfd"  # of these, what makes a formula linear once it has a value
LARGEST = 32
PER_TRIAL = 20  # geometries that a statement is tried on for every trial that `verify` would make


def prove(
    statements: str | Iterable[str] | None = None,
    *,
    largest: int = LARGEST,
    trials: int = 15,
    seed: int = 0,
    progress: Callable[[ProofRow], None] | None = None,
) -> ProofReport:
    """Proves statements about sizes and positions for every size, number of taps and padding.

    The library's own formulas run on symbolic integers, and z3 decides whether any integers contradict a
    statement. Where z3 cannot decide with a symbolic stride or dilation, the proof takes its values one after
    the other. Every statement is tried with random integers too.

    Args:
      statements: One name or several names of `jaxconv.claims.STATEMENTS`; by default all.
      largest: Largest stride and dilation of those that take values one after the other.
      trials: Number of random geometries of a claim of `verify`, in units of which every statement is tried
        on 20.
      seed: Seed of the random geometries, at least 0.
      progress: Function that is called with the `ProofRow` of every statement when it is done.

    Returns:
      A `ProofReport` with ``ok``, ``rows``, ``table()`` and ``to_json()``.

    Raises:
      OptionError: A statement is unknown, `largest` or `trials` is less than 1, or `seed` is negative.
      TypeError: `statements` is not a name or several names, or a number is not an integer.
      MissingExtraError: z3 is missing, which ``pip install 'jaxconv[prove]'`` installs.
    """
    selection = _select(statements)
    largest = at_least_one("largest", largest, error=OptionError)
    trials = at_least_one("trials", trials, error=OptionError)
    if (seed := integer("seed", seed)) < 0:
        raise OptionError(f"`seed` must be at least 0, got {seed}.")
    from jaxconv.claims.proofs.symbols import Explorer, version

    rows = []
    for statement in selection:
        row = _prove(statement, Explorer(), largest, PER_TRIAL * trials, seed)
        if row.verdict != "FAILS" and statement.name in CLAIMS:  # which tries it too, by code of its own
            row = _with_claim(row, verify(statement.name, trials=trials, seed=seed).rows[0])
        rows.append(row)
        if progress is not None:
            progress(rows[-1])
    return ProofReport(tuple(rows), largest, seed, version())


def _select(names: str | Iterable[str] | None) -> list[Statement]:
    if names is None:
        return list(STATEMENTS.values())
    if not isinstance(names, Iterable):
        raise TypeError(f"`statements` must be a name or several names, got {type(names).__name__}.")
    selection = []
    for name in [names] if isinstance(names, str) else names:
        if name not in STATEMENTS:
            hint = did_you_mean(name, STATEMENTS, otherwise="; `jaxconv verify --prove --list` prints them.")
            raise OptionError(f"`statements` must be names of jaxconv.claims.STATEMENTS, got {name!r}{hint}")
        selection.append(STATEMENTS[name])
    return selection


Verdict = Literal["proved", "not proved", "not decided", "FAILS"]


@dataclass
class _Outcome:
    """What the proof of one statement came to."""

    verdict: Verdict = "proved"
    counterexample: str = ""
    taken: set[str] = field(default_factory=set)  # strides and dilations that took values


def _prove(statement: Statement, explorer: Explorer, largest: int, number: int, seed: int) -> ProofRow:
    start = time.perf_counter()
    outcome, tried = _Outcome(), 0
    limit = min(largest, statement.largest or largest)
    try:
        if statement.unproved:
            outcome.verdict = "not proved"
        else:
            for values in itertools.product(range(1, limit + 1), repeat=len(statement.fixed)):
                numbers = dict(zip(statement.fixed, values, strict=True))
                _decide(statement, explorer, numbers, limit, outcome.taken)
        tried = tries(statement, np.random.default_rng((seed, *statement.name.encode())), number)
    except Undecided:
        outcome.verdict = "not decided"
    except Refuted as error:
        outcome.verdict = "FAILS"
        outcome.counterexample = str(error)
    taken = {name[0] for name in (*statement.fixed, *outcome.taken)}
    every = [letter for letter in LETTERS if letter in explorer.letters and letter not in taken]
    return ProofRow(
        statement.name,
        statement.text,
        statement.source,
        statement.subject,
        outcome.verdict,
        _domain(every, sorted(taken, key=LETTERS.index), limit) if outcome.verdict == "proved" else "",
        statement.unproved,
        tried,
        explorer.queries,
        outcome.counterexample,
        time.perf_counter() - start,
    )


def _with_claim(row: ProofRow, claim: Row) -> ProofRow:
    """Adds the geometries on which the claim of the same name was tried."""
    row = replace(row, tried=row.tried + claim.trials, seconds=row.seconds + claim.seconds)
    return row if claim.ok else replace(row, verdict="FAILS", domain="", counterexample=claim.counterexample)


def _decide(
    statement: Statement, explorer: Explorer, numbers: Mapping[str, int], largest: int, taken: set[str]
) -> None:
    """Proves a statement where some integers have values; more take values where z3 cannot decide.

    Raises:
      Refuted: The statement does not hold; the message is Python code that shows it.
      Undecided: All strides and dilations have values, and z3 still cannot decide.
    """
    try:
        counterexample = explorer.refute(statement.check, numbers)
    except Undecided:
        steps = [name for letter in STEPS for name in sorted(explorer.names) if name[0] == letter]
        name = next((name for name in steps if name not in numbers), None)
        if name is None:
            raise
        taken.add(name)
        for value in range(1, largest + 1):
            _decide(statement, explorer, {**numbers, name: value}, largest, taken)
        return
    if counterexample is not None:
        trial = Trial(counterexample)
        try:
            statement.check(trial)  # raises the error, with code to paste
        except GeometryError as error:
            raise Refuted(f"{trial.example()}  # {error}") from error
        raise AssertionError(f"z3 refutes {statement.name} with {counterexample}, plain integers do not.")


def _domain(every: list[str], taken: list[str], largest: int) -> str:
    """Returns for which integers a statement is proved, in words."""
    parts = [f"every {', '.join(every)}"] if every else []
    return "; ".join([*parts, *([f"{', '.join(taken)} <= {largest}"] if taken else [])])
