"""Initializers of kernels: scaled by the terms of one output, interpolating, orthogonal, or even."""

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
from jaxconv.linalg.orthogonal import block_kernel, delta_kernel
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


def delta_orthogonal(feature_group_count: int = 1) -> Initializer:
    r"""Returns an initializer of orthogonal convolutions with one tap that is not zero.

    With stride 1 and ``padding="SAME"``, in every padding mode and zero padding included, C is an orthogonal
    map between features at each position: $C^T C = I$ if there are at least as many output as input
    features, $C C^T = I$ if there are at most as many. The kernel dilation must be 1 or the kernel shape odd.

    Args:
      feature_group_count: Number of groups; each of them is orthogonal.

    Returns:
      An initializer of kernels ``(*kernel_shape, in_features // groups, out_features)``.

    Raises:
      GeometryError: `feature_group_count` is below 1, or, when the initializer is called, it does not divide
        the output features.
      TypeError: `feature_group_count` is not an integer.

    References:
      Xiao et al., arXiv:1806.05393.

    >>> kernel = delta_orthogonal()(jax.random.key(0), (3, 4, 4), jnp.float32)
    >>> matrix, identity = kernel[1], jnp.eye(4, dtype=jnp.float32)
    >>> bool(abs(matrix.T @ matrix - identity).max() < 1e-6), float(abs(kernel[0]).max())
    (True, 0.0)
    """
    groups = at_least_one("feature_group_count", feature_group_count)

    def initialise(
        key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> jax.Array:
        del out_sharding
        taps, inputs, outputs = _features_of_group("delta_orthogonal", shape, groups)
        blocks = [delta_kernel(key, taps, inputs, outputs) for key in jax.random.split(key, groups)]
        return jnp.concatenate(blocks, -1).astype(dtype)

    return initialise


def block_orthogonal(strides: IntPerAxis = 1, feature_group_count: int = 1) -> Initializer:
    r"""Returns an initializer of orthogonal convolutions all of whose taps are used.

    On maps with ``padding_mode="circular"`` whose size is strides times the output's, as with
    ``padding="SAME"`` where the strides divide the input, C is orthogonal: $C C^T = I$ if there are at most
    ``prod(strides) * in_features`` output features, $C^T C = I$ if there are at least as many. With zero
    padding it is not: singular values fall far below 1. If the kernel shape equals the strides, no window
    leaves the map, and ``padding="VALID"`` is as good. The kernel dilation must be 1.

    The kernel is a product of an orthogonal matrix, of factors $[P, I - P]$ per tap and axis with a
    projection $P$, and of an orthogonal convolution whose kernel shape equals its strides.

    Args:
      strides: Stride of the window, an int or one int per spatial axis; at most the kernel shape.
      feature_group_count: Number of groups; each of them is orthogonal.

    Returns:
      An initializer of kernels ``(*kernel_shape, in_features // groups, out_features)``.

    Raises:
      GeometryError: A number is below 1, or, when the initializer is called, an axis has fewer taps than its
        stride, or groups do not divide the output features.
      TypeError: A number is not an integer.

    References:
      Li et al., arXiv:1911.00937; Boissin et al., arXiv:2501.08272, for strides.

    >>> kernel = block_orthogonal()(jax.random.key(0), (3, 4, 4), jnp.float32)
    >>> matrix = kernel.sum(0)  # the frequency 0
    >>> bool(abs(matrix.T @ matrix - jnp.eye(4, dtype=jnp.float32)).max() < 1e-5)
    True
    """
    groups = at_least_one("feature_group_count", feature_group_count)
    per_axis("strides", strides, len(strides) if hasattr(strides, "__len__") else 1)

    def initialise(
        key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> jax.Array:
        del out_sharding
        taps, inputs, outputs = _features_of_group("block_orthogonal", shape, groups)
        steps = per_axis("strides", strides, len(taps))
        _check_covers("block_orthogonal", taps, steps)
        keys = jax.random.split(key, groups)
        blocks = [block_kernel(key, taps, steps, inputs, outputs) for key in keys]
        return jnp.concatenate(blocks, -1).astype(dtype)

    return initialise


def even_transposed(strides: IntPerAxis, feature_group_count: int = 1) -> Initializer:
    r"""Returns an initializer of transposed convolutions that start without checkerboards.

    The kernel is a random one of $k - s + 1$ taps per axis, convolved with a box of $s$: the transposed
    convolution starts as nearest upsampling by $s$ followed by the random convolution, whatever its padding.
    Where $k = s$ all taps of a feature pair are equal. All phases have the same sums
    (`jaxconv.linalg.phase_sums`) until training changes them; `jaxconv.linalg.even_kernel` keeps them equal.
    The kernel dilation must be 1. The outputs have the variance of the inputs, if these are independent.

    Args:
      strides: $s$, the upsampling factor, an int or one int per spatial axis; at most the kernel shape.
      feature_group_count: Number of groups.

    Returns:
      An initializer of forward kernels ``(*kernel_shape, layer_out // groups, layer_in)``.

    Raises:
      GeometryError: A stride or `feature_group_count` is below 1. When the initializer is called: an axis has
        fewer taps than its stride, so that some cells would never be written.
      TypeError: A number is not an integer.

    References:
      Aitken et al., arXiv:1707.02937, for sub-pixel convolution; Odena, Dumoulin & Olah, Deconvolution and
      checkerboard artifacts, Distill 2016, doi:10.23915/distill.00003.

    >>> kernel = even_transposed(2)(jax.random.key(0), (4, 1, 1), jnp.float32).ravel()
    >>> bool(abs(kernel[0] + kernel[2] - kernel[1] - kernel[3]) < 1e-6)
    True
    """
    groups = at_least_one("feature_group_count", feature_group_count)
    per_axis("strides", strides, len(strides) if hasattr(strides, "__len__") else 1)

    def initialise(
        key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, out_sharding: Any = None
    ) -> jax.Array:
        del out_sharding
        *taps, rows, columns = tuple(shape)
        steps = per_axis("strides", strides, len(taps))
        _check_covers("even_transposed", taps, steps)
        fewer = tuple(k - s + 1 for k, s in zip(taps, steps, strict=True))
        draw = variance_scaling(groups, "fan_in", "truncated_normal", in_axis=-1, out_axis=-2)
        kernel = draw(key, (*fewer, rows, columns), dtype)
        for axis, step in enumerate(steps):
            edges = [(0, 0)] * kernel.ndim
            shifted = []
            for cells in range(step):
                edges[axis] = (cells, step - 1 - cells)
                shifted.append(jnp.pad(kernel, edges))
            kernel = sum(shifted[1:], shifted[0])
        return kernel

    return initialise


def _features_of_group(name: str, shape: Sequence[int], groups: int) -> tuple[tuple[int, ...], int, int]:
    """Returns taps, input and output features of a group."""
    *taps, inputs, outputs = tuple(shape)
    if outputs % groups:
        raise GeometryError(
            f"`{name}` needs output features that are divisible by feature_group_count={groups}, got a "
            f"kernel of shape {tuple(shape)}."
        )
    return tuple(taps), inputs, outputs // groups


def _check_covers(name: str, taps: Sequence[int], strides: Sequence[int]) -> None:
    if any(k < s for k, s in zip(taps, strides, strict=True)):
        raise GeometryError(
            f"`{name}` needs at least as many taps as the stride on each axis, got kernel_shape="
            f"{tuple(taps)} and strides={tuple(strides)}."
        )
