"""ReNet: a classifier that sweeps over the image in the place of convolving it."""

from __future__ import annotations

from typing import Annotated

import jax
import jax.numpy as jnp
from flax import nnx

from jaxconv.core.checks import split_map
from jaxconv.errors import GeometryError, OptionError
from jaxconv.limits import Features, Fraction, Taps, Within
from jaxconv.models.blocks import make_dropout
from jaxconv.nn import Conv, ReNet
from jaxconv.nn.cells import CellName
from jaxconv.nn.recurrent import Variant
from jaxconv.nn.renet import Direction


class ReNetClassifier(nnx.Module):
    """Layers of sweeps, each over the patches of the last one's map, and dense layers on top.

    The dense layers are convolutions, the first with a kernel of `window` cells. A map of just that
    size is the paper's, flattened. A larger one gives scores at several positions, which are averaged:
    with the default, one cell, any image is classified, and every cell has seen all of it.

    Args:
      in_features: Of the input.
      n_classes: Scores of an image.
      patches: Rows and columns of the patches of every layer.
      units: Features of each direction of every sweep.
      dense: Features of the dense layers before the scores.
      window: Rows and columns of the last map that the first dense layer takes.
      dropout: Before every dense layer, in training.
      cell: As in `jaxconv.nn.ReNet`, as are the next two.
      variant: Likewise.
      first: Likewise.
      rngs: Source of the parameters' randomness, and dropout's.

    Attributes:
      PUBLISHED: The paper's options for MNIST's 28x28 images, as summaries of it give them; the
        count of dense layers is not certain.

    Raises:
      OptionError: No layer.
      GeometryError: An empty patch or window, no unit, or no such cell, variant or axis.

    References:
      Visin et al., arXiv:1505.00393.

    >>> model = ReNetClassifier(1, 10, units=4, dense=(8,), rngs=nnx.Rngs(0))
    >>> jax.eval_shape(model, jax.ShapeDtypeStruct((5, 9, 14, 1), "float32")).shape
    (5, 10)
    """

    PUBLISHED = {  # noqa: RUF012
        "patches": ((2, 2), (2, 2)),
        "units": 256,
        "dense": (4096,),
        "window": (7, 7),
    }

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        *,
        patches: Annotated[tuple[tuple[Taps, Taps], ...], Within(1, 64)] = ((2, 2), (2, 2)),
        units: Features = 32,
        dense: Annotated[tuple[Features, ...], Within(0, 64)] = (128,),
        window: tuple[Taps, Taps] = (1, 1),
        dropout: Fraction = 0.0,
        cell: CellName = "gru",
        variant: Variant = "paper",
        first: Direction | None = None,
        rngs: nnx.Rngs,
    ):
        if not patches:
            raise OptionError("a ReNet needs the patch of at least one layer, got patches=().")
        widths = [in_features] + [2 * units] * (len(patches) - 1)
        self.layers = nnx.List(
            ReNet(width, units, patch=patch, cell=cell, variant=variant, first=first, rngs=rngs)
            for width, patch in zip(widths, patches, strict=True)
        )
        self.window = tuple(window)
        self.dropout = make_dropout(dropout, rngs)
        widths = [2 * units, *dense]
        he = nnx.initializers.he_normal()
        self.dense = nnx.List(
            Conv(width, out, self.window if n == 0 else (1, 1), kernel_init=he, rngs=rngs)
            for n, (width, out) in enumerate(zip(widths, dense, strict=False))
        )
        self.scores = Conv(widths[-1], n_classes, (1, 1) if dense else self.window, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Scores every image.

        Args:
          x: ``(*batch, rows, columns, in_features)``.

        Returns:
          Logits, ``(*batch, n_classes)``.

        Raises:
          GeometryError: The last map is smaller than the window.
        """
        size = jnp.shape(x)[-3:-1]
        for layer in self.layers:
            x = layer(x)
        self._check_window(x, size)
        for dense in self.dense:
            x = jax.nn.relu(dense(self.dropout(x)))
        return self.scores(self.dropout(x)).mean((-3, -2))

    def _check_window(self, x: jax.Array, size: tuple[int, ...]) -> None:
        _, found = split_map("x", x.shape, 2, "the window")
        if any(cells < needed for cells, needed in zip(found, self.window, strict=True)):
            raise GeometryError(
                f"the first dense layer takes {self.window} cells, but an image of {size} leaves a map of "
                f"{found}; enlarge the image, or lower `window` or `patches`."
            )
