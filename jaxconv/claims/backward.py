"""The backward pass by hand: both gradients of a convolution as convolutions.

With one feature, stride 1 and no padding: ``y[r, c] = sum x[r + a, c + b] w[a, b]``. Then
``dL/dw[a, b] = sum dL/dy[r, c] x[r + a, c + b]`` is the correlation of x with dL/dy, and
``dL/dx[r, c] = sum dL/dy[r - a, c - b] w[a, b]`` a full convolution: the kernel flips.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.claims.cases import Answer, Case, Cases, draw
from jaxconv.claims.claim import Trial, claim
from jaxconv.convolution import conv
from jaxconv.geometry import ConvGeometry

BACKPROP = "Goodfellow, Bengio & Courville, Deep Learning, section 9.5"


def _simple(cases: Cases) -> Iterator[Case]:
    """Yields cases with stride 1, without padding and dilation, with one feature and several."""
    rng = np.random.default_rng((cases.seed, 3))
    for trial in range(min(cases.trials, 6)):  # one to three axes, one feature and several
        features = {"in_features": 1, "out_features": 1} if trial % 2 == 0 else {}
        ndim, options = (2, 1, 3)[trial % 3], {"strides": 1, "padding": 0, "kernel_dilation": 1}
        yield Case(draw(rng, ndim, **options, **features), cases.dtype, rng)


def _one_group(cases: Cases) -> Iterator[Case]:
    """Yields the zero-padded cases with one group and without input dilation."""
    for case in cases.zero_padded():
        if case.geometry.feature_group_count == 1 and set(case.geometry.input_dilation) == {1}:
            yield case


def _swap_batch_and_features(x: jax.Array) -> jax.Array:
    """Returns ``(N, *spatial, features)`` as ``(features, *spatial, N)``."""
    return x.swapaxes(0, -1)


def _flip(kernel: jax.Array) -> jax.Array:
    """Flips the kernel on every spatial axis and swaps its features."""
    return jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2)


def _autodiff(g: ConvGeometry, x: jax.Array, kernel: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the gradients of <conv(x, kernel), y> in x and in the kernel by `jax.grad`."""
    return jax.grad(lambda x, k: jnp.sum(conv(x, k, geometry=g) * y).real, (0, 1))(x, kernel)


def _compare(case: Case, results: tuple[np.ndarray, np.ndarray], answer: Answer) -> Trial:
    """Compares the result of the formula and that of jax with the definition."""
    return Trial(max(case.gap(got, answer) for got in results), case.example)


@claim("backward-kernel", "dL/dw is the correlation of x with dL/dy, which is used as the kernel", BACKPROP)
def kernel(cases: Cases) -> Iterator[Trial]:
    """Tries stride 1 without padding. The batch of x becomes its features, over which conv sums."""
    for case in _simple(cases):

        def gradients(
            x: jax.Array, kernel: jax.Array, y: jax.Array, g: ConvGeometry = case.geometry
        ) -> tuple[jax.Array, jax.Array]:
            formula = conv(_swap_batch_and_features(x), jnp.moveaxis(y, 0, -2))
            return jnp.moveaxis(formula, 0, -2), _autodiff(g, x, kernel, y)[1]

        results = case.run(gradients, case.x, case.kernel, case.y)
        yield _compare(case, results, case.kernel_gradient)


@claim("backward-input", "dL/dx is the full convolution of dL/dy with the flipped kernel", BACKPROP)
def inputs(cases: Cases) -> Iterator[Trial]:
    """Tries stride 1 without padding."""
    for case in _simple(cases):

        def gradients(
            x: jax.Array, kernel: jax.Array, y: jax.Array, g: ConvGeometry = case.geometry
        ) -> tuple[jax.Array, jax.Array]:
            return conv(y, _flip(kernel), padding="FULL"), _autodiff(g, x, kernel, y)[0]

        yield _compare(case, case.run(gradients, case.x, case.kernel, case.y), case.backward)


@claim(
    "backward-kernel-strides",
    "dL/dw with strides: dL/dy, dilated by the strides, is used as the kernel, and the kernel dilation "
    "becomes the stride",
    BACKPROP,
)
def kernel_strides(cases: Cases) -> Iterator[Trial]:
    """Tries strides with the same padding; positions beyond the taps, from output padding, are cut off."""
    for case in _one_group(cases):

        def gradients(
            x: jax.Array, kernel: jax.Array, y: jax.Array, g: ConvGeometry = case.geometry
        ) -> tuple[jax.Array, jax.Array]:
            formula = conv(
                _swap_batch_and_features(x),
                jnp.moveaxis(y, 0, -2),
                strides=g.kernel_dilation,
                padding=g.padding,
                kernel_dilation=g.strides,
            )
            formula = formula[(slice(None), *map(slice, g.kernel_shape))]
            return jnp.moveaxis(formula, 0, -2), _autodiff(g, x, kernel, y)[1]

        results = case.run(gradients, case.x, case.kernel, case.y)
        yield _compare(case, results, case.kernel_gradient)


@claim(
    "backward-input-strides",
    "dL/dx with strides: dL/dy is dilated by the strides, padding p becomes span - 1 - p, and the output "
    "padding is added at the high side",
    f"{BACKPROP}; arXiv:1603.07285, relationship 14",
)
def input_strides(cases: Cases) -> Iterator[Trial]:
    """Tries strides with the same kernel dilation."""
    for case in _one_group(cases):

        def gradients(
            x: jax.Array, kernel: jax.Array, y: jax.Array, g: ConvGeometry = case.geometry
        ) -> tuple[jax.Array, jax.Array]:
            numbers = zip(g.kernel_shape, g.kernel_dilation, g.padding, g.output_padding, strict=True)
            full = [(d * (k - 1) - low, d * (k - 1) - high + a) for k, d, (low, high), a in numbers]
            formula = conv(
                y,
                _flip(kernel),
                padding=full,
                input_dilation=g.strides,
                kernel_dilation=g.kernel_dilation,
            )
            return formula, _autodiff(g, x, kernel, y)[0]

        yield _compare(case, case.run(gradients, case.x, case.kernel, case.y), case.backward)
