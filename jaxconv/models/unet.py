"""U-Net: convolutions down, transposed convolutions up, and every finer map joined on the way."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from jaxconv.errors import GeometryError, OptionError
from jaxconv.limits import Features, Fraction, Layers, Within
from jaxconv.models.blocks import ConvBlock, make_dropout
from jaxconv.nn import Conv, ConvTranspose, Norm
from jaxconv.operators import max_pool


class UNet(nnx.Module):
    """A contracting and an expanding path, with the maps of the first joined to the second.

    Each level has two 3x3 convolutions; 2x2 pooling leads down, 2x2 transposed convolutions of stride
    2 lead up, where the map of the way down is joined to what comes from below.

    With padding ``"same"`` pooling keeps odd borders, and the transposed convolution is told the size
    that was pooled: any input of at least one pixel is labelled, and nothing is padded or cropped.

    With ``"valid"``, the paper's, convolutions lose their border and the joined maps are cropped to
    their middle; `valid_logits` is that network. A call first mirrors the input at its border (the
    paper's overlap-tile strategy), so that the logits are those of exactly the input's pixels.

    Args:
      in_features: Of the input.
      n_classes: Scores of every pixel.
      features: Of the levels, the finest first.
      depth: Convolutions of a level and path.
      padding: ``"same"`` or ``"valid"``.
      norm: What follows every 3x3 convolution; see `jaxconv.nn.Normalization`.
      dropout: At the end of the contracting path, in training.
      rngs: Source of the parameters' randomness, and dropout's.

    Attributes:
      PUBLISHED: The options of the paper's network.

    Raises:
      OptionError: No level, a level without convolution, or another padding.

    References:
      Ronneberger, Fischer & Brox, arXiv:1505.04597.

    >>> model = UNet(3, 11, features=(4, 8), rngs=nnx.Rngs(0))
    >>> jax.eval_shape(model, jax.ShapeDtypeStruct((2, 37, 50, 3), "float32")).shape
    (2, 37, 50, 11)
    """

    PUBLISHED = {"features": (64, 128, 256, 512, 1024), "padding": "valid", "dropout": 0.5}  # noqa: RUF012

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        *,
        features: Annotated[tuple[Features, ...], Within(1, 12)] = (16, 32, 64),
        depth: Layers = 2,
        padding: Literal["same", "valid"] = "same",
        norm: Norm = "none",
        dropout: Fraction = 0.0,
        rngs: nnx.Rngs,
    ):
        if not features or depth < 1 or padding not in ("same", "valid"):
            raise OptionError(
                "a U-Net has at least one level of at least one convolution, padded 'same' or 'valid'; "
                f"got features={features}, depth={depth} and padding={padding!r}."
            )
        self.padding, self.depth = padding, depth
        block = partial(ConvBlock, padding=1 if padding == "same" else 0, norm=norm, rngs=rngs)
        pairs = list(pairwise(features))  # finer, coarser
        self.down = nnx.List(
            block(fine, coarse, depth) for fine, coarse in [(in_features, features[0]), *pairs]
        )
        self.up = nnx.List(_upsampling(coarse, fine, rngs) for fine, coarse in pairs)
        self.joined = nnx.List(block(2 * fine, fine, depth) for fine, _ in pairs)
        self.dropout = make_dropout(dropout, rngs)
        self.score = Conv(features[0], n_classes, (1, 1), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Scores every pixel.

        Args:
          x: ``(*batch, rows, columns, in_features)``.

        Returns:
          Logits, ``(*batch, rows, columns, n_classes)``.
        """
        if self.padding == "same":
            return self._levels(x)
        shape = x.shape[-3:-1]
        margin = self.margin // 2
        widths = [(margin, self.valid_size(n) - n - margin) for n in shape]
        mirrored = jnp.pad(x, [(0, 0)] * (x.ndim - 3) + [*widths, (0, 0)], mode="reflect")
        return self.valid_logits(mirrored)[..., : shape[0], : shape[1], :]

    def valid_logits(self, x: jax.Array) -> jax.Array:
        """The network without padding: logits of the input's middle, `margin` cells fewer an axis.

        Raises:
          GeometryError: A map to be pooled would have an odd size, or nothing would be left.
        """
        for n in x.shape[-3:-1]:
            if n <= self.margin or n != self.valid_size(n - self.margin):
                larger = self.valid_size(max(n - self.margin, 1))
                raise GeometryError(
                    f"unpadded, this U-Net takes sizes such as {larger}, where every map that is pooled is "
                    f"even; got {x.shape[-3:-1]}. Call the model itself, which mirrors the input's border."
                )
        return self._levels(x)

    @property
    def margin(self) -> int:
        """Cells an axis that the unpadded network loses: 184 for the published one.

        A level's convolutions lose ``2 depth`` cells of 2^n pixels, on both paths but for the lowest.
        """
        levels = len(self.down)
        return 2 * self.depth * (2 * (2 ** (levels - 1) - 1) + 2 ** (levels - 1))

    def valid_size(self, size: int) -> int:
        """The least size of an input, in cells, that gives logits of at least `size` unpadded.

        >>> model = UNet(1, 2, features=(1, 1, 1, 1, 1), padding="valid", rngs=nnx.Rngs(0))
        >>> model.valid_size(388), model.valid_size(1)
        (572, 188)
        """
        step = 2 ** (len(self.down) - 1)
        lost_above = 2 * self.depth * (step - 1)  # on the way up, from the coarsest map's cells times step
        return -(-(size + lost_above) // step) * step - lost_above + self.margin

    def _levels(self, x: jax.Array) -> jax.Array:
        maps = [self.down[0](x)]
        for block in list(self.down)[1:]:
            maps.append(block(max_pool(maps[-1], (2, 2), ceil_mode=True)))
        y = self.dropout(maps.pop())
        for up, joined in zip(reversed(self.up), reversed(self.joined), strict=True):
            fine = maps.pop()
            same = self.padding == "same"
            shape = fine.shape[-3:-1] if same else tuple(2 * n for n in y.shape[-3:-1])
            y = joined(jnp.concatenate([_middle(fine, shape), up(y, input_shape=shape)], -1))
        return self.score(y)


def _upsampling(coarse: int, fine: int, rngs: nnx.Rngs) -> ConvTranspose:
    """The transpose of a 2x2 convolution that, padded by one, halves odd sizes rounding up."""
    return ConvTranspose(coarse, fine, (2, 2), strides=2, padding=((0, 1), (0, 1)), rngs=rngs)


def _middle(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    rows, columns = ((n - m) // 2 for n, m in zip(x.shape[-3:-1], shape, strict=True))
    return x[..., rows : rows + shape[0], columns : columns + shape[1], :]
