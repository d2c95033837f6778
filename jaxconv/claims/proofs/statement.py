"""A statement about integers that can be tried with numbers and proved with symbols.

A statement is a function of a `Question`. It asks the question for integers, calls the library's formulas
with them, and says what must hold. The same function runs with plain integers (`trial`), where it is a test,
and with terms of z3 (`symbols`), where it is a proof for all integers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxconv.geometry.arguments import PaddingMode

Number = Any  # an int, or a term that stands for one
Condition = Any  # a bool, or a term that stands for one


class Skipped(Exception):
    """The integers do not meet a condition of the statement."""


class Refuted(Exception):
    """A condition that the statement claims does not hold; the message is Python code that shows it."""


class Undecided(Exception):
    """The solver could not decide whether a condition holds."""


class Question(ABC):
    """Where a statement gets its integers, and what it claims about them."""

    @abstractmethod
    def integer(self, name: str, least: int | None = None) -> Number:
        """Returns the integer with a name, at least `least`; every name may be asked for once.

        The first letter says what it is: i a size, k a number of taps, p a padding of any sign, s, d and f a
        stride, a kernel dilation and an input dilation, and other letters an index.
        """

    @abstractmethod
    def given(self, *conditions: Condition) -> None:
        """States what is assumed from here on."""

    @abstractmethod
    def prove(self, condition: Condition, *shown: str) -> None:
        """States what must hold.

        Args:
          condition: What must hold.
          *shown: Python expressions of the made objects, which a counterexample prints.
        """

    @abstractmethod
    def count(self, name: str, holds: Callable[[Number], Condition]) -> Number:
        """Returns the number of integers from 0 on for which a condition holds, until it first does not.

        Args:
          name: Name of the number.
          holds: The condition; it must not hold again after it first did not.
        """

    @abstractmethod
    def make(self, name: str, kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Makes a named object of the library; a refusal means that the integers are skipped."""

    def step(self, name: str) -> Number:
        """Returns a stride or a dilation, at least 1."""
        return self.integer(name, 1)

    def axis(
        self, name: str = "axis", suffix: str = "", padding_mode: PaddingMode = "zeros", **fixed: Number
    ) -> Any:
        """Makes an `AxisGeometry` of any size, kernel size, stride, padding and dilations.

        Args:
          name: Name of the axis.
          suffix: End of the letters' names, if there are several axes.
          padding_mode: What the padding holds.
          **fixed: Letters that are not free: i, k, s, pl, ph, d or f.
        """
        from jaxconv.geometry import AxisGeometry

        i, k, s, pl, ph, d, f = (
            fixed[letter] if letter in fixed else self.integer(letter + suffix, least)
            for letter, least in zip(
                ("i", "k", "s", "pl", "ph", "d", "f"), (1, 1, 1, None, None, 1, 1), strict=True
            )
        )
        return self.make(name, AxisGeometry, i, k, s, (pl, ph), d, f, padding_mode)


@dataclass(frozen=True)
class Statement:
    """A statement about integers, with the function that states it.

    Attributes:
      name: Name of the statement, as in `STATEMENTS`; that of a claim of `jaxconv.claims.CLAIMS` if it says
        the same.
      text: The statement, in a line.
      source: Publication that states it, or "definition".
      subject: What of the library is run: the proof is about this code.
      check: States it about the integers of a `Question`.
      fixed: Names of the strides and dilations that a proof takes one after the other; the proof holds for
        every value of all other integers.
      largest: Most that strides and dilations go to, if less than what is asked for.
      unproved: Why no proof is attempted, so that the statement is only tried; empty if one is.
    """

    name: str
    text: str
    source: str
    subject: str
    check: Callable[[Question], None]
    fixed: tuple[str, ...]
    largest: int | None = None
    unproved: str = ""


STATEMENTS: dict[str, Statement] = {}


def statement(
    name: str,
    text: str,
    source: str,
    subject: str,
    *,
    fixed: str = "",
    largest: int | None = None,
    unproved: str = "",
) -> Callable[[Callable[[Question], None]], Callable[[Question], None]]:
    """Returns a decorator that registers a function as a statement; see `Statement`."""

    def register(check: Callable[[Question], None]) -> Callable[[Question], None]:
        STATEMENTS[name] = Statement(
            name, text, source, subject, check, tuple(fixed.split()), largest, unproved
        )
        return check

    return register
