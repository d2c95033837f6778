"""Normalisation of feature maps."""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx

from jaxconv.core.checks import ArrayOrList, as_array, check_map, check_option, split_map
from jaxconv.errors import OptionError
from jaxconv.geometry.arguments import at_least_one

Norm = Literal["none", "batch", "group"]
GROUPS = 8


class Normalization(nnx.Module):
    """Batch or group normalisation with a learned scale and offset per feature, or nothing.

    Statistics are float32, whatever the map's dtype. In a batch that is sharded over the
    devices of a Mesh, under plain `jax.jit`, they are those of the whole batch.

    Args:
      kind: ``"batch"``: each feature over the batch and all positions, or by the running averages of
        past batches after a call of `eval`. ``"group"``: each map over its positions and a group of its
        features, in the largest number of groups up to eight that divides `features`. ``"none"``: no
        normalisation.
      features: Number of features of the map.
      rngs: Source of the parameters' randomness.

    Raises:
      OptionError: `kind` is another word, or `features` is below 1.
      TypeError: `features` is not an integer.

    References:
      Ioffe & Szegedy, arXiv:1502.03167; Wu & He, arXiv:1803.08494.

    >>> x = jnp.arange(12.0, dtype=jnp.float32).reshape(1, 2, 3, 2)
    >>> y = Normalization("batch", 2, rngs=nnx.Rngs(0))(x)
    >>> bool(abs(y.mean((0, 1, 2))).max() < 1e-6), f"{y.std():.3f}"
    (True, '1.000')
    """

    def __init__(self, kind: Norm, features: int, *, rngs: nnx.Rngs) -> None:
        check_option("kind", kind, get_args(Norm), error=OptionError)
        self.kind, self.features = kind, at_least_one("features", features, error=OptionError)
        self.inner: nnx.Module
        if kind == "batch":
            self.inner = nnx.BatchNorm(features, momentum=0.9, dtype=jnp.float32, rngs=rngs)
        elif kind == "group":
            groups = max(n for n in range(1, GROUPS + 1) if features % n == 0)
            self.inner = nnx.GroupNorm(features, groups, dtype=jnp.float32, rngs=rngs)

    def __call__(self, x: ArrayOrList) -> jax.Array:
        """Normalises a map ``(*batch, rows, columns, features)``; the result has its shape and dtype.

        Raises:
          GeometryError: `x` has fewer than three axes, or other features.
        """
        x = as_array("x", x)
        if self.kind == "none":
            return x
        _, spatial = split_map("x", x.shape, 2, "a normalised map")
        check_map("x", x.shape, spatial, self.features)
        maps = x.reshape(-1, *x.shape[-3:]).astype(jnp.float32)
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # flax relies on both
            return self.inner(maps).reshape(x.shape).astype(x.dtype)
