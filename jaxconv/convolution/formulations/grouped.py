"""A grouped convolution as several dense ones, each over several neighbouring groups.

Groups of few features are slow. So many of them are merged that a block has `MIN_BLOCK_FEATURES` input
features; the kernels of its groups are the diagonal of a dense kernel. Products with the zeros beside the
diagonal cost less than small products would; infinities and NaNs spread through them to the
neighbouring groups.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.convolution.formulations.formulation import Formulation
from jaxconv.geometry import ConvGeometry

MIN_BLOCK_FEATURES = 16  # 32 groups of 4 features take 1.4 ms with 16, 2.1 ms with 8, 1.8 ms with 32
MAX_BLOCKS = 32  # a program has one convolution per block: more take too long to compile


def groups_per_block(g: ConvGeometry) -> int:
    """Returns how many neighbouring groups are merged into one block.

    >>> groups_per_block(ConvGeometry((9,), (3,), in_features=24, out_features=12, feature_group_count=12))
    12
    """
    groups, inputs = g.feature_group_count, g.in_features // g.feature_group_count
    counts = (m for m in range(1, groups + 1) if groups % m == 0)
    return next(m for m in counts if m * inputs >= MIN_BLOCK_FEATURES or m == groups)


def few_blocks(g: ConvGeometry) -> bool:
    """Returns whether groups merge into few blocks that are not much wider than needed: 997 groups do not.

    >>> [few_blocks(ConvGeometry((9,), (3,), in_features=n, feature_group_count=n, out_features=n))
    ...  for n in (64, 997, 998, 4096)]
    [True, False, False, False]
    """
    groups, m = g.feature_group_count, groups_per_block(g)
    wide_enough = m == 1 or g.in_features // groups * m <= 2 * MIN_BLOCK_FEATURES
    return wide_enough and groups // m <= MAX_BLOCKS


def dense_geometry(g: ConvGeometry) -> ConvGeometry:
    """Returns the ungrouped geometry of one block."""
    blocks = g.feature_group_count // groups_per_block(g)
    return g.with_features(g.in_features // blocks, g.out_features // blocks, 1)


def grouped_conv(dense: Formulation) -> Formulation:
    """Makes a formulation of ``conv`` from one for ungrouped geometries."""
    return _each_block(dense, lambda inner: inner.in_features)


def grouped_conv_transpose(dense: Formulation) -> Formulation:
    """Makes a formulation of ``conv_transpose`` from one for ungrouped geometries."""
    return _each_block(dense, lambda inner: inner.out_features)


def _each_block(dense: Formulation, features: Callable[[ConvGeometry], int]) -> Formulation:
    """Makes a product with all blocks from that with one.

    Args:
      dense: The product with one block.
      features: Returns the number of features of the map that a block is multiplied by.
    """

    def multiply(
        map_: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        inner = dense_geometry(g)
        blocks = zip(_blocks(map_, features(inner)), _dense_kernels(kernel, g), strict=True)
        return jnp.concatenate([dense(part, block, inner, precision) for part, block in blocks], -1)

    return multiply


def grouped_conv_kernel_vjp(dense: Formulation) -> Formulation:
    """Makes a formulation of ``conv_kernel_vjp`` from one for ungrouped geometries.

    Only the diagonal of the dense gradient is used.
    """

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
    """Splits the last axis into blocks of so many features."""
    return [x[..., first : first + features] for first in range(0, x.shape[-1], features)]


def _dense_kernels(kernel: jax.Array, g: ConvGeometry) -> list[jax.Array]:
    """Returns one dense kernel per block, ``(*taps, in, out)`` of the block."""
    m, inner = groups_per_block(g), dense_geometry(g)
    of_output = np.arange(inner.out_features) // (inner.out_features // m)
    same_group = (np.arange(m)[:, None] == of_output).reshape((1,) * g.ndim + (m, 1, inner.out_features))
    zero = jnp.zeros((), kernel.dtype)
    return [
        jnp.where(same_group, part[..., None, :, :], zero).reshape(inner.kernel_array_shape)
        for part in _blocks(kernel, inner.out_features)
    ]
