"""Kernels of orthogonal convolutions: drawn at random, each for a padding of its own."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxconv.geometry import ConvGeometry
from jaxconv.matrix.composition import compose_kernels


def delta_kernel(key: jax.Array, kernel_shape: Sequence[int], inputs: int, outputs: int) -> jax.Array:
    """Draws a kernel whose only tap that is not zero, the middle one, is an orthogonal matrix.

    With stride 1 and ``padding="SAME"``, C is orthogonal in every padding mode.
    """
    centre = tuple((k - 1) // 2 for k in kernel_shape)
    matrix = semi_orthogonal(key, inputs, outputs)
    return jnp.zeros((*kernel_shape, inputs, outputs), matrix.dtype).at[centre].set(matrix)


def block_kernel(
    key: jax.Array, kernel_shape: Sequence[int], strides: Sequence[int], inputs: int, outputs: int
) -> jax.Array:
    """Draws a kernel with which C is orthogonal on circular maps; no axis has fewer taps than its stride.

    It is a block convolution of stride 1, whose taps are an orthogonal matrix times factors
    ``[P, I - P]`` with a projection P, followed by an orthogonal matrix on disjoint windows.
    """
    fewer = tuple(k - s + 1 for k, s in zip(kernel_shape, strides, strict=True))
    keys = map(functools.partial(jax.random.fold_in, key), itertools.count())
    windows = semi_orthogonal(next(keys), math.prod(strides) * inputs, outputs)
    windows = windows.reshape(*strides, inputs, outputs)
    if max(fewer) == 1:
        return windows
    kernel = semi_orthogonal(next(keys), inputs, inputs).reshape(*(1,) * len(fewer), inputs, inputs)
    for axis, count in enumerate(fewer):
        taps = [kernel]
        for _ in range(count - 1):
            half = semi_orthogonal(next(keys), inputs, inputs)[:, : inputs // 2]
            projection = jnp.matmul(half, half.T, precision="highest")
            first = [jnp.matmul(tap, projection, precision="highest") for tap in taps]
            second = [tap - part for tap, part in zip(taps, first, strict=True)]
            taps = [first[0], *map(jnp.add, first[1:], second[:-1]), second[-1]]
        kernel = jnp.concatenate(taps, axis)
    first_geometry = ConvGeometry(kernel_shape, fewer, in_features=inputs, out_features=inputs)
    second_geometry = ConvGeometry(
        strides, strides, in_features=inputs, out_features=outputs, strides=strides
    )
    return compose_kernels(kernel, windows, first_geometry, second_geometry)


def semi_orthogonal(key: jax.Array, rows: int, columns: int) -> jax.Array:
    """Draws a matrix with orthonormal rows or columns, whichever are fewer."""
    return jax.random.orthogonal(key, max(rows, columns))[:rows, :columns]
