"""Log-determinants of square C."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxconv.core.checks import ArrayOrList
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.linalg.arguments import checked_kernel
from jaxconv.linalg.circulant import blocks, is_circulant
from jaxconv.linalg.dense import dense


def log_determinant(kernel: ArrayOrList, geometry: ConvGeometry) -> jax.Array:
    r"""Computes $\log |\det C|$ of a square C, the change of volume of an invertible layer.

    Exact and without C in two cases: where C is circulant (`is_circulant`) it is the sum over the blocks of
    `symbol`; where C is block-triangular, as with causal padding on every axis, it is the number of
    positions times that of the tap on the diagonal. Elsewhere C must be small. Differentiable.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution, with as many outputs as inputs.

    Returns:
      A real number, minus infinity where C is singular.

    Raises:
      GeometryError: C is not square, or is neither circulant nor triangular and has more than 2,000 rows; or
        the kernel's shape contradicts the geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    References:
      Hoogeboom, van den Berg & Welling, arXiv:1901.11137.

    >>> kernel = jnp.array([1.0, 3.0, 2.0]).reshape(3, 1, 1)
    >>> round(float(log_determinant(kernel, ConvGeometry((100,), (3,), padding="CAUSAL"))), 3)
    69.315
    """
    kernel = checked_kernel(kernel, geometry)
    rows, columns = geometry.matrix_shape
    if rows != columns:
        raise GeometryError(
            f"`geometry` must make C square for a determinant, got {rows} outputs and {columns} inputs."
        )
    if is_circulant(geometry):
        return jnp.linalg.slogdet(blocks(kernel, geometry)).logabsdet.sum()
    taps = [_diagonal_tap(axis) for axis in geometry.axes]
    if geometry.padding_mode == "zeros" and None not in taps:
        tap = kernel[tuple(taps)].reshape(kernel.shape[-2], geometry.feature_group_count, -1)
        positions = math.prod(geometry.input_shape)
        return positions * jnp.linalg.slogdet(jnp.moveaxis(tap, 1, 0)).logabsdet.sum()
    way_out = " Causal padding on every axis is exact at any size too."
    return jnp.linalg.slogdet(dense(kernel, geometry, "the determinant", way_out)).logabsdet


def _diagonal_tap(axis: AxisGeometry) -> int | None:
    """Returns the tap on the diagonal of a triangular axis: the first or the last one; else None.

    Axes with one kind or the other mix, because a triangular C has a triangular Kronecker product with both.
    """
    if axis.stride > 1 or axis.stretched != axis.size or axis.out_size != axis.size:
        return None
    low = axis.padding[0]
    return {axis.span - 1: axis.kernel - 1, 0: 0}.get(low)
