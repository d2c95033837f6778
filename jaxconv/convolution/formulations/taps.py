"""Shift and accumulate: one strided slice of the input per tap, times that tap's features, summed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.convolution.formulations.contractions import over_features, over_positions
from jaxconv.convolution.padding import stretch_and_pad
from jaxconv.geometry import ConvGeometry

MAX_UNROLLED_TAPS = 128  # beyond, a loop keeps the program and its compilation small
MAX_ADDED_ROWS = 16  # products added elementwise before the rest is summed
MAX_ADDED_PRODUCTS = 800  # such products over all taps: more take too long to compile


def conv(x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` and the kernel to ``(N, *output_shape, out)``."""
    x = _in_groups(stretch_and_pad(x, g), g)
    kernel = kernel.reshape(-1, g.in_features // g.feature_group_count, *_grouped_outputs(g))
    corners = tap_corners(g)

    def term(corner: Any, weights: jax.Array) -> jax.Array:
        return over_features(tap_cells(x, corner, g), weights, precision)

    y = term(corners[0].tolist(), kernel[0])
    if len(corners) <= MAX_UNROLLED_TAPS:
        for t, corner in enumerate(corners[1:].tolist(), start=1):
            y = y + term(corner, kernel[t])
    else:
        y, _ = lax.scan(lambda y, tap: (y + term(*tap), None), y, (corners[1:], kernel[1:]))
    return y.reshape(x.shape[0], *g.output_shape, g.out_features)


def conv_kernel_vjp(
    x: jax.Array, y: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` and ``(N, *output_shape, out)`` to the kernel's shape."""
    x, y = _in_groups(stretch_and_pad(x, g), g), _in_groups(y, g)
    depthwise = x.shape[-1] == y.shape[-1] == 1
    corners = tap_corners(g)

    rows = max(min(MAX_ADDED_ROWS, MAX_ADDED_PRODUCTS // len(corners)), 1)

    def entries(corner: Any) -> jax.Array:
        read = tap_cells(x, corner, g)
        return _sum_products(read, y, rows)[None] if depthwise else over_positions(read, y, precision)

    if len(corners) <= MAX_UNROLLED_TAPS:
        kernel = jnp.stack([entries(corner) for corner in corners.tolist()])
    else:
        kernel = lax.map(entries, corners)
    return kernel.reshape(g.kernel_array_shape)


def _sum_products(x: jax.Array, y: jax.Array, most_rows: int) -> jax.Array:
    """Multiplies two maps ``(N, first, ..., groups, 1)``, summed over all but groups: ``(groups, 1)``.

    Rows of the first axis are multiplied and added in one fused loop, and a product with ones sums the
    rest: 3x3 over 4x56x56x64 takes 1.1 ms this way, 2.6 ms as one sum.
    """
    size = x.shape[1]
    count = max(c for c in range(1, most_rows + 1) if size % c == 0)
    x, y = (a.reshape(a.shape[0], count, size // count, *a.shape[2:]) for a in (x, y))
    rows = [x[:, row] * y[:, row] for row in range(count)]
    added = sum(rows[1:], rows[0])
    added = added.reshape(-1, added.shape[-2])
    # A sum, so the precision of products does not apply: nothing may be rounded to multiply it by one.
    return jnp.dot(jnp.ones(added.shape[0], x.dtype), added, precision=lax.Precision.HIGHEST)[:, None]


def _in_groups(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Splits features into ``(groups, features per group)``."""
    groups = g.feature_group_count
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


def _grouped_outputs(g: ConvGeometry) -> tuple[int, int]:
    return g.feature_group_count, g.out_features // g.feature_group_count


def tap_corners(g: ConvGeometry) -> np.ndarray:
    """Returns the first padded cell that each tap reads, ``(taps, N)``."""
    return np.array(list(np.ndindex(*g.kernel_shape)), np.int32) * np.array(g.kernel_dilation, np.int32)


def tap_cells(x: jax.Array, corner: Any, g: ConvGeometry) -> jax.Array:
    """Returns the cells that one tap reads: every stride-th from its corner on."""
    rest = x.ndim - g.ndim - 1
    lengths = [(axis.out_size - 1) * axis.stride + 1 for axis in g.axes]
    strides = (1, *g.strides, *[1] * rest)
    if isinstance(corner, list):  # one slice, whose transpose is one pad
        stop = [first + length for first, length in zip(corner, lengths, strict=True)]
        return lax.slice(x, (0, *corner, *[0] * rest), (x.shape[0], *stop, *x.shape[g.ndim + 1 :]), strides)
    for dimension, (first, length) in enumerate(zip(corner, lengths, strict=True), start=1):
        x = lax.dynamic_slice_in_dim(x, first, length, dimension)
    return lax.slice(x, (0,) * x.ndim, x.shape, strides)
