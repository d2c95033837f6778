"""Fully convolutional networks: FCN-32s, FCN-16s and FCN-8s."""

from __future__ import annotations

from typing import Annotated

import jax
from flax import nnx

from jaxconv.errors import OptionError
from jaxconv.limits import Fraction, Taps, Within
from jaxconv.models.blocks import make_dropout
from jaxconv.models.upsampling import Upsampler, Upsampling
from jaxconv.models.vgg import VGG_BLOCKS, Blocks, VGGFeatures
from jaxconv.models.vgg_weights import load_vgg
from jaxconv.nn import Conv, Norm


class FCN8s(nnx.Module):
    """VGG with its dense layers as convolutions; scores of its three last depths, added up.

    The map after fc7 is scored by a 1x1 convolution, upsampled by two and added to the scores of the
    pooled map of that size; so once more; the sum is upsampled to the input. What is there comes from
    far away, where it ends from near by. With the five blocks of VGG the three maps have strides 32,
    16 and 8, hence the name; with fewer blocks all three are finer.

    Any input of at least one pixel is labelled, at its own size: pooling keeps odd borders, fc6 is
    padded by half its kernel, and `Upsampling` is told the size to return to. So the 100 pixels of
    padding and the offset of the final crop, which the paper's code needs, do not arise.

    Args:
      in_features: Of the input, such as 3 for colour.
      n_classes: Scores of every pixel.
      blocks: As in `VGGFeatures`.
      dense: Features of fc6 and fc7; 0 leaves both out.
      window: Taps of fc6 an axis, odd.
      dropout: After fc6 and fc7, in training.
      norm: What follows every convolution of the blocks; see `jaxconv.nn.Normalization`.
      upsampling: ``"learned"``, ``"fixed"`` or ``"nearest"``; see `Upsampling`.
      weights: A file of VGG weights to start from; see `load_vgg`.
      dense_weights: Whether fc6 and fc7 are taken from the file too.
      rngs: Source of the parameters' randomness, and dropout's.

    Attributes:
      PUBLISHED: The options of the paper's network.

    Raises:
      OptionError: Fewer blocks than depths that are scored, or an even window.
      DataError: A file of weights that does not fit.

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
        if len(blocks) < self.scales or window % 2 == 0:
            raise OptionError(
                f"{type(self).__name__} scores the pooled maps of its last {self.scales} blocks, and centres "
                f"an odd `window` on every cell; got blocks={blocks} and window={window}."
            )
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

    def __call__(self, x: jax.Array) -> jax.Array:
        """Scores every pixel.

        Args:
          x: ``(*batch, rows, columns, in_features)``.

        Returns:
          Logits, ``(*batch, rows, columns, n_classes)``.
        """
        maps = [self.features.pool(y) for y in self.features(x)][-self.scales :]
        for layer in self.dense:
            maps[-1] = self.dropout(jax.nn.relu(layer(maps[-1])))
        scores = [layer(y) for layer, y in zip(self.scores, maps, strict=True)]
        logits = scores.pop()
        for upsampling, finer in zip(list(self.upsamplings)[:0:-1], reversed(scores), strict=True):
            logits = finer + upsampling(logits, finer.shape[-3:-1])
        return self.upsamplings[0](logits, x.shape[-3:-1])

    def load(self, path: str, *, dense: bool = True) -> None:
        """Takes the convolutions, and fc6 and fc7, from a file of VGG weights; see `load_vgg`."""
        load_vgg(path, [block.convs for block in self.features.blocks], self.dense if dense else ())


class FCN16s(FCN8s):
    """`FCN8s` that scores the last two depths: strides 32 and 16 with the five blocks of VGG."""

    scales = 2


class FCN32s(FCN8s):
    """`FCN8s` that scores the last depth alone: stride 32 with the five blocks of VGG."""

    scales = 1


def _dense_layers(in_features: int, dense: int, window: int, rngs: nnx.Rngs) -> list[Conv]:
    """VGG's fc6 and fc7 at every position."""
    he = nnx.initializers.he_normal()
    return [
        Conv(in_features, dense, (window, window), padding=window // 2, kernel_init=he, rngs=rngs),
        Conv(dense, dense, (1, 1), kernel_init=he, rngs=rngs),
    ]
