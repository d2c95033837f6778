"""Filters: what true convolution can and correlation cannot, and the lecture's printed numbers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.claims.cases import Cases, double, gap, normal
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.geometry import Padding
from jaxconv.operators import binomial_filter, box_filter, convolve, correlate, edge_filter, sharpen_filter

IMAGE_FILTERS = "lecture on convolutional networks, image filters"
DEFINITION = "lecture on convolutional networks, what are convolutions"
BOUNDARY = "lecture on convolutional networks, what to do at boundaries"


def _full(function, a, b):
    """Two filters, the first as a map of one feature, everywhere that they meet."""
    return function(a[..., None], b, padding="FULL")[..., 0]


def _defined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``(a * b)[p] = sum a[t] b[p - t]``, one product at a time."""
    y = np.zeros(np.add(a.shape, b.shape) - 1, np.result_type(a, b))
    for t in np.ndindex(*a.shape):
        for u in np.ndindex(*b.shape):
            y[tuple(np.add(t, u))] += a[t] * b[u]
    return y


def _drawn(cases: Cases, count: int) -> Iterator[list[np.ndarray]]:
    """Random filters of one to three axes, small ones."""
    rng = np.random.default_rng((cases.seed, 4))
    for ndim in range(1, min(cases.trials, 3) + 1):
        yield [normal(rng, rng.integers(2, 5, ndim), cases.dtype) for _ in range(count)]


def _gap(got, filters: list[np.ndarray], exact_answer: np.ndarray, dtype) -> float:
    """In units of the rounding of a chain of convolutions; each step rounds once more."""
    magnitude, terms = abs(double(filters[0])), 0
    for filter in filters[1:]:
        magnitude, terms = _defined(magnitude, abs(double(filter))), terms + filter.size + 2
    return gap(double(got), exact_answer, magnitude, terms, dtype)


def _example(*filters: np.ndarray):
    return lambda: f"shapes = {[filter.shape for filter in filters]}"


@claim("convolution-commutes", "f * g = g * f: flipped, by its definition", DEFINITION)
def commutes(cases: Cases) -> Iterator[Trial]:
    """With FULL padding, both orders against the sum of all products."""
    for a, b in _drawn(cases, 2):
        expected = _defined(double(a), double(b))
        orders = jax.jit(lambda a, b: (_full(convolve, a, b), _full(convolve, b, a)))(a, b)
        yield Trial(max(_gap(got, [a, b], expected, cases.dtype) for got in orders), _example(a, b))


@claim("convolution-associates", "(f * g) * h = f * (g * h): filters in a row are one filter", DEFINITION)
def associates(cases: Cases) -> Iterator[Trial]:
    """With FULL padding, both orders against the definition."""
    for a, b, c in _drawn(cases, 3):
        expected = _defined(_defined(double(a), double(b)), double(c))

        def bracketed(a, b, c):
            return _full(convolve, _full(convolve, a, b), c), _full(convolve, a, _full(convolve, b, c))

        orders = jax.jit(bracketed)(a, b, c)
        yield Trial(max(_gap(got, [a, b, c], expected, cases.dtype) for got in orders), _example(a, b, c))


@claim("correlation-does-not", "correlation is neither: exchanged, its result is flipped", DEFINITION)
def correlation_does_not(cases: Cases) -> Iterator[Trial]:
    """An order changes f ⋆ g, and brackets change f ⋆ g ⋆ h, by more than rounding; the flip is exact."""
    a, b, c = (np.arange(1, n + 1, dtype=np.float64).astype(cases.dtype) for n in (3, 2, 3))
    ab, ba = (np.asarray(_full(correlate, *pair)) for pair in ((a, b), (b, a)))
    yield exact(bool((ab == ba[::-1]).all() and (ab != ba).any()), "f = 1 2 3, g = 1 2")
    left, right = _full(correlate, ab, c), _full(correlate, a, _full(correlate, b, c))
    yield exact(bool((left != right).any()), "f = 1 2 3, g = 1 2, h = 1 2 3")


@claim("gaussians", "a Gaussian of a Gaussian is a Gaussian: binomial filters, exactly", DEFINITION)
def gaussians(cases: Cases) -> Iterator[Trial]:
    """Of k and l taps, one of k + l - 1."""
    for ndim in (1, 2):
        for k, taps in ((1, 3), (2, 2), (3, 3), (2, 4)):
            a, b, both = (binomial_filter((n,) * ndim, cases.dtype) for n in (k, taps, k + taps - 1))
            example = f"{k} and {taps} taps, {ndim} axes"
            yield exact(bool((_full(convolve, a, b) == both).all()), example)


@claim("lecture-filters", "edge detection, box mean, sharpen and Gaussian blur as printed", IMAGE_FILTERS)
def lecture_filters(cases: Cases) -> Iterator[Trial]:
    """The printed matrices, and what they do to an impulse: a map of the filter, flipped."""
    printed = {
        "edge": (edge_filter(2, cases.dtype), [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], 1),
        "box": (box_filter((3, 3), cases.dtype), [[1, 1, 1]] * 3, 9),
        "sharpen": (sharpen_filter(2, cases.dtype), [[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1),
        "blur": (binomial_filter((3, 3), cases.dtype), [[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16),
    }
    impulse = jnp.zeros((5, 5, 1), cases.dtype).at[2, 2].set(1)
    for name, (filter, numbers, divisor) in printed.items():
        expected = (np.array(numbers, float) / divisor).astype(cases.dtype)
        same = np.array_equal(filter, expected) and np.array_equal(
            correlate(impulse, filter)[..., 0], expected
        )
        yield exact(same, name)


@claim("boundary", "the box filter on 4 3 2 -5 3 5 2 5 5 6: shrunk to 8 numbers, or padded to 10", BOUNDARY)
def boundary(cases: Cases) -> Iterator[Trial]:
    """Both printed rows, in thirds."""
    x = np.array([4, 3, 2, -5, 3, 5, 2, 5, 5, 6]).astype(cases.dtype)
    thirds = np.array([7, 9, 0, 0, 3, 10, 12, 12, 16, 11], float)
    rows: tuple[tuple[Padding, np.ndarray], ...] = (("VALID", thirds[1:-1] / 3), ("SAME", thirds / 3))
    for padding, printed in rows:
        got = correlate(jnp.asarray(x)[:, None], box_filter((3,), cases.dtype), padding=padding)[:, 0]
        magnitude = np.full(printed.shape, 16 / 3)  # no three of the numbers have more
        yield Trial(
            gap(double(got), printed, magnitude, 3, cases.dtype), partial("padding={}".format, padding)
        )
