"""Feature maps and the blocks of `symbol` in frequencies: transforms, and the blocks' singular values."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxconv.geometry import ConvGeometry


def to_input_frequencies(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the unitary transform of input maps, ``(*batch, *output_shape, groups, folds * in // groups)``.

    The last axis is that of the columns of the blocks of `symbol`: the frequencies that a stride folds onto
    one output frequency, each with the features of one group.
    """
    n, batch = g.ndim, x.ndim - g.ndim - 1
    hat = jnp.fft.fftn(x, axes=range(batch, batch + n), norm="ortho")
    pairs = [size for axis in g.axes for size in (axis.stride, axis.out_size)]
    hat = hat.reshape(*x.shape[:batch], *pairs, g.feature_group_count, -1)
    folds, frequencies = range(batch, batch + 2 * n, 2), range(batch + 1, batch + 2 * n, 2)
    hat = hat.transpose(*range(batch), *frequencies, batch + 2 * n, *folds, batch + 2 * n + 1)
    return hat.reshape(*hat.shape[: batch + n + 1], -1)


def from_input_frequencies(hat: jax.Array, g: ConvGeometry) -> jax.Array:
    """Inverts `to_input_frequencies`; the maps are complex."""
    n, batch = g.ndim, hat.ndim - g.ndim - 2
    folds = [axis.stride for axis in g.axes]
    hat = hat.reshape(*hat.shape[:-1], *folds, -1)
    order = [place for axis in range(n) for place in (batch + n + 1 + axis, batch + axis)]
    hat = hat.transpose(*range(batch), *order, batch + n, batch + 2 * n + 1)
    hat = hat.reshape(*hat.shape[:batch], *g.input_shape, g.in_features)
    return jnp.fft.ifftn(hat, axes=range(batch, batch + n), norm="ortho")


def to_output_frequencies(y: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the unitary transform of output maps, ``(*batch, *output_shape, groups, out // groups)``."""
    batch = y.ndim - g.ndim - 1
    hat = jnp.fft.fftn(y, axes=range(batch, batch + g.ndim), norm="ortho")
    return hat.reshape(*hat.shape[:-1], g.feature_group_count, -1)


def from_output_frequencies(hat: jax.Array, g: ConvGeometry) -> jax.Array:
    """Inverts `to_output_frequencies`; the maps are complex."""
    batch = hat.ndim - g.ndim - 2
    hat = hat.reshape(*hat.shape[:-2], g.out_features)
    return jnp.fft.ifftn(hat, axes=range(batch, batch + g.ndim), norm="ortho")


def distinct_blocks(blocks: jax.Array, g: ConvGeometry, real: bool) -> jax.Array:
    """Returns the blocks of half of the frequencies of the last axis, if the kernel is real.

    Those of the other half are their conjugates, up to the order of their columns.
    """
    if not real:
        return blocks
    return jax.lax.slice_in_dim(blocks, 0, g.output_shape[-1] // 2 + 1, axis=g.ndim - 1)


def block_singular_values(blocks: jax.Array, g: ConvGeometry, real: bool) -> jax.Array:
    """Computes the singular values of every block, ``(*output_shape, groups, min(rows, columns))``."""
    half = jnp.linalg.svd(distinct_blocks(blocks, g, real), compute_uv=False)
    if not real:
        return half
    axis, size = g.ndim - 1, g.output_shape[-1]
    other = jnp.flip(jax.lax.slice_in_dim(half, 1, (size + 1) // 2, axis=axis), range(g.ndim))
    # The opposite of frequency w is -w on every axis: frequency 0 stays in its place on the axes before.
    for before in range(axis):
        other = jnp.roll(other, 1, before)
    return jnp.concatenate([half, other], axis)
