"""The operator norm of C and its gradient."""

from __future__ import annotations

from functools import partial
from typing import Literal, NoReturn

import jax
import jax.numpy as jnp

from jaxconv.convolution import conv_kernel_vjp
from jaxconv.core.checks import ArrayOrList, check_option
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import at_least_one
from jaxconv.linalg.arguments import checked_kernel
from jaxconv.linalg.circulant import check_circulant, is_circulant
from jaxconv.linalg.top_pairs import NormMethod, top_pair

STEPS: dict[NormMethod, int] = {"fourier": 0, "lanczos": 200, "gram": 20}


def operator_norm(
    kernel: ArrayOrList,
    geometry: ConvGeometry,
    *,
    method: Literal["auto", "fourier", "lanczos", "gram"] = "auto",
    steps: int | None = None,
) -> jax.Array:
    r"""Computes the operator norm of C: its largest singular value, the Lipschitz constant of the layer.

    Differentiable once in the kernel. The gradient is ``conv_kernel_vjp(v, u)`` with the top singular
    vectors u and v, whatever the method; at a zero kernel it is 0. Norms of 16-bit kernels are computed in
    float32.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.
      method: ``"fourier"`` is exact, for a circulant C (`is_circulant`). ``"gram"`` squares the blocks of a
        circulant C, in matrix products only, and returns an upper bound within a relative 1e-6, which suits
        many features on accelerators. ``"lanczos"`` takes any C; its result is at most the norm.
        ``"auto"`` is ``"fourier"`` where C is circulant, else ``"lanczos"``.
      steps: Most products with C and with its adjoint for ``"lanczos"``, by default 200; it stops before
        once the residual is near rounding. Squarings for ``"gram"``, by default 20. ``"fourier"`` ignores it.

    Returns:
      A real number.

    Raises:
      GeometryError: `method` needs a circulant C and the geometry is not; or the kernel's shape contradicts
        the geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or it is differentiated twice.

    References:
      Sedghi, Gupta & Long, arXiv:1805.10408; Delattre et al., arXiv:2305.16173.

    >>> g = ConvGeometry((8,), (3,), padding="SAME")
    >>> kernel = jnp.array([1.0, 2.0, 1.0]).reshape(3, 1, 1)
    >>> round(float(operator_norm(kernel, g)), 4), round(float(2 + 2 * jnp.cos(jnp.pi / 9)), 4)
    (3.8794, 3.8794)
    """
    kernel = checked_kernel(kernel, geometry)
    check_option("method", method, ("auto", *STEPS))
    if method in ("fourier", "gram"):
        check_circulant(geometry)
    elif method == "auto":
        method = "fourier" if is_circulant(geometry) else "lanczos"
    steps = STEPS[method] if steps is None else at_least_one("steps", steps)
    return _norm(kernel, geometry, method, steps)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def _norm(kernel: jax.Array, g: ConvGeometry, method: NormMethod, steps: int) -> jax.Array:
    return top_pair(kernel, g, method, steps).value


@_norm.defjvp
def _norm_jvp(
    g: ConvGeometry,
    method: NormMethod,
    steps: int,
    primals: tuple[jax.Array],
    tangents: tuple[jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """Returns the norm and its change: that of the real part of u* C v."""
    (kernel,), (change,) = primals, tangents
    value, left, right = top_pair(_once(kernel), g, method, steps)
    gradient = jnp.where(value > 0, conv_kernel_vjp(right, left.conj(), geometry=g), 0)
    if not jnp.iscomplexobj(kernel):
        gradient = gradient.real
    return value, (gradient * change).sum().real


@jax.custom_jvp
def _once(kernel: jax.Array) -> jax.Array:
    return kernel


@_once.defjvp
def _refuse(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> NoReturn:
    raise TypeError(
        "operator_norm is differentiable once: its gradient holds the top singular vectors as constants. For "
        "second derivatives differentiate jnp.linalg.norm(conv_matrix(kernel, geometry).todense(), 2)."
    )
