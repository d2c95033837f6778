"""DeconvNet: VGG and its mirror image, which undoes every pooling with its switches."""

from __future__ import annotations

from pathlib import Path

import jax
from flax import nnx
from jax.nn.initializers import variance_scaling
from jax.typing import ArrayLike

from jaxconv.errors import GeometryError
from jaxconv.limits import Features, Taps
from jaxconv.models.arguments import check_blocks, check_images, check_network
from jaxconv.models.blocks import ConvBlock
from jaxconv.models.vgg import VGG_BLOCKS, Blocks
from jaxconv.models.vgg_weights import load_vgg
from jaxconv.nn import Conv, ConvTranspose, Norm, Normalization
from jaxconv.operators import max_pool, unpool


class DeconvNet(nnx.Module):
    """DeconvNet: an encoder with pooling, dense layers as convolutions, and the mirror image of both.

    Each pooling returns its switches. In the decoder `jaxconv.unpool` puts every number where the maximum
    was, and 3x3 transposed convolutions of stride 1 fill the map around it, so that edges return to their
    places. Pooling covers odd borders, and unpooling is given the size that was pooled: the logits have the
    size of the input, for any input in whose coarsest map fc6 fits.

    Args:
      in_features: Features of the input, such as 3 for colour images.
      n_classes: Number of classes, the features of the logits.
      blocks: ``(features, convolutions)`` of every block of the encoder, the finest first. The decoder has
        the same blocks in reverse; the last convolution of each block leads to the features of the next.
      dense: Features of fc6 and fc7.
      window: Taps per axis of fc6 and of the transposed convolution that undoes it.
      norm: Normalization after every convolution except the last: "none", "batch" or "group"; see
        `jaxconv.nn.Normalization`. According to
        the paper, training without it ends in a poor local optimum.
      weights: Path of a file of VGG weights from which the convolutions of the encoder start; see `load_vgg`.
      rngs: Source of the random initial parameters.

    Attributes:
      PUBLISHED: The options of the paper's network, which takes images of 224x224.

    Raises:
      OptionError: `in_features` or `n_classes` is below 1, `blocks` are not at least one
        ``(features, convolutions)`` pair, or `norm` is unknown.
      DataError: The file of weights cannot be read or does not fit.
      GeometryError: `dense` or `window` is below 1.
      TypeError: `in_features` or `n_classes` is not an integer, or `rngs` is not an `nnx.Rngs`.

    References:
      Noh, Hong & Han, *Learning deconvolution network for semantic segmentation*, arXiv:1505.04366.

    >>> model = DeconvNet(3, 11, blocks=((4, 1), (8, 1)), dense=8, rngs=nnx.Rngs(0))
    >>> model.eval()
    >>> jax.eval_shape(model, jax.ShapeDtypeStruct((2, 37, 50, 3), "float32")).shape
    (2, 37, 50, 11)
    """

    PUBLISHED = {"blocks": VGG_BLOCKS[16], "dense": 4096, "window": 7}  # noqa: RUF012

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        *,
        blocks: Blocks = ((16, 1), (32, 2), (64, 2)),
        dense: Features = 128,
        window: Taps = 3,
        norm: Norm = "batch",
        weights: str | None = None,
        rngs: nnx.Rngs,
    ):
        check_network(in_features, n_classes, rngs)
        check_blocks(blocks)
        self.in_features = in_features
        finer = [in_features, *(width for width, _ in blocks)]
        self.encoder = nnx.List(
            ConvBlock(width_in, width, count, norm=norm, rngs=rngs)
            for width_in, (width, count) in zip(finer, blocks, strict=False)
        )
        width, finer[0] = finer[-1], finer[1]  # the finest block of the decoder does not change its features
        self.fc6 = _Unit(Conv(width, dense, (window, window), kernel_init=_HE, rngs=rngs), norm, rngs)
        self.fc7 = _Unit(Conv(dense, dense, (1, 1), kernel_init=_HE, rngs=rngs), norm, rngs)
        self.back = _transposed(dense, width, window, 0, norm, rngs)
        self.decoder = nnx.List(
            nnx.List(
                _transposed(width, width if n < count - 1 else width_out, 3, 1, norm, rngs)
                for n in range(count)
            )
            for width_out, (width, count) in zip(finer, blocks, strict=False)
        )
        self.score = Conv(finer[0], n_classes, (1, 1), rngs=rngs)
        if weights is not None:
            self.load(weights)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Computes the logits of every pixel.

        Args:
          x: Images, ``(*batch, rows, columns, in_features)`` floats.

        Returns:
          Logits, ``(*batch, rows, columns, n_classes)``.

        Raises:
          GeometryError: `x` has another shape, or is too small for fc6.
          TypeError: `x` is not floating, or its dtype is not that of the parameters.
        """
        x = check_images(x, self.in_features)
        self._check_size(x.shape[-3:-1])
        pooled: list[tuple[jax.Array, tuple[int, ...]]] = []
        for block in self.encoder:
            x = block(x)
            shape = x.shape[-3:-1]
            x, switches = max_pool(x, (2, 2), ceil_mode=True, return_switches=True)
            pooled.append((switches, shape))
        x = self.back(self.fc7(self.fc6(x)))
        for layers, (switches, shape) in zip(reversed(self.decoder), reversed(pooled), strict=True):
            x = unpool(x, switches, shape)
            for layer in layers:
                x = layer(x)
        return self.score(x)

    def _check_size(self, shape: tuple[int, ...]) -> None:
        least = (self.fc6.layer.kernel_shape[0] - 1) * 2 ** len(self.encoder) + 1
        if min(shape, default=0) < least:
            raise GeometryError(
                f"`x` must be images of at least {least}x{least}, so that fc6 fits into the coarsest map; "
                f"got {shape}. Enlarge the images, or lower `window` or the number of `blocks`."
            )

    def load(self, path: str | Path) -> None:
        """Loads the convolutions of the encoder from a file of VGG weights; see `load_vgg`."""
        load_vgg(path, [block.convs for block in self.encoder])


class _Unit(nnx.Module):
    """A layer, its normalization and a rectifier."""

    def __init__(self, layer: Conv | ConvTranspose, norm: Norm, rngs: nnx.Rngs):
        self.layer = layer
        self.norm = Normalization(norm, layer.out_features, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return jax.nn.relu(self.norm(self.layer(x)))


_HE = nnx.initializers.he_normal()
_HE_TRANSPOSED = variance_scaling(2.0, "fan_in", "truncated_normal", in_axis=-1, out_axis=-2)


def _transposed(width_in: int, width_out: int, taps: int, padding: int, norm: Norm, rngs: nnx.Rngs) -> _Unit:
    layer = ConvTranspose(
        width_in, width_out, (taps, taps), padding=padding, kernel_init=_HE_TRANSPOSED, rngs=rngs
    )
    return _Unit(layer, norm, rngs)
