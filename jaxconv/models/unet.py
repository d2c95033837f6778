"""U-Net: convolutions down, transposed convolutions up, and maps of the way down joined on the way up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import ArrayLike

from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry.arguments import at_least_one
from jaxconv.limits import Features, Fraction, Layers, Within
from jaxconv.models.arguments import check_images, check_network
from jaxconv.models.blocks import ConvBlock, make_dropout
from jaxconv.nn import Conv, ConvTranspose, Norm
from jaxconv.operators import max_pool


class UNet(nnx.Module):
    """U-Net: a contracting and an expanding path, where the maps of the first are joined to the second.

    By default each level has two 3x3 convolutions on each path. 2x2 pooling leads down; 2x2 transposed
    convolutions of stride 2 lead up, where their result is joined with the map of that level on the way
    down.

    With padding ``"same"`` pooling covers odd borders, and the transposed convolution is given the size that
    was pooled: the logits have the size of the input, for any input of at least one pixel, and nothing is
    padded or cropped.

    With ``"valid"``, as in the paper, convolutions lose their border and the joined maps are cropped to
    their middle; `valid_logits` is that network. A call first mirrors the input at its border (the paper's
    overlap-tile strategy), so that the logits have the size of the input.

    Args:
      in_features: Features of the input, such as 3 for colour images.
      n_classes: Number of classes, the features of the logits.
      features: Features of every level, the finest first.
      depth: Number of convolutions per level on each path.
      padding: Padding of the 3x3 convolutions, ``"same"`` or ``"valid"``.
      norm: Normalization after every convolution of 3x3 taps: "none", "batch" or "group"; see
        `jaxconv.nn.Normalization`.
      dropout: Probability with which a feature is dropped at the end of the contracting path in training,
        at least 0 and below 1.
      rngs: Source of the random initial parameters, and of dropout.

    Attributes:
      PUBLISHED: The options of the paper's network.

    Raises:
      OptionError: `in_features`, `n_classes`, `depth` or a number of features is below 1, `features` is
        empty, `padding` or `norm` is unknown, or `dropout` is not a probability.
      TypeError: A number is not an integer, or `rngs` is not an `nnx.Rngs`.

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
        check_network(in_features, n_classes, rngs)
        at_least_one("depth", depth, error=OptionError)
        if not isinstance(features, Sequence) or not features:
            raise OptionError(
                f"`features` must be one integer for each of at least one level, such as (16, 32, 64); got "
                f"{features!r}."
            )
        for width in features:
            at_least_one("features", width, error=OptionError)
        if padding not in ("same", "valid"):
            raise OptionError(f"`padding` must be 'same' or 'valid', got {padding!r}.")
        self.in_features = in_features
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
        if self.padding == "same":
            return self._levels(x)
        shape = x.shape[-3:-1]
        margin = self.margin // 2
        widths = [(margin, self.valid_size(n) - n - margin) for n in shape]
        mirrored = jnp.pad(x, [(0, 0)] * (x.ndim - 3) + [*widths, (0, 0)], mode="reflect")
        return self.valid_logits(mirrored)[..., : shape[0], : shape[1], :]

    def valid_logits(self, x: ArrayLike) -> jax.Array:
        """Applies the network without padding: logits of the middle of the input, `margin` fewer per axis.

        Args:
          x: Images, ``(*batch, rows, columns, in_features)`` floats.

        Returns:
          Logits, ``(*batch, rows - margin, columns - margin, n_classes)``.

        Raises:
          GeometryError: `x` has another shape, a map to be pooled would have an odd size, or the result
            would be empty.
          TypeError: `x` is not floating, or its dtype is not that of the parameters.
        """
        x = check_images(x, self.in_features)
        for n in x.shape[-3:-1]:
            if n <= self.margin or n != self.valid_size(n - self.margin):
                larger = self.valid_size(max(n - self.margin, 1))
                raise GeometryError(
                    f"`x` must have sizes such as {larger}, for which every map that is pooled is even; got "
                    f"{x.shape[-3:-1]}. Or call the model itself, which mirrors the input at its border."
                )
        return self._levels(x)

    @property
    def margin(self) -> int:
        """Cells per axis that the network without padding loses: 184 for the published one.

        The convolutions of level n lose ``2 depth`` cells of 2^n pixels on each path; the lowest level has
        only one path.
        """
        levels = len(self.down)
        return 2 * self.depth * (2 * (2 ** (levels - 1) - 1) + 2 ** (levels - 1))

    def valid_size(self, size: int) -> int:
        """Returns the smallest input size for which the network without padding gives `size` logits or more.

        Args:
          size: Number of logits along an axis.

        Returns:
          Number of cells of the input along that axis.

        >>> model = UNet(1, 2, features=(1, 1, 1, 1, 1), padding="valid", rngs=nnx.Rngs(0))
        >>> model.valid_size(388), model.valid_size(1)
        (572, 188)
        """
        step = 2 ** (len(self.down) - 1)
        lost_above = 2 * self.depth * (step - 1)  # on the way up, counted in pixels
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
    """Builds the transpose of a 2x2 convolution that, padded by one, halves odd sizes rounding up."""
    return ConvTranspose(coarse, fine, (2, 2), strides=2, padding=((0, 1), (0, 1)), rngs=rngs)


def _middle(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Crops a map to the middle."""
    rows, columns = ((n - m) // 2 for n, m in zip(x.shape[-3:-1], shape, strict=True))
    return x[..., rows : rows + shape[0], columns : columns + shape[1], :]
