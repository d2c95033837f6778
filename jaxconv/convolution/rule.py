"""What a rule of ``method="auto"`` is: a condition, a method, and the measurements behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from jaxconv.geometry import ConvGeometry

Method = TypeVar("Method", bound=str, covariant=True)


class Measurement(NamedTuple):
    """Times of one case in milliseconds: by another method, and by the rule's own."""

    case: str
    other_ms: float
    own_ms: float
    other: str = "direct"


class Rule(NamedTuple, Generic[Method]):
    """A method, and when and why it is taken.

    Attributes:
      method: The method that the rule takes.
      holds: The condition, a function of a geometry and the number of maps per batch.
      reason: The condition in words.
      measured: Cases in which the method is faster than the other.
      excluded: Cases in which it is not, which the condition therefore leaves out.
    """

    method: Method
    holds: Callable[[ConvGeometry, int], bool]
    reason: str
    measured: tuple[Measurement, ...] = ()
    excluded: tuple[Measurement, ...] = ()
