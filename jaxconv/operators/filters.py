"""Filters with names: box, binomial, Gaussian, sharpening, edges and Sobel; `correlate` applies them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from numbers import Real

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxconv.core.checks import check_dtype
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import at_least_one, integer, real, shape_of

__all__ = [
    "binomial_filter",
    "box_filter",
    "edge_filter",
    "gaussian_filter",
    "sharpen_filter",
    "sobel_filter",
]


def box_filter(shape: Sequence[int], dtype: DTypeLike = float) -> jax.Array:
    """Returns the filter that takes the mean of a box: every weight is one over their number.

    Args:
      shape: Shape of the filter, one size per spatial axis.
      dtype: Dtype of the weights; it must be that of the map. ``float`` is JAX's default.

    Returns:
      The weights, of shape `shape`.

    >>> print((9 * box_filter((3, 3))).astype(int))
    [[1 1 1]
     [1 1 1]
     [1 1 1]]
    """
    shape = shape_of("shape", shape)
    return jnp.asarray(np.full(shape, 1 / math.prod(shape)), check_dtype(dtype))


def binomial_filter(shape: Sequence[int], dtype: DTypeLike = float) -> jax.Array:
    """Returns the binomial filter, a discrete Gaussian blur.

    Its weights are products of one row of Pascal's triangle per axis, each divided by its sum. A convolution
    of two binomial filters is a binomial filter, exactly. An axis of k taps has the variance (k - 1) / 4.

    Args:
      shape: Shape of the filter, one size per spatial axis.
      dtype: Dtype of the weights; it must be that of the map. ``float`` is JAX's default.

    Returns:
      The weights, of shape `shape`.

    >>> print((16 * binomial_filter((3, 3))).astype(int))
    [[1 2 1]
     [2 4 2]
     [1 2 1]]
    """
    rows = [[math.comb(k - 1, t) / 2 ** (k - 1) for t in range(k)] for k in shape_of("shape", shape)]
    return _separable(rows, dtype)


def gaussian_filter(
    shape: Sequence[int], sigma: float | Sequence[float], dtype: DTypeLike = float
) -> jax.Array:
    """Returns a Gaussian sampled at the cells around the centre of the filter, with sum 1.

    It is separable: two filters of shapes ``(k, 1)`` and ``(1, k)`` cost 2 k products per cell, one filter of
    shape ``(k, k)`` costs k squared.

    Args:
      shape: Shape of the filter, one size per spatial axis. Three sigma on each side of the centre contain
        99.7% of the Gaussian.
      sigma: Standard deviation in cells, one number for all axes or one number per spatial axis.
      dtype: Dtype of the weights; it must be that of the map. ``float`` is JAX's default.

    Returns:
      The weights, of shape `shape`.

    Raises:
      GeometryError: `sigma` is not positive, or has not one number per axis.
      TypeError: `sigma` is not a number or a sequence of numbers.

    >>> [f"{weight:.4f}" for weight in gaussian_filter((3,), 1.0)]
    ['0.2741', '0.4519', '0.2741']
    """
    shape = shape_of("shape", shape)
    deviations = [sigma] if isinstance(sigma, Real) else sigma
    if not isinstance(deviations, Sequence | np.ndarray) or isinstance(deviations, str):
        raise TypeError(f"`sigma` must be a number, or one number per axis; got {sigma!r}.")
    deviations = [real("sigma", one) for one in deviations]
    sigmas = np.broadcast_to(deviations, len(shape)) if len(deviations) == 1 else np.asarray(deviations)
    if sigmas.shape != (len(shape),) or not (sigmas > 0).all():
        found = min(deviations) if sigmas.shape == (len(shape),) else f"{len(deviations)} numbers"
        raise GeometryError(
            f"`sigma` must be one positive number, or one for each of the {len(shape)} axes; got {found}."
        )
    rows = []
    for k, deviation in zip(shape, sigmas, strict=True):
        weights = np.exp(-0.5 * ((np.arange(k) - (k - 1) / 2) / deviation) ** 2)
        rows.append(weights / weights.sum())
    return _separable(rows, dtype)


def sharpen_filter(ndim: int = 2, dtype: DTypeLike = float) -> jax.Array:
    """Returns the filter that adds to every cell its differences from its direct neighbours, with sum 1.

    Args:
      ndim: Number of spatial axes, N.
      dtype: Dtype of the weights; it must be that of the map. ``float`` is JAX's default.

    Returns:
      The weights, with 3 taps per axis.

    >>> print(sharpen_filter().astype(int))
    [[ 0 -1  0]
     [-1  5 -1]
     [ 0 -1  0]]
    """
    n = at_least_one("ndim", ndim)
    distance = abs(np.indices((3,) * n) - 1).sum(0)  # in steps along the axes
    return jnp.asarray(np.select([distance == 0, distance == 1], [2 * n + 1, -1], 0), check_dtype(dtype))


def edge_filter(ndim: int = 2, dtype: DTypeLike = float) -> jax.Array:
    """Returns the filter that adds up a cell's differences from all neighbours, diagonal ones too; sum 0.

    Args:
      ndim: Number of spatial axes, N.
      dtype: Dtype of the weights; it must be that of the map. ``float`` is JAX's default.

    Returns:
      The weights, with 3 taps per axis.

    >>> print(edge_filter().astype(int))
    [[-1 -1 -1]
     [-1  8 -1]
     [-1 -1 -1]]
    """
    n = at_least_one("ndim", ndim)
    weights = np.full((3,) * n, -1)
    weights[(1,) * n] = 3**n - 1
    return jnp.asarray(weights, check_dtype(dtype))


def sobel_filter(axis: int, ndim: int = 2, dtype: DTypeLike = float) -> jax.Array:
    """Returns the Sobel filter: -1 0 1 along one axis, for its slope, and 1 2 1 along the others.

    With `correlate` the result is positive where the map rises; `convolve` changes the sign. For a slope of
    1 per cell the result is ``2 * 4**(N - 1)``.

    Args:
      axis: The spatial axis of the slope; negative values count from the last axis.
      ndim: Number of spatial axes, N.
      dtype: Dtype of the weights; it must be that of the map. ``float`` is JAX's default.

    Returns:
      The weights, with 3 taps per axis.

    Raises:
      GeometryError: `axis` is not one of the N spatial axes.
      TypeError: `axis` or `ndim` is not an integer.

    >>> print(sobel_filter(axis=1).astype(int))
    [[-1  0  1]
     [-2  0  2]
     [-1  0  1]]
    """
    n = at_least_one("ndim", ndim)
    axis = integer("axis", axis)
    if axis not in range(-n, n):
        raise GeometryError(f"`axis` must be one of the {n} spatial axes, in [{-n}, {n}), got {axis}.")
    return _separable([[-1, 0, 1] if one == axis % n else [1, 2, 1] for one in range(n)], dtype)


def _separable(rows: Sequence[Sequence[float]], dtype: DTypeLike) -> jax.Array:
    """Returns the separable filter of one row per axis."""
    return jnp.asarray(reduce(np.multiply.outer, map(np.asarray, rows)), check_dtype(dtype))
