"""Checkerboards of transposed convolutions: overlap, and the sums of the taps of each phase."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Cases, double, gap, normal
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.geometry import ConvGeometry
from jaxconv.linalg import is_even, overlap, phase_sums

DISTILL = "Odena, Dumoulin & Olah, doi:10.23915/distill.00003"


@claim(
    "even-overlap",
    "a transposed convolution writes all cells equally often, away from the border, exactly if the stride "
    "divides the kernel size and has no common factor with the dilation",
    DISTILL,
    "integers",
)
def even_overlap(cases: Cases) -> Iterator[Trial]:
    """Counts the taps of kernels up to 8, strides and dilations up to 5, in a loop."""
    for k, s, d in itertools.product(range(1, 9), range(1, 6), range(1, 6)):
        size = 2 * (d * (k - 1) + 1) + 3 * s
        g = ConvGeometry((size,), (k,), strides=s, kernel_dilation=d)
        counts = np.zeros(size, int)
        for output, tap in itertools.product(range(g.output_shape[0]), range(k)):
            counts[output * s + tap * d] += 1
        inner = counts[d * (k - 1) : d * (k - 1) + s]
        even = bool((inner == inner[0]).all() and inner[0] > 0)
        rule = k % s == 0 and math.gcd(d, s) == 1
        same = bool((overlap(g)[:, 0] == counts).all())
        yield exact(even == rule == is_even(g) and same, f"g = {g!r}")


@claim(
    "resize-convolution",
    "nearest upsampling followed by a convolution is a transposed convolution whose phases have equal sums, "
    "so that constant maps stay constant",
    DISTILL,
)
def resize_convolution(cases: Cases) -> Iterator[Trial]:
    """Compares the two matrices, and the sums of the phases, for upsampling by 2 and 3."""
    rng = np.random.default_rng((cases.seed, 9))
    for s, k in ((2, 3), (3, 2), (2, 4))[: cases.trials]:
        n = 5
        kernel = double(normal(rng, (k, 1, 1), cases.dtype))
        after = ConvGeometry((s * n,), (k,))
        both = oracle.matrix(kernel, after) @ np.kron(np.eye(n), np.ones((s, 1)))
        box = np.convolve(kernel[::-1, 0, 0], np.ones(s)).astype(cases.dtype)[:, None, None]
        g = ConvGeometry(after.output_shape, (k + s - 1,), strides=s, padding=k - 1)
        magnitude, terms = float(abs(kernel).sum()), k + s
        transposed = oracle.matrix(double(box), g).T
        yield Trial(gap(transposed, both, magnitude, terms, cases.dtype), f"g = {g!r}".__str__)
        sums = double(phase_sums(jnp.asarray(box), g))[:, 0, 0]
        expected = np.full(s, kernel.sum())
        yield Trial(gap(sums, expected, magnitude, terms, cases.dtype), f"g = {g!r}".__str__)
