"""What the seeds of this library say, as checks that run on your machine."""

from __future__ import annotations

import operator
import platform
from collections.abc import Callable, Iterable
from typing import Literal, get_args, overload

import jax
import jax.numpy as jnp
import numpy as np

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
    scenes,
    sizes,
    transposes,
    unfolding,
)
from jaxconv.claims.by_dtype import Reports
from jaxconv.claims.cases import KINDS, Cases
from jaxconv.claims.claim import REGISTERED, Claim
from jaxconv.claims.report import Report, Row
from jaxconv.errors import OptionError
from jaxconv.geometry.arguments import at_least_one, did_you_mean

__all__ = ["CLAIMS", "Report", "Reports", "Row", "verify"]

# Importing a topic registered its claims; they are tried in this order.
_TOPICS = [
    topic.__name__ for topic in (
        sizes, products, transposes, unfolding, backward, pooling, resizing, dense, filters, receptive_field,
        conventions, figures, scenes, lectures,
    )
]  # fmt: skip
CLAIMS: dict[str, Claim] = dict(
    sorted(REGISTERED.items(), key=lambda item: _TOPICS.index(item[1].check.__module__))
)
Dtype = Literal["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
_DTYPES: tuple[Dtype, ...] = get_args(Dtype)
ALL_DTYPES: tuple[Dtype, ...] = ("float64", "float32", "bfloat16", "float16", "complex64")  # of `dtype="all"`


@overload
def verify(
    claims: str | Iterable[str] | None = None,
    *,
    dtype: Dtype | type | np.dtype = "float64",
    trials: int = len(KINDS),
    seed: int = 0,
    progress: Callable[[Row], None] | None = None,
) -> Report: ...
@overload
def verify(
    claims: str | Iterable[str] | None = None,
    *,
    dtype: Literal["all"],
    trials: int = len(KINDS),
    seed: int = 0,
    progress: Callable[[Row], None] | None = None,
) -> Reports: ...
@overload
def verify(
    claims: str | Iterable[str] | None = None,
    *,
    dtype: Dtype | Literal["all"] | type | np.dtype = "float64",
    trials: int = len(KINDS),
    seed: int = 0,
    progress: Callable[[Row], None] | None = None,
) -> Report | Reports: ...
def verify(
    claims: str | Iterable[str] | None = None,
    *,
    dtype: Dtype | Literal["all"] | type | np.dtype = "float64",
    trials: int = len(KINDS),
    seed: int = 0,
    progress: Callable[[Row], None] | None = None,
) -> Report | Reports:
    """Tries every claim on this machine's default device.

    Runs with 64-bit numbers switched on and matrix products in highest precision, in a scope of
    its own. Gaps are in units of the rounding error of the numbers at hand.

    Args:
      claims: Names of `CLAIMS`; by default all that numbers of `dtype` can have: claims about the order of
        numbers, such as those of max pooling, have no complex ones.
      dtype: Dtype of the numbers, or "all" for float64, float32, bfloat16, float16 and complex64.
      trials: Random geometries per claim; they cycle through 15 kinds.
      seed: Seed of the geometries and numbers.
      progress: Called with every row as it is found.

    Returns:
      A `Report`: ``ok``, ``rows``, ``table()``, ``to_json()``; of all dtypes `Reports`, which has the same
      and a report for each. A claim of integers alone is tried once for all of them.

    Raises:
      OptionError: An unknown claim or dtype, a claim that `dtype` cannot have, or a negative seed.
      GeometryError: No trials.

    >>> report = verify(["relationship-14", "counts"])
    >>> report.ok, [row.name for row in report.rows]
    (True, ['relationship-14', 'counts'])
    """
    name = getattr(dtype, "__name__", str(dtype))  # jnp.float32 or "float32"
    if name not in (*_DTYPES, "all"):
        raise OptionError(f"`dtype` must be one of {_DTYPES} or 'all', got {dtype!r}.")
    chosen = _chosen(claims, name)
    trials = at_least_one("trials", trials)
    if (seed := operator.index(seed)) < 0:
        raise OptionError(f"`seed` must be at least 0, got {seed}.")
    reports = []
    integers: dict[str, Row] = {}
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        for one in ALL_DTYPES if name == "all" else (name,):
            cases, rows = Cases(one, trials, seed), []
            for claim in chosen:
                if not claim.can_have(cases.dtype):
                    continue
                rows.append(integers.get(claim.name) or claim.run(cases))
                if claim.numbers == "integers":
                    integers[claim.name] = rows[-1]
                if progress is not None:
                    progress(rows[-1])
            reports.append(Report(tuple(rows), one, seed, jax.devices()[0].device_kind, _versions()))
    return Reports(tuple(reports)) if name == "all" else reports[0]


def _chosen(claims: str | Iterable[str] | None, dtype: str) -> list[Claim]:
    """The claims by name; what is named must be possible in the dtype."""
    if claims is None:
        return list(CLAIMS.values())
    chosen = []
    for name in [claims] if isinstance(claims, str) else claims:
        if name not in CLAIMS:
            listed = f"; there are {', '.join(CLAIMS)}."
            raise OptionError(f"no claim is called {name!r}{did_you_mean(name, CLAIMS, otherwise=listed)}")
        if dtype != "all" and not CLAIMS[name].can_have(jnp.dtype(dtype)):
            raise OptionError(
                f"the claim {name!r} is about the order of numbers, which {dtype} does not have; take a real "
                "dtype."
            )
        chosen.append(CLAIMS[name])
    return chosen


def _versions() -> dict[str, str]:
    from jaxconv import __version__

    return {
        "jaxconv": __version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
