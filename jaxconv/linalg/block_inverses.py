"""Inverses of the blocks of `symbol`: pseudo-inverses, and damped ones."""

from __future__ import annotations

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
        tops = jnp.linalg.svd(jax.lax.stop_gradient(matrices), compute_uv=False)[..., 0]
        scale = jnp.where(tops > 0, tops.max() / jnp.where(tops > 0, tops, 1), 1)
        return jnp.linalg.pinv(matrices, rtol=rtol * scale)
    damped = damping * jnp.eye(min(rows, columns), dtype=matrices.dtype)
    if rows <= columns:
        gram = jnp.matmul(matrices, adjoint, precision="highest")
        return jnp.linalg.solve(gram + jnp.broadcast_to(damped, gram.shape), matrices).mT.conj()
    gram = jnp.matmul(adjoint, matrices, precision="highest")
    return jnp.linalg.solve(gram + jnp.broadcast_to(damped, gram.shape), adjoint)


def multiply_blocks(matrices: jax.Array, vectors: jax.Array) -> jax.Array:
    """Multiplies every block by its vector, for any number of maps ``(*batch, *blocks, columns)``."""
    batch = (None,) * (vectors.ndim + 1 - matrices.ndim)
    return jnp.einsum("...ij,...j->...i", matrices[batch], vectors, precision="highest")
