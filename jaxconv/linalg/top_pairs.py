"""The largest singular value of C with its two vectors, as feature maps, by three methods."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxconv.geometry import ConvGeometry
from jaxconv.linalg.circulant import blocks
from jaxconv.linalg.frequencies import from_input_frequencies, from_output_frequencies
from jaxconv.linalg.products import largest
from jaxconv.linalg.scales import unit_scale

NormMethod = Literal["fourier", "lanczos", "gram"]
KEPT_VECTORS = 24  # of one sequence of products, before it is restarted


class TopPair(NamedTuple):
    """The largest singular value with unit vectors: C v is the value times u.

    Attributes:
      value: The singular value.
      left: u, ``(*output_shape, out_features)``; complex where frequencies are complex.
      right: v, ``(*input_shape, in_features)``.
    """

    value: jax.Array
    left: jax.Array
    right: jax.Array


@partial(jax.jit, static_argnames=("g", "method", "steps"))
def top_pair(kernel: jax.Array, g: ConvGeometry, method: NormMethod, steps: int) -> TopPair:
    """Computes the top pair; `steps` are products for ``"lanczos"`` and squarings for ``"gram"``."""
    kernel, scale = unit_scale(kernel)
    pair = _unscaled_pair(kernel, g, method, steps)
    return pair._replace(value=pair.value * scale)


def _unscaled_pair(kernel: jax.Array, g: ConvGeometry, method: NormMethod, steps: int) -> TopPair:
    if method == "lanczos":
        return _by_products(kernel, g, steps)
    matrices = blocks(kernel, g, half=not jnp.iscomplexobj(kernel))
    if method == "gram":
        norms = gram_norms(matrices, steps)
        return _of_largest_block(matrices, norms, g)._replace(value=norms.max())
    return _of_largest_block(matrices, jnp.linalg.svd(matrices, compute_uv=False)[..., 0], g)


def gram_norms(matrices: jax.Array, squarings: int) -> jax.Array:
    r"""Computes upper bounds of the norms of matrices, by squaring their Gram matrices.

    With $G_0 = B B^*$ and $G_{t+1} = G_t G_t^*$, the norm of B is at most $\|G_t\|_F^{1/2^{t+1}}$, and at
    least that divided by $r^{1/2^{t+2}}$, with the number r of rows. Each matrix is scaled to norm 1 in
    between, and the scales are summed as logarithms.

    References:
      Delattre, Barthelemy, Araujo & Allauzen, 2023, arXiv:2305.16173.
    """
    if matrices.shape[-2] > matrices.shape[-1]:
        matrices = matrices.mT
    gram = jnp.matmul(matrices, matrices.mT.conj(), precision="highest")
    tiny = jnp.finfo(gram.dtype).tiny

    def scaled(gram: jax.Array, log: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
        norm = jnp.maximum(jnp.linalg.norm(gram, axis=(-2, -1)), tiny)
        return gram / norm[..., None, None].astype(gram.dtype), log + weight * jnp.log(norm)

    def square(t: jax.Array, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        gram, log = state
        weight = 0.5 ** (t + 2).astype(log.dtype)
        return scaled(jnp.matmul(gram, gram.mT.conj(), precision="highest"), log, weight)

    zeros = jnp.zeros(gram.shape[:-2], jnp.finfo(gram.dtype).dtype)
    _, log = jax.lax.fori_loop(0, squarings, square, scaled(gram, zeros, jnp.asarray(0.5, zeros.dtype)))
    return jnp.where(abs(matrices).max((-2, -1)) > 0, jnp.exp(log), 0)


def _by_products(kernel: jax.Array, g: ConvGeometry, steps: int) -> TopPair:
    found = largest(kernel, g, k=1, steps=steps, size=min(KEPT_VECTORS, steps))
    left = found.left[0].reshape(*g.output_shape, g.out_features)
    return TopPair(found.values[0], left, found.right[0].reshape(*g.input_shape, g.in_features))


def _of_largest_block(matrices: jax.Array, norms: jax.Array, g: ConvGeometry) -> TopPair:
    """Returns the pair of the block with the largest norm, as waves over the maps."""
    place = jnp.unravel_index(jnp.argmax(norms), norms.shape)
    u, values, v = jnp.linalg.svd(matrices[place], full_matrices=False)
    frequencies = (*g.output_shape, g.feature_group_count)
    left = jnp.zeros((*frequencies, matrices.shape[-2]), matrices.dtype).at[place].set(u[:, 0])
    right = jnp.zeros((*frequencies, matrices.shape[-1]), matrices.dtype).at[place].set(v[0].conj())
    return TopPair(values[0], from_output_frequencies(left, g), from_input_frequencies(right, g))
