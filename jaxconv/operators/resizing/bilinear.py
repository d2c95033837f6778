"""Bilinear upsampling as a transposed convolution with a fixed kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxconv.core.checks import check_dtype
from jaxconv.geometry.arguments import at_least_one, shape_of


def bilinear_kernel(factor: Sequence[int], features: int, dtype: DTypeLike = float) -> jax.Array:
    r"""Returns the kernel with which a transposed convolution upsamples bilinearly, as FCN initialises it.

    For a factor f an axis of the kernel has k = 2 f - f % 2 taps, a triangle. With y of n cells per axis,

        conv_transpose(y, bilinear_kernel(factor, features), strides=factor,
                       padding=[(k - f) // 2, ...], input_shape=[f * n, ...],
                       feature_group_count=features)

    equals ``resize(y, [f * n, ...], "bilinear")`` except for the first and the last ``f // 2`` cells of each
    axis. There one of the two interpolated cells lies outside; it counts as 0, while `resize` repeats the
    cell at the edge. So the map darkens towards its border.

    Args:
      factor: Upsampling factor of every spatial axis, a tuple of N ints.
      features: Number of features of the map, each of which is interpolated separately.
      dtype: Dtype of the kernel; it must be that of y. ``float`` is JAX's default.

    Returns:
      ``(*k, 1, features)``, for ``feature_group_count=features``.

    Raises:
      GeometryError: A factor or `features` is below 1.
      TypeError: A factor or `features` is not an integer, or `dtype` is not floating or complex.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.3; `surgery.py` of its code.

    >>> bilinear_kernel((2,), 1).ravel().tolist()
    [0.25, 0.75, 0.75, 0.25]
    >>> from jaxconv import conv_transpose
    >>> y = jnp.array([0.0, 4.0, 8.0]).reshape(3, 1)
    >>> kernel = bilinear_kernel((2,), 1, y.dtype)
    >>> up = conv_transpose(y, kernel, strides=2, padding=1, input_shape=(6,))
    >>> up.ravel().tolist()
    [0.0, 1.0, 3.0, 5.0, 7.0, 6.0]
    """
    factors, features = shape_of("factor", factor), at_least_one("features", features)
    taps = bilinear_taps([2 * f - f % 2 for f in factors], factors)
    return jnp.asarray(np.repeat(taps[..., None, None], features, -1), check_dtype(dtype))


def bilinear_taps(kernel_shape: Sequence[int], factor: Sequence[int]) -> np.ndarray:
    r"""Returns the products of one hat per axis, float64: $1 - |t - c| / f$ around the kernel's centre $c$.

    Args:
      kernel_shape: Taps of the kernel per spatial axis.
      factor: Upsampling factor $f$ per spatial axis.

    >>> bilinear_taps((3,), (2,)).tolist()
    [0.5, 1.0, 0.5]
    """
    hats = [
        (2 * f - abs(2 * np.arange(k) - (k - 1))).clip(0) / (2 * f)
        for k, f in zip(kernel_shape, factor, strict=True)
    ]
    return reduce(np.multiply.outer, hats)
