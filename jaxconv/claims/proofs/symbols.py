"""Integers and truth values that stand for all numbers: a thin layer over the terms of z3.

The library's formulas run on them as they do on ints. Where the code branches on a truth value, the path
asks the solver which way is possible; where both are, it takes one and leaves the other to a further path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jaxconv.claims.proofs.statement import Condition, Question, Refuted, Skipped, Undecided
from jaxconv.errors import GeometryError, needs_extra
from jaxconv.geometry import AxisGeometry
from jaxconv.geometry.output_side import OutputSide

try:
    import z3
except ModuleNotFoundError:  # which `Explorer` reports
    z3 = None

RESOURCES = 20_000_000  # limit of z3's work on one query, in its own units; some seconds
MOST_VALUES = 64  # of an integer that the code needs as a number, such as a range's


def version() -> str:
    """Returns the version of z3."""
    return str(z3.get_version_string())


class Symbol:
    """An integer that stands for a term of z3."""

    __slots__ = ("path", "term")

    def __init__(self, path: Path, term: Any):
        """Takes the path on which code decides about the integer, and the term."""
        self.path, self.term = path, term

    def _new(self, term: Any) -> Symbol:
        return Symbol(self.path, term)

    def _truth(self, term: Any) -> Truth:
        return Truth(self.path, term)

    def __add__(self, other: Any) -> Symbol:
        return self._new(self.term + _term(other))

    def __sub__(self, other: Any) -> Symbol:
        return self._new(self.term - _term(other))

    def __rsub__(self, other: Any) -> Symbol:
        return self._new(_term(other) - self.term)

    def __mul__(self, other: Any) -> Symbol:
        return self._new(self.term * _term(other))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Symbol:
        return self._new(-self.term)

    def __floordiv__(self, other: Any) -> Symbol:
        return self._new(self.term / _divisor(other))

    def __mod__(self, other: Any) -> Symbol:
        return self._new(self.term % _divisor(other))

    def __rfloordiv__(self, other: Any) -> Symbol:
        return self._new(_term(other) / _divisor(self))

    def __rmod__(self, other: Any) -> Symbol:
        return self._new(_term(other) % _divisor(self))

    def __eq__(self, other: object) -> Any:
        return self._truth(self.term == _term(other))

    def __ne__(self, other: object) -> Any:
        return self._truth(self.term != _term(other))

    def __lt__(self, other: Any) -> Truth:
        return self._truth(self.term < _term(other))

    def __le__(self, other: Any) -> Truth:
        return self._truth(self.term <= _term(other))

    def __gt__(self, other: Any) -> Truth:
        return self._truth(self.term > _term(other))

    def __ge__(self, other: Any) -> Truth:
        return self._truth(self.term >= _term(other))

    def __bool__(self) -> bool:
        return bool(self != 0)

    def __abs__(self) -> Symbol:
        return self if self >= 0 else -self

    def __index__(self) -> int:
        """Returns the value on this path; each value that is possible is a path of its own."""
        return self.path.value(self.term)

    def __hash__(self) -> int:
        return hash(self.__index__())

    def __repr__(self) -> str:
        return str(self.term)


class Truth:
    """A truth value that stands for a term of z3."""

    __slots__ = ("path", "term")

    def __init__(self, path: Path, term: Any):
        """Takes the path on which code decides about the truth value, and the term."""
        self.path, self.term = path, term

    def __and__(self, other: Any) -> Truth:
        return Truth(self.path, z3.And(self.term, _truth_term(other)))

    def __or__(self, other: Any) -> Truth:
        return Truth(self.path, z3.Or(self.term, _truth_term(other)))

    __rand__, __ror__ = __and__, __or__

    def __mul__(self, other: Any) -> Symbol:
        return Symbol(self.path, z3.If(self.term, _term(other), 0))

    __rmul__ = __mul__

    def __eq__(self, other: object) -> Any:
        return Truth(self.path, self.term == _truth_term(other))

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return self.path.decide(self.term)


def _term(value: Any) -> Any:
    if isinstance(value, Symbol):
        return value.term
    if isinstance(value, int) and not isinstance(value, bool):
        return z3.IntVal(value)
    raise TypeError(f"a proof is about integers, got {value!r}.")


def _truth_term(value: Any) -> Any:
    return value.term if isinstance(value, Truth) else z3.BoolVal(bool(value))


def _divisor(value: Any) -> Any:
    """Returns the term of a divisor, which must be positive: there z3 rounds as Python does."""
    if not value > 0:
        raise TypeError(f"a proof divides only by positive integers, got {value!r}.")
    return _term(value)


class SymbolicAxis(AxisGeometry):
    """An axis whose numbers are symbols: all of `AxisGeometry`, but checked by the solver."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Checks nothing: `Path.make` assumes what `AxisGeometry` checks."""


class SymbolicSide(OutputSide):
    """The outputs of an axis whose numbers are symbols; a refusal does not look for the nearest sizes."""

    def _no_input_size(self, *numbers: Any) -> GeometryError:
        return GeometryError("no input has these outputs.")


class Path(Question):
    """One way through the code that a statement runs, with what holds on it."""

    def __init__(self, numbers: Mapping[str, int], choices: tuple[bool, ...] = ()):
        """Takes the integers that have a value, and the first choices of the path."""
        self.numbers = numbers
        self.choices = choices
        self.taken: list[bool] = []
        self.left: list[tuple[bool, ...]] = []  # first choices of the paths that were not taken
        self.queries = 0
        self._symbols: dict[str, Any] = {}
        self._solver = z3.Solver()
        self._solver.set("rlimit", RESOURCES)

    @property
    def names(self) -> set[str]:
        """Names of the integers that are symbols."""
        return set(self._symbols)

    def integer(self, name: str, least: int | None = None) -> Any:
        """Returns the integer's value if it has one, otherwise a symbol."""
        if name in self.numbers:
            return self.numbers[name]
        self._symbols[name] = z3.Int(name)
        symbol = Symbol(self, self._symbols[name])
        if least is not None:
            self.given(symbol >= least)
        return symbol

    def given(self, *conditions: Condition) -> None:
        """Assumes the conditions on this path."""
        for condition in conditions:
            self._solver.add(_truth_term(condition))

    def prove(self, condition: Condition, *shown: str) -> None:
        """Raises an error with the integers of a counterexample if one exists."""
        self._solver.push()
        self._solver.add(z3.Not(_truth_term(condition)))
        answer = self._check()
        if answer == z3.sat:
            raise Counterexample(self._small_model())
        if answer != z3.unsat:
            raise Undecided(self._solver.reason_unknown())
        self._solver.pop()

    def count(self, name: str, holds: Callable[[Any], Condition]) -> Any:
        """Returns a symbol that is as large as the count."""
        count = Symbol(self, z3.Int(name))
        before = z3.Or(count.term == 0, _truth_term(holds(count - 1)))
        self._solver.add(count.term >= 0, before, z3.Not(_truth_term(holds(count))))
        return count

    def make(self, name: str, kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Makes an object with symbols; of an axis it assumes that the kernel fits."""
        if kind is not AxisGeometry:
            return SymbolicSide(*arguments) if kind is OutputSide else kind(*arguments, **options)
        axis = SymbolicAxis(*arguments, **options)
        low, high = axis.padding
        cells = axis.input_dilation * (axis.size - 1) + 1 + low + high
        self.given(axis.size >= 1, axis.kernel >= 1, axis.dilation * (axis.kernel - 1) + 1 <= cells)
        if axis.padding_mode == "reflect":
            self.given((axis.size >= 2) | ((low <= 0) & (high <= 0)))
        return axis

    def decide(self, term: Any) -> bool:
        """Returns which way the code takes where it branches on a truth value."""
        term = z3.simplify(term)
        if z3.is_true(term) or z3.is_false(term):
            return z3.is_true(term)
        if len(self.taken) < len(self.choices):
            way = self.choices[len(self.taken)]
        else:
            way = self._possible(term)
            if self._possible(z3.Not(term)):
                if way:
                    self.left.append((*self.taken, False))
            elif not way:
                raise Skipped  # neither is possible: nothing is left to prove on this path
        self.taken.append(way)
        self._solver.add(term if way else z3.Not(term))
        return way

    def value(self, term: Any) -> int:
        """Returns a value that the term has on this path; other values are left to other paths."""
        term = z3.simplify(term)
        if z3.is_int_value(term):
            return term.as_long()
        for _ in range(MOST_VALUES):
            if (answer := self._check()) == z3.unsat:
                raise Skipped
            if answer != z3.sat:
                raise Undecided(self._solver.reason_unknown())
            # A path that is taken up again has to propose the same values: the least ones.
            guess = self._least(term)
            if self.decide(term == guess):
                return guess
        raise Undecided(f"the code needs {term} as a number, which has too many values.")

    def _least(self, term: Any) -> int:
        low = self._solver.model().eval(term, model_completion=True).as_long()
        for _ in range(MOST_VALUES):
            if (answer := self._check(term < low)) == z3.unsat:
                return low
            if answer != z3.sat:  # a later path could not be sure to propose the same value
                raise Undecided(self._solver.reason_unknown())
            low = self._solver.model().eval(term, model_completion=True).as_long()
        raise Undecided(f"the code needs {term} as a number, which has too many values.")

    def _possible(self, term: Any) -> bool:
        return self._check(term) != z3.unsat

    def _check(self, *terms: Any) -> Any:
        self.queries += 1
        return self._solver.check(*terms)

    def _small_model(self) -> dict[str, int]:
        """Returns the integers of a counterexample, small ones if they exist."""
        model, bound = self._solver.model(), 2
        while bound < 10**4:
            bounds = [z3.And(-bound <= symbol, symbol <= bound) for symbol in self._symbols.values()]
            if self._check(*bounds) == z3.sat:
                model = self._solver.model()
                break
            bound *= 2
        values = {
            name: model.eval(symbol, model_completion=True).as_long()
            for name, symbol in self._symbols.items()
        }
        return {**self.numbers, **values}


class Counterexample(Refuted):
    """Integers for which a statement does not hold."""

    def __init__(self, numbers: dict[str, int]):
        """Takes the integers by name."""
        super().__init__(str(numbers))
        self.numbers = numbers


class Explorer:
    """Goes all ways through the code that a statement runs."""

    def __init__(self) -> None:
        """Has asked nothing yet.

        Raises:
          MissingExtraError: z3 is missing.
        """
        with needs_extra(__name__, "prove"):
            import z3  # noqa: F401
        self.queries = 0  # to the solver
        self.names: set[str] = set()  # of the integers that were symbols

    @property
    def letters(self) -> set[str]:
        """The first letters of the integers that were symbols."""
        return {name[0] for name in self.names}

    def refute(self, check: Callable[[Question], None], numbers: Mapping[str, int]) -> dict[str, int] | None:
        """Returns integers for which a statement does not hold, or None: then it holds for all.

        Args:
          check: States it about the integers of a `Question`.
          numbers: Integers that have a value.

        Raises:
          Undecided: The solver could not decide.
        """
        left: list[tuple[bool, ...]] = [()]
        while left:
            path = Path(numbers, left.pop())
            try:
                check(path)
            except Skipped:
                pass  # nothing is left to prove on this path
            except Counterexample as found:
                return found.numbers
            finally:
                self.queries += path.queries
                self.names |= path.names
            left += path.left
        return None
