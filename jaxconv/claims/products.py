"""The matrix C and its products, and convolution by every method, against the definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax import lax

from jaxconv.claims import oracle
from jaxconv.claims.cases import Case, Cases, draw, gap, taken_by
from jaxconv.claims.claim import Trial, by_method, claim, exact
from jaxconv.convolution import CONV_METHODS, conv
from jaxconv.convolution.formulations.direct import channels_last
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.pattern import reads
from jaxconv.matrix import conv_matrix

PAPER = "arXiv:1603.07285"
MATRIX = f"{PAPER}, section 4.1"


@claim("matrix", "C is the convolution's definition written as a matrix", MATRIX)
def matrix(cases: Cases) -> Iterator[Trial]:
    """Compares every entry of C with loops over windows."""
    for case in cases:
        got = case.run(lambda kernel, g=case.geometry: conv_matrix(kernel, g).todense(), case.kernel)
        taps = math.prod(case.geometry.kernel_shape)
        yield Trial(gap(got, case.C, case.abs_C, taps, case.dtype), case.example)


@claim(
    "pattern", "C has an entry exactly where a tap reads an input cell", f"{MATRIX}; numpy.pad", "integers"
)
def pattern(cases: Cases) -> Iterator[Trial]:
    """Compares the index arrays along one axis with the definition, in every padding mode."""
    rng = np.random.default_rng((cases.seed, 1))
    for mode in oracle.NUMPY_MODES:
        for _ in range(10 * cases.trials):
            padding = tuple(int(p) for p in rng.integers(-2, 9, 2))
            dilation = int(rng.integers(1, 4))
            g = draw(rng, 1, padding=(padding,), padding_mode=mode, input_dilation=dilation).with_features(
                1, 1
            )
            out, _, cell = reads(g.axes[0])
            taps = np.zeros(g.matrix_shape)
            np.add.at(taps, (out, cell), 1)
            yield exact((taps == oracle.matrix(np.ones((*g.kernel_shape, 1, 1)), g)).all(), f"g = {g!r}")


@claim("product", "C @ x and C(x) are the product of C and x; C.T @ y is that of C-transposed and y", MATRIX)
def product(cases: Cases) -> Iterator[Trial]:
    """Compares the products of the stored layout with dense ones."""
    for case in cases:

        def products(
            kernel: jax.Array, x: jax.Array, y: jax.Array, g: ConvGeometry = case.geometry
        ) -> tuple[jax.Array, ...]:
            C = conv_matrix(kernel, g)
            flat = (C @ x.reshape(x.shape[0], -1).T).T
            back = (C.T @ y.reshape(y.shape[0], -1).T).T
            return C(x), flat.reshape(y.shape), C.T(y), back.reshape(x.shape)

        maps, flat, maps_back, flat_back = case.run(products, case.kernel, case.x, case.y)
        worst = max(
            *(case.gap(got, case.forward) for got in (maps, flat)),
            *(case.gap(got, case.backward) for got in (maps_back, flat_back)),
        )
        yield Trial(worst, case.example)


@claim("conv", "conv computes C x by every method", f"{PAPER}, chapter 2 and section 4.1")
def formulations(cases: Cases) -> Iterator[Trial]:
    """Tries every method of `CONV_METHODS`, and auto."""
    for case in cases:

        def every(x: jax.Array, kernel: jax.Array, case: Case = case) -> dict[str, jax.Array]:
            g, methods = case.geometry, case.methods(CONV_METHODS)
            return {m: conv(*taken_by(m, x, kernel), method=m, geometry=g) for m in methods}

        yield from by_method(case, case.run(every, case.x, case.kernel), case.forward)


def lax_conv(case: Case) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Returns lax.conv_general_dilated with the geometry of the case."""
    g = case.geometry

    def function(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x,
            kernel,
            g.strides,
            g.padding,
            lhs_dilation=g.input_dilation,
            rhs_dilation=g.kernel_dilation,
            dimension_numbers=channels_last(g.ndim),
            feature_group_count=g.feature_group_count,
        )

    return function


@claim("lax", "lax.conv_general_dilated computes C x", "jax.lax")
def lax_agrees(cases: Cases) -> Iterator[Trial]:
    """Compares the convolution of XLA with the dense product."""
    for case in cases.zero_padded():
        yield Trial(case.gap(case.run(lax_conv(case), case.x, case.kernel), case.forward), case.example)
