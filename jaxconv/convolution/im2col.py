"""Every window as a row of a matrix, then one matrix product (the lectures' im2col and GEMM)."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.convolution.padded import stretch_and_pad
from jaxconv.geometry import ConvGeometry


def windows(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """``(N, *input_shape, in)`` to ``(N, *output_shape, taps, in)``."""
    x = stretch_and_pad(x, g)
    n = g.ndim
    for a, axis in reversed(list(enumerate(g.axes))):
        start = np.arange(axis.out_size, dtype=np.int32)[:, None] * axis.stride
        index = start + np.arange(axis.kernel, dtype=np.int32) * axis.dilation
        x = x.at[(slice(None),) * (a + 1) + (index,)].get(mode="promise_in_bounds")
    outputs, taps = range(1, 2 * n, 2), range(2, 2 * n + 1, 2)
    x = x.transpose(0, *outputs, *taps, 2 * n + 1)
    return x.reshape(x.shape[0], *g.output_shape, math.prod(g.kernel_shape), g.in_features)


def conv(x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision) -> jax.Array:
    """``(N, *input_shape, in)`` and the kernel to ``(N, *output_shape, out)``."""
    groups, taps = g.feature_group_count, math.prod(g.kernel_shape)
    columns = windows(x, g).reshape(x.shape[0], *g.output_shape, taps, groups, g.in_features // groups)
    kernel = kernel.reshape(taps, g.in_features // groups, groups, g.out_features // groups)
    return jnp.einsum("n...tgi,tigo->n...go", columns, kernel, precision=precision).reshape(
        x.shape[0], *g.output_shape, g.out_features
    )
