r"""The largest singular values of a matrix from its products, by Golub-Kahan-Lanczos with thick restarts.

Orthonormal vectors $v_1, \ldots, v_m$ and $u_1, \ldots, u_m$ grow in turn, $u_j$ from $A v_j$ and $v_{j+1}$
from $A^* u_j$, each made orthogonal to all before it. Then $A V = U B$ with a small triangular B, whose
largest singular values approach those of A from below. A restart keeps the best combinations and goes on.

References: Golub & Kahan, 1965, doi:10.1137/0702016; Baglama & Reichel, 2005, doi:10.1137/04060593X.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxconv.linalg.starts import start_vector

Product = Callable[[jax.Array], jax.Array]

_dot = partial(jnp.matmul, precision="highest")


class Triplets(NamedTuple):
    """Approximate singular triplets, the largest first.

    Attributes:
      values: Singular values, ``(k,)``.
      left: Left singular vectors, ``(k, rows)``.
      right: Right singular vectors, ``(k, columns)``.
    """

    values: jax.Array
    left: jax.Array
    right: jax.Array


class _Basis(NamedTuple):
    """The vectors of a cycle, one per row; rows that are not filled yet are 0."""

    right: jax.Array  # V, (size + 1, columns), with the vector to go on with
    left: jax.Array  # U, (size, rows)
    projected: jax.Array  # B = U* A V, (size, size)
    rest: jax.Array  # norm of what the last product with the adjoint had outside of V


class _State(NamedTuple):
    basis: _Basis
    cycle: jax.Array
    found: jax.Array  # the values at which it converged last, or infinity
    done: jax.Array


def largest_triplets(
    forward: Product, adjoint: Product, start: jax.Array, *, k: int, size: int, steps: int, again: bool
) -> Triplets:
    """Computes the `k` largest singular triplets of A, which has at least as many rows as columns.

    Stops when the residuals are near rounding, or after about `steps` products with A and its adjoint.

    Args:
      forward: Multiplies a vector by A.
      adjoint: Multiplies a vector by the adjoint of A.
      start: First vector, ``(columns,)``, with a part in every direction that is looked for.
      k: Number of singular values.
      size: Number of vectors that are kept, more than `k` unless it is the number of columns.
      steps: Most products with A, and with its adjoint; at least `size` are made.
      again: Whether to go on, beside what was found, from another vector until nothing new appears. So
        singular values that occur several times are found, of which the products of one vector see one.
    """
    kept = min(k + max((size - k) // 3, 1), size - 1)
    restarts = max(-(-(steps - size) // max(size - kept, 1)), 0)
    basis = _first_basis(forward, start, size)
    if restarts and size < start.size:
        cycle = partial(_cycle, forward, adjoint, k, kept, again)
        none = jnp.full(k, jnp.inf, basis.rest.dtype)
        state = _State(basis, jnp.asarray(0), none, jnp.asarray(False))
        state = jax.lax.while_loop(lambda state: ~state.done & (state.cycle <= restarts), cycle, state)
        basis = state.basis
    else:
        basis = _grow(forward, adjoint, basis, jnp.asarray(0), jnp.asarray(1))
    p, values, q = jnp.linalg.svd(basis.projected)
    left, right = _dot(p.T[:k], basis.left), _dot(q[:k].conj(), basis.right[:-1])
    return Triplets(values[:k], left, right)


def _first_basis(forward: Product, start: jax.Array, size: int) -> _Basis:
    rows, dtype = jax.eval_shape(forward, start).shape[0], start.dtype
    right = jnp.zeros((size + 1, start.size), dtype).at[0].set(_unit(start))
    zeros = jnp.zeros((size, rows), dtype), jnp.zeros((size, size), dtype)
    return _Basis(right, *zeros, jnp.zeros((), jnp.finfo(dtype).dtype))


def _grow(forward: Product, adjoint: Product, basis: _Basis, filled: jax.Array, seed: jax.Array) -> _Basis:
    """Fills the rows from `filled` on."""
    step = partial(_step, forward, adjoint, seed)
    return jax.lax.fori_loop(filled, basis.left.shape[0], step, basis)


def _step(forward: Product, adjoint: Product, seed: jax.Array, j: jax.Array, basis: _Basis) -> _Basis:
    """Makes row j of U from row j of V, and row j + 1 of V from it."""
    right, left, projected, _ = basis
    w, parts = _orthogonal(forward(right[j]), left)
    left = left.at[j].set(_unit(w))
    projected = projected.at[:, j].set(parts.at[j].set(jnp.linalg.norm(w).astype(w.dtype)))
    r, _ = _orthogonal(adjoint(left[j]), right)
    rest = jnp.linalg.norm(r)
    small = rest <= 8 * jnp.finfo(rest.dtype).eps * jnp.linalg.norm(projected)
    r = jax.lax.cond(small, lambda: _other(seed + j, right), lambda: r)
    return _Basis(right.at[j + 1].set(_unit(r)), left, projected, jnp.where(small, 0, rest))


def _cycle(forward: Product, adjoint: Product, k: int, kept: int, again: bool, state: _State) -> _State:
    """Fills the rows of the basis: at first all of them, later those that a restart gave up."""
    size = state.basis.left.shape[0]
    first, seed = state.cycle == 0, state.cycle * (size + 1) + 1
    # One program for both: each copy of the products is compiled.
    restarted = jax.lax.cond(first, lambda: state.basis, lambda: _restart(kept, again, state, seed + size))
    basis = _grow(forward, adjoint, restarted, jnp.where(first, 0, kept), seed)
    return _judge(k, again, state._replace(basis=basis, cycle=state.cycle + 1))


def _restart(kept: int, again: bool, state: _State, seed: jax.Array) -> _Basis:
    """Keeps the best combinations of the vectors."""
    right, left, projected, rest = state.basis
    p, values, q = jnp.linalg.svd(projected)
    best = _dot(q[:kept].conj(), right[:-1])
    following = right[-1]
    if again:
        converged = jnp.isfinite(state.found).all()
        following = jax.lax.cond(converged, lambda: _unit(_other(seed, best)), lambda: following)
    right = jnp.zeros_like(right).at[:kept].set(best).at[kept].set(following)
    left = jnp.zeros_like(left).at[:kept].set(_dot(p.T[:kept], left))
    projected = jnp.zeros_like(projected).at[:kept, :kept].set(jnp.diag(values[:kept]).astype(left.dtype))
    return _Basis(right, left, projected, rest)


def _judge(k: int, again: bool, state: _State) -> _State:
    """Decides whether the `k` values have converged, and, with `again`, whether nothing new appeared."""
    p, values, _ = jnp.linalg.svd(state.basis.projected)
    eps = jnp.finfo(values.dtype).eps
    done = (state.basis.rest * abs(p[-1, :k]) <= eps**0.75 * values[0]).all()
    found = jnp.where(done, values[:k], jnp.inf)
    if again:
        done &= (abs(values[:k] - state.found) <= 32 * eps * values[0]).all()
    return state._replace(found=found, done=done)


def _orthogonal(vector: jax.Array, rows: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns a vector without its parts along orthonormal rows, and those parts."""
    parts = _dot(rows.conj(), vector)
    vector = vector - _dot(parts, rows)
    rest = _dot(rows.conj(), vector)  # once more: the first time leaves rounding
    return vector - _dot(rest, rows), parts + rest


def _other(seed: jax.Array, rows: jax.Array) -> jax.Array:
    """Returns another vector, orthogonal to orthonormal rows."""
    return _orthogonal(start_vector(seed, rows.shape[1], rows.dtype), rows)[0]


def _unit(vector: jax.Array) -> jax.Array:
    """Returns a vector divided by its norm; zero stays zero."""
    norm = jnp.linalg.norm(vector)
    return vector / jnp.where(norm == 0, 1, norm).astype(vector.dtype)
