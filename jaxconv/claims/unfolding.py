"""Unfolding: im2col as a rearrangement, as a matrix, and as what turns convolution into one product."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Case, Cases, gap, normal
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.geometry import ConvGeometry
from jaxconv.operators import fold, unfold, unfold_matrix

IM2COL = "lecture on convolution layers, im2col and GEMM"


def _plain(cases: Cases) -> Iterator[Case]:
    """The cases that windows alone describe: no zeros between cells."""
    return (case for case in cases if set(case.geometry.input_dilation) == {1})


def _options(g: ConvGeometry) -> dict:
    return {
        "strides": g.strides,
        "padding": g.padding,
        "dilation": g.kernel_dilation,
        "padding_mode": g.padding_mode,
    }


def _windows(x: np.ndarray, g: ConvGeometry) -> np.ndarray:
    """By the definition: ``(N, *output_shape, taps * in)``."""
    return oracle.windows(x, g).reshape(x.shape[0], *g.output_shape, -1)


def _units(g: ConvGeometry) -> np.ndarray:
    """The windows of every unit map, flat: the matrix of unfolding, transposed."""
    cells = math.prod(g.input_shape) * g.in_features
    units = np.eye(cells).reshape(cells, *g.input_shape, g.in_features)
    return oracle.windows(units, g).reshape(cells, -1)


@claim("unfold", "unfolding lists what every tap sees at every position, features fastest", IM2COL)
def unfolding(cases: Cases) -> Iterator[Trial]:
    """To the last bit: nothing is calculated."""
    for case in _plain(cases):
        g = case.geometry
        got = case.run(lambda x, g=g: unfold(x, g.kernel_shape, **_options(g)), case.x)
        x = case.x.astype(got.dtype)
        yield exact(bool(np.array_equal(got, _windows(x, g))), case.example())


@claim("fold", "folding is unfolding transposed: windows are added up where they overlap", IM2COL)
def folding(cases: Cases) -> Iterator[Trial]:
    """Random windows against the transposed definition."""
    for case in _plain(cases):
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
    """Its C, entry by entry, for one and for two features."""
    for case in _plain(cases):
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
    """The family by one matrix product each."""
    for case in _plain(cases):
        g = case.geometry
        if g.feature_group_count > 1:
            continue

        def products(x, kernel, y, g=g):
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
