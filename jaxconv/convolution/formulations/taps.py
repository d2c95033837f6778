"""Shift and accumulate: one strided slice of the input per tap, times that tap's features, summed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.convolution.formulations.contractions import over_features, over_positions
from jaxconv.convolution.padding import stretch_and_pad
from jaxconv.geometry import ConvGeometry

MAX_UNROLLED_TAPS = 128  # beyond, a loop keeps the program and its compilation small
MAX_ADDED_PARTS = 8  # parts of a map whose products one fused loop adds: XLA splits a loop over 16
MAX_ADDED_PRODUCTS = 400  # such products over all taps: more take too long to compile


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
    x, corners = stretch_and_pad(x, g), tap_corners(g)
    if g.feature_group_count == g.in_features == g.out_features:
        return _depthwise_kernel_vjp(x, y, g, corners)
    x, y = _in_groups(x, g), _in_groups(y, g)

    def entries(corner: Any) -> jax.Array:
        return over_positions(tap_cells(x, corner, g), y, precision)

    return _each_tap(entries, corners).reshape(g.kernel_array_shape)


def _each_tap(entries: Callable[[Any], jax.Array], corners: np.ndarray) -> jax.Array:
    """Computes the entries of every tap, in a loop where there are many."""
    if len(corners) <= MAX_UNROLLED_TAPS:
        return jnp.stack([entries(corner) for corner in corners.tolist()])
    return lax.map(entries, corners)


def _depthwise_kernel_vjp(x: jax.Array, y: jax.Array, g: ConvGeometry, corners: np.ndarray) -> jax.Array:
    """Sums the products of two maps over all positions, for every tap.

    The first axis is cut into parts of equal length, whose products are added in one fused loop; a product
    with ones sums the rest. XLA fuses slices of a map of any size in this way, but neither 16 parts nor
    parts that a reshape or a pad makes: then it stores all products. 3x3 over 4x113x113x64 takes 12 ms,
    58 ms with stored products, and 4x64x64x64 1.0 ms in place of 20.
    """
    parts = _parts(g.output_shape[0], max(min(MAX_ADDED_PARTS, MAX_ADDED_PRODUCTS // len(corners)), 1))
    maps = [lax.slice_in_dim(y, first, first + length, axis=1) for first, length, _ in parts]

    def entries(corner: Any) -> jax.Array:
        read, added = tap_cells(x, corner, g), None
        for (first, length, repeated), other in zip(parts, maps, strict=True):
            product = lax.slice_in_dim(read, first, first + length, axis=1) * other
            if repeated:  # rows of the part before
                new = lax.broadcasted_iota(jnp.int32, product.shape, 1) >= repeated
                product = lax.select(new, product, jnp.zeros_like(product))
            added = product if added is None else added + product
        assert added is not None
        added = added.reshape(-1, g.in_features)
        # A sum, so the precision of products does not apply: nothing may be rounded to multiply it by one.
        return jnp.dot(jnp.ones(added.shape[0], x.dtype), added, precision=lax.Precision.HIGHEST)

    return _each_tap(entries, corners).reshape(g.kernel_array_shape)


def _parts(size: int, most: int) -> list[tuple[int, int, int]]:
    """Divides an axis into parts of one length: (first cell, length, cells that the part before has too).

    >>> _parts(7, 3)
    [(0, 3, 0), (3, 3, 0), (4, 3, 2)]
    """
    length = -(-size // min(most, size))
    ends = range(length, size + length, length)
    return [(min(end, size) - length, length, max(end - size, 0)) for end in ends]


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
