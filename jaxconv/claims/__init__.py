"""What the seeds of this library say, as checks that run on your machine."""

from __future__ import annotations

import difflib
import operator
import platform
from collections.abc import Callable, Iterable

import jax
import numpy as np
from jax.typing import DTypeLike

from jaxconv.arguments import at_least_one
from jaxconv.claims import (
    backward,
    conventions,
    dense,
    figures,
    filters,
    lectures,
    pooling,
    products,
    receptive_field,
    resizing,
    sizes,
    transposes,
    unfolding,
)
from jaxconv.claims.cases import KINDS, Cases
from jaxconv.claims.claim import REGISTERED, Claim
from jaxconv.claims.report import Report, Row
from jaxconv.errors import GeometryError

__all__ = ["CLAIMS", "Report", "Row", "verify"]

# Importing a topic registered its claims; they are tried in this order.
_TOPICS = [
    topic.__name__ for topic in (
        sizes, products, transposes, unfolding, backward, pooling, resizing, dense, filters, receptive_field,
        conventions, figures, lectures,
    )
]  # fmt: skip
CLAIMS: dict[str, Claim] = dict(
    sorted(REGISTERED.items(), key=lambda item: _TOPICS.index(item[1].check.__module__))
)
_DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


def verify(
    claims: str | Iterable[str] | None = None,
    *,
    dtype: DTypeLike = "float64",
    trials: int = len(KINDS),
    seed: int = 0,
    progress: Callable[[Row], None] | None = None,
) -> Report:
    """Tries every claim on this machine's default device.

    Runs with 64-bit numbers switched on and matrix products in highest precision, in a scope of
    its own. Gaps are in units of the rounding error of the numbers at hand.

    Args:
      claims: Names of `CLAIMS`, all of them by default.
      dtype: Of the numbers.
      trials: Random geometries a claim; they cycle through 15 kinds.
      seed: Of geometries and numbers.
      progress: Called with every row as it is found.

    Returns:
      A `Report`: ``ok``, ``rows``, ``table()``, ``to_json()``.

    Raises:
      GeometryError: An unknown claim or dtype, or no trials.

    >>> report = verify(["relationship-14", "counts"])
    >>> report.ok, [row.name for row in report.rows]
    (True, ['relationship-14', 'counts'])
    """
    names = [claims] if isinstance(claims, str) else list(CLAIMS if claims is None else claims)
    for claim in names:
        if claim not in CLAIMS:
            close = ", ".join(difflib.get_close_matches(claim, CLAIMS, 3)) or ", ".join(CLAIMS)
            raise GeometryError(f"no claim is called {claim!r}; did you mean one of: {close}?")
    name = getattr(dtype, "__name__", str(dtype))  # jnp.float32 or "float32"
    if name not in _DTYPES:
        raise GeometryError(f"`dtype` is one of {_DTYPES}, got {dtype!r}.")
    trials = at_least_one("trials", trials)
    if (seed := operator.index(seed)) < 0:
        raise GeometryError(f"`seed` must be at least 0, got {seed}.")
    rows = []
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        cases = Cases(name, trials, seed)
        for claim in names:
            rows.append(CLAIMS[claim].run(cases))
            if progress is not None:
                progress(rows[-1])
    return Report(tuple(rows), name, seed, jax.devices()[0].device_kind, _versions())


def _versions() -> dict[str, str]:
    from jaxconv import __version__

    return {
        "jaxconv": __version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
