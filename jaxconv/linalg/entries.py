"""What the entries of C add up to: the Frobenius norm and the trace, exactly and without C."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import ArrayOrList
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.geometry.pattern import reads
from jaxconv.linalg.arguments import checked_kernel
from jaxconv.linalg.scales import unit_scale


def frobenius_norm(kernel: ArrayOrList, geometry: ConvGeometry) -> jax.Array:
    r"""Computes the Frobenius norm of C: the root of the sum of its squared entries.

    A tap counts as often as it reads a cell. Two taps that read one cell through the padding make one entry,
    their sum, which is counted too. Differentiable; at a zero kernel the gradient is 0.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.

    Returns:
      A real number.

    Raises:
      GeometryError: The kernel's shape contradicts the geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    >>> g = ConvGeometry((4,), (3,), padding="SAME")
    >>> norm = frobenius_norm(jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1), g)
    >>> round(float(norm**2), 4)  # 3 x 1 + 4 x 4 + 3 x 9
    46.0
    """
    kernel, scale = unit_scale(checked_kernel(kernel, geometry))
    pairs = kernel
    for place, axis in enumerate(geometry.axes):
        counts = jnp.asarray(_shared_reads(axis), kernel.dtype)
        pairs = jnp.moveaxis(jnp.tensordot(counts, pairs, (1, place), precision="highest"), 0, place)
    squared = (kernel.conj() * pairs).sum().real
    positive = squared > 0
    root = jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1)), jnp.where(squared == 0, 0, squared))
    return root * scale


def _shared_reads(axis: AxisGeometry) -> np.ndarray:
    """Returns how many outputs read one cell by both of two taps, (taps, taps)."""
    table = np.full((axis.out_size, axis.kernel), -1)
    entries = reads(axis)
    table[entries.out, entries.tap] = entries.cell
    return np.stack([((table == column[:, None]) & (table >= 0)).sum(0) for column in table.T])


def trace(kernel: ArrayOrList, geometry: ConvGeometry) -> jax.Array:
    """Computes the trace of C, whose output is a map of the input's size and features.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.

    Returns:
      A number of the kernel's dtype, which may be complex.

    Raises:
      GeometryError: Input and output have other sizes or features, so that C has no diagonal; or the
        kernel's shape contradicts the geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    >>> g = ConvGeometry((4,), (3,), padding="SAME")
    >>> float(trace(jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1), g))
    8.0
    """
    kernel = checked_kernel(kernel, geometry)
    g = geometry
    if (g.input_shape, g.in_features) != (g.output_shape, g.out_features):
        raise GeometryError(
            f"`geometry` must have an output of the input's size and features for a trace, got "
            f"{g.input_shape} with {g.in_features} features and {g.output_shape} with {g.out_features}."
        )
    for axis in g.axes:
        kernel = jnp.tensordot(
            jnp.asarray(_diagonal_reads(axis), kernel.dtype), kernel, (0, 0), precision="highest"
        )
    kernel = kernel.reshape(kernel.shape[0], g.feature_group_count, -1)
    return jnp.trace(kernel, axis1=0, axis2=2).sum()


def _diagonal_reads(axis: AxisGeometry) -> np.ndarray:
    """Returns how many outputs read the cell of their own number by each tap."""
    entries = reads(axis)
    return np.bincount(entries.tap[entries.out == entries.cell], minlength=axis.kernel)
