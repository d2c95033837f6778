"""Feature maps and the blocks of `symbol` in frequencies: transforms, and numbers per block."""

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


def from_input_frequencies(hat: jax.Array, g: ConvGeometry, *, half: bool = False) -> jax.Array:
    """Inverts `to_input_frequencies`; the maps are complex.

    With `half` they are real, and of the last axis, whose stride is 1, only half of the frequencies is given.
    """
    n, batch = g.ndim, hat.ndim - g.ndim - 2
    folds = [axis.stride for axis in g.axes]
    hat = hat.reshape(*hat.shape[:-1], *folds, -1)
    order = [place for axis in range(n) for place in (batch + n + 1 + axis, batch + axis)]
    hat = hat.transpose(*range(batch), *order, batch + n, batch + 2 * n + 1)
    last = hat.shape[batch + 2 * n - 1] if half else g.input_shape[-1]
    hat = hat.reshape(*hat.shape[:batch], *g.input_shape[:-1], last, g.in_features)
    axes = range(batch, batch + n)
    if half:
        return jnp.fft.irfftn(hat, g.input_shape, axes=axes, norm="ortho")
    return jnp.fft.ifftn(hat, axes=axes, norm="ortho")


def to_output_frequencies(y: jax.Array, g: ConvGeometry, *, half: bool = False) -> jax.Array:
    """Returns the unitary transform of output maps, ``(*batch, *output_shape, groups, out // groups)``.

    With `half` the maps are real, and only half of the last axis's frequencies is returned.
    """
    batch = y.ndim - g.ndim - 1
    transform = jnp.fft.rfftn if half else jnp.fft.fftn
    hat = transform(y, axes=range(batch, batch + g.ndim), norm="ortho")
    return hat.reshape(*hat.shape[:-1], g.feature_group_count, -1)


def from_output_frequencies(hat: jax.Array, g: ConvGeometry) -> jax.Array:
    """Inverts `to_output_frequencies`; the maps are complex."""
    batch = hat.ndim - g.ndim - 2
    hat = hat.reshape(*hat.shape[:-2], g.out_features)
    return jnp.fft.ifftn(hat, axes=range(batch, batch + g.ndim), norm="ortho")


def other_half(half: jax.Array, g: ConvGeometry) -> jax.Array:
    """Appends, to numbers of half of the last axis's frequencies, those of the opposite frequencies."""
    axis, size = g.ndim - 1, g.output_shape[-1]
    other = jnp.flip(jax.lax.slice_in_dim(half, 1, (size + 1) // 2, axis=axis), range(g.ndim))
    # The opposite of frequency w is -w on every axis: frequency 0 stays in its place on the axes before.
    for before in range(axis):
        other = jnp.roll(other, 1, before)
    return jnp.concatenate([half, other], axis)
