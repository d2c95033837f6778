"""Comparison of two results that should be equal, so that no wrong result is timed."""

from __future__ import annotations

import math

import jax
import numpy as np
from numpy.typing import ArrayLike

SLACK = 16
WRONG = 0.05  # of the norm: more than rounding errors, TensorFloat-32's included


class Disagreement(Exception):
    """Two results that should be equal are not."""


def unit() -> float:
    """Returns the rounding error of float32, or of TensorFloat-32, in which GPUs convolve by default."""
    return 2.0**-10 if jax.default_backend() == "gpu" else float(np.finfo(np.float32).eps)


def check_agreement(what: str, result: ArrayLike, expected: ArrayLike, terms: int) -> None:
    """Checks that a result differs from the expected one by no more than rounding errors.

    Rounding errors of a sum of n terms of random signs grow as sqrt(n) relative to the sum.

    Args:
      what: Name of the result, for the message.
      result: The result.
      expected: The expected result, of the same shape.
      terms: Number of products that are summed to each number.

    Raises:
      Disagreement: The results differ by more than rounding errors, or in shape.
    """
    result, expected = np.asarray(result), np.asarray(expected)
    if result.shape != expected.shape:
        raise Disagreement(f"{what}: shape {result.shape}, expected {expected.shape}.")
    gap = np.linalg.norm((result - expected).ravel())
    relative = min(SLACK * unit() * math.sqrt(terms), WRONG)
    bound = relative * np.linalg.norm(expected.ravel())
    if not gap <= bound:  # also if the gap is NaN
        raise Disagreement(f"{what}: differs by {gap:.3g} in norm, rounding explains {bound:.3g}.")
