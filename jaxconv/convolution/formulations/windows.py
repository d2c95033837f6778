"""The windows of a map as features, for im2col and the formulations like it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.geometry import AxisGeometry

MAX_CONCATENATED_SLICES = 128  # beyond, a gather keeps the program small


def fold_windows(x: jax.Array, dimension: int, axis: AxisGeometry) -> jax.Array:
    """Makes the taps of one padded, stretched axis features, slowest: ``f`` features become ``taps f``.

    >>> axis = AxisGeometry(4, 2, stride=2)
    >>> fold_windows(jnp.arange(4.0).reshape(1, 4, 1), 1, axis).tolist()
    [[[0.0, 1.0], [2.0, 3.0]]]
    """
    features, run = x.shape[-1], run_length(axis)
    x = _split_into_runs(x, dimension, axis, run)
    runs = AxisGeometry(x.shape[dimension], axis.kernel // run, axis.stride // run, dilation=axis.dilation)
    if runs.kernel > MAX_CONCATENATED_SLICES:
        x = _gather_windows(x, dimension, runs)
    else:
        x = jnp.concatenate(slices(x, dimension, runs), -2)
    return x.reshape(*x.shape[:-2], axis.kernel * features)


def run_length(axis: AxisGeometry) -> int:
    """Returns how many neighbouring taps stay together in every window, 1 where none do.

    Where the stride and the number of taps have a common factor, windows consist of whole runs of so many
    cells. Windows that do not overlap are one run each, and a reshape makes them.

    >>> run_length(AxisGeometry(4096, 400, stride=160)), run_length(AxisGeometry(9, 3, stride=2))
    (80, 1)
    """
    return math.gcd(axis.kernel, axis.stride) if axis.dilation == 1 else 1


def slices(x: jax.Array, dimension: int, axis: AxisGeometry) -> list[jax.Array]:
    """Returns what each tap of one padded, stretched axis reads."""
    return [read_tap(x, dimension, corner, axis) for corner in range(0, axis.span, axis.dilation)]


def read_tap(x: jax.Array, dimension: int, corner: int, axis: AxisGeometry) -> jax.Array:
    """Returns the cells of one padded, stretched axis that a tap reads: every stride-th from `corner` on."""
    return lax.slice_in_dim(x, corner, corner + (axis.out_size - 1) * axis.stride + 1, axis.stride, dimension)


def _split_into_runs(x: jax.Array, dimension: int, axis: AxisGeometry, run: int) -> jax.Array:
    """Splits an axis of cells into runs, their cells beside the features: ``(..., runs, ..., run, f)``."""
    if run == 1:
        return jnp.expand_dims(x, -2)
    x = lax.slice_in_dim(x, 0, (axis.out_size - 1) * axis.stride + axis.kernel, axis=dimension)
    x = x.reshape(*x.shape[:dimension], x.shape[dimension] // run, run, *x.shape[dimension + 1 :])
    return jnp.moveaxis(x, dimension + 1, -2)


def _gather_windows(x: jax.Array, dimension: int, axis: AxisGeometry) -> jax.Array:
    """Returns the windows of one axis of runs by a gather, their taps beside the features."""
    start = np.arange(axis.out_size, dtype=np.int32)[:, None] * axis.stride
    index = start + np.arange(axis.kernel, dtype=np.int32) * axis.dilation
    x = x.at[(slice(None),) * dimension + (index,)].get(mode="promise_in_bounds")
    x = jnp.moveaxis(x, dimension + 1, -3)
    return x.reshape(*x.shape[:-3], axis.kernel * x.shape[-2], x.shape[-1])
