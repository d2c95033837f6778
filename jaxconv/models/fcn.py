"""A small fully convolutional network: every pixel gets a class, whatever the input's size."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from flax import nnx

from jaxconv.errors import GeometryError
from jaxconv.nn import Conv, ConvTranspose, bilinear


class FCN(nnx.Module):
    """Convolutions down, transposed convolutions up, and scores that are summed at every size.

    Each level halves the map with a strided convolution and goes on with convolutions; a 1x1
    convolution scores every level. From the coarsest level up, the scores are upsampled by a
    transposed convolution of stride 2, which starts as bilinear interpolation and is learned, and
    the finer level's scores are added: what is there comes from far away, where it ends from near by.

    Every transposed convolution has the geometry of the convolution that halved the map, 3x3 with
    stride 2 and padding 1, and is told the finer map's size (`input_shape`). So it returns to the
    very cells that were read, nothing is cropped, and any input of at least one pixel is labelled.

    Args:
      in_features: Of the input, such as 1 for grey and 3 for colour.
      n_classes: Scores of every pixel.
      features: Of the levels, the finest (the input's size) first; one entry more halves once more.
      depth: 3x3 convolutions of a level, the one that halves among them.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: No level, or a level without convolution.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038.

    >>> model = FCN(1, 11, features=(8, 8, 8), depth=1, rngs=nnx.Rngs(0))
    >>> model(jax.numpy.zeros((2, 37, 50, 1), "float32")).shape
    (2, 37, 50, 11)
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        *,
        features: Sequence[int] = (16, 32, 64, 128),
        depth: int = 2,
        rngs: nnx.Rngs,
    ):
        if not features or depth < 1:
            raise GeometryError(
                "an FCN needs at least one level of at least one convolution, got "
                f"features={tuple(features)} and depth={depth}."
            )
        widths = (in_features, *features)
        self.levels = nnx.List(
            Level(wide_in, wide_out, depth, strides=1 if n == 0 else 2, rngs=rngs)
            for n, (wide_in, wide_out) in enumerate(zip(widths, features, strict=False))
        )
        self.scores = nnx.List(Conv(width, n_classes, (1, 1), rngs=rngs) for width in features)
        self.upsamplings = nnx.List(
            ConvTranspose(
                n_classes,
                n_classes,
                (3, 3),
                strides=2,
                padding=1,
                kernel_init=bilinear(2),
                use_bias=False,
                rngs=rngs,
            )
            for _ in features[1:]
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Scores every pixel.

        Args:
          x: ``(*batch, rows, columns, in_features)``.

        Returns:
          Logits, ``(*batch, rows, columns, n_classes)``.
        """
        maps = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        logits = self.scores[-1](maps[-1])
        for n in reversed(range(len(self.upsamplings))):
            finer = self.scores[n](maps[n])
            logits = finer + self.upsamplings[n](logits, input_shape=finer.shape[-3:-1])
        return logits


class Level(nnx.Module):
    """3x3 convolutions and rectifiers at one size, the first with the stride that leads to it.

    Nothing is normalised: at this depth the initial scale is kept well enough, and nothing differs
    between training and use.
    """

    def __init__(self, in_features: int, out_features: int, depth: int, *, strides: int, rngs: nnx.Rngs):
        widths = [in_features] + [out_features] * (depth - 1)
        self.convs = nnx.List(
            Conv(width, out_features, (3, 3), strides=strides if n == 0 else 1, padding=1, rngs=rngs)
            for n, width in enumerate(widths)
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """``(*batch, rows, columns, in)`` to ``(*batch, ceil(rows / s), ceil(columns / s), out)``."""
        for conv in self.convs:
            x = jax.nn.relu(conv(x))
        return x
