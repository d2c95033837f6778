"""Filters: convolution commutes and associates, correlation does not; common filters and boundaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxconv.claims.cases import Cases, double, gap, normal
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.geometry import Padding
from jaxconv.operators import binomial_filter, box_filter, convolve, correlate, edge_filter, sharpen_filter

COMMUTATION = "Goodfellow, Bengio & Courville, Deep Learning, section 9.1"
ASSOCIATION = "Szeliski, Computer Vision: Algorithms and Applications, section 3.2"
IMAGE_FILTERS = "Wikipedia, Kernel (image processing)"


def _full(function: Callable[..., jax.Array], a: ArrayLike, b: ArrayLike) -> jax.Array:
    """Filters `a`, as a map of one feature, by `b` with FULL padding."""
    return function(jnp.asarray(a)[..., None], b, padding="FULL")[..., 0]


def _definition(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns ``(a * b)[p] = sum a[t] b[p - t]``, one product at a time."""
    y = np.zeros(np.add(a.shape, b.shape) - 1, np.result_type(a, b))
    for t in np.ndindex(*a.shape):
        for u in np.ndindex(*b.shape):
            y[tuple(np.add(t, u))] += a[t] * b[u]
    return y


def _random_filters(cases: Cases, count: int) -> Iterator[list[np.ndarray]]:
    """Yields lists of small random filters with one to three axes."""
    rng = np.random.default_rng((cases.seed, 4))
    for ndim in range(1, min(cases.trials, 3) + 1):
        yield [normal(rng, rng.integers(2, 5, ndim), cases.dtype) for _ in range(count)]


def _gap(got: ArrayLike, filters: list[np.ndarray], expected: np.ndarray, dtype: np.dtype) -> float:
    """Returns the error in units of the rounding bound of a chain of convolutions, which all round."""
    magnitude, terms = abs(double(filters[0])), 0
    for filter in filters[1:]:
        magnitude, terms = _definition(magnitude, abs(double(filter))), terms + filter.size + 2
    return gap(double(got), expected, magnitude, terms, dtype)


def _example(*filters: np.ndarray) -> Callable[[], str]:
    return lambda: f"shapes = {[filter.shape for filter in filters]}"


@claim("convolution-commutes", "convolution, which flips the filter, commutes: f * g = g * f", COMMUTATION)
def commutes(cases: Cases) -> Iterator[Trial]:
    """Compares both orders, with FULL padding, with the sum of all products."""
    for a, b in _random_filters(cases, 2):
        expected = _definition(double(a), double(b))
        orders = jax.jit(lambda a, b: (_full(convolve, a, b), _full(convolve, b, a)))(a, b)
        yield Trial(max(_gap(got, [a, b], expected, cases.dtype) for got in orders), _example(a, b))


@claim(
    "convolution-associates",
    "(f * g) * h = f * (g * h): several filters in sequence are one filter",
    ASSOCIATION,
)
def associates(cases: Cases) -> Iterator[Trial]:
    """Compares both orders, with FULL padding, with the definition."""
    for a, b, c in _random_filters(cases, 3):
        expected = _definition(_definition(double(a), double(b)), double(c))

        def both_orders(a: jax.Array, b: jax.Array, c: jax.Array) -> tuple[jax.Array, jax.Array]:
            return _full(convolve, _full(convolve, a, b), c), _full(convolve, a, _full(convolve, b, c))

        orders = jax.jit(both_orders)(a, b, c)
        yield Trial(max(_gap(got, [a, b, c], expected, cases.dtype) for got in orders), _example(a, b, c))


@claim(
    "correlation-does-not", "correlation neither commutes nor associates: g ⋆ f is f ⋆ g flipped", COMMUTATION
)
def correlation_does_not(cases: Cases) -> Iterator[Trial]:
    """Tries integers, for which the results differ and the flip is exact."""
    a, b, c = (np.arange(1, n + 1, dtype=np.float64).astype(cases.dtype) for n in (3, 2, 3))
    ab, ba = (np.asarray(_full(correlate, *pair)) for pair in ((a, b), (b, a)))
    yield exact(bool((ab == ba[::-1]).all() and (ab != ba).any()), "f = 1 2 3, g = 1 2")
    left, right = _full(correlate, ab, c), _full(correlate, a, _full(correlate, b, c))
    yield exact(bool((left != right).any()), "f = 1 2 3, g = 1 2, h = 1 2 3")


@claim("gaussians", "the convolution of two binomial filters is a binomial filter", "Vandermonde's identity")
def gaussians(cases: Cases) -> Iterator[Trial]:
    """Tries filters of k and l taps, whose convolution has k + l - 1."""
    for ndim in (1, 2):
        for k, taps in ((1, 3), (2, 2), (3, 3), (2, 4)):
            a, b, both = (binomial_filter((n,) * ndim, cases.dtype) for n in (k, taps, k + taps - 1))
            example = f"{k} and {taps} taps, {ndim} axes"
            yield exact(bool((_full(convolve, a, b) == both).all()), example)


@claim(
    "lecture-filters",
    "the 3x3 filters for edge detection, box blur, sharpening and Gaussian blur have the published entries",
    IMAGE_FILTERS,
)
def image_filters(cases: Cases) -> Iterator[Trial]:
    """Compares the filters, and their response to an impulse, with the published matrices."""
    filters = {
        "edge": (edge_filter(2, cases.dtype), [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], 1),
        "box": (box_filter((3, 3), cases.dtype), [[1, 1, 1]] * 3, 9),
        "sharpen": (sharpen_filter(2, cases.dtype), [[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1),
        "blur": (binomial_filter((3, 3), cases.dtype), [[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16),
    }
    impulse = jnp.zeros((5, 5, 1), cases.dtype).at[2, 2].set(1)
    for name, (filter, numbers, divisor) in filters.items():
        expected = (np.array(numbers, float) / divisor).astype(cases.dtype)
        same = np.array_equal(filter, expected) and np.array_equal(
            correlate(impulse, filter)[..., 0], expected
        )
        yield exact(same, name)


@claim(
    "boundary",
    "a box filter of 3 taps on the 10 numbers 4 3 2 -5 3 5 2 5 5 6 gives 8 numbers with VALID and 10 with "
    "SAME padding",
    "definition",
)
def boundary(cases: Cases) -> Iterator[Trial]:
    """Compares with the means, in thirds, of three numbers each."""
    x = np.array([4, 3, 2, -5, 3, 5, 2, 5, 5, 6]).astype(cases.dtype)
    thirds = np.array([7, 9, 0, 0, 3, 10, 12, 12, 16, 11], float)
    rows: tuple[tuple[Padding, np.ndarray], ...] = (("VALID", thirds[1:-1] / 3), ("SAME", thirds / 3))
    for padding, expected in rows:
        got = correlate(jnp.asarray(x)[:, None], box_filter((3,), cases.dtype), padding=padding)[:, 0]
        magnitude = np.full(expected.shape, 16 / 3)  # the largest sum of three magnitudes is 16
        yield Trial(
            gap(double(got), expected, magnitude, 3, cases.dtype), partial("padding={}".format, padding)
        )
