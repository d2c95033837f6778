"""VGG: blocks of 3x3 convolutions with pooling between them, and the classifier on top."""

from __future__ import annotations

from typing import Annotated

import jax
from flax import nnx

from jaxconv.errors import GeometryError, OptionError
from jaxconv.limits import Features, Fraction, Layers, Taps, Within
from jaxconv.models.blocks import ConvBlock, make_dropout
from jaxconv.models.vgg_weights import load_vgg
from jaxconv.nn import Conv, Norm
from jaxconv.operators import max_pool

Blocks = Annotated[tuple[tuple[Features, Layers], ...], Within(1, 12)]

# Features and convolutions of every block: table 1 of the paper (A, B, D, E).
VGG_BLOCKS: dict[int, Blocks] = {
    11: ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2)),
    13: ((64, 2), (128, 2), (256, 2), (512, 2), (512, 2)),
    16: ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
    19: ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
}


class VGGFeatures(nnx.Module):
    """The convolutions of VGG; the map of every block, before it is pooled.

    Args:
      in_features: Of the input, such as 3 for colour.
      blocks: ``(features, convolutions)`` of every block, the finest first; an entry of `VGG_BLOCKS`
        or the beginning of one: the default ends at conv3_3, at a quarter of the input's size.
      norm: What follows every convolution; see `jaxconv.nn.Normalization`. VGG has none.
      ceil_mode: Whether pooling keeps the last row and column of an odd map. So every input cell is
        seen and maps of n cells become ceil(n / 2); torchvision drops them.
      rngs: Source of the parameters' randomness.

    Raises:
      OptionError: No block, or a block without convolution.

    References:
      Simonyan & Zisserman, arXiv:1409.1556.

    >>> features = VGGFeatures(3, ((4, 1), (8, 2)), rngs=nnx.Rngs(0))
    >>> x = jax.ShapeDtypeStruct((2, 9, 14, 3), "float32")
    >>> [y.shape for y in jax.eval_shape(features, x)]
    [(2, 9, 14, 4), (2, 5, 7, 8)]
    """

    def __init__(
        self,
        in_features: int,
        blocks: Blocks = VGG_BLOCKS[16][:3],
        *,
        norm: Norm = "none",
        ceil_mode: bool = True,
        rngs: nnx.Rngs,
    ):
        if not blocks or any(count < 1 for _, count in blocks):
            raise OptionError(f"VGG needs at least one block of at least one convolution, got {blocks}.")
        self.ceil_mode = ceil_mode
        widths = [in_features, *(features for features, _ in blocks)]
        self.blocks = nnx.List(
            ConvBlock(width, features, count, norm=norm, rngs=rngs)
            for width, (features, count) in zip(widths, blocks, strict=False)
        )

    def pool(self, x: jax.Array) -> jax.Array:
        """Halves a map."""
        return max_pool(x, (2, 2), ceil_mode=self.ceil_mode)

    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        """The maps of all blocks, finest first.

        Args:
          x: ``(*batch, rows, columns, in_features)``.

        Returns:
          Of block n ``(*batch, rows / 2^n, columns / 2^n, features)``, rounded up with `ceil_mode`.
        """
        maps: list[jax.Array] = []
        for block in self.blocks:
            x = block(self.pool(maps[-1]) if maps else x)
            maps.append(x)
        return tuple(maps)

    def load(self, path: str) -> None:
        """Takes the convolutions from a file of VGG weights; see `load_vgg`."""
        load_vgg(path, [block.convs for block in self.blocks])


class VGG(nnx.Module):
    """VGG as a classifier; by default VGG-16.

    The dense layers are convolutions, fc6 with a kernel as large as the map it was trained on. A
    larger input gives scores at several positions, which are averaged, as the paper does.

    Args:
      in_features: Of the input.
      n_classes: Scores of an image.
      blocks: As in `VGGFeatures`; an entry of `VGG_BLOCKS`, or smaller.
      dense: Features of fc6 and fc7.
      window: Rows and columns of the map that fc6 takes: 7 is that of a 224x224 image.
      dropout: After fc6 and fc7, in training.
      norm: As in `VGGFeatures`.
      weights: A file to start from; see `load_vgg`.
      rngs: Source of the parameters' randomness, and dropout's.

    Raises:
      OptionError: No block.
      DataError: A file of weights that does not fit.

    References:
      Simonyan & Zisserman, arXiv:1409.1556, sections 2.1 and 3.2.

    >>> model = VGG(3, 5, blocks=((4, 1), (8, 1)), dense=16, window=3, rngs=nnx.Rngs(0))
    >>> model.eval()
    >>> jax.eval_shape(model, jax.ShapeDtypeStruct((2, 12, 14, 3), "float32")).shape
    (2, 5)
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        *,
        blocks: Blocks = VGG_BLOCKS[16],
        dense: Features = 4096,
        window: Taps = 7,
        dropout: Fraction = 0.5,
        norm: Norm = "none",
        weights: str | None = None,
        rngs: nnx.Rngs,
    ):
        self.features = VGGFeatures(in_features, blocks, norm=norm, ceil_mode=False, rngs=rngs)
        he = nnx.initializers.he_normal()
        self.fc6 = Conv(blocks[-1][0], dense, (window, window), kernel_init=he, rngs=rngs)
        self.fc7 = Conv(dense, dense, (1, 1), kernel_init=he, rngs=rngs)
        self.fc8 = Conv(dense, n_classes, (1, 1), rngs=rngs)
        self.dropout = make_dropout(dropout, rngs)
        if weights is not None:
            self.load(weights)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Scores every image.

        Args:
          x: ``(*batch, rows, columns, in_features)``, at least ``window * 2^blocks`` cells an axis.

        Returns:
          Logits, ``(*batch, n_classes)``.

        Raises:
          GeometryError: The input is too small for fc6.
        """
        y = self.features.pool(self.features(self._large_enough(x))[-1])
        for layer in (self.fc6, self.fc7):
            y = self.dropout(jax.nn.relu(layer(y)))
        return self.fc8(y).mean((-3, -2))

    def _large_enough(self, x: jax.Array) -> jax.Array:
        least = self.fc6.kernel_shape[0] * 2 ** len(self.features.blocks)
        if min(x.shape[-3:-1], default=0) < least:
            raise GeometryError(
                f"this VGG takes images of at least {least}x{least}, got {x.shape[-3:-1]}; "
                "enlarge them, or lower `window` or the number of `blocks`."
            )
        return x

    def load(self, path: str) -> None:
        """Takes all parameters from a file of VGG weights; see `load_vgg`."""
        load_vgg(path, [block.convs for block in self.features.blocks], [self.fc6, self.fc7, self.fc8])
