"""Blocks of 3x3 convolutions, each normalised and rectified, and dropout."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxconv.geometry import Padding
from jaxconv.models.arguments import check_fraction
from jaxconv.nn import Conv, Norm, Normalization


class ConvBlock(nnx.Module):
    """3x3 convolutions, each followed by normalization and a rectifier.

    Kernels start with variance 2 / fan-in (He et al.): a rectifier halves the second moment, and without
    normalization nothing else preserves the scale in a deep network.

    Args:
      in_features: Features of the input.
      out_features: Features of every convolution.
      count: Number of convolutions.
      padding: Padding of every convolution: 1 keeps the size, 0 loses two cells per axis and convolution.
      strides: Stride of the first convolution; the others have stride 1.
      norm: Normalization after every convolution: "none", "batch" or "group"; see
        `jaxconv.nn.Normalization`.
      rngs: Source of the random initial parameters.

    References:
      He, Zhang, Ren & Sun, arXiv:1502.01852.

    >>> block = ConvBlock(3, 4, 2, padding=0, rngs=nnx.Rngs(0))
    >>> jax.eval_shape(block, jax.ShapeDtypeStruct((2, 9, 8, 3), "float32")).shape
    (2, 5, 4, 4)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        count: int,
        *,
        padding: Padding = 1,
        strides: int = 1,
        norm: Norm = "none",
        rngs: nnx.Rngs,
    ):
        widths = [in_features] + [out_features] * (count - 1)
        init = nnx.initializers.he_normal()
        self.convs = nnx.List(
            Conv(width, out_features, (3, 3), strides=stride, padding=padding, kernel_init=init, rngs=rngs)
            for width, stride in zip(widths, (strides, *(1,) * (count - 1)), strict=True)
        )
        self.norms = nnx.List(Normalization(norm, out_features, rngs=rngs) for _ in widths)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps ``(*batch, rows, columns, in)`` to ``(*batch, rows', columns', out)``."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = jax.nn.relu(norm(conv(x)))
        return x


class Dropout(nnx.Dropout):
    """Dropout that draws one mask for a batch, whether or not devices compute parts of it.

    Attributes:
      axis_name: Inside `jax.shard_map`, the axis of the mesh over which the batch is split; None outside.
    """

    axis_name: str | None = None

    def __call__(self, inputs: jax.Array, **options: Any) -> jax.Array:
        """Drops elements of a map ``(b, ...)``."""
        if self.axis_name is None or self.deterministic or not self.rate:
            return super().__call__(inputs, **options)
        # Every device draws the mask of the whole batch, so that it does not depend on their number.
        count, parts = len(inputs), lax.axis_size(self.axis_name)
        ones = jnp.ones((parts * count, *inputs.shape[1:]), inputs.dtype)
        start = lax.axis_index(self.axis_name) * count
        kept = lax.dynamic_slice_in_dim(super().__call__(ones, **options) > 0, start, count)
        return jnp.where(kept, inputs / (1 - self.rate), jnp.zeros_like(inputs))


def make_dropout(rate: float, rngs: nnx.Rngs) -> Dropout:
    """Builds dropout that has a random state only if its rate is above 0.

    Raises:
      OptionError: `rate` is not a probability below 1.
    """
    check_fraction("dropout", rate)
    return Dropout(rate, rngs=rngs if rate else None)
