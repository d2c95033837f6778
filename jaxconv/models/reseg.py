"""ReSeg: ReNet layers on the maps of a convolutional front end, and transposed convolutions back up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import jax
from flax import nnx

from jaxconv.core.checks import check_option
from jaxconv.errors import OptionError
from jaxconv.limits import Features, Layers, Taps, Within
from jaxconv.models.blocks import ConvBlock
from jaxconv.models.vgg import VGG_BLOCKS, VGGFeatures
from jaxconv.nn import Conv, ConvTranspose, Norm, Normalization, ReNet
from jaxconv.nn.cells import CellName
from jaxconv.nn.recurrent import Variant
from jaxconv.nn.renet import Direction

FrontEnd = Literal["vgg", "conv", "none"]
# Unlike VGG's, a front end may have none.
FrontBlocks = Annotated[tuple[tuple[Features, Layers], ...], Within(0, 12)]
FRONT_BLOCKS: dict[str, FrontBlocks] = {"vgg": VGG_BLOCKS[16][:3], "conv": ((16, 1), (32, 1)), "none": ()}


class ReSeg(nnx.Module):
    """A front end finds what is near by, sweeps carry it over the whole map, and every pixel is scored.

    Whatever makes the map smaller, a block of the front end or the patches of the first ReNet layer,
    has its transposed convolution on the way up, with a kernel as large as its stride. Odd maps are
    padded at their end on the way down, so what exceeds the input's size is cropped there.

    Args:
      in_features: Of the input, such as 3 for colour.
      n_classes: Scores of every pixel.
      front_end: ``"vgg"``: the beginning of VGG. ``"conv"``: strided convolutions, for training from
        scratch. ``"none"``: the sweeps read the image.
      blocks: ``(features, convolutions)`` of every block of the front end. VGG, of which the last
        block is not pooled, ends at conv3_3 by default, with stride 4. Every block of ``"conv"`` halves
        the map; by default there are two.
      weights: A file of VGG weights to start the front end from; see `load_vgg`.
      layers: ReNet layers; 0 leaves them out.
      units: Features of each direction of every sweep.
      patch: Rows and columns of the first ReNet layer's patches; the others have single cells.
      cell: As in `jaxconv.nn.ReNet`, as are the next two.
      variant: Likewise.
      first: Likewise.
      filters: Features of the transposed convolutions.
      norm: After every convolution of the front end and every transposed one; see
        `jaxconv.nn.Normalization`. The published network has none.
      rngs: Source of the parameters' randomness.

    Attributes:
      PUBLISHED: The options of the published code; its network has 12 scores, void among them, and
        2,405,400 parameters. Its front end has the weights of VGG-16 and stays as it is.

    Raises:
      OptionError: Options that contradict each other.
      GeometryError: No such option of a layer.
      DataError: A file of weights that does not fit.

    References:
      Visin et al., arXiv:1511.07053.

    >>> model = ReSeg(3, 11, blocks=((4, 1),), layers=1, units=4, filters=4, rngs=nnx.Rngs(0))
    >>> jax.eval_shape(model, jax.ShapeDtypeStruct((2, 37, 50, 3), "float32")).shape
    (2, 37, 50, 11)
    """

    PUBLISHED = {  # noqa: RUF012
        "front_end": "vgg",
        "layers": 2,
        "units": 100,
        "variant": "released",
        "filters": 50,
    }

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        *,
        front_end: FrontEnd = "conv",
        blocks: FrontBlocks | None = None,
        weights: str | None = None,
        layers: Annotated[int, Within(0, 64)] = 2,
        units: Features = 32,
        patch: tuple[Taps, Taps] = (1, 1),
        cell: CellName = "gru",
        variant: Variant = "paper",
        first: Direction | None = None,
        filters: Features = 32,
        norm: Norm = "none",
        rngs: nnx.Rngs,
    ):
        check_option("front_end", front_end, tuple(FRONT_BLOCKS))
        blocks = FRONT_BLOCKS[front_end] if blocks is None else blocks
        _check_options(front_end, blocks, weights, layers, patch)
        self.front_end = _front_end(front_end, in_features, blocks, norm, rngs)
        if weights is not None:
            self.front_end.load(weights)
        width = blocks[-1][0] if blocks else in_features
        self.layers: nnx.List = nnx.List()
        for n in range(layers):
            cells = patch if n == 0 else (1, 1)
            self.layers.append(
                ReNet(width, units, patch=cells, cell=cell, variant=variant, first=first, rngs=rngs)
            )
            width = 2 * units
        halvings = len(blocks) - (1 if front_end == "vgg" else 0)
        steps = [step for step in ((2, 2),) * halvings + (tuple(patch),) if step != (1, 1)]
        self.upsamplings: nnx.List = nnx.List()
        self.norms: nnx.List = nnx.List()
        for step in reversed(steps):
            self.upsamplings.append(ConvTranspose(width, filters, step, strides=step, rngs=rngs))
            self.norms.append(Normalization(norm, filters, rngs=rngs))
            width = filters
        self.scores = Conv(width, n_classes, (1, 1), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Scores every pixel.

        Args:
          x: ``(*batch, rows, columns, in_features)``.

        Returns:
          Logits, ``(*batch, rows, columns, n_classes)``.
        """
        rows, columns = x.shape[-3:-1]
        x = self.front_end(x)[-1]
        for layer in self.layers:
            x = layer(x)
        for upsampling, norm in zip(self.upsamplings, self.norms, strict=True):
            x = jax.nn.relu(norm(upsampling(x)))
        return self.scores(x[..., :rows, :columns, :])


class StridedConvs(nnx.Module):
    """Blocks of 3x3 convolutions, of which the first halves the map.

    Args:
      in_features: Of the input.
      blocks: ``(features, convolutions)`` of every block; without any, the input is returned.
      norm: After every convolution; see `jaxconv.nn.Normalization`.
      rngs: Source of the parameters' randomness.

    >>> front_end = StridedConvs(3, ((4, 1), (6, 2)), rngs=nnx.Rngs(0))
    >>> jax.eval_shape(front_end, jax.ShapeDtypeStruct((37, 50, 3), "float32"))[-1].shape
    (10, 13, 6)
    """

    def __init__(self, in_features: int, blocks: FrontBlocks, *, norm: Norm = "none", rngs: nnx.Rngs):
        self.blocks: nnx.List = nnx.List()
        for features, count in blocks:
            self.blocks.append(ConvBlock(in_features, features, count, strides=2, norm=norm, rngs=rngs))
            in_features = features

    def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
        """The input and the map of every block, finest first."""
        maps = [x]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return tuple(maps)


def _front_end(name: str, in_features: int, blocks: FrontBlocks, norm: Norm, rngs: nnx.Rngs):
    return (VGGFeatures if name == "vgg" else StridedConvs)(in_features, blocks, norm=norm, rngs=rngs)


def _check_options(
    front_end: str, blocks: FrontBlocks, weights: str | None, layers: int, patch: Sequence[int]
):
    if any(count < 1 for _, count in blocks) or bool(blocks) == (front_end == "none"):
        raise OptionError(
            "a front end other than 'none' needs blocks of at least one convolution, and 'none' has none; "
            f"got front_end={front_end!r} and blocks={blocks}."
        )
    if weights is not None and front_end != "vgg":
        raise OptionError(
            f"`weights` are VGG's, so the front end must be 'vgg', got front_end={front_end!r}; "
            "leave `weights` out to start from scratch."
        )
    if layers < 0 or (layers == 0 and tuple(patch) != (1, 1)):
        raise OptionError(
            f"`layers` is at least 0, and patches are the first layer's: got layers={layers} and "
            f"patch={patch}; without layers leave `patch` at (1, 1)."
        )
