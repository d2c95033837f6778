"""Pooling: output sizes, matrices, gradients and norms."""

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

SIZES = "arXiv:1603.07285, relationship 7, extended"
POOLING = "Goodfellow, Bengio & Courville, Deep Learning, section 9.3"
UNPOOLING = "Zeiler & Fergus, arXiv:1311.2901, section 2.1"

Cells = tuple[int, ...]
PaddingPairs = tuple[tuple[int, int], ...]

# input shape, window, strides, padding, dilation, ceil mode
SETTINGS = [
    ((6, 5), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1), False),
    ((7, 6), (3, 2), (2, 1), ((1, 0), (0, 1)), (1, 2), False),
    ((7, 8), (3, 3), (2, 3), ((1, 1), (1, 1)), (1, 1), True),
    ((9,), (3,), (2,), ((2, 1),), (2,), True),
    ((4, 3, 5), (2, 2, 3), (1, 1, 2), ((0, 1), (1, 0), (1, 1)), (1, 1, 1), False),
]


def windows(
    shape: Cells, window: Cells, strides: Cells, padding: PaddingPairs, dilation: Cells, ceil_mode: bool
) -> list[list[Cells]]:
    """Lists, for every output in row-major order, the input cells of its window, by counting."""
    axes = []
    for size, taps, stride, (low, high), d in zip(shape, window, strides, padding, dilation, strict=True):
        starts = []
        for start in range(-low, size + high, stride):
            fits = start + d * (taps - 1) < size + high
            unfinished = start - stride + d * (taps - 1) < size + high - 1  # the previous window leaves cells
            if (fits or unfinished) and start < size if ceil_mode else fits:
                starts.append(start)
        axes.append([[c for c in range(s, s + d * taps, d) if 0 <= c < size] for s in starts])
    return [list(itertools.product(*cells)) for cells in itertools.product(*axes)]


def _numbers(cases: Cases, shape: Cells, index: int) -> np.ndarray:
    """Draws integers, many of them equal, as numbers of the dtype: ``(*shape, 2)``."""
    rng = np.random.default_rng((cases.seed, index))
    numbers = rng.integers(-4, 5, size=(*shape, 2))
    if np.issubdtype(cases.dtype, np.complexfloating):
        numbers = numbers + 1j * rng.integers(-4, 5, size=numbers.shape)
    return numbers.astype(cases.dtype)


def _trials(cases: Cases) -> Iterator[tuple[np.ndarray, list[list[Cells]], Cells, dict[str, Any]]]:
    """Yields a map, the cells of its windows by counting, the window and the options of the pooling."""
    for index, setting in enumerate(SETTINGS):
        shape, window, strides, padding, dilation, ceil_mode = setting
        options = {"strides": strides, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
        yield _numbers(cases, shape, index), windows(*setting), window, options


def _window_values(x: np.ndarray, cells_of_windows: list[list[Cells]]) -> list[np.ndarray]:
    """Returns the numbers in each window, ``(cells, features)``, in double precision."""
    return [double(np.array([x[cell] for cell in cells])) for cells in cells_of_windows]


def _example(x: np.ndarray, window: Cells, options: dict[str, Any]) -> str:
    return f"x.shape, window, options = {x.shape}, {window}, {options}"


@claim(
    "pool-size",
    "pooling: o = floor((i - k) / s) + 1; relationship 15 with padding and dilation; ceil mode rounds up",
    SIZES,
    "integers",
)
def size(cases: Cases) -> Iterator[Trial]:
    """Compares with counted windows, for poolings along one axis."""
    numbers = itertools.product(range(1, 9), range(1, 4), range(1, 4), range(3), range(3), (1, 2), (0, 1))
    for i, k, s, low, high, d, ceil in numbers:
        options: dict[str, Any] = {
            "strides": s,
            "padding": ((low, high),),
            "dilation": d,
            "ceil_mode": bool(ceil),
        }
        count = len(windows((i,), (k,), (s,), ((low, high),), (d,), bool(ceil)))
        try:
            got = pool_geometry((i,), (k,), **options).output_shape[0]
        except GeometryError:
            got = 0
        formula = (i - k) // s + 1 if not (low or high or ceil) and d == 1 and i >= k else count
        yield exact(got == count == formula, f"pool_geometry(({i},), ({k},), **{options})")


@claim(
    "max-pool",
    "max pooling is S x, where row o of S selects the first of the largest numbers of window o",
    POOLING,
    "real",
)
def max_is_selection(cases: Cases) -> Iterator[Trial]:
    """Compares values, switches and the matrix with loops."""
    for x, cells_of_windows, window, options in _trials(cases):
        values = _window_values(x, cells_of_windows)
        largest = np.stack([numbers.max(0) for numbers in values])
        pairs = zip(cells_of_windows, values, strict=True)
        first = [np.array(cells)[numbers.argmax(0)] for cells, numbers in pairs]
        expected = np.stack([np.ravel_multi_index(cells.T, x.shape[:-1]) for cells in first])
        y, switches = max_pool(jnp.asarray(x), window, **options, return_switches=True)
        S = pool_matrix(x.shape[:-1], window, **options, switches=switches, dtype=x.dtype)
        same = (
            np.array_equal(np.asarray(y, float).reshape(-1, 2), largest)
            and np.array_equal(np.asarray(switches).reshape(-1, 2), expected)
            and np.array_equal(S(jnp.asarray(x)), y)
        )
        yield exact(same, _example(x, window, options))


@claim(
    "unpool", "unpooling computes S-transposed y, and so does the gradient of max pooling", UNPOOLING, "real"
)
def unpool_is_transpose(cases: Cases) -> Iterator[Trial]:
    """Compares integers, whose sums are exact in every dtype, with loops."""
    for index, (numbers, cells_of_windows, window, options) in enumerate(_trials(cases)):
        x = jnp.asarray(numbers)
        y, switches = max_pool(x, window, **options, return_switches=True)
        back = jnp.asarray(_numbers(cases, (len(cells_of_windows),), 100 + index)).reshape(y.shape)
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
        yield exact(same, _example(numbers, window, options))


@claim(
    "avg-pool",
    "average pooling is C x, where C is depthwise and the entries of a window are equal",
    "arXiv:1603.07285, section 1.2",
)
def mean_is_convolution(cases: Cases) -> Iterator[Trial]:
    """Compares the function and its matrix with means of counted windows."""
    for numbers, cells_of_windows, window, options in _trials(cases):
        values_of_windows = _window_values(numbers, cells_of_windows)
        mean = np.stack([values.mean(0) for values in values_of_windows])
        magnitude = np.stack([abs(values).mean(0) for values in values_of_windows])
        largest = max(map(len, cells_of_windows))
        x = jnp.asarray(numbers)
        got = avg_pool(x, window, **options, count_include_pad=False)
        C = pool_matrix(x.shape[:-1], window, **options, count_include_pad=False, features=2, dtype=x.dtype)
        for result in (got, C(x)):
            values = double(result).reshape(mean.shape)
            worst = gap(values, mean, magnitude, largest, x.dtype)
            yield Trial(worst, partial(_example, numbers, window, options))


@claim(
    "lp-pool",
    "L2 pooling is the square root of the sum of squares, Lp pooling the p-th root of the sum of p-th powers",
    POOLING,
    "real",
)
def norm(cases: Cases) -> Iterator[Trial]:
    """Compares with the norms of counted windows, without ceil mode, which scales partial windows."""
    for x, cells_of_windows, window, options in _trials(cases):
        if options["ceil_mode"]:
            continue
        values = _window_values(x, cells_of_windows)
        largest = max(map(len, cells_of_windows))
        for p in (1, 2, 3):
            norms = np.stack([(abs(numbers) ** p).sum(0) ** (1 / p) for numbers in values])
            got = np.asarray(lp_pool(jnp.asarray(x), window, **options, p=p), float).reshape(norms.shape)
            worst = gap(got, norms, norms, largest + 2, x.dtype)
            yield Trial(worst, partial(_example, x, window, options | {"p": p}))
