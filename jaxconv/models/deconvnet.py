"""DeconvNet: VGG, and VGG backwards, with the switches of every pooling undone on the way."""

from __future__ import annotations

import jax
from flax import nnx
from jax.nn.initializers import variance_scaling

from jaxconv.errors import GeometryError, OptionError
from jaxconv.limits import Features, Taps
from jaxconv.models.blocks import ConvBlock
from jaxconv.models.vgg import VGG_BLOCKS, Blocks
from jaxconv.models.vgg_weights import load_vgg
from jaxconv.nn import Conv, ConvTranspose, Norm, Normalization
from jaxconv.operators import max_pool, unpool


class DeconvNet(nnx.Module):
    """An encoder with pooling, dense layers as convolutions, and the mirror image of both.

    Poolings keep their switches. On the way back `jaxconv.unpool` puts every number where the maximum
    was, and 3x3 transposed convolutions of stride 1 fill the map around it. So edges return to where
    they were seen. Poolings keep odd borders, and unpooling is told the size that was pooled: inputs
    of any size are labelled at that size, as long as fc6 fits into the coarsest map.

    Args:
      in_features: Of the input.
      n_classes: Scores of every pixel.
      blocks: As in `VGGFeatures`; the decoder's are the same backwards, the last convolution of each
        leading to the features of the next.
      dense: Features of fc6 and fc7.
      window: Taps an axis of fc6 and of the transposed convolution that undoes it.
      norm: What follows every convolution but the scores; see `jaxconv.nn.Normalization`. Without any,
        the paper finds, training ends in a poor local optimum.
      weights: A file of VGG weights for the encoder's convolutions to start from; see `load_vgg`.
      rngs: Source of the parameters' randomness.

    Attributes:
      PUBLISHED: The options of the paper's network, made for 224x224.

    Raises:
      OptionError: No block.
      DataError: A file of weights that does not fit.

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
        if not blocks or any(count < 1 for _, count in blocks):
            raise OptionError(
                f"DeconvNet needs at least one block of at least one convolution, got {blocks}."
            )
        finer = [in_features, *(width for width, _ in blocks)]
        self.encoder = nnx.List(
            ConvBlock(width_in, width, count, norm=norm, rngs=rngs)
            for width_in, (width, count) in zip(finer, blocks, strict=False)
        )
        width, finer[0] = finer[-1], finer[1]  # the finest block of the decoder keeps its features
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

    def __call__(self, x: jax.Array) -> jax.Array:
        """Scores every pixel.

        Args:
          x: ``(*batch, rows, columns, in_features)``.

        Returns:
          Logits, ``(*batch, rows, columns, n_classes)``.

        Raises:
          GeometryError: The input is too small for fc6.
        """
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
                f"this DeconvNet takes images of at least {least}x{least}, so that fc6 fits into the "
                f"coarsest map; got {shape}. Enlarge them, or lower `window` or the number of `blocks`."
            )

    def load(self, path: str) -> None:
        """Takes the encoder's convolutions from a file of VGG weights; see `load_vgg`."""
        load_vgg(path, [block.convs for block in self.encoder])


class _Unit(nnx.Module):
    """A layer, its normalisation and a rectifier."""

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
