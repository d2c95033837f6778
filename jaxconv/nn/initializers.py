"""Initializers of kernels, scaled by the number of terms that one output sums."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer, variance_scaling

from jaxconv.errors import GeometryError
from jaxconv.geometry import IntPerAxis
from jaxconv.geometry.arguments import at_least_one, per_axis, shape_of
from jaxconv.operators.resizing.bilinear import bilinear_taps


def conv_lecun_normal(kernel_shape: Sequence[int], input_dilation: IntPerAxis = 1) -> Initializer:
    r"""Returns LeCun's normal initializer for a convolution: variance 1 / fan-in.

    An output sums ``in_features // groups`` times the taps that meet an input. Where
    `input_dilation` $f$ puts zeros between the inputs, these are $f$ times fewer per axis, but at
    least one.

    Args:
      kernel_shape: Taps of the kernel per spatial axis.
      input_dilation: $f$, distance between neighbouring inputs once zeros are inserted, an int or one
        int per spatial axis.

    Returns:
      An initializer of kernels ``(*kernel_shape, in_features // groups, out_features)``.

    References:
      LeCun, Bottou, Orr & Müller, Efficient BackProp, 1998, section 4.6.

    >>> kernel = conv_lecun_normal((3,))(jax.random.key(0), (3, 100, 200), jnp.float32)
    >>> print(f"{kernel.var() * 3 * 100:.2f}")
    1.00
    """
    taps_per_term = _taps_per_term(kernel_shape, input_dilation)
    return variance_scaling(taps_per_term, "fan_in", "truncated_normal", in_axis=-2, out_axis=-1)


def conv_transpose_lecun_normal(
    kernel_shape: Sequence[int], strides: IntPerAxis = 1, feature_group_count: int = 1
) -> Initializer:
    r"""Returns LeCun's normal initializer for a transposed convolution, whose rows are the columns of C.

    An output of the transpose sums ``layer_in // groups`` times the taps that reach it. A column of
    C holds $k / s$ taps per axis on average (exactly that where $s$ divides $k$), not $k$: with the
    forward fan-in, upsampling by $s$ in N axes would start with a variance $s^N$ times too small. Where
    $s > k$, some outputs are reached by no tap and the others by one, so that no axis counts as less
    than one. `input_dilation` $f$ cancels: C has $f$ times as many rows, and each of them meets an input
    at an $f$-th of its taps.

    Args:
      kernel_shape: Taps of the kernel per spatial axis.
      strides: Stride of the forward convolution, an int or one int per spatial axis.
      feature_group_count: Number of groups.

    Returns:
      An initializer of forward kernels ``(*kernel_shape, layer_out // groups, layer_in)``.

    >>> initialise = conv_transpose_lecun_normal((4,), strides=2)
    >>> kernel = initialise(jax.random.key(0), (4, 200, 100), jnp.float32)
    >>> print(f"{kernel.var() * 100 * 4 / 2:.2f}")
    1.00
    """
    groups = at_least_one("feature_group_count", feature_group_count)
    per_term = groups * _taps_per_term(kernel_shape, strides)
    return variance_scaling(per_term, "fan_in", "truncated_normal", in_axis=-1, out_axis=-2)


def _taps_per_term(kernel_shape: Sequence[int], steps: IntPerAxis) -> int:
    """Returns how many taps there are for each one that meets data, all axes together."""
    taps = shape_of("kernel_shape", kernel_shape)
    return math.prod(map(min, per_axis("strides", steps, len(taps)), taps))


def bilinear(strides: IntPerAxis) -> Initializer:
    r"""Returns an initializer that makes a transposed convolution interpolate linearly, feature by feature.

    The taps along one axis are the hat $1 - |t - c| / s$ around the kernel's centre $c$. With
    $k = 2s - 1$ (padding $s - 1$: old cells keep their values) or $k = 2s$ (padding $s / 2$: new
    cells lie on both sides of old ones) the taps that meet in a cell sum to one, so that constants stay
    constant away from the border.

    Args:
      strides: $s$, the upsampling factor, an int or one int per spatial axis.

    Returns:
      An initializer of forward kernels ``(*kernel_shape, layer_out, layer_in)``, the identity
      between features.

    Raises:
      GeometryError: A stride is below 1. When the initializer is called: the feature counts differ, as
        they do with groups, or there is not one stride per spatial axis.
      TypeError: A stride is not an integer.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.3.

    >>> bilinear(2)(jax.random.key(0), (3, 1, 1), jnp.float32).ravel().tolist()
    [0.5, 1.0, 0.5]
    """
    per_axis("strides", strides, len(strides) if hasattr(strides, "__len__") else 1)

    def initialise(
        key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> jax.Array:
        del key, out_sharding
        *kernel_shape, rows, columns = tuple(shape)
        if rows != columns:
            raise GeometryError(
                "`bilinear` interpolates every feature by itself: it needs as many features on both sides "
                f"and one group, got a kernel of shape {tuple(shape)}; take another `kernel_init`."
            )
        taps = bilinear_taps(kernel_shape, per_axis("strides", strides, len(kernel_shape)))
        return jnp.asarray(taps[..., None, None] * np.eye(rows), dtype)

    return initialise
