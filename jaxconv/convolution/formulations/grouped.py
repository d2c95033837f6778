"""A grouped convolution as several dense ones, over neighbouring groups made one.

Few features a group are slow: so many groups are taken together that a block has `MIN_BLOCK_FEATURES` input
features, their kernel's blocks on the diagonal of a dense one. Products with the zeros beside it
cost less than small products would; a number that is not finite spreads through them to the
neighbouring groups.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.geometry import ConvGeometry

MIN_BLOCK_FEATURES = 16  # features; 32 groups of 4: 1.4 ms with 16, 2.1 with 8, 1.8 with 32
MAX_BLOCKS = 32  # one convolution each in a program: more compile for too long


def groups_per_block(g: ConvGeometry) -> int:
    """How many neighbouring groups are made one.

    >>> groups_per_block(ConvGeometry((9,), (3,), in_features=24, out_features=12, feature_group_count=12))
    12
    """
    groups, inputs = g.feature_group_count, g.in_features // g.feature_group_count
    counts = (m for m in range(1, groups + 1) if groups % m == 0)
    return next(m for m in counts if m * inputs >= MIN_BLOCK_FEATURES or m == groups)


def few_blocks(g: ConvGeometry) -> bool:
    """Whether groups merge into a few blocks not much wider than needed: 997 groups do not.

    >>> [few_blocks(ConvGeometry((9,), (3,), in_features=n, feature_group_count=n, out_features=n))
    ...  for n in (64, 997, 998, 4096)]
    [True, False, False, False]
    """
    groups, m = g.feature_group_count, groups_per_block(g)
    wide_enough = m == 1 or g.in_features // groups * m <= 2 * MIN_BLOCK_FEATURES
    return wide_enough and groups // m <= MAX_BLOCKS


def dense_geometry(g: ConvGeometry) -> ConvGeometry:
    """The ungrouped geometry of one block."""
    blocks = g.feature_group_count // groups_per_block(g)
    return g.with_features(g.in_features // blocks, g.out_features // blocks, 1)


def grouped_conv(dense: Callable) -> Callable:
    """A formulation of ``conv`` from one for ungrouped geometries."""
    return _each_block(dense, lambda inner: inner.in_features)


def grouped_conv_transpose(dense: Callable) -> Callable:
    """The same for ``conv_transpose``."""
    return _each_block(dense, lambda inner: inner.out_features)


def _each_block(dense: Callable, features: Callable[[ConvGeometry], int]) -> Callable:
    """A product with every block, from that of one; `features` are those of what is multiplied."""

    def multiply(
        map_: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        inner = dense_geometry(g)
        blocks = zip(_blocks(map_, features(inner)), _dense_kernels(kernel, g), strict=True)
        return jnp.concatenate([dense(part, block, inner, precision) for part, block in blocks], -1)

    return multiply


def grouped_conv_kernel_vjp(dense: Callable) -> Callable:
    """The same for ``conv_kernel_vjp``; off the diagonal the dense gradient is nobody's."""

    def conv_kernel_vjp(
        x: jax.Array, y: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        inner, m = dense_geometry(g), groups_per_block(g)
        parts = zip(_blocks(x, inner.in_features), _blocks(y, inner.out_features), strict=True)
        dense_kernels = jnp.stack([dense(x, y, inner, precision) for x, y in parts], -3)
        *taps, blocks, inputs, outputs = dense_kernels.shape
        split = dense_kernels.reshape(*taps, blocks, m, inputs // m, m, outputs // m)
        kernel = jnp.stack([split[..., group, :, group, :] for group in range(m)], -2)
        return jnp.moveaxis(kernel, -4, -3).reshape(g.kernel_array_shape)

    return conv_kernel_vjp


def _blocks(x: jax.Array, features: int) -> list[jax.Array]:
    return [x[..., first : first + features] for first in range(0, x.shape[-1], features)]


def _dense_kernels(kernel: jax.Array, g: ConvGeometry) -> list[jax.Array]:
    """One dense kernel a block, ``(*taps, in, out)`` of the block."""
    m, inner = groups_per_block(g), dense_geometry(g)
    of_output = np.arange(inner.out_features) // (inner.out_features // m)
    own = (np.arange(m)[:, None] == of_output).reshape((1,) * g.ndim + (m, 1, inner.out_features))
    zero = jnp.zeros((), kernel.dtype)
    return [
        jnp.where(own, part[..., None, :, :], zero).reshape(inner.kernel_array_shape)
        for part in _blocks(kernel, inner.out_features)
    ]
