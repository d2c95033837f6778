"""Band matrices applied along the spatial axes of a map, and their transposes, as a pair of primitives.

A band and its transpose are both sums of few weighted cells, so that both directions are one fused loop
per axis: the cells are gathered by indices that are constants of the program, and nothing scatters.
"""

from __future__ import annotations

import operator
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.core.dtypes import accumulator
from jaxconv.core.linear_primitives import linear_with_transpose
from jaxconv.operators.resizing.options import Resizing
from jaxconv.operators.resizing.weights import Band, band, dense, transposed_band

# Cells of a row up to which they are gathered; wider rows are a dense product, which keeps the program small.
# On a 2-core CPU, float32, a gather of 128 took 11 ms, the product 31 ms (4x2048x2048x1 to 32x32).
MAX_GATHERED_WIDTH = 128


def _resize(x: jax.Array, geometry: Resizing) -> jax.Array:
    """Resizes ``(batch, *input_shape, ...)`` to ``(batch, *shape, ...)``."""
    return _apply_bands(x, [band(axis) for axis in geometry.axes])


def _resize_back(y: jax.Array, geometry: Resizing) -> jax.Array:
    """Applies the transpose: ``(batch, *shape, ...)`` to ``(batch, *input_shape, ...)``."""
    return _apply_bands(y, [transposed_band(axis) for axis in geometry.axes])


RESIZE, RESIZE_BACK = linear_with_transpose(
    "jaxconv_resize", _resize, _resize_back, lambda geometry: 1 + geometry.ndim
)


def _apply_bands(x: jax.Array, bands: list[Band]) -> jax.Array:
    """Applies one band per axis, in the order that costs least; 16-bit floats are rounded once."""
    dtype = x.dtype
    x = x.astype(accumulator(dtype))
    for axis in sorted(range(len(bands)), key=lambda axis: _growth(bands[axis])):
        x = _apply_band(x, axis + 1, bands[axis])
    return x.astype(dtype)


def _growth(band: Band) -> float:
    """Returns the sort key of an axis: work is the cells that a pass writes times the width of its band."""
    rows, width = band.weights.shape
    return (1 - band.columns / rows) / width


def _apply_band(x: jax.Array, axis: int, band: Band) -> jax.Array:
    """Multiplies along one axis: ``(..., columns, ...)`` to ``(..., rows, ...)``."""
    if band.weights.shape[1] > MAX_GATHERED_WIDTH:
        weights = jnp.asarray(dense(band), x.dtype)
        y = jnp.tensordot(weights, x, ((1,), (axis,)), precision=lax.Precision.HIGHEST)
        return jnp.moveaxis(y, 0, axis)
    terms = (
        _weigh_cells(x, axis, band.first + slot, weights)
        for slot, weights in enumerate(band.weights.T)
        if weights.any()
    )
    return reduce(operator.add, terms)  # without the 0 of `sum`, which booleans and -0.0 do not survive


def _weigh_cells(x: jax.Array, axis: int, cells: np.ndarray, weights: np.ndarray) -> jax.Array:
    """Returns one weighted cell per row."""
    index = cells.clip(0, x.shape[axis] - 1).astype(np.int32)  # the weight of cells outside is 0
    x = x.at[(slice(None),) * axis + (index,)].get(mode="promise_in_bounds", indices_are_sorted=True)
    if (weights == 1).all():
        return x
    if np.isin(weights, (0, 1)).all():  # a selection: a NaN that is not selected must not count
        chosen = lax.broadcast_in_dim(weights == 1, x.shape, (axis,))
        return jnp.where(chosen, x, jnp.zeros((), x.dtype))
    return x * lax.broadcast_in_dim(jnp.asarray(weights, x.dtype), x.shape, (axis,))
