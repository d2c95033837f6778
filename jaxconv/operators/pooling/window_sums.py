"""Sums over windows: the depthwise convolution with a kernel of ones, zero-padded."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jaxconv.convolution import conv
from jaxconv.convolution.formulations.taps import MAX_UNROLLED_TAPS
from jaxconv.convolution.formulations.windows import read_tap
from jaxconv.geometry import ConvGeometry
from jaxconv.operators.pooling.geometry import only_window

T = TypeVar("T")

# Taps of a window up to which it is summed at once; larger ones are summed along one axis after the other.
# Milliseconds on two cores, November 2026:
#   case                             at once  axis by axis
#   5x5   on 4x48x64x16                 0.15          0.14
#   5x5   on 4x48x64x16, gradient       0.17          0.37
#   7x7   on 4x48x64x16                 0.24          0.19
#   7x7   on 4x48x64x16, gradient       0.29          0.49
#   16x16 on 4x128x128x8                15            0.48
#   16x16 on 4x128x128x8, gradient      23            0.95
MAX_WINDOW_TAPS_SUMMED_AT_ONCE = 49
# Taps of an axis that are read by one slice each; of more, sums of twice the width are made of two.
MAX_AXIS_TAPS_SUMMED_BY_CONV = MAX_UNROLLED_TAPS


def window_sums(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the sums: ``(*batch, *input_shape, features)`` to ``(*batch, *output_shape, features)``.

    >>> g = ConvGeometry((4,), (2,), strides=2)
    >>> window_sums(jnp.arange(4.0)[:, None], g).ravel().tolist()
    [1.0, 5.0]
    """
    if math.prod(g.output_shape) == 1:
        return only_window(x, g).sum(tuple(range(x.ndim - g.ndim - 1, x.ndim - 1)), keepdims=True)
    if math.prod(g.kernel_shape) <= MAX_WINDOW_TAPS_SUMMED_AT_ONCE:
        return _sum_by_conv(x, g)
    for dimension in reversed(range(g.ndim)):
        axis = g.axes[dimension]
        shape = (*g.input_shape[: dimension + 1], *g.output_shape[dimension + 1 :])
        along = _windows_along(g, dimension, shape)
        by_conv = axis.kernel <= MAX_AXIS_TAPS_SUMMED_BY_CONV
        x = _sum_by_conv(x, along) if by_conv else _sum_by_doubling(x, along, dimension)
    return x


def _sum_by_conv(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Sums windows by `conv`, whose derivatives are convolutions again."""
    kernel = jnp.ones((*g.kernel_shape, 1, x.shape[-1]), x.dtype)
    return conv(x, kernel, geometry=g)


def _windows_along(g: ConvGeometry, dimension: int, input_shape: tuple[int, ...]) -> ConvGeometry:
    """Returns the geometry of the same windows along one axis, of one cell along the others."""

    def there(values: Sequence[T], elsewhere: T) -> tuple[T, ...]:
        return tuple(value if n == dimension else elsewhere for n, value in enumerate(values))

    return replace(
        g,
        input_shape=input_shape,
        kernel_shape=there(g.kernel_shape, 1),
        strides=there(g.strides, 1),
        padding=there(g.padding, (0, 0)),
        kernel_dilation=there(g.kernel_dilation, 1),
    )


def _sum_by_doubling(x: jax.Array, g: ConvGeometry, dimension: int) -> jax.Array:
    """Sums windows as parts of 1, 2, 4, ... cells: those of the binary digits of the window's size."""
    axis, at = g.axes[dimension], x.ndim - g.ndim - 1 + dimension
    config = [(0, 0, 0)] * x.ndim
    config[at] = (*axis.padding, 0)
    x = lax.pad(x, jnp.zeros((), x.dtype), config)
    parts, done, width = [], 0, 1
    while True:
        if axis.kernel & width:
            parts.append(read_tap(x, at, done * axis.dilation, axis))
            done += width
        if done == axis.kernel:
            return reduce(operator.add, parts)
        shift, length = width * axis.dilation, x.shape[at]
        x = lax.slice_in_dim(x, 0, length - shift, axis=at) + lax.slice_in_dim(x, shift, length, axis=at)
        width *= 2
