"""The product of two matrices C as the matrix of one convolution, and the kernel of two in sequence."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes, check_kernel
from jaxconv.core.dtypes import accumulator
from jaxconv.core.kernels import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry, pattern
from jaxconv.geometry.composition import Composition, composition
from jaxconv.matrix import stored_taps
from jaxconv.matrix.exports import MatrixExports


def compose_kernels(k1: ArrayOrList, k2: ArrayOrList, first: ConvGeometry, second: ConvGeometry) -> jax.Array:
    r"""Returns the kernel of the one convolution that is `first` with `k1` followed by `second` with `k2`.

    Its geometry is ``compose(first, second)``. With stride $s_1$ of `first`, dilations $d_1$ and $d_2$, and
    no input dilation of `second`, the product of tap t of `k1` and tap u of `k2` is added to the tap at
    $t d_1 + u d_2 s_1$. Differentiable in both kernels.

    Args:
      k1: Kernel of the convolution that is applied first, ``(*kernel_shape, in // groups, out)``.
      k2: Kernel of the convolution of its result, ``(*kernel_shape, in // groups, out)``.
      first: Geometry of the convolution that is applied first.
      second: Geometry of the convolution of its result.

    Returns:
      Kernel of shape ``compose(first, second).kernel_array_shape``.

    Raises:
      GeometryError: A kernel's shape contradicts its geometry, or the two are not one convolution; the
        message names the axis and the border.
      TypeError: A kernel is not floating or complex, the two have different dtypes, or a geometry is not a
        `ConvGeometry`.

    References:
      Ding et al., arXiv:2103.13425, section 3.2, on sequences of convolutions.

    >>> first, second = ConvGeometry((8,), (2,), strides=2), ConvGeometry((4,), (2,))
    >>> k1, k2 = jnp.array([1.0, 2.0]).reshape(2, 1, 1), jnp.array([1.0, 10.0]).reshape(2, 1, 1)
    >>> print(compose_kernels(k1, k2, first, second).ravel())
    [ 1.  2. 10. 20.]
    """
    parts = composition(first, second)
    k1, k2 = as_array("k1", k1), as_array("k2", k2)
    check_dtypes(k1=k1, k2=k2)
    for name, kernel, geometry in (("k1", k1, first), ("k2", k2, second)):
        try:
            check_kernel(kernel.shape, geometry)
        except GeometryError as error:
            raise GeometryError(str(error).replace("`kernel`", f"`{name}`")) from None
    return _joined_kernel(k1, k2, first, second, parts)


def matrix_product(left: MatrixExports, right: MatrixExports) -> tuple[jax.Array, ConvGeometry, bool] | None:
    """Returns kernel and geometry of the product of two matrices, and whether it is their transpose.

    Returns None where the product is not the matrix of a convolution: the borders differ, the maps between
    the two have other shapes, or a matrix holds values that are not those of a kernel.

    Raises:
      GeometryError: The product is not a convolution, and the values are unknown because JAX traces.
    """
    both_transposed = left.transposed and right.transposed
    pair = (left, right) if both_transposed else (right, left)
    flips = [matrix.transposed and not both_transposed for matrix in pair]
    try:
        first, second = (
            matrix.geometry.equivalent_direct() if flip else matrix.geometry
            for matrix, flip in zip(pair, flips, strict=True)
        )
        parts = composition(first, second)
        kernels = [kernel_of(matrix.values, matrix.geometry) for matrix in pair]
    except GeometryError as error:
        if not any(isinstance(matrix.values, jax.core.Tracer) for matrix in pair):
            return None
        raise GeometryError(
            str(error).replace("multiply the matrices as C2 @ C1", "multiply the matrices outside of jax.jit")
        ) from None
    k1, k2 = (
        transposed_kernel(kernel, matrix.geometry.feature_group_count) if flip else kernel
        for kernel, matrix, flip in zip(kernels, pair, flips, strict=True)
    )
    return _joined_kernel(k1, k2, first, second, parts), parts.geometry, both_transposed


def kernel_of(values: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the kernel whose taps the values of a matrix are, reading each tap at one position.

    Taps that read only padding are 0. That all positions hold the same taps cannot be checked where JAX
    traces the program.

    Raises:
      GeometryError: The positions hold different taps.
    """
    if isinstance(values, jax.core.Tracer):
        return taps_at(values, g)
    with jax.ensure_compile_time_eval():  # in a program that JAX traces, the numbers are known all the same
        kernel = taps_at(values, g)
        if not jnp.array_equal(stored_taps.values_of(kernel, g), values, equal_nan=True):
            raise GeometryError("the values of the matrix are not those of one kernel at all positions.")
    return kernel


def taps_at(values: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the kernel that the values hold, each tap from the first position that has it."""
    if not values.size:  # all taps read only padding
        return jnp.zeros(g.kernel_array_shape, values.dtype)
    places = [_places(axis) for axis in g.axes]
    slot = np.zeros((1,) * g.ndim, np.int32)
    for axis, slots in zip(g.axes, np.ix_(*(place.slot for place in places)), strict=True):
        slot = slot * np.int32(pattern.slots(axis).width) + slots
    filled = functools.reduce(np.logical_and.outer, (place.reached for place in places))
    taps = values[(slot, *np.ix_(*(place.position for place in places)))]  # (*kernel_shape, groups, out, in)
    taps = jnp.where(filled[..., None, None, None], taps, jnp.zeros((), taps.dtype))
    return jnp.moveaxis(taps, -1, -3).reshape(g.kernel_array_shape)


class _Places(NamedTuple):
    """A slot and a position that hold each tap of an axis, and whether there is one."""

    slot: np.ndarray
    position: np.ndarray
    reached: np.ndarray


def _places(axis: AxisGeometry) -> _Places:
    rows = pattern.rows(axis)
    outputs, slots = rows.filled.shape
    place = np.full(axis.kernel, outputs * slots)
    np.minimum.at(place, rows.tap[rows.filled], np.flatnonzero(rows.filled))
    reached = place < outputs * slots
    position, slot = np.divmod(np.where(reached, place, 0).astype(np.int32), np.int32(max(slots, 1)))
    return _Places(slot, position, reached)


def _joined_kernel(
    k1: jax.Array, k2: jax.Array, first: ConvGeometry, second: ConvGeometry, parts: Composition
) -> jax.Array:
    """Adds the products of taps at their places: the full convolution of two kernels, features included."""
    n, groups = first.ndim, parts.geometry.feature_group_count
    dtype = k1.dtype
    k1 = _with_groups(k1[tuple(axis.first_taps for axis in parts.axes)], first.feature_group_count, groups)
    k2 = _with_groups(k2[tuple(axis.second_taps for axis in parts.axes)], second.feature_group_count, groups)
    reach = [(axis.second_step * (taps - 1),) * 2 for axis, taps in zip(parts.axes, k2.shape, strict=False)]
    spatial = tuple(range(n))
    numbers = lax.ConvDimensionNumbers(
        (n, n + 1, *spatial), (n + 1, n, *spatial), (n, n + 1, *spatial)
    )  # a map of `in // groups` examples, and the features between the two
    work = accumulator(dtype)
    kernel = lax.conv_general_dilated(
        k1.astype(work),
        jnp.flip(k2.astype(work), spatial),
        window_strides=(1,) * n,
        padding=reach,
        lhs_dilation=[axis.first_step for axis in parts.axes],
        rhs_dilation=[axis.second_step for axis in parts.axes],
        dimension_numbers=numbers,
        feature_group_count=groups,
        precision=lax.Precision.HIGHEST,
    )
    return kernel[tuple(axis.taps for axis in parts.axes)].astype(dtype)


def _with_groups(kernel: jax.Array, groups: int, fewer: int) -> jax.Array:
    """Returns the kernel of a convolution with groups as one with fewer groups, by zeros between them."""
    if groups == fewer:
        return kernel
    merged, *taps = groups // fewer, *kernel.shape[:-2]
    inputs, outputs = kernel.shape[-2:]
    blocks = kernel.reshape(*taps, 1, inputs, fewer, merged, outputs // groups)
    diagonal = jnp.eye(merged, dtype=kernel.dtype).reshape(merged, 1, 1, merged, 1)
    return (blocks * jnp.broadcast_to(diagonal, (*(1,) * len(taps), *diagonal.shape))).reshape(
        *taps, merged * inputs, outputs
    )
