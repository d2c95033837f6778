"""Medians of functions called in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import jax


def medians(
    functions: Mapping[str, Callable], *, seconds: float = 0.5, least: int = 5, most: int = 50
) -> dict[str, float]:
    """Milliseconds of each function: the median of several calls.

    All are called in turn, so that a drifting machine hurts all alike.

    Args:
      functions: Calls without arguments, by name; jax arrays that they return are waited for.
      seconds: About how long one function may take in all.
      least: Calls of each function.
      most: Likewise.
    """
    for function in functions.values():
        jax.block_until_ready(function())  # compiles, and fills caches
    once = {name: _seconds(function) for name, function in functions.items()}
    calls = {name: max(least, min(most, int(seconds / max(t, 1e-6)))) for name, t in once.items()}
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(max(calls.values(), default=0)):
        for name, function in functions.items():
            if turn < calls[name]:
                taken[name].append(_seconds(function))
    return {name: 1e3 * statistics.median(values) for name, values in taken.items()}


def _seconds(function: Callable) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start
