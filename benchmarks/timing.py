"""Medians of functions called in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

SLOW = 2.0  # seconds; a function slower than this is called twice in all
FAST = 0.02  # seconds; a faster function is called once more, untimed, before each round
ROUNDS = 10
# Its threads occupy cores for 0.2 s after a call, which the next peer needs: it is timed after all others.
SPINNING = "PyTorch"
REST = 0.25  # seconds of rest before the others


class Timing(NamedTuple):
    """Milliseconds of one function: the median of `calls` calls, and their quartiles."""

    median: float
    low: float
    high: float
    calls: int

    def __str__(self) -> str:
        return f"{self.median:#.3g}".rstrip(".") if self.median < 1000 else f"{self.median:.0f}"


def timings(
    functions: Mapping[str, Callable[[], Any]],
    *,
    seconds: float = 0.3,
    least: int = 5,
    most: int = 100,
    check: Callable[[str, Any], None] = lambda name, result: None,
) -> dict[str, Timing]:
    """Times functions in rounds, each function several times per round.

    So a change of the speed of the machine affects all functions alike. Every other round runs backwards, so
    that no function always follows the same one, and a fast function begins its part of a round with an
    untimed call, which fills the caches.

    Args:
      functions: Calls without arguments, by name; their jax arrays are waited for.
      seconds: Approximate time of one function in total.
      least: Smallest number of calls of a function that takes less than `SLOW` seconds.
      most: Largest number of calls of a function.
      check: Called with the name and the result of a first call, which is not timed; raises if it is wrong.

    Returns:
      The timing of each function, by name.
    """
    time.sleep(REST)
    last = {name: function for name, function in functions.items() if name.startswith(SPINNING)}
    first = {name: function for name, function in functions.items() if name not in last}
    times = _in_rounds(first, seconds, least, most, check) | _in_rounds(last, seconds, least, most, check)
    return {name: summary(times[name]) for name in functions}


def _in_rounds(
    functions: Mapping[str, Callable[[], Any]],
    seconds: float,
    least: int,
    most: int,
    check: Callable[[str, Any], None],
) -> dict[str, list[float]]:
    for name, function in functions.items():
        check(name, jax.block_until_ready(function()))
    once = {name: _seconds(function) for name, function in functions.items()}
    times = {name: [] if t < SLOW else [t] for name, t in once.items()}
    calls = {name: max(least, min(most, int(seconds / t))) if t < SLOW else 0 for name, t in once.items()}
    for turn in range(ROUNDS):
        for name, function in list(functions.items())[:: -1 if turn % 2 else 1]:
            share = calls[name] * (turn + 1) // ROUNDS - calls[name] * turn // ROUNDS
            if share and once[name] < FAST:
                _seconds(function)
            times[name] += [_seconds(function) for _ in range(share)]
    return times


def summary(seconds: list[float]) -> Timing:
    """Computes median and quartiles, in milliseconds."""
    low, median, high = np.percentile(1e3 * np.asarray(seconds), [25, 50, 75]).tolist()
    return Timing(median, low, high, len(seconds))


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start
