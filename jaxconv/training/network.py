"""A trained network, as evaluation, inference and export use it, and how it is loaded from a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding

from jaxconv.data import Classes, Dataset
from jaxconv.errors import GeometryError
from jaxconv.training.checkpoints import Checkpoints, WhichCheckpoint
from jaxconv.training.config import Config
from jaxconv.training.devices import (
    batch_sharding,
    first_decides,
    local_mesh,
    local_part,
    put_replicated,
    replicated_sharding,
)
from jaxconv.training.options import ConfigError
from jaxconv.training.run_folder import json_value
from jaxconv.training.state import Graphs, State, abstract_state, apply_network, build_optimizer


class Network(Protocol):
    """Interface of a trained network that evaluation, inference and export need; `Trained` has it."""

    @property
    def task(self) -> str:
        """``"segmentation"`` or ``"classification"``."""

    @property
    def classes(self) -> Classes:
        """Names and colours of the classes."""

    @property
    def in_features(self) -> int:
        """Number of features of the images."""

    @property
    def shrink(self) -> int:
        """Pixels of an image that are averaged into one pixel of the network's input, per axis."""

    @property
    def step(self) -> int:
        """Number of steps for which it was trained."""

    @property
    def parameters(self) -> Any:
        """Parameters, a pytree of arrays."""

    @property
    def rest(self) -> Any:
        """All other arrays, such as running statistics, a pytree."""

    def logits(self, images: np.ndarray | jax.Array, /) -> jax.Array:
        """Returns the scores of the classes for images that were downsampled by `shrink`."""

    def call(self, parameters: Any, rest: Any, images: jax.Array, /) -> jax.Array:
        """Returns the same scores as `logits`, as a function of the parameters too."""


@dataclass(frozen=True)
class Trained:
    """A trained network with its parameters, its configuration and its classes.

    Attributes:
      config: Configuration of the training.
      classes: Names and colours of the classes.
      in_features: Number of features of the images.
      task: ``"segmentation"`` or ``"classification"``.
      graph: The network without its arrays.
      parameters: Parameters; their running mean if the configuration has `training.ema`.
      rest: Arrays that are not parameters, such as running statistics.
      size: ``(rows, columns)`` of the images on which it was trained, before downsampling.
      step: Number of steps for which it was trained.
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
        """Builds the network of a state, on those of its devices that belong to this process.

        Args:
          config: Configuration of the training.
          metadata: Metadata of the checkpoint, as `make_metadata` returns them.
          graphs: The network without its arrays.
          state: State of the training.
        """
        numbers = (state.parameters, state.rest) if config.training.ema is None else state.average
        step = int(state.step.addressable_data(0))
        parameters, rest = put_replicated(_host(numbers), local_part(state.step.sharding))
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
        """Pixels of an image that are averaged into one pixel of the network's input, per axis."""
        return self.config.training.shrink

    @property
    def mesh(self) -> Mesh:
        """Devices that have a copy of the parameters, over which batches are split."""
        return local_part(jax.tree.leaves(self.parameters)[0].sharding)

    @cached_property
    def count(self) -> int:
        """Number of parameters."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.parameters))

    def logits(self, images: np.ndarray | jax.Array) -> jax.Array:
        """Returns the scores of the classes.

        Args:
          images: Images, ``(b, rows, columns, in_features)`` float32 from 0 to 1, downsampled by `shrink`.

        Returns:
          Scores, ``(b, rows, columns, n_classes)`` float32; ``(b, n_classes)`` of a classifier.

        Raises:
          GeometryError: The images have another number of axes or of features.
        """
        if images.ndim != 4 or images.shape[-1] != self.in_features:
            raise GeometryError(
                f"`images` must have the shape (batch, rows, columns, {self.in_features}); got "
                f"{images.shape}."
            )
        mesh = self.mesh
        parts = batch_sharding(mesh) if len(images) % mesh.size == 0 else replicated_sharding(mesh)
        return self._apply(self.parameters, self.rest, jax.device_put(images, parts), parts=parts)

    def call(self, parameters: nnx.State, rest: nnx.State, images: jax.Array) -> jax.Array:
        """Returns the same scores as `logits`, as a function of the parameters too.

        Args:
          parameters: Parameters, such as `Trained.parameters`.
          rest: All other arrays, such as `Trained.rest`.
          images: Images, ``(b, rows, columns, in_features)`` float32 from 0 to 1, downsampled by `shrink`.
        """
        return self._apply(parameters, rest, images)

    def _apply(
        self, parameters: nnx.State, rest: nnx.State, images: jax.Array, parts: NamedSharding | None = None
    ) -> jax.Array:
        options = self.config.training
        arguments = (options.precision, options.preprocessing, parameters, rest, images)
        return apply_network(self.graph, *arguments, parts=parts)


def _host(tree: Any) -> Any:
    """Returns NumPy arrays of a tree of which every process holds a copy; random keys stay as they are."""
    return jax.tree.map(
        lambda leaf: (
            leaf
            if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else np.asarray(leaf.addressable_data(0))
        ),
        tree,
    )


def make_metadata(config: Config, dataset: Dataset, *, one_batch: bool = False) -> dict[str, Any]:
    """Returns the metadata of checkpoints: what is needed to use one without the data, or to resume.

    `train` adds the number of devices and the version of oneDNN, which change roundings only.

    Args:
      config: Configuration of the training.
      dataset: The training split.
      one_batch: Whether the training uses its first batch only.
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
        }
    )


def load(run: Path | str, checkpoint: WhichCheckpoint = "best") -> Trained:
    """Loads the network of a run.

    Args:
      run: Folder that `train` wrote.
      checkpoint: ``"best"`` for the best checkpoint on the validation split, or ``"last"``.

    Raises:
      ConfigError: The folder is not that of a run, or nothing was saved in it yet.
      RunError: The checkpoint is damaged or missing; the message names the file and says what to do.
    """
    run = Path(run)
    checkpoints = Checkpoints(run)
    checkpoints.check_not_lost()
    if not checkpoints.folder.is_dir():
        problem = "it does not exist" if not run.exists() else "it has no folder `checkpoints`"
        raise ConfigError(f"{run} is not the folder of a run: {problem}; `jaxconv train` creates one.")
    return load_network(checkpoints, checkpoint)


def load_network(checkpoints: Checkpoints, which: WhichCheckpoint) -> Trained:
    """Loads the network of a run's best or last checkpoint, on the devices of this process."""
    step = first_decides(lambda: checkpoints.find_step(which))
    if step is None:
        raise ConfigError(
            f"{checkpoints.folder} has no checkpoint yet: the first one is saved after "
            "`training.evaluate_every` steps."
        )
    saved = checkpoints.read_metadata(step)
    config, classes = Config.of(saved["config"]), len(saved["classes"]["names"])
    optimizer, _ = build_optimizer(config)
    graphs, shapes = abstract_state(config, optimizer, saved["in_features"], classes)
    state = checkpoints.read_state(step, shapes, replicated_sharding(local_mesh()))
    return Trained.of(config, saved, graphs, state)
