"""Inverses of the blocks of `symbol`: pseudo-inverses, and damped ones."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp


def inverse_blocks(matrices: jax.Array, rtol: float, damping: float = 0.0) -> jax.Array:
    r"""Computes $(B^* B + \lambda)^{-1} B^*$ of every block, with the limit for $\lambda = 0$.

    Args:
      matrices: Blocks ``(..., rows, columns)``.
      rtol: Singular values up to `rtol` times the largest of all blocks count as 0, without damping.
      damping: $\lambda$.

    Returns:
      Blocks ``(..., columns, rows)``.
    """
    rows, columns = matrices.shape[-2:]
    adjoint = matrices.mT.conj()
    if min(rows, columns) == 1:
        power = (abs(matrices) ** 2).sum((-2, -1), keepdims=True)
        seen = power > 0 if damping else power > rtol**2 * power.max()
        return jnp.where(seen, adjoint / jnp.where(seen, power + damping, 1).astype(adjoint.dtype), 0)
    if damping == 0:
        return _pseudo_inverses(matrices, rtol)
    damped = damping * jnp.eye(min(rows, columns), dtype=matrices.dtype)
    if rows <= columns:
        gram = jnp.matmul(matrices, adjoint, precision="highest")
        return jnp.linalg.solve(gram + jnp.broadcast_to(damped, gram.shape), matrices).mT.conj()
    gram = jnp.matmul(adjoint, matrices, precision="highest")
    return jnp.linalg.solve(gram + jnp.broadcast_to(damped, gram.shape), adjoint)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _pseudo_inverses(matrices: jax.Array, rtol: float) -> jax.Array:
    """Computes the pseudo-inverse of every block, without what is small beside the largest of all."""
    u, values, v = jnp.linalg.svd(matrices, full_matrices=False)
    seen = values > rtol * values.max()
    inverse = jnp.where(seen, 1 / jnp.where(seen, values, 1), 0)[..., None, :].astype(matrices.dtype)
    return jnp.matmul(v.mT.conj() * inverse, u.mT.conj(), precision="highest")


@_pseudo_inverses.defjvp
def _pseudo_inverses_jvp(
    rtol: float, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Returns the pseudo-inverses and their change at constant rank (Golub & Pereyra, 1973)."""
    (matrices,), (change,) = primals, tangents
    inverse = _pseudo_inverses(matrices, rtol)
    product = partial(jnp.matmul, precision="highest")
    left, right, turned = inverse.mT.conj(), change.mT.conj(), product(inverse, change)
    outside = right - product(right, product(matrices, inverse))  # what C cannot reach, and cannot see
    unseen = right - product(product(inverse, matrices), right)
    slope = product(product(inverse, left), outside) + product(unseen, product(left, inverse))
    return inverse, slope - product(turned, inverse)


def multiply_blocks(matrices: jax.Array, vectors: jax.Array) -> jax.Array:
    """Multiplies every block by its vector, for any number of maps ``(*batch, *blocks, columns)``."""
    batch = (None,) * (vectors.ndim + 1 - matrices.ndim)
    return jnp.einsum("...ij,...j->...i", matrices[batch], vectors, precision="highest")
