"""Dense layers as convolutions: a classifier written so slides over a larger map."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Case, Cases, gap
from jaxconv.claims.claim import Trial, claim
from jaxconv.convolution import conv
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import conv_matrix
from jaxconv.matrix.coordinates import Order
from jaxconv.operators import conv_to_dense, dense_to_conv, sliding_windows

OUTPUTS = 3
FCN = "Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.1"


def _weights(case: Case, inputs: int) -> np.ndarray:
    """Returns the weights of a dense layer, from the numbers of the case."""
    return np.resize(case.x, (OUTPUTS, inputs)).T


@claim(
    "dense", "a dense layer is a convolution with a kernel as large as the map; C is its weight matrix", FCN
)
def dense(cases: Cases) -> Iterator[Trial]:
    """Compares C entry by entry, with maps flattened in both orders, and the weights read from the kernel."""
    for case in islice(cases, 5):
        shape, features = case.geometry.input_shape, case.geometry.in_features
        g = ConvGeometry(shape, shape, in_features=features, out_features=OUTPUTS)
        weights = _weights(case, case.x[0].size)

        def matrices(weights: jax.Array, g: ConvGeometry = g) -> tuple[jax.Array, ...]:
            orders: tuple[Order, ...] = ("channels_last", "channels_first")
            kernels = [dense_to_conv(weights, g.input_shape, order=order) for order in orders]
            Cs = [conv_matrix(k, g).todense(order) for k, order in zip(kernels, orders, strict=True)]
            back = [conv_to_dense(k, order=order).T for k, order in zip(kernels, orders, strict=True)]
            return *Cs, *back, conv_matrix(kernels[1], g).todense()

        *same, renumbered = case.run(matrices, weights)
        exact = weights.T.astype(renumbered.dtype)
        first = exact.reshape(OUTPUTS, features, -1).swapaxes(1, 2).reshape(OUTPUTS, -1)
        pairs = [*((got, exact) for got in same), (renumbered, first)]
        worst = max(gap(got, expected, 0.0, 0, cases.dtype) for got, expected in pairs)  # nothing is rounded
        yield Trial(worst, partial("g = {!r}".format, g))


@claim(
    "pointwise", "a 1x1 convolution is a dense layer at every position", "Lin, Chen & Yan, arXiv:1312.4400"
)
def pointwise(cases: Cases) -> Iterator[Trial]:
    """Compares position by position, in loops."""
    for case in cases:
        g = case.geometry
        weights = _weights(case, g.in_features)
        got = case.run(lambda x, w, g=g: conv(x, dense_to_conv(w, (1,) * g.ndim)), case.x, weights)
        expected, magnitude = np.zeros(got.shape, got.dtype), np.zeros(got.shape)
        for index in np.ndindex(*got.shape[:-1]):
            expected[index] = case.x[index].astype(got.dtype) @ weights.astype(got.dtype)
            magnitude[index] = abs(case.x[index].astype(got.dtype)) @ abs(weights.astype(got.dtype))
        yield Trial(gap(got, expected, magnitude, g.in_features, case.dtype), case.example)


@claim(
    "unrolled",
    "a classifier whose dense layers are written as convolutions returns, at every position of a larger map, "
    "its result for the window at that position",
    FCN,
    "real",
)
def unrolled_classifier(cases: Cases) -> Iterator[Trial]:
    """Tries a convolution, a rectifier and a dense layer on every crop of a larger map.

    The window is the map of the case, or larger if the kernel does not fit without padding.
    """
    for case in cases:
        g = case.geometry
        g = ConvGeometry(
            tuple(max(axis.size, axis.span) for axis in g.axes),
            g.kernel_shape,
            in_features=g.in_features,
            out_features=g.out_features,
            strides=g.strides,
            kernel_dilation=g.kernel_dilation,
            feature_group_count=g.feature_group_count,
        )
        rng = np.random.default_rng((cases.seed, g.ndim, *g.input_shape))
        shape = tuple(n + s for n, s in zip(g.input_shape, g.strides, strict=True))
        x, kernel, weights = (
            rng.normal(size=size).astype(cases.dtype)
            for size in ((1, *shape, g.in_features), g.kernel_array_shape, (_outputs(g), OUTPUTS))
        )

        def both(
            x: jax.Array, kernel: jax.Array, weights: jax.Array, g: ConvGeometry = g
        ) -> tuple[jax.Array, jax.Array]:
            def hidden(x: jax.Array) -> jax.Array:
                return jax.nn.relu(conv(x, kernel, **g.options))

            def classifier(crops: jax.Array) -> jax.Array:
                return jnp.dot(hidden(crops).reshape(crops.shape[0], -1), weights)

            whole = conv(hidden(x), dense_to_conv(weights, g.output_shape))
            return whole, sliding_windows(classifier, x, g.input_shape, g.strides)

        numbers = [array.astype(np.float64) for array in (x, kernel, weights)]
        expected = _by_crops(g, *numbers)
        magnitude = _by_crops(g, *map(abs, numbers))
        terms = kernel[..., 0].size + weights.shape[0]
        for got in case.run(both, x, kernel, weights):
            got = got[tuple(map(slice, expected.shape))]
            yield Trial(gap(got, expected, magnitude, terms, cases.dtype), partial("g = {!r}".format, g))


def _outputs(g: ConvGeometry) -> int:
    return int(np.prod(g.output_shape)) * g.out_features


def _by_crops(g: ConvGeometry, x: np.ndarray, kernel: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the results of the classifier, in NumPy, on two crops per axis."""
    y = np.zeros((1, *(2,) * g.ndim, OUTPUTS))
    for index in np.ndindex(*y.shape[1:-1]):
        starts = [i * s for i, s in zip(index, g.strides, strict=True)]
        crop = x[(slice(None), *(slice(a, a + n) for a, n in zip(starts, g.input_shape, strict=True)))]
        y[(0, *index)] = np.maximum(oracle.conv(crop, kernel, g), 0).ravel() @ weights
    return y
