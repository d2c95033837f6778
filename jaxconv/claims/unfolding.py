"""Unfolding (im2col): as a rearrangement, as a matrix, and as convolution by one matrix product."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Case, Cases, gap, normal
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.geometry import ConvGeometry
from jaxconv.operators import fold, unfold, unfold_matrix

IM2COL = "Chetlur et al., arXiv:1410.0759"


def _without_input_dilation(cases: Cases) -> Iterator[Case]:
    """Yields the cases without input dilation, which unfolding does not have."""
    return (case for case in cases if set(case.geometry.input_dilation) == {1})


def _options(g: ConvGeometry) -> dict[str, Any]:
    """Returns the arguments of `unfold` after the shape of the window."""
    return {
        "strides": g.strides,
        "padding": g.padding,
        "dilation": g.kernel_dilation,
        "padding_mode": g.padding_mode,
    }


def _windows(x: np.ndarray, g: ConvGeometry) -> np.ndarray:
    """Returns all windows by the definition: ``(N, *output_shape, taps * in)``."""
    return oracle.windows(x, g).reshape(x.shape[0], *g.output_shape, -1)


def _units(g: ConvGeometry) -> np.ndarray:
    """Returns the flat windows of every unit map: the matrix of unfolding, transposed."""
    cells = math.prod(g.input_shape) * g.in_features
    units = np.eye(cells).reshape(cells, *g.input_shape, g.in_features)
    return oracle.windows(units, g).reshape(cells, -1)


@claim(
    "unfold",
    "unfolding lists the input cell of every tap at every position, features varying fastest",
    IM2COL,
)
def unfolding(cases: Cases) -> Iterator[Trial]:
    """Compares exactly: nothing rounds."""
    for case in _without_input_dilation(cases):
        g = case.geometry
        got = case.run(lambda x, g=g: unfold(x, g.kernel_shape, **_options(g)), case.x)
        x = case.x.astype(got.dtype)
        yield exact(bool(np.array_equal(got, _windows(x, g))), case.example())


@claim("fold", "folding is unfolding transposed: overlapping windows are summed", IM2COL)
def folding(cases: Cases) -> Iterator[Trial]:
    """Compares random windows with the transposed definition."""
    for case in _without_input_dilation(cases):
        g, units = case.geometry, _units(case.geometry)
        shape = _windows(case.x, g).shape
        rng = np.random.default_rng((cases.seed, 2))
        patches = normal(rng, shape, case.dtype)
        got = case.run(lambda y, g=g: fold(y, g.input_shape, g.kernel_shape, **_options(g)), patches)
        flat = patches.astype(got.dtype).reshape(shape[0], -1)
        expected, magnitude = ((a @ units.T).reshape(case.x.shape) for a in (flat, abs(flat)))
        yield Trial(gap(got, expected, magnitude, math.prod(g.kernel_shape), case.dtype), case.example)


@claim("unfold-matrix", "unfolding is the convolution with a one-hot kernel", IM2COL)
def matrix(cases: Cases) -> Iterator[Trial]:
    """Compares C entry by entry, for one and for two features."""
    for case in _without_input_dilation(cases):
        for features in (1, 2):
            g = case.geometry.with_features(features, 1)
            options = {"features": features, "dtype": case.dtype, **_options(g)}
            C = case.run(lambda g=g, o=options: unfold_matrix(g.input_shape, g.kernel_shape, **o).todense())
            yield exact(bool(np.array_equal(C, _units(g).T)), f"g = {g!r}")


@claim(
    "gemm",
    "with the kernel as a matrix K: C x = unfold(x) K, C-transposed y = fold(y K.T), and K's gradient",
    IM2COL,
)
def gemm(cases: Cases) -> Iterator[Trial]:
    """Tries the convolution, its transpose and the gradient of the kernel by one matrix product each."""
    for case in _without_input_dilation(cases):
        g = case.geometry
        if g.feature_group_count > 1:
            continue

        def products(
            x: jax.Array, kernel: jax.Array, y: jax.Array, g: ConvGeometry = g
        ) -> tuple[jax.Array, jax.Array, jax.Array]:
            rows, K = unfold(x, g.kernel_shape, **_options(g)), kernel.reshape(-1, g.out_features)
            back = fold(y @ K.T, g.input_shape, g.kernel_shape, **_options(g))
            gradient = rows.reshape(-1, K.shape[0]).T @ y.reshape(-1, g.out_features)
            return rows @ K, back, gradient.reshape(kernel.shape)

        forward, backward, gradient = case.run(products, case.x, case.kernel, case.y)
        worst = max(
            case.gap(forward, case.forward),
            case.gap(backward, case.backward),
            case.gap(gradient, case.kernel_gradient),
        )
        yield Trial(worst, case.example)
