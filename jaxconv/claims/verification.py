"""`verify`: tries the claims on this machine."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from typing import Literal, get_args, overload

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.claims import (
    backward,
    checkerboards,
    composition,
    conventions,
    dense,
    figures,
    filters,
    pooling,
    products,
    receptive_field,
    resizing,
    scenes,
    sizes,
    spectra,
    structure,
    transposes,
    unfolding,
)
from jaxconv.claims.by_dtype import Reports
from jaxconv.claims.cases import KINDS, Cases
from jaxconv.claims.claim import REGISTERED, Claim
from jaxconv.claims.report import Report, Row
from jaxconv.errors import OptionError
from jaxconv.geometry.arguments import at_least_one, did_you_mean, integer

__all__ = ["CLAIMS", "Report", "Reports", "Row", "verify"]

# Importing a topic registers its claims; they are tried in this order.
_TOPICS = [
    topic.__name__ for topic in (
        sizes, products, transposes, unfolding, backward, pooling, resizing, dense, filters, receptive_field,
        conventions, figures, scenes, structure, composition, checkerboards, spectra,
    )
]  # fmt: skip
CLAIMS: dict[str, Claim] = dict(
    sorted(REGISTERED.items(), key=lambda item: _TOPICS.index(item[1].check.__module__))
)
Dtype = Literal["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
_DTYPES: tuple[Dtype, ...] = get_args(Dtype)
# The dtypes of `dtype="all"`.
ALL_DTYPES: tuple[Dtype, ...] = ("float64", "float32", "bfloat16", "float16", "complex64")


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
    """Checks statements of the literature on convolutions on the default device of this machine.

    Every claim compares the functions of the library with NumPy loops, on random geometries. Errors are
    measured in units of the rounding bound of the data, so that a claim holds if its gap is at most 1. 64-bit
    numbers and the highest precision of matrix products are switched on during the call only.

    Args:
      claims: One name or several names of `jaxconv.claims.CLAIMS`; by default all claims that apply to
        `dtype`. Claims that compare numbers, such as those on max pooling, do not apply to complex dtypes.
      dtype: Dtype of the numbers, or "all" for float64, float32, bfloat16, float16 and complex64.
      trials: Number of random geometries per claim; they cycle through 15 kinds.
      seed: Seed of the random geometries and numbers, at least 0.
      progress: Function that is called with the `Row` of every claim when it is done.

    Returns:
      A `Report` with ``ok``, ``rows``, ``table()`` and ``to_json()``. With ``dtype="all"`` a `Reports`, which
      has the same and one report per dtype; claims about integers are tried once for all dtypes.

    Raises:
      OptionError: A claim or `dtype` is unknown, a claim does not apply to `dtype`, `trials` is less than 1,
        or `seed` is negative.
      TypeError: `claims` is not a name or several names, or `trials` or `seed` is not an integer.

    >>> report = verify(["relationship-14", "counts"])
    >>> report.ok, [row.name for row in report.rows]
    (True, ['relationship-14', 'counts'])
    """
    name = getattr(dtype, "__name__", str(dtype))  # jnp.float32 or "float32"
    if name not in (*_DTYPES, "all"):
        raise OptionError(f"`dtype` must be one of {_DTYPES} or 'all', got {dtype!r}.")
    selection = _select(claims, name)
    trials = at_least_one("trials", trials, error=OptionError)
    if (seed := integer("seed", seed)) < 0:
        raise OptionError(f"`seed` must be at least 0, got {seed}.")
    reports = []
    integers: dict[str, Row] = {}
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        for one in ALL_DTYPES if name == "all" else (name,):
            cases, rows = Cases(one, trials, seed), []
            for claim in selection:
                if not claim.applies_to(cases.dtype):
                    continue
                rows.append(integers.get(claim.name) or claim.run(cases))
                if claim.numbers == "integers":
                    integers[claim.name] = rows[-1]
                if progress is not None:
                    progress(rows[-1])
            reports.append(Report(tuple(rows), one, seed, jax.devices()[0].device_kind, _versions()))
    return Reports(tuple(reports)) if name == "all" else reports[0]


def _select(claims: str | Iterable[str] | None, dtype: str) -> list[Claim]:
    """Returns the claims of these names, which must apply to the dtype."""
    if claims is None:
        return list(CLAIMS.values())
    if not isinstance(claims, Iterable):
        raise TypeError(f"`claims` must be a name or several names of claims, got {type(claims).__name__}.")
    selection = []
    for name in [claims] if isinstance(claims, str) else claims:
        if name not in CLAIMS:
            raise OptionError(
                f"`claims` must be names of jaxconv.claims.CLAIMS, got {name!r}"
                f"{did_you_mean(name, CLAIMS, otherwise='; `jaxconv verify --list` prints them.')}"
            )
        if dtype != "all" and not CLAIMS[name].applies_to(jnp.dtype(dtype)):
            raise OptionError(
                f"`claims`: {name!r} is about the order of numbers, which {dtype} does not have; use a real "
                "`dtype`, such as 'float64'."
            )
        selection.append(CLAIMS[name])
    return selection


def _versions() -> dict[str, str]:
    from jaxconv import __version__

    return {
        "jaxconv": __version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
