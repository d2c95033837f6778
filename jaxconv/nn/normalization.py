"""Normalisation of feature maps, chosen by a word."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import at_least_one

Norm = Literal["none", "batch", "group"]
GROUPS = 8


class Normalization(nnx.Module):
    """Batch or group normalisation with a learned scale and offset a feature, or nothing.

    Statistics are float32, whatever the map's dtype. In a batch that is sharded over the
    devices of a Mesh, under plain `jax.jit`, they are those of the whole batch.

    Args:
      kind: ``"batch"``: every feature over the batch and all positions, and over the past batches
        once `eval` was called; ``"group"``: every map over its positions and a group of its
        features, of which there are eight, or as many below as divide them; ``"none"``: not at all.
      features: Of the map.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: `kind` is another word, or there is no feature.
      TypeError: `features` is not an integer.

    References:
      Ioffe & Szegedy, arXiv:1502.03167; Wu & He, arXiv:1803.08494.

    >>> x = jnp.arange(12.0, dtype=jnp.float32).reshape(1, 2, 3, 2)
    >>> y = Normalization("batch", 2, rngs=nnx.Rngs(0))(x)
    >>> bool(abs(y.mean((0, 1, 2))).max() < 1e-6), f"{y.std():.3f}"
    (True, '1.000')
    """

    def __init__(self, kind: Norm, features: int, *, rngs: nnx.Rngs):
        if kind not in get_args(Norm):
            raise GeometryError(f"a map is normalised by one of {', '.join(get_args(Norm))}; got {kind!r}.")
        at_least_one("features", features)
        self.kind = kind
        self.inner: nnx.Module
        if kind == "batch":
            self.inner = nnx.BatchNorm(features, momentum=0.9, dtype=jnp.float32, rngs=rngs)
        elif kind == "group":
            groups = max(n for n in range(1, GROUPS + 1) if features % n == 0)
            self.inner = nnx.GroupNorm(features, groups, dtype=jnp.float32, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """``(*batch, rows, columns, features)`` to the same shape and dtype."""
        if self.kind == "none":
            return x
        maps = x.reshape(-1, *x.shape[-3:]).astype(jnp.float32)
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # flax relies on both
            return self.inner(maps).reshape(x.shape).astype(x.dtype)
