"""Systems of the blocks of `symbol`: pseudo-inverses, and damped solutions."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp

from jaxconv.linalg.scales import unit_scale

_dot = partial(jnp.matmul, precision="highest")


def inverse_blocks(matrices: jax.Array, rtol: float) -> jax.Array:
    """Computes the pseudo-inverse of every block.

    Args:
      matrices: Blocks ``(..., rows, columns)``.
      rtol: Singular values up to `rtol` times the largest of all blocks count as 0.

    Returns:
      Blocks ``(..., columns, rows)``.
    """
    matrices, scale = unit_scale(matrices)
    if min(matrices.shape[-2:]) == 1:
        power = _power(matrices)
        seen = power > rtol**2 * power.max()
        inverse = jnp.where(seen, matrices.mT.conj() / jnp.where(seen, power, 1).astype(matrices.dtype), 0)
    else:
        inverse = _pseudo_inverses(matrices, rtol)
    return inverse / scale.astype(inverse.dtype)


def solve_blocks(matrices: jax.Array, vectors: jax.Array, rtol: float, damping: float) -> jax.Array:
    r"""Minimises $|B x - y|^2 + \lambda |x|^2$ for every block B and vector y.

    Args:
      matrices: Blocks ``(*blocks, rows, columns)``.
      vectors: Any number of vectors per block, ``(batch, *blocks, rows)``.
      rtol: Without damping, singular values up to `rtol` times the largest of all blocks count as 0.
      damping: $\lambda$.

    Returns:
      Solutions ``(batch, *blocks, columns)``, without damping those of the smallest norm.
    """
    if damping == 0:
        return multiply_blocks(inverse_blocks(matrices, rtol), vectors)
    # With B = t A, x is that of A and damping / t^2, divided by t; neither is larger than about 1.
    matrices, scale = unit_scale(matrices, math.sqrt(damping))
    eps = float(jnp.finfo(matrices.dtype).eps)
    damped = jnp.maximum(math.sqrt(damping) / scale, eps) ** 2  # less is rounding of the blocks
    if min(matrices.shape[-2:]) == 1:
        adjoint = matrices.mT.conj() / (_power(matrices) + damped).astype(matrices.dtype)
        return multiply_blocks(adjoint, vectors) / scale.astype(vectors.dtype)
    vectors = jnp.moveaxis(vectors, 0, -1)
    # The Gram matrix squares the condition: Cholesky's factor exists while damping exceeds its rounding.
    regular = damped > 8 * min(matrices.shape[-2:]) * eps * _power(matrices).max()
    x = jax.lax.cond(regular, _by_gram, _by_singular_values, matrices, vectors, damped)
    return jnp.moveaxis(x, -1, 0) / scale.astype(x.dtype)


def _power(matrices: jax.Array) -> jax.Array:
    """Returns the squared Frobenius norm of every block, (..., 1, 1)."""
    return (abs(matrices) ** 2).sum((-2, -1), keepdims=True)


def _by_gram(matrices: jax.Array, vectors: jax.Array, damped: jax.Array) -> jax.Array:
    """Solves the normal equations on the smaller side, refined once by the residual of the blocks."""
    adjoint = matrices.mT.conj()
    rows, columns = matrices.shape[-2:]
    wide = columns > rows
    gram = _dot(matrices, adjoint) if wide else _dot(adjoint, matrices)
    damped = damped.astype(gram.dtype)
    identity = jnp.broadcast_to(jnp.eye(min(rows, columns), dtype=gram.dtype), gram.shape)
    factor = jnp.linalg.cholesky(gram + damped * identity)

    def solve(right: jax.Array) -> jax.Array:
        return jax.scipy.linalg.cho_solve((factor, True), right)

    if wide:  # x is B* z
        z = solve(vectors)
        z += solve(vectors - _dot(matrices, _dot(adjoint, z)) - damped * z)
        return _dot(adjoint, z)
    x = solve(_dot(adjoint, vectors))
    return x + solve(_dot(adjoint, vectors - _dot(matrices, x)) - damped * x)


def _by_singular_values(matrices: jax.Array, vectors: jax.Array, damped: jax.Array) -> jax.Array:
    return _dot(_damped_inverses(matrices, damped), vectors)


@jax.custom_jvp
def _damped_inverses(matrices: jax.Array, damped: jax.Array) -> jax.Array:
    """Computes (B* B + damped I)^-1 B* of every block."""
    u, values, v = jnp.linalg.svd(matrices, full_matrices=False)
    weights = values / (values**2 + damped)
    return _dot(v.mT.conj() * weights[..., None, :].astype(u.dtype), u.mT.conj())


@_damped_inverses.defjvp
def _damped_inverses_jvp(
    primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Returns the inverses P and their change, that of M B* with M = (I - P B) / damped."""
    (matrices, damped), (change, _) = primals, tangents
    inverse = _damped_inverses(matrices, damped)
    rest = change.mT.conj()
    rest = rest - _dot(rest, _dot(matrices, inverse))
    slope = (rest - _dot(inverse, _dot(matrices, rest))) / damped.astype(rest.dtype)
    return inverse, slope - _dot(_dot(inverse, change), inverse)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _pseudo_inverses(matrices: jax.Array, rtol: float) -> jax.Array:
    """Computes the pseudo-inverse of every block, without what is small beside the largest of all."""
    u, values, v = jnp.linalg.svd(matrices, full_matrices=False)
    seen = values > rtol * values.max()
    inverse = jnp.where(seen, 1 / jnp.where(seen, values, 1), 0)[..., None, :].astype(matrices.dtype)
    return _dot(v.mT.conj() * inverse, u.mT.conj())


@_pseudo_inverses.defjvp
def _pseudo_inverses_jvp(
    rtol: float, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Returns the pseudo-inverses and their change at constant rank (Golub & Pereyra, 1973)."""
    (matrices,), (change,) = primals, tangents
    inverse = _pseudo_inverses(matrices, rtol)
    left, right, turned = inverse.mT.conj(), change.mT.conj(), _dot(inverse, change)
    outside = right - _dot(right, _dot(matrices, inverse))  # what C cannot reach, and cannot see
    unseen = right - _dot(_dot(inverse, matrices), right)
    slope = _dot(_dot(inverse, left), outside) + _dot(unseen, _dot(left, inverse))
    return inverse, slope - _dot(turned, inverse)


def multiply_blocks(matrices: jax.Array, vectors: jax.Array) -> jax.Array:
    """Multiplies every block by its vector, for any number of maps ``(*batch, *blocks, columns)``."""
    batch = (None,) * (vectors.ndim + 1 - matrices.ndim)
    return jnp.einsum("...ij,...j->...i", matrices[batch], vectors, precision="highest")
