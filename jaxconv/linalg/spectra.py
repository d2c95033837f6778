"""Singular values of C, and the two numbers that follow: rank and condition."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from jaxconv.convolution import conv
from jaxconv.core.checks import ArrayOrList
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import at_least_one
from jaxconv.linalg.arguments import checked_kernel, checked_tolerance
from jaxconv.linalg.bounds import rounding
from jaxconv.linalg.circulant import blocks, is_circulant
from jaxconv.linalg.dense import dense, dense_tolerance
from jaxconv.linalg.frequencies import other_half
from jaxconv.linalg.golub_kahan import Triplets
from jaxconv.linalg.products import largest
from jaxconv.linalg.scales import unit_scale

STEPS = 2000  # products with C at most, for some singular values


def singular_values(kernel: ArrayOrList, geometry: ConvGeometry, k: int | None = None) -> jax.Array:
    r"""Computes the singular values of C: all of them where C is circulant, else the `k` largest.

    Where C is circulant (`is_circulant`) they are those of the blocks of `symbol`, exact and as many as the
    smaller side of C has. With one feature they are the roots of the mean power of the kernel's transform
    over the frequencies that a stride folds together. Elsewhere Golub-Kahan-Lanczos finds the `k` largest,
    those that occur several times too, from products with C and C-transposed. Of 16-bit kernels they are
    computed in float32. Differentiable in the kernel, where a value occurs once.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.
      k: Number of singular values; must be given where C is not circulant. It is meant to be small: a
        quarter of the smaller side of C and more is faster from ``conv_matrix(...).todense()``.

    Returns:
      Singular values in descending order.

    Raises:
      GeometryError: `k` is missing where C is not circulant, or is larger than the smaller side of C; or the
        kernel's shape contradicts the geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    References:
      Sedghi, Gupta & Long, arXiv:1805.10408; Baglama & Reichel, 2005, doi:10.1137/04060593X.

    >>> g = ConvGeometry((4,), (2,), padding=((0, 1),), padding_mode="circular")
    >>> print(singular_values(jnp.array([1.0, 1.0]).reshape(2, 1, 1), g).round(3))
    [2.    1.414 1.414 0.   ]
    """
    kernel = checked_kernel(kernel, geometry)
    count = min(geometry.matrix_shape)
    if k is not None and at_least_one("k", k) > count:
        raise GeometryError(f"`k` must be at most {count}, the smaller side of C, got {k}.")
    if is_circulant(geometry):
        return circulant_singular_values(kernel, geometry)[:k]
    if k is None:
        raise GeometryError(
            "`k` must be given, the number of singular values, because C is not block-circulant (see "
            f"is_circulant). Got {geometry}."
        )
    return _largest(kernel, geometry, k)


@partial(jax.jit, static_argnames="g")
def circulant_singular_values(kernel: jax.Array, g: ConvGeometry) -> jax.Array:
    """Computes all singular values of a circulant C, in descending order."""
    real = not jnp.iscomplexobj(kernel)
    values = jnp.linalg.svd(blocks(kernel, g, half=real), compute_uv=False)
    values = other_half(values, g) if real else values
    return jnp.sort(values.ravel(), descending=True)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _largest(kernel: jax.Array, g: ConvGeometry, k: int) -> jax.Array:
    return _largest_triplets(kernel, g, k).values


@_largest.defjvp
def _largest_jvp(
    g: ConvGeometry, k: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Returns the values and their changes: the real parts of u* C v with the changed kernel."""
    (kernel,), (change,) = primals, tangents
    values, left, right = _largest_triplets(kernel, g, k)
    products = conv(right.reshape(k, *g.input_shape, g.in_features), change, geometry=g, precision="highest")
    return values, (left.conj() * products.reshape(k, -1)).sum(1).real


@partial(jax.jit, static_argnames=("g", "k"))
def _largest_triplets(kernel: jax.Array, g: ConvGeometry, k: int) -> Triplets:
    kernel, scale = unit_scale(kernel)
    found = largest(kernel, g, k=k, steps=STEPS, size=2 * k + 20, again=True)
    return found._replace(values=found.values * scale)


def _all_singular_values(kernel: jax.Array, g: ConvGeometry, what: str) -> tuple[jax.Array, float]:
    """Returns all singular values in descending order, and the relative size at which they count as 0."""
    if is_circulant(g):
        return circulant_singular_values(kernel, g), rounding(g, kernel.dtype)
    matrix = dense(kernel, g, what)
    return jnp.linalg.svd(matrix, compute_uv=False), dense_tolerance(matrix)


def rank(kernel: ArrayOrList, geometry: ConvGeometry, *, rtol: float | None = None) -> jax.Array:
    """Computes the rank of C: how many numbers the output tells about the input.

    Exact up to rounding: the number of singular values that are larger than `rtol` times the largest.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution, circulant (`is_circulant`) or with at most 2,000 rows of C.
      rtol: Relative size up to which a singular value counts as 0; by default a bound of the rounding errors.

    Returns:
      An integer.

    Raises:
      GeometryError: C is not circulant and has more than 2,000 rows; or the kernel's shape contradicts the
        geometry, the kernel is not finite, or `rtol` is negative.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    With "same" padding a box of three loses information where the size of the map is 2 modulo 3:

    >>> box = jnp.ones((3, 1, 1))
    >>> [int(rank(box, ConvGeometry((n,), (3,), padding="SAME"))) for n in (6, 7, 8)]
    [6, 7, 7]
    """
    kernel, rtol = checked_kernel(kernel, geometry), checked_tolerance(rtol)
    values, tolerance = _all_singular_values(kernel, geometry, "the rank")
    return (values > (tolerance if rtol is None else rtol) * values[0]).sum()


def condition_number(kernel: ArrayOrList, geometry: ConvGeometry) -> jax.Array:
    """Computes the condition number of C: its largest singular value divided by its smallest.

    It bounds by how much solving ``C x = y`` amplifies relative errors of y.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution, circulant (`is_circulant`) or with at most 2,000 rows of C.

    Returns:
      A real number of 1 or more; infinity where the smallest singular value is 0. A value beyond the inverse
      of the dtype's precision is rounding: C is singular then.

    Raises:
      GeometryError: C is not circulant and has more than 2,000 rows; or the kernel's shape contradicts the
        geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    >>> g = ConvGeometry((6,), (3,), padding="SAME", padding_mode="circular")
    >>> round(float(condition_number(jnp.array([1.0, 4.0, 1.0]).reshape(3, 1, 1), g)), 4)
    3.0
    """
    kernel = checked_kernel(kernel, geometry)
    values, _ = _all_singular_values(kernel, geometry, "the condition number")
    return jnp.where(values[-1] > 0, values[0] / jnp.where(values[-1] > 0, values[-1], 1), jnp.inf)
