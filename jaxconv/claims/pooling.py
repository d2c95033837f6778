"""What the guide and the lectures say of pooling: its sizes, its linearity, its gradient."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.claims.cases import Cases, double, gap
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.errors import GeometryError
from jaxconv.operators import avg_pool, lp_pool, max_pool, pool_geometry, pool_matrix, unpool

GUIDE = "relationship 7, extended"
LECTURE = "lecture on convolution layers, pooling"

# input shape, window, strides, padding, dilation, ceil mode
SETTINGS = [
    ((6, 5), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), False),
    ((7, 6), (3, 2), (2, 1), ((1, 0), (0, 1)), (1, 2), False),
    ((7, 8), (3, 3), (2, 3), ((1, 1), (1, 1)), (1, 1), True),
    ((9,), (3,), (2,), ((2, 1),), (2,), True),
    ((4, 3, 5), (2, 2, 3), (1, 1, 2), ((0, 1), (1, 0), (1, 1)), (1, 1, 1), False),
]


def windows(shape, window, strides, padding, dilation, ceil_mode) -> list[list[tuple[int, ...]]]:
    """By counting: for every output, in row-major order, the cells of the input that it sees."""
    axes = []
    for size, taps, stride, (low, high), d in zip(shape, window, strides, padding, dilation, strict=True):
        starts = []
        for start in range(-low, size + high, stride):
            fits = start + d * (taps - 1) < size + high
            unfinished = start - stride + d * (taps - 1) < size + high - 1  # the window before leaves cells
            if (fits or unfinished) and start < size if ceil_mode else fits:
                starts.append(start)
        axes.append([[c for c in range(s, s + d * taps, d) if 0 <= c < size] for s in starts])
    return [list(itertools.product(*cells)) for cells in itertools.product(*axes)]


def _numbers(cases: Cases, shape, index: int) -> np.ndarray:
    """Whole numbers, many of them equal, exact in every dtype: (*shape, 2)."""
    rng = np.random.default_rng((cases.seed, index))
    numbers = rng.integers(-4, 5, size=(*shape, 2))
    if np.issubdtype(cases.dtype, np.complexfloating):
        numbers = numbers + 1j * rng.integers(-4, 5, size=numbers.shape)
    return numbers.astype(cases.dtype)


def _trials(cases: Cases) -> Iterator[tuple[np.ndarray, list, tuple[int, ...], dict[str, Any]]]:
    """A map, the cells of its windows by counting, and the arguments of its pooling."""
    for index, setting in enumerate(SETTINGS):
        shape, window, strides, padding, dilation, ceil_mode = setting
        options = {"strides": strides, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
        yield _numbers(cases, shape, index), windows(*setting), window, options


def _reads(x: np.ndarray, seen) -> list[np.ndarray]:
    """The numbers of each window, ``(cells, features)``, in double precision."""
    return [double(np.array([x[cell] for cell in cells])) for cells in seen]


def _example(x, window, options) -> str:
    return f"x.shape, window, options = {x.shape}, {window}, {options}"


@claim(
    "pool-size",
    "o = floor((i - k) / s) + 1 for pooling; with padding and dilation 15's; rounded up",
    GUIDE,
    "integers",
)
def size(cases: Cases) -> Iterator[Trial]:
    """Against windows that are counted, over one-axis poolings."""
    numbers = itertools.product(range(1, 9), range(1, 4), range(1, 4), range(3), range(3), (1, 2), (0, 1))
    for i, k, s, low, high, d, ceil in numbers:
        options: dict[str, Any] = {
            "strides": s,
            "padding": ((low, high),),
            "dilation": d,
            "ceil_mode": bool(ceil),
        }
        counted = len(windows((i,), (k,), (s,), ((low, high),), (d,), bool(ceil)))
        try:
            found = pool_geometry((i,), (k,), **options).output_shape[0]
        except GeometryError:
            found = 0
        formula = (i - k) // s + 1 if not (low or high or ceil) and d == 1 and i >= k else counted
        yield exact(found == counted == formula, f"pool_geometry(({i},), ({k},), **{options})")


@claim(
    "max-pool",
    "max pooling is S x, S the selection of the first largest number of each window",
    LECTURE,
    "real",
)
def max_is_selection(cases: Cases) -> Iterator[Trial]:
    """Values, switches and the matrix, against loops."""
    for x, seen, window, options in _trials(cases):
        read = _reads(x, seen)
        largest = np.stack([numbers.max(0) for numbers in read])
        first = [np.array(cells)[numbers.argmax(0)] for cells, numbers in zip(seen, read, strict=True)]
        switches = np.stack([np.ravel_multi_index(cells.T, x.shape[:-1]) for cells in first])
        y, found = max_pool(jnp.asarray(x), window, **options, return_switches=True)
        S = pool_matrix(x.shape[:-1], window, **options, switches=found, dtype=x.dtype)
        same = (
            np.array_equal(np.asarray(y, float).reshape(-1, 2), largest)
            and np.array_equal(np.asarray(found).reshape(-1, 2), switches)
            and np.array_equal(S(jnp.asarray(x)), y)
        )
        yield exact(same, _example(x, window, options))


@claim("unpool", "unpooling is S-transposed, and so is the gradient of max pooling", LECTURE, "real")
def unpool_is_transpose(cases: Cases) -> Iterator[Trial]:
    """Whole numbers, whose sums are exact in every dtype."""
    for index, (numbers, seen, window, options) in enumerate(_trials(cases)):
        x = jnp.asarray(numbers)
        y, switches = max_pool(x, window, **options, return_switches=True)
        back = jnp.asarray(_numbers(cases, (len(seen),), 100 + index)).reshape(y.shape)
        expected = np.zeros((x[..., 0].size, 2))
        for feature in range(2):
            cells = np.asarray(switches)[..., feature].ravel()
            np.add.at(expected[:, feature], cells, np.asarray(back, float)[..., feature].ravel())
        S = pool_matrix(x.shape[:-1], window, **options, switches=switches, dtype=x.dtype)
        results = (
            unpool(back, switches, x.shape[:-1]),
            S.T(back),
            jax.vjp(partial(max_pool, window=window, **options), x)[1](back)[0],
        )
        same = all(np.array_equal(np.asarray(got, float).reshape(-1, 2), expected) for got in results)
        yield exact(same, _example(x, window, options))


@claim("avg-pool", "average pooling is linear: a depthwise C of equal entries", GUIDE)
def mean_is_convolution(cases: Cases) -> Iterator[Trial]:
    """The function, its matrix and its gradient, against means of counted windows."""
    for numbers, seen, window, options in _trials(cases):
        read = _reads(numbers, seen)
        mean = np.stack([values.mean(0) for values in read])
        magnitude = np.stack([abs(values).mean(0) for values in read])
        x = jnp.asarray(numbers)
        got = avg_pool(x, window, **options, count_include_pad=False)
        C = pool_matrix(x.shape[:-1], window, **options, count_include_pad=False, features=2, dtype=x.dtype)
        for result in (got, C(x)):
            values = double(result).reshape(mean.shape)
            bound = gap(values, mean, magnitude, max(map(len, seen)), x.dtype)
            yield Trial(bound, partial(_example, x, window, options))


@claim(
    "lp-pool", "L2 pooling is the square root of the sum of squares, Lp its generalisation", LECTURE, "real"
)
def norm(cases: Cases) -> Iterator[Trial]:
    """Against the norms of counted windows; where ceil mode adds none, which it scales."""
    for x, seen, window, options in _trials(cases):
        if options["ceil_mode"]:
            continue
        for p in (1, 2, 3):
            norms = np.stack([(abs(numbers) ** p).sum(0) ** (1 / p) for numbers in _reads(x, seen)])
            got = np.asarray(lp_pool(jnp.asarray(x), window, **options, p=p), float).reshape(norms.shape)
            bound = gap(got, norms, norms, max(map(len, seen)) + 2, x.dtype)
            yield Trial(bound, partial(_example, x, window, options | {"p": p}))
