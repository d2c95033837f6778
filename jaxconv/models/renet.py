"""ReNet: a classifier of recurrent sweeps instead of convolutions."""

from __future__ import annotations

from typing import Annotated

import jax
from flax import nnx
from jax.typing import ArrayLike

from jaxconv.errors import GeometryError, OptionError
from jaxconv.limits import Features, Fraction, Taps, Within
from jaxconv.models.arguments import check_images, check_network, check_window
from jaxconv.models.blocks import make_dropout
from jaxconv.nn import Conv, ReNet
from jaxconv.nn.cells import CellName
from jaxconv.nn.recurrent import Variant
from jaxconv.nn.renet import Direction


class ReNetClassifier(nnx.Module):
    """A classifier of ReNet layers, each of which sweeps over patches of the map before it, and dense layers.

    The dense layers are convolutions, the first with a kernel of `window` cells. On a map of that size they
    are the paper's dense layers on the flattened map. On a larger map they give scores at several positions,
    which are averaged: with the default, a window of one cell, images of any size are classified, and every
    cell depends on the whole image.

    Args:
      in_features: Features of the input, such as 3 for colour images.
      n_classes: Number of classes, the features of the logits.
      patches: ``(rows, columns)`` of the patches of every layer, one pair per layer.
      units: Features of each direction of every sweep.
      dense: Features of every dense layer before the last one, which gives the logits.
      window: ``(rows, columns)`` of the last map that the first dense layer takes.
      dropout: Probability with which a feature is dropped before every dense layer in training, at least 0
        and below 1.
      cell: Recurrent cell of the sweeps: "gru", "lstm" or "tanh"; see `jaxconv.nn.sweep`.
      variant: ``"paper"``: vertical sweeps first, both directions independent. ``"released"``: as in the
        published code of ReSeg, horizontal sweeps first, and each backward sweep reads the result of the
        forward sweep.
      first: Direction of the first sweeps, ``"vertical"`` or ``"horizontal"``; by default that of `variant`.
      rngs: Source of the random initial parameters, and of dropout.

    Attributes:
      PUBLISHED: The options for MNIST's 28x28 images, after descriptions of the paper; the number of dense
        layers is uncertain.

    Raises:
      OptionError: `in_features` or `n_classes` is below 1, `patches` or `window` is not made of
        ``(rows, columns)`` pairs, `patches` is empty, or `dropout` is not a probability.
      GeometryError: `units` is below 1, or an option of the recurrent layers is unknown.
      TypeError: `in_features` or `n_classes` is not an integer, or `rngs` is not an `nnx.Rngs`.

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
        check_network(in_features, n_classes, rngs)
        if not patches:
            raise OptionError(
                "`patches` must have one (rows, columns) pair for each of at least one layer, got ()."
            )
        for n, patch in enumerate(patches):
            check_window(f"patches[{n}]", patch)
        check_window("window", window)
        self.in_features = in_features
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

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Computes the logits of every image.

        Args:
          x: Images, ``(*batch, rows, columns, in_features)`` floats.

        Returns:
          Logits, ``(*batch, n_classes)``.

        Raises:
          GeometryError: `x` has another shape, or the last map is smaller than the window.
          TypeError: `x` is not floating, or its dtype is not that of the parameters.
        """
        x = check_images(x, self.in_features)
        size = x.shape[-3:-1]
        for layer in self.layers:
            x = layer(x)
        self._check_window(x, size)
        for dense in self.dense:
            x = jax.nn.relu(dense(self.dropout(x)))
        return self.scores(self.dropout(x)).mean((-3, -2))

    def _check_window(self, x: jax.Array, size: tuple[int, ...]) -> None:
        last = x.shape[-3:-1]
        if any(cells < needed for cells, needed in zip(last, self.window, strict=True)):
            raise GeometryError(
                f"`x` is too small: the first dense layer takes {self.window} cells, but an image of {size} "
                f"leaves a map of {last}; enlarge the image, or lower `window` or `patches`."
            )
