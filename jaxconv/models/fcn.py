"""Fully convolutional networks: FCN-32s, FCN-16s and FCN-8s."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import jax
from flax import nnx
from jax.typing import ArrayLike

from jaxconv.errors import OptionError
from jaxconv.geometry.arguments import at_least_one
from jaxconv.limits import Fraction, Taps, Within
from jaxconv.models.arguments import check_blocks, check_images, check_network
from jaxconv.models.blocks import make_dropout
from jaxconv.models.upsampling import Upsampler, Upsampling, check_upsampler
from jaxconv.models.vgg import VGG_BLOCKS, Blocks, VGGFeatures
from jaxconv.models.vgg_weights import load_vgg
from jaxconv.nn import Conv, Norm


class FCN8s(nnx.Module):
    """FCN-8s: VGG with its dense layers as convolutions, and the sum of the scores of its last three maps.

    The map after fc7 is scored by a 1x1 convolution, upsampled by two and added to the scores of the pooled
    map of that size; this is done once more, and the sum is upsampled to the size of the input. Coarse maps
    tell what is in the image, fine ones where it ends. With the five blocks of VGG the three maps have
    strides 32, 16 and 8, hence the name; with fewer blocks all three are finer.

    The logits have the size of the input, for any input of at least one pixel: pooling covers odd borders,
    fc6 is padded by half its kernel, and `Upsampling` is given the size of its output. So the padding of 100
    pixels and the offset of the final crop in the paper's code are not needed.

    Args:
      in_features: Features of the input, such as 3 for colour images.
      n_classes: Number of classes, the features of the logits.
      blocks: ``(features, convolutions)`` of every block, the finest first; at least as many blocks as maps
        that are scored (3 in `FCN8s`, 2 in `FCN16s`, 1 in `FCN32s`).
      dense: Features of fc6 and fc7; 0 leaves both out.
      window: Taps of fc6 per axis, odd.
      dropout: Probability with which a feature is dropped after fc6 and fc7 in training, at least 0 and
        below 1.
      norm: Normalization after every convolution of the blocks: "none", "batch" or "group"; see
        `jaxconv.nn.Normalization`.
      upsampling: ``"learned"``: transposed convolutions that start bilinear; ``"fixed"``: bilinear;
        ``"nearest"``: cells are repeated.
      weights: Path of a file of VGG weights from which the network starts; see `load_vgg`.
      dense_weights: Whether fc6 and fc7 start from that file too.
      rngs: Source of the random initial parameters, and of dropout.

    Attributes:
      PUBLISHED: The options of the paper's network.

    Raises:
      OptionError: `in_features` or `n_classes` is below 1, there are fewer blocks than scored maps, `window`
        is even or below 1, `upsampling` or `norm` is unknown, or `dropout` is not a probability.
      DataError: The file of weights cannot be read or does not fit.
      TypeError: `in_features` or `n_classes` is not an integer, or `rngs` is not an `nnx.Rngs`.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038.

    >>> model = FCN8s(1, 11, blocks=((4, 1), (4, 1), (8, 1)), dense=8, rngs=nnx.Rngs(0))
    >>> jax.eval_shape(model, jax.ShapeDtypeStruct((2, 37, 50, 1), "float32")).shape
    (2, 37, 50, 11)
    """

    PUBLISHED = {"blocks": VGG_BLOCKS[16], "dense": 4096, "window": 7, "dropout": 0.5}  # noqa: RUF012
    scales = 3

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        *,
        blocks: Blocks = ((16, 1), (32, 2), (64, 2), (64, 2)),
        dense: Annotated[int, Within(0, 2**16)] = 128,
        window: Taps = 3,
        dropout: Fraction = 0.0,
        norm: Norm = "none",
        upsampling: Upsampler = "learned",
        weights: str | None = None,
        dense_weights: bool = True,
        rngs: nnx.Rngs,
    ):
        check_network(in_features, n_classes, rngs)
        check_blocks(blocks)
        check_upsampler("upsampling", upsampling)
        if len(blocks) < self.scales:
            raise OptionError(
                f"{type(self).__name__} scores the pooled maps of its last {self.scales} blocks, so "
                f"`blocks` must have at least {self.scales}; got {blocks}."
            )
        if at_least_one("window", window, error=OptionError) % 2 == 0:
            raise OptionError(f"`window` must be odd, so that it has a middle; got {window}.")
        self.in_features = in_features
        self.features = VGGFeatures(in_features, blocks, norm=norm, rngs=rngs)
        widths = [width for width, _ in blocks]
        self.dense = nnx.List(_dense_layers(widths[-1], dense, window, rngs) if dense else [])
        self.dropout = make_dropout(dropout, rngs)
        scored = [*widths[-self.scales : -1], dense or widths[-1]]
        self.scores = nnx.List(Conv(width, n_classes, (1, 1), rngs=rngs) for width in scored)
        factors = [2 ** (len(blocks) - self.scales + 1)] + [2] * (self.scales - 1)
        self.upsamplings = nnx.List(Upsampling(n_classes, f, upsampling, rngs=rngs) for f in factors)
        if weights is not None:
            self.load(weights, dense=dense_weights)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Computes the logits of every pixel.

        Args:
          x: Images, ``(*batch, rows, columns, in_features)`` floats.

        Returns:
          Logits, ``(*batch, rows, columns, n_classes)``.

        Raises:
          GeometryError: `x` has another shape.
          TypeError: `x` is not floating, or its dtype is not that of the parameters.
        """
        x = check_images(x, self.in_features)
        maps = [self.features.pool(y) for y in self.features(x)][-self.scales :]
        for layer in self.dense:
            maps[-1] = self.dropout(jax.nn.relu(layer(maps[-1])))
        scores = [layer(y) for layer, y in zip(self.scores, maps, strict=True)]
        logits = scores.pop()
        for upsampling, finer in zip(list(self.upsamplings)[:0:-1], reversed(scores), strict=True):
            logits = finer + upsampling(logits, finer.shape[-3:-1])
        return self.upsamplings[0](logits, x.shape[-3:-1])

    def load(self, path: str | Path, *, dense: bool = True) -> None:
        """Loads the convolutions, with `dense` also fc6 and fc7, from a file; see `load_vgg`."""
        load_vgg(path, [block.convs for block in self.features.blocks], self.dense if dense else ())


class FCN16s(FCN8s):
    """`FCN8s` that scores the last two maps: strides 32 and 16 with the five blocks of VGG."""

    scales = 2


class FCN32s(FCN8s):
    """`FCN8s` that scores only the last map: stride 32 with the five blocks of VGG."""

    scales = 1


def _dense_layers(in_features: int, dense: int, window: int, rngs: nnx.Rngs) -> list[Conv]:
    """Builds VGG's fc6 and fc7 as convolutions."""
    he = nnx.initializers.he_normal()
    return [
        Conv(in_features, dense, (window, window), padding=window // 2, kernel_init=he, rngs=rngs),
        Conv(dense, dense, (1, 1), kernel_init=he, rngs=rngs),
    ]
