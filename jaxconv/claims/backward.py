"""The backward pass by hand: both gradients of a convolution as convolutions.

With one feature, stride 1 and no padding (the lecture): ``y[r, c] = sum x[r + a, c + b] w[a, b]``. Then
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

BACKPROP = "lecture on convolution layers, backprop"


def _plain(cases: Cases) -> Iterator[Case]:
    """The lecture's: stride 1, no padding, no dilation; one feature and several."""
    rng = np.random.default_rng((cases.seed, 3))
    for trial in range(min(cases.trials, 6)):  # one to three axes, one feature and several
        ndim, one = (2, 1, 3)[trial % 3], {"in_features": 1, "out_features": 1} if trial % 2 == 0 else {}
        still = {"strides": 1, "padding": 0, "kernel_dilation": 1}
        yield Case(draw(rng, ndim, **still, **one), cases.dtype, rng)


def _ungrouped(cases: Cases) -> Iterator[Case]:
    """Strides, both paddings and kernel dilation, any features in one group."""
    for case in cases.zero_padded():
        if case.geometry.feature_group_count == 1 and set(case.geometry.input_dilation) == {1}:
            yield case


def _features_as_maps(x: jax.Array) -> jax.Array:
    """``(N, *spatial, features)`` to ``(features, *spatial, N)``: maps and features change places."""
    return x.swapaxes(0, -1)


def _flipped(kernel: jax.Array) -> jax.Array:
    """Turned round on every spatial axis, its features swapped."""
    return jnp.flip(kernel, range(kernel.ndim - 2)).swapaxes(-1, -2)


def _autodiff(g: ConvGeometry, x, kernel, y):
    """What `jax.grad` of <conv(x, kernel), y> returns, in both."""
    return jax.grad(lambda x, k: jnp.sum(conv(x, k, geometry=g) * y).real, (0, 1))(x, kernel)


def _both(case: Case, results: tuple[np.ndarray, np.ndarray], answer: Answer) -> Trial:
    """The formula's result and jax's, each against the definition's sums."""
    return Trial(max(case.gap(got, answer) for got in results), case.example)


@claim("backward-kernel", "dL/dw is the correlation of x with dL/dy: dL/dy is the kernel", BACKPROP)
def kernel(cases: Cases) -> Iterator[Trial]:
    """Stride 1, no padding. The sum over maps is the one over in features: x's maps are its features."""
    for case in _plain(cases):

        def gradients(x, kernel, y, g=case.geometry):
            by_hand = conv(_features_as_maps(x), jnp.moveaxis(y, 0, -2))
            return jnp.moveaxis(by_hand, 0, -2), _autodiff(g, x, kernel, y)[1]

        results = case.run(gradients, case.x, case.kernel, case.y)
        yield _both(case, results, case.kernel_gradient)


@claim("backward-input", "dL/dx is the full convolution of dL/dy with the flipped kernel", BACKPROP)
def inputs(cases: Cases) -> Iterator[Trial]:
    """Stride 1, no padding."""
    for case in _plain(cases):

        def gradients(x, kernel, y, g=case.geometry):
            return conv(y, _flipped(kernel), padding="FULL"), _autodiff(g, x, kernel, y)[0]

        yield _both(case, case.run(gradients, case.x, case.kernel, case.y), case.backward)


@claim(
    "backward-kernel-strides",
    "with strides, dL/dy is dilated by them as a kernel, and the kernel's dilation becomes the stride",
    f"{BACKPROP}, extended",
)
def kernel_strides(cases: Cases) -> Iterator[Trial]:
    """The padding stays; positions beyond the kernel's taps, which output padding leaves, are cut off."""
    for case in _ungrouped(cases):

        def gradients(x, kernel, y, g=case.geometry):
            by_hand = conv(
                _features_as_maps(x),
                jnp.moveaxis(y, 0, -2),
                strides=g.kernel_dilation,
                padding=g.padding,
                kernel_dilation=g.strides,
            )
            by_hand = by_hand[(slice(None), *map(slice, g.kernel_shape))]
            return jnp.moveaxis(by_hand, 0, -2), _autodiff(g, x, kernel, y)[1]

        results = case.run(gradients, case.x, case.kernel, case.y)
        yield _both(case, results, case.kernel_gradient)


@claim(
    "backward-input-strides",
    "with strides, dL/dy is stretched by them; padding p becomes span - 1 - p, output padding is added high",
    f"{BACKPROP}, extended; relationship 14",
)
def input_strides(cases: Cases) -> Iterator[Trial]:
    """The kernel's dilation stays."""
    for case in _ungrouped(cases):

        def gradients(x, kernel, y, g=case.geometry):
            numbers = zip(g.kernel_shape, g.kernel_dilation, g.padding, g.output_padding, strict=True)
            full = [(d * (k - 1) - low, d * (k - 1) - high + a) for k, d, (low, high), a in numbers]
            by_hand = conv(
                y,
                _flipped(kernel),
                padding=full,
                input_dilation=g.strides,
                kernel_dilation=g.kernel_dilation,
            )
            return by_hand, _autodiff(g, x, kernel, y)[0]

        yield _both(case, case.run(gradients, case.x, case.kernel, case.y), case.backward)
