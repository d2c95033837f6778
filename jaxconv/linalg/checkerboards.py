r"""Checkerboards: how often a transposed convolution writes each cell, and kernels that write evenly.

A transposed convolution with stride $s$ adds tap t of its kernel to the cells at $t d - p$ modulo $s$, the
*phase* of the tap. If the phases have different numbers of taps, or taps of different sums, a constant map
becomes a map with the period of the stride: a checkerboard.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import ArrayOrList, as_array, check_geometry
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry, pattern
from jaxconv.geometry.composition import without_common_stride
from jaxconv.geometry.evenness import is_even_axis
from jaxconv.linalg.arguments import checked_kernel


def overlap(geometry: ConvGeometry) -> np.ndarray:
    r"""Counts, for every cell of the input map, the taps of all windows that read it.

    The transposed convolution writes so many products to the cell: it is $C^T 1$ for a kernel of ones and one
    feature.

    Args:
      geometry: Geometry of the convolution. Features and groups do not matter.

    Returns:
      Integers of shape ``(*input_shape, 1)``.

    Raises:
      TypeError: `geometry` is not a `ConvGeometry`.

    References:
      Odena, Dumoulin & Olah, Deconvolution and checkerboard artifacts, Distill 2016,
      doi:10.23915/distill.00003.

    >>> overlap(ConvGeometry((7,), (3,), strides=2)).ravel()
    array([1, 1, 2, 1, 2, 1, 1])
    >>> overlap(ConvGeometry((8,), (4,), strides=2)).ravel()
    array([1, 1, 2, 2, 2, 2, 1, 1])
    """
    check_geometry(geometry)
    counts = [np.bincount(pattern.reads(axis).cell, minlength=axis.size) for axis in geometry.axes]
    return functools.reduce(np.multiply.outer, counts)[..., None]


def is_even(geometry: ConvGeometry) -> bool:
    r"""Returns whether windows read all cells away from the border equally often.

    They do exactly if, on every axis, the stride divides the number of taps and has no common factor with
    the kernel dilation. Where stride and input dilation have a common factor, this holds for the taps that
    ever meet a cell, and the stride divided by the factor.

    Args:
      geometry: Geometry of the convolution.

    Raises:
      TypeError: `geometry` is not a `ConvGeometry`.

    >>> [is_even(ConvGeometry((9,), (k,), strides=2)) for k in (2, 3, 4)]
    [True, False, True]
    """
    check_geometry(geometry)
    return all(map(is_even_axis, geometry.axes))


def phase_sums(kernel: ArrayOrList, geometry: ConvGeometry) -> jax.Array:
    r"""Returns the sums of the taps of each phase, which constant maps become away from the border.

    The phase of tap t is $t d$ modulo $s$ on each axis. The transposed convolution turns a map that is 1 in
    output feature j and 0 in the others into these sums, so that constant maps stay constant if all phases
    have the same sums. A nearest resize before a convolution has that by construction, whatever its kernel.

    Args:
      kernel: Kernel of the convolution, ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.

    Returns:
      Sums of shape ``(phases, in_features // groups, out_features)``; the ``prod(strides)`` phases are in
      row-major order of the axes. Where stride and input dilation have a common factor, the phases are those
      of the stride divided by the factor, and only taps that ever meet a cell count.

    Raises:
      GeometryError: The kernel's shape contradicts the geometry, or it is not finite.
      TypeError: The kernel is not floating or complex, or `geometry` is not a `ConvGeometry`.

    >>> kernel = jnp.array([1.0, 2.0, 4.0]).reshape(3, 1, 1)
    >>> print(phase_sums(kernel, ConvGeometry((7,), (3,), strides=2)).ravel())
    [5. 2.]
    """
    kernel = checked_kernel(kernel, geometry)
    return _over_axes(kernel, [_phases(axis) for axis in geometry.axes]).reshape(-1, *kernel.shape[-2:])


def even_kernel(kernel: ArrayOrList, geometry: ConvGeometry) -> jax.Array:
    r"""Returns the nearest kernel whose phases all have the same sums: the orthogonal projection.

    Each phase loses its excess over a common sum, spread equally over its taps. The transposed convolution
    with this kernel keeps constant maps constant away from the border. Linear in `kernel`, so that a layer
    can be trained through it.

    Args:
      kernel: Kernel of the convolution, ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.

    Returns:
      A kernel of the same shape and dtype.

    Raises:
      GeometryError: A phase has no tap, so that some cells are never written: there are fewer taps than the
        stride, or stride and kernel dilation have a common factor. Or the kernel's shape contradicts the
        geometry, or it is not finite.
      TypeError: The kernel is not floating or complex, or `geometry` is not a `ConvGeometry`.

    >>> kernel = jnp.array([1.0, 2.0, 4.0]).reshape(3, 1, 1)
    >>> even = even_kernel(kernel, ConvGeometry((7,), (3,), strides=2))
    >>> print(even.ravel(), phase_sums(even, ConvGeometry((7,), (3,), strides=2)).ravel())
    [0. 3. 3.] [3. 3.]
    """
    kernel = as_array("kernel", kernel)
    dtype = kernel.dtype
    kernel = checked_kernel(kernel, geometry)
    phases = [_phases(axis) for axis in geometry.axes]
    for number, (axis, table) in enumerate(zip(geometry.axes, phases, strict=True)):
        if not table.any(axis=1).all():
            raise GeometryError(
                f"`geometry` has phases without taps on axis {number}, so that no kernel writes all cells "
                f"evenly: {axis.kernel} tap(s) with kernel_dilation={axis.dilation} do not reach every cell "
                f"modulo the stride {axis.stride}. Use a larger kernel, or a stride without a common factor "
                "with `kernel_dilation`."
            )
    sums = _over_axes(kernel, phases)  # (*phases, in, out)
    taps = functools.reduce(np.multiply.outer, [table.sum(axis=1) for table in phases])
    weights = jnp.asarray(1 / taps, sums.dtype)[..., None, None]
    axes = tuple(range(geometry.ndim))
    common = (sums * weights).sum(axes, keepdims=True) / weights.sum()
    excess = (sums - common) * weights
    return (kernel - _over_axes(excess, [table.T for table in phases])).astype(dtype)


def _phases(axis: AxisGeometry) -> np.ndarray:
    """Returns which taps have which phase: (phases, taps) of 0 and 1."""
    reduced, taps = without_common_stride(axis)
    table = np.zeros((reduced.stride, axis.kernel))
    kept = np.arange(axis.kernel)[taps]
    table[np.arange(reduced.kernel) * reduced.dilation % reduced.stride, kept] = 1
    return table


def _over_axes(array: jax.Array, tables: list[np.ndarray]) -> jax.Array:
    """Multiplies each spatial axis, of some taps or phases, by a table."""
    for number, table in enumerate(tables):
        product = jnp.tensordot(jnp.asarray(table, array.dtype), array, (1, number), precision="highest")
        array = jnp.moveaxis(product, 0, number)
    return array
