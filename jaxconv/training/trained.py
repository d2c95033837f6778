"""A trained network as it is used: its numbers, and what must be known to use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxconv.data import Classes
from jaxconv.errors import GeometryError
from jaxconv.training.config import Config
from jaxconv.training.devices import local_mesh, put_replicated, replicated, split
from jaxconv.training.state import Graphs, State, use


@dataclass(frozen=True)
class Trained:
    """A network with its parameters, its configuration and its classes.

    Attributes:
      config: What it was trained by.
      classes: Names and colours.
      in_features: Of the examples.
      task: ``"segmentation"`` or ``"classification"``.
      graph: The network without its numbers.
      parameters: Its parameters; their running mean where the training kept one.
      rest: Running statistics.
      size: Rows and columns of the images that it learned from, before they are shrunken.
      step: How many steps it has learned.
    """

    config: Config
    classes: Classes
    in_features: int
    task: str
    graph: nnx.GraphDef
    parameters: nnx.State = field(repr=False)
    rest: nnx.State = field(repr=False)
    size: tuple[int, int]
    step: int = 0

    @classmethod
    def of(cls, config: Config, about: dict[str, Any], graphs: Graphs, state: State) -> Trained:
        """The network of a state, on the devices of this process; `about` is what its checkpoint says."""
        numbers = (state.parameters, state.rest) if config.training.ema is None else state.average
        step = int(state.step.addressable_data(0))
        parameters, rest = put_replicated(_host(numbers), local_mesh())
        names, colors = about["classes"]["names"], about["classes"]["colors"]
        return cls(
            config,
            Classes(tuple(names), tuple(map(tuple, colors))),
            about["in_features"],
            about["task"],
            graphs.use,
            parameters,
            rest,
            tuple(about["size"]),
            step,
        )

    @property
    def shrink(self) -> int:
        """Pixels of an example that one pixel of the network's input stands for, along each axis."""
        return self.config.training.shrink

    @cached_property
    def count(self) -> int:
        """How many parameters it has."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.parameters))

    def logits(self, images: np.ndarray | jax.Array) -> jax.Array:
        """Scores of the classes.

        Args:
          images: ``(b, rows, columns, in_features)`` float32, 0 to 1, shrunken by `shrink`.

        Returns:
          ``(b, rows, columns, n_classes)`` float32; ``(b, n_classes)`` of a classifier.

        Raises:
          GeometryError: The features are not those that it was trained on.
        """
        if images.ndim != 4 or images.shape[-1] != self.in_features:
            raise GeometryError(
                f"the network takes (batch, rows, columns, {self.in_features}), got {images.shape}."
            )
        mesh = local_mesh()
        where = split(mesh) if len(images) % mesh.size == 0 else replicated(mesh)
        return self.call(self.parameters, self.rest, jax.device_put(images, where))

    def call(self, parameters, rest, images: jax.Array) -> jax.Array:
        """`logits` as a function of the parameters too, for `jax.export` and derivatives."""
        training = self.config.training
        return use(self.graph, training.precision, training.preprocessing, parameters, rest, images)


def _host(tree):
    """NumPy's arrays, and keys as they are: what every process holds a copy of."""
    return jax.tree.map(
        lambda leaf: (
            leaf
            if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else np.asarray(leaf.addressable_data(0))
        ),
        tree,
    )
