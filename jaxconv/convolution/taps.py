"""Shift and accumulate: one strided slice of the input a tap, times that tap's features, summed."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.convolution.padded import stretch_and_pad
from jaxconv.geometry import ConvGeometry

UNROLLED = 128  # taps; beyond, a scan keeps the program and its compilation small


def conv(x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision) -> jax.Array:
    """``(N, *input_shape, in)`` and the kernel to ``(N, *output_shape, out)``."""
    x = stretch_and_pad(x, g)
    groups = g.feature_group_count
    x = x.reshape(*x.shape[:-1], groups, g.in_features // groups)
    kernel = kernel.reshape(-1, g.in_features // groups, groups, g.out_features // groups)
    corners = np.array(list(np.ndindex(*g.kernel_shape)), np.int32) * np.array(g.kernel_dilation, np.int32)

    def term(corner, weights):
        return _features(_shifted(x, corner, g), weights, precision)

    y = term(corners[0].tolist(), kernel[0])
    if len(corners) <= UNROLLED:
        for t, corner in enumerate(corners[1:].tolist(), start=1):
            y = y + term(corner, kernel[t])
    else:
        y, _ = lax.scan(lambda y, tap: (y + term(*tap), None), y, (corners[1:], kernel[1:]))
    return y.reshape(x.shape[0], *g.output_shape, g.out_features)


def _shifted(x: jax.Array, corner, g: ConvGeometry) -> jax.Array:
    """The cells that one tap reads: every stride-th from its corner on."""
    for dimension, (first, axis) in enumerate(zip(corner, g.axes, strict=True), start=1):
        length = (axis.out_size - 1) * axis.stride + 1
        if isinstance(first, int):
            x = lax.slice_in_dim(x, first, first + length, axis.stride, dimension)
        else:
            x = lax.dynamic_slice_in_dim(x, first, length, dimension)
            x = lax.slice_in_dim(x, 0, length, axis.stride, dimension)
    return x


def _features(x: jax.Array, weights: jax.Array, precision) -> jax.Array:
    """(..., groups, in) times (in, groups, out); without a sum where a group has one feature."""
    if weights.shape[0] == 1:
        return x * weights.reshape((1,) * (x.ndim - 2) + weights.shape[1:])
    return jnp.einsum("...gi,igo->...go", x, weights, precision=precision)
