"""Whether two ways of computing the same thing agree: no wrong result is timed."""

from __future__ import annotations

import math

import jax
import numpy as np

SLACK = 16
WRONG = 0.05  # of the norm: never explained by rounding, not by TensorFloat-32's either


class Disagreement(Exception):
    """Two results that should be equal are not."""


def unit() -> float:
    """A rounding error: float32's, or TensorFloat-32's on GPUs, which convolve in it by default."""
    return 2.0**-10 if jax.default_backend() == "gpu" else float(np.finfo(np.float32).eps)


def check_agreement(what: str, result, expected, terms: int) -> None:
    """Refuses a result whose distance from what is expected exceeds the rounding error.

    Rounding errors of a sum of n terms of random signs grow as sqrt(n) beside its own size.

    Args:
      what: For the message.
      result: An array.
      expected: An array of the same shape.
      terms: How many products were summed to each number.

    Raises:
      Disagreement: They differ by more, or in shape.
    """
    result, expected = np.asarray(result), np.asarray(expected)
    if result.shape != expected.shape:
        raise Disagreement(f"{what}: shape {result.shape}, expected {expected.shape}.")
    gap = np.linalg.norm((result - expected).ravel())
    relative = min(SLACK * unit() * math.sqrt(terms), WRONG)
    bound = relative * np.linalg.norm(expected.ravel())
    if not gap <= bound:  # also where the gap is not a number
        raise Disagreement(f"{what}: differs by {gap:.3g} in norm, rounding explains {bound:.3g}.")
