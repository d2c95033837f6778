"""The windows of a map as features: what im2col and its relatives multiply."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.axis import AxisGeometry

CONCATENATED = 128  # slices; beyond, a gather keeps the program small


def fold_windows(x: jax.Array, dimension: int, axis: AxisGeometry) -> jax.Array:
    """The taps of one padded, stretched axis as features, slowest: ``f`` features become ``taps f``.

    >>> axis = AxisGeometry(4, 2, stride=2)
    >>> fold_windows(jnp.arange(4.0).reshape(1, 4, 1), 1, axis).tolist()
    [[[0.0, 1.0], [2.0, 3.0]]]
    """
    if axis.kernel > CONCATENATED:
        return _gathered(x, dimension, axis)
    return jnp.concatenate(slices(x, dimension, axis), -1)


def slices(x: jax.Array, dimension: int, axis: AxisGeometry) -> list[jax.Array]:
    """What each tap of one padded, stretched axis reads."""
    length = (axis.out_size - 1) * axis.stride + 1
    corners = range(0, axis.span, axis.dilation)
    return [lax.slice_in_dim(x, t, t + length, axis.stride, dimension) for t in corners]


def _gathered(x: jax.Array, dimension: int, axis: AxisGeometry) -> jax.Array:
    start = np.arange(axis.out_size, dtype=np.int32)[:, None] * axis.stride
    index = start + np.arange(axis.kernel, dtype=np.int32) * axis.dilation
    x = x.at[(slice(None),) * dimension + (index,)].get(mode="promise_in_bounds")
    x = jnp.moveaxis(x, dimension + 1, -2)
    return x.reshape(*x.shape[:-2], axis.kernel * x.shape[-1])
