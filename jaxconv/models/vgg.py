"""VGG: blocks of 3x3 convolutions with pooling between them, and the classifier on top."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import jax
from flax import nnx
from jax.typing import ArrayLike

from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry.arguments import at_least_one
from jaxconv.limits import Features, Fraction, Layers, Taps, Within
from jaxconv.models.arguments import check_blocks, check_images, check_network
from jaxconv.models.blocks import ConvBlock, make_dropout
from jaxconv.models.vgg_weights import load_vgg
from jaxconv.nn import Conv, Norm
from jaxconv.operators import max_pool

Blocks = Annotated[tuple[tuple[Features, Layers], ...], Within(1, 12)]

# (features, convolutions) of every block: arXiv:1409.1556, table 1 (A, B, D, E).
VGG_BLOCKS: dict[int, Blocks] = {
    11: ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2)),
    13: ((64, 2), (128, 2), (256, 2), (512, 2), (512, 2)),
    16: ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
    19: ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
}


class VGGFeatures(nnx.Module):
    """The convolutions of VGG, with the map of every block before it is pooled.

    Args:
      in_features: Features of the input, such as 3 for colour images.
      blocks: ``(features, convolutions)`` of every block, the finest first; an entry of `VGG_BLOCKS` or its
        first blocks. The default ends at conv3_3, at a quarter of the input's size.
      norm: Normalization after every convolution: "none", "batch" or "group"; see
        `jaxconv.nn.Normalization`. VGG has none.
      ceil_mode: Whether pooling covers the last row and column of a map of odd size, so that n cells become
        ceil(n / 2); torchvision drops them.
      rngs: Source of the random initial parameters.

    Raises:
      OptionError: `blocks` are not at least one ``(features, convolutions)`` pair, or `norm` is unknown.
      GeometryError: `in_features` is below 1.

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
        check_network(in_features, 1, rngs)
        check_blocks(blocks)
        self.in_features, self.ceil_mode = in_features, ceil_mode
        widths = [in_features, *(features for features, _ in blocks)]
        self.blocks = nnx.List(
            ConvBlock(width, features, count, norm=norm, rngs=rngs)
            for width, (features, count) in zip(widths, blocks, strict=False)
        )

    def pool(self, x: jax.Array) -> jax.Array:
        """Pools a map to half its size."""
        return max_pool(x, (2, 2), ceil_mode=self.ceil_mode)

    def __call__(self, x: ArrayLike) -> tuple[jax.Array, ...]:
        """Computes the maps of all blocks, the finest first.

        Args:
          x: Images, ``(*batch, rows, columns, in_features)`` floats.

        Returns:
          For block n, from 0, ``(*batch, rows / 2^n, columns / 2^n, features)``, rounded up with `ceil_mode`,
          otherwise down.

        Raises:
          GeometryError: `x` has another shape.
          TypeError: `x` is not floating, or its dtype is not that of the parameters.
        """
        x = check_images(x, self.in_features)
        maps: list[jax.Array] = []
        for block in self.blocks:
            x = block(self.pool(maps[-1]) if maps else x)
            maps.append(x)
        return tuple(maps)

    def load(self, path: str | Path) -> None:
        """Loads the convolutions from a file of VGG weights; see `load_vgg`."""
        load_vgg(path, [block.convs for block in self.blocks])


class VGG(nnx.Module):
    """VGG as a classifier; by default VGG-16.

    The dense layers are convolutions, and the kernel of fc6 is as large as the map it was trained on. A
    larger input gives scores at several positions, which are averaged, as in the paper.

    Args:
      in_features: Features of the input, such as 3 for colour images.
      n_classes: Number of classes, the features of the logits.
      blocks: ``(features, convolutions)`` of every block, the finest first; an entry of `VGG_BLOCKS`, or a
        smaller network.
      dense: Features of fc6 and fc7.
      window: Rows, and columns, of the map that fc6 takes; that of a 224x224 image is 7.
      dropout: Probability with which a feature is dropped after fc6 and fc7 in training, at least 0 and
        below 1.
      norm: Normalization after every convolution: "none", "batch" or "group"; see
        `jaxconv.nn.Normalization`. VGG has none.
      weights: Path of a file of VGG weights from which the network starts; see `load_vgg`.
      rngs: Source of the random initial parameters, and of dropout.

    Raises:
      OptionError: `in_features`, `n_classes` or `window` is below 1, `blocks` are not at least one
        ``(features, convolutions)`` pair, `norm` is unknown, or `dropout` is not a probability.
      DataError: The file of weights cannot be read or does not fit.
      GeometryError: `dense` is below 1.
      TypeError: `in_features` or `n_classes` is not an integer, or `rngs` is not an `nnx.Rngs`.

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
        check_network(in_features, n_classes, rngs)
        at_least_one("window", window, error=OptionError)
        self.features = VGGFeatures(in_features, blocks, norm=norm, ceil_mode=False, rngs=rngs)
        he = nnx.initializers.he_normal()
        self.fc6 = Conv(blocks[-1][0], dense, (window, window), kernel_init=he, rngs=rngs)
        self.fc7 = Conv(dense, dense, (1, 1), kernel_init=he, rngs=rngs)
        self.fc8 = Conv(dense, n_classes, (1, 1), rngs=rngs)
        self.dropout = make_dropout(dropout, rngs)
        if weights is not None:
            self.load(weights)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Computes the logits of every image.

        Args:
          x: Images, ``(*batch, rows, columns, in_features)`` floats, with at least ``window * 2^blocks`` rows
            and columns.

        Returns:
          Logits, ``(*batch, n_classes)``.

        Raises:
          GeometryError: `x` has another shape, or is too small for fc6.
          TypeError: `x` is not floating, or its dtype is not that of the parameters.
        """
        x = check_images(x, self.features.in_features)
        self._check_size(x.shape[-3:-1])
        y = self.features.pool(self.features(x)[-1])
        for layer in (self.fc6, self.fc7):
            y = self.dropout(jax.nn.relu(layer(y)))
        return self.fc8(y).mean((-3, -2))

    def _check_size(self, shape: tuple[int, ...]) -> None:
        least = self.fc6.kernel_shape[0] * 2 ** len(self.features.blocks)
        if min(shape) < least:
            raise GeometryError(
                f"`x` must be images of at least {least}x{least}, got {shape}; enlarge them, or lower "
                "`window` or the number of `blocks`."
            )

    def load(self, path: str | Path) -> None:
        """Loads all parameters from a file of VGG weights; see `load_vgg`."""
        load_vgg(path, [block.convs for block in self.features.blocks], [self.fc6, self.fc7, self.fc8])
