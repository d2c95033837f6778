"""ReSeg: a convolutional front end, ReNet layers on its map, and transposed convolutions back up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import jax
from flax import nnx
from jax.typing import ArrayLike

from jaxconv.core.checks import check_option
from jaxconv.errors import OptionError
from jaxconv.geometry.arguments import integer
from jaxconv.limits import Features, Layers, Taps, Within
from jaxconv.models.arguments import check_blocks, check_images, check_network, check_window
from jaxconv.models.blocks import ConvBlock
from jaxconv.models.vgg import VGG_BLOCKS, VGGFeatures
from jaxconv.nn import Conv, ConvTranspose, Norm, Normalization, ReNet
from jaxconv.nn.cells import CellName
from jaxconv.nn.recurrent import Variant
from jaxconv.nn.renet import Direction

FrontEnd = Literal["vgg", "conv", "none"]
# Unlike VGG, a front end may have no blocks.
FrontBlocks = Annotated[tuple[tuple[Features, Layers], ...], Within(0, 12)]
FRONT_BLOCKS: dict[str, FrontBlocks] = {"vgg": VGG_BLOCKS[16][:3], "conv": ((16, 1), (32, 1)), "none": ()}


class ReSeg(nnx.Module):
    """ReSeg: a front end of local features, sweeps over the whole map, and upsampling to every pixel.

    Everything that makes the map smaller, a block of the front end or the patches of the first ReNet layer,
    is undone by a transposed convolution whose kernel is as large as its stride. Maps of odd size are padded
    at their end before they are made smaller, so the result is cropped at its end to the input's size.

    Args:
      in_features: Features of the input, such as 3 for colour images.
      n_classes: Number of classes, the features of the logits.
      front_end: ``"vgg"``: the first blocks of VGG. ``"conv"``: strided convolutions, for training from
        scratch. ``"none"``: the sweeps read the image.
      blocks: ``(features, convolutions)`` of every block of the front end, the finest first. With ``"vgg"``
        the last block is not pooled, and the default ends at conv3_3, with stride 4. With ``"conv"`` every
        block halves the map, and the default has two blocks.
      weights: Path of a file of VGG weights from which the front end ``"vgg"`` starts; see `load_vgg`.
      layers: Number of ReNet layers; 0 leaves them out.
      units: Features of each direction of every sweep.
      patch: ``(rows, columns)`` of the patches of the first ReNet layer; the other layers read single cells.
      cell: Recurrent cell of the sweeps: "gru", "lstm" or "tanh"; see `jaxconv.nn.sweep`.
      variant: ``"paper"``: vertical sweeps first, both directions independent. ``"released"``: as in the
        published code of ReSeg, horizontal sweeps first, and each backward sweep reads the result of the
        forward sweep.
      first: Direction of the first sweeps, ``"vertical"`` or ``"horizontal"``; by default that of `variant`.
      filters: Features of the transposed convolutions.
      norm: Normalization after every convolution of the front end and every transposed one: "none", "batch"
        or "group"; see `jaxconv.nn.Normalization`. The published network has none.
      rngs: Source of the random initial parameters.

    Attributes:
      PUBLISHED: The options of the published code. Its network has 12 classes, void among them, and
        2,405,400 parameters; its front end has the weights of VGG-16, which are not trained.

    Raises:
      OptionError: `in_features` or `n_classes` is below 1, `front_end` or `norm` is unknown, `blocks` or
        `patch` are not made of pairs, or options contradict each other.
      DataError: The file of weights cannot be read or does not fit.
      GeometryError: `units` or `filters` is below 1, or an option of the recurrent layers is unknown.
      TypeError: `in_features` or `n_classes` is not an integer, or `rngs` is not an `nnx.Rngs`.

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
        check_network(in_features, n_classes, rngs)
        check_option("front_end", front_end, tuple(FRONT_BLOCKS), error=OptionError)
        blocks = FRONT_BLOCKS[front_end] if blocks is None else blocks
        _check_options(front_end, blocks, weights, layers, patch)
        self.in_features = in_features
        self.front_end: VGGFeatures | StridedConvs
        if front_end == "vgg":
            self.front_end = VGGFeatures(in_features, blocks, norm=norm, rngs=rngs)
            if weights is not None:
                self.front_end.load(weights)
        else:
            self.front_end = StridedConvs(in_features, blocks, norm=norm, rngs=rngs)
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
        rows, columns = x.shape[-3:-1]
        y: jax.Array = self.front_end(x)[-1]
        for layer in self.layers:
            y = layer(y)
        for upsampling, norm in zip(self.upsamplings, self.norms, strict=True):
            y = jax.nn.relu(norm(upsampling(y)))
        return self.scores(y[..., :rows, :columns, :])


class StridedConvs(nnx.Module):
    """Blocks of 3x3 convolutions; the first convolution of each block halves the map.

    Args:
      in_features: Features of the input.
      blocks: ``(features, convolutions)`` of every block; with no blocks the input is returned.
      norm: Normalization after every convolution: "none", "batch" or "group"; see
        `jaxconv.nn.Normalization`.
      rngs: Source of the random initial parameters.

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
        """Returns the input and the map of every block, the finest first."""
        maps = [x]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return tuple(maps)


def _check_options(
    front_end: str, blocks: FrontBlocks, weights: str | None, layers: int, patch: Sequence[int]
) -> None:
    check_blocks(blocks, least=0)
    check_window("patch", patch)
    if bool(blocks) == (front_end == "none"):
        raise OptionError(
            "`blocks` must be empty for the front end 'none', and must not be for the others; got "
            f"front_end={front_end!r} and blocks={blocks}."
        )
    if weights is not None and front_end != "vgg":
        raise OptionError(
            f"`weights` are weights of VGG, so `front_end` must be 'vgg', got {front_end!r}; leave `weights` "
            "out to start from scratch."
        )
    if integer("layers", layers) < 0:
        raise OptionError(f"`layers` must be at least 0, got {layers}.")
    if layers == 0 and tuple(patch) != (1, 1):
        raise OptionError(
            f"`patch` belongs to the first ReNet layer, so it must be (1, 1) with layers=0; got {patch}."
        )
