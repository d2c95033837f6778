"""Every window as a row of a matrix, then one matrix product: im2col and GEMM.

References:
  Chellapilla, Puri & Simard, High performance convolutional neural networks for document processing, 2006.
"""

import math

import jax

from jaxconv.convolution.formulations.contractions import over_features, over_positions
from jaxconv.convolution.formulations.windows import fold_windows
from jaxconv.convolution.padding import stretch_and_pad
from jaxconv.geometry import ConvGeometry


def windows(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` to ``(N, *output_shape, taps, in)``."""
    x = stretch_and_pad(x, g)
    for dimension, axis in reversed(list(enumerate(g.axes, start=1))):  # the first axis' taps end up slowest
        x = fold_windows(x, dimension, axis)
    return x.reshape(x.shape[0], *g.output_shape, math.prod(g.kernel_shape), g.in_features)


def columns(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` to ``(N, *output_shape, groups, taps * in // groups)``."""
    groups, taps = g.feature_group_count, math.prod(g.kernel_shape)
    x = windows(x, g).reshape(x.shape[0], *g.output_shape, taps, groups, g.in_features // groups)
    return x.swapaxes(-3, -2).reshape(*x.shape[:-3], groups, taps * x.shape[-1])


def conv(x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` and the kernel to ``(N, *output_shape, out)``."""
    groups = g.feature_group_count
    kernel = kernel.reshape(-1, groups, g.out_features // groups)
    y = over_features(columns(x, g), kernel, precision)
    return y.reshape(x.shape[0], *g.output_shape, g.out_features)


def conv_kernel_vjp(
    x: jax.Array, y: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` and ``(N, *output_shape, out)`` to the kernel's shape."""
    groups = g.feature_group_count
    y = y.reshape(*y.shape[:-1], groups, g.out_features // groups)
    return over_positions(columns(x, g), y, precision).reshape(g.kernel_array_shape)
