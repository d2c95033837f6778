"""A trained network as it is used: what evaluation, inference and export need, and how a run loads it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from flax import nnx

from jaxconv.data import Classes, Dataset
from jaxconv.errors import GeometryError
from jaxconv.training.checkpoints import Checkpoints, Which
from jaxconv.training.config import Config
from jaxconv.training.devices import first_decides, local_mesh, put_replicated, replicated, split
from jaxconv.training.optimizers import build_optimizer
from jaxconv.training.options import ConfigError
from jaxconv.training.run_folder import json_value
from jaxconv.training.state import Graphs, State, abstract_state, apply_network


class Network(Protocol):
    """What evaluation, inference and export need of a trained network; `Trained` is one."""

    @property
    def task(self) -> str:
        """``"segmentation"`` or ``"classification"``."""

    @property
    def classes(self) -> Classes:
        """Names and colours of what it tells apart."""

    @property
    def in_features(self) -> int:
        """Features of its images."""

    @property
    def shrink(self) -> int:
        """Pixels of an image that one pixel of its input stands for, along each axis."""

    @property
    def step(self) -> int:
        """How many steps it was trained for."""

    @property
    def parameters(self) -> Any:
        """A pytree of arrays."""

    @property
    def rest(self) -> Any:
        """A pytree of all other arrays, such as running statistics."""

    def logits(self, images: np.ndarray | jax.Array, /) -> jax.Array:
        """Scores of the classes for images that are downsampled by `shrink`."""

    def call(self, parameters: Any, rest: Any, images: jax.Array, /) -> jax.Array:
        """`logits` as a function of the parameters too."""


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
      size: Rows and columns of the images that it learned from, before downsampling.
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
    def of(cls, config: Config, metadata: dict[str, Any], graphs: Graphs, state: State) -> Trained:
        """The network of a state, on the devices of this process; `metadata` is what its checkpoint holds."""
        numbers = (state.parameters, state.rest) if config.training.ema is None else state.average
        step = int(state.step.addressable_data(0))
        parameters, rest = put_replicated(_host(numbers), local_mesh())
        names, colors = metadata["classes"]["names"], metadata["classes"]["colors"]
        return cls(
            config,
            Classes(tuple(names), tuple(map(tuple, colors))),
            metadata["in_features"],
            metadata["task"],
            graphs.inference,
            parameters,
            rest,
            tuple(metadata["size"]),
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
          images: ``(b, rows, columns, in_features)`` float32, 0 to 1, downsampled by `shrink`.

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
        return apply_network(self.graph, training.precision, training.preprocessing, parameters, rest, images)


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


def make_metadata(config: Config, dataset: Dataset, *, one_batch: bool = False) -> dict[str, Any]:
    """Describes a run for its checkpoints: all that is needed to use one without the data, or to go on.

    Args:
      config: The configuration.
      dataset: The training split.
      one_batch: Whether only its first batch is learned.
    """
    rows, columns = config.augmentation.crop or dataset[0].image.shape[:2]
    return json_value(
        {
            "config": config.tables(),
            "classes": asdict(dataset.classes),
            "in_features": dataset.in_features,
            "task": dataset.task,
            "size": (rows, columns),
            "examples": len(dataset),
            "one_batch": one_batch,
            "devices": jax.device_count(),
        }
    )


def load(run: Path | str, checkpoint: Which = "best") -> Trained:
    """Loads the network of a run.

    Args:
      run: The folder that a training wrote.
      checkpoint: The best on the validation split, or the last.

    Raises:
      ConfigError: The folder holds no checkpoint.
      RunError: The checkpoint is damaged; the message names the file, and the way out.
    """
    run = Path(run)
    if not (run / "checkpoints").is_dir():
        found = "it does not exist" if not run.exists() else "there is no `checkpoints` in it"
        raise ConfigError(f"{run} is not the folder of a run: {found}; `jaxconv train` writes one.")
    return load_network(Checkpoints(run), checkpoint)


def load_network(checkpoints: Checkpoints, which: Which) -> Trained:
    """Loads the network of a run's best or last checkpoint, on the devices of this process."""
    step = first_decides(lambda: checkpoints.step(which))
    if step is None:
        raise ConfigError(f"there is no checkpoint in {checkpoints.folder} yet.")
    saved = checkpoints.metadata(step)
    config, classes = Config.of(saved["config"]), len(saved["classes"]["names"])
    optimizer, _ = build_optimizer(config)
    graphs, shapes = abstract_state(config, optimizer, saved["in_features"], classes)
    state = checkpoints.state(step, shapes, replicated(local_mesh()))
    return Trained.of(config, saved, graphs, state)
