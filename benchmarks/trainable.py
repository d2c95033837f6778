"""A small network and its training step in jaxconv."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxconv.data import Batch
from jaxconv.training import Config
from jaxconv.training.device_choice import choose_devices
from jaxconv.training.devices import (
    batch_mesh,
    batch_sharding,
    put_batch,
    put_replicated,
    replicated_sharding,
)
from jaxconv.training.losses import LOSSES
from jaxconv.training.state import State, Step, apply_network, build_optimizer, initial_state

RATE = 0.01
CLASSES = 11


class Size(NamedTuple):
    """Size of a batch of colour images."""

    batch: int = 4
    rows: int = 96
    columns: int = 128

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        """Draws random pixels and labels, the same for every library."""
        rng = np.random.default_rng(0)
        return rng.random((*self, 3), np.float32), rng.integers(0, CLASSES, self, np.int32)


def configuration(network: str, gpu: bool) -> Config:
    """Returns a configuration of gradient descent on the mean cross-entropy; its data set is not used."""
    return Config.of(
        {
            "model": {"name": network},
            "data": {"name": "shapes"},
            "loss": {"name": "cross_entropy"},
            "optimizer": {"name": "sgd", "momentum": 0.0},
            "schedule": {"name": "constant", "learning_rate": RATE},
            "training": {"precision": "bfloat16" if gpu else "float32"},
        }
    )


class Ours:
    """The training step of `jaxconv.training`, compiled as by the train command."""

    def __init__(self, network: str, size: Size) -> None:
        self.config = configuration(network, jax.default_backend() == "gpu")
        images, labels = size.examples()
        mesh = batch_mesh(size.batch)
        optimizer, schedule = build_optimizer(self.config)
        loss = LOSSES["cross_entropy"](None, **self.config.loss.options)
        self.graphs, state = initial_state(self.config, optimizer, 3, CLASSES)
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(state.parameters))
        step = Step(self.config, self.graphs, optimizer, schedule, loss, replicated_sharding(mesh))
        step, _ = choose_devices(step, state, Batch(images, labels), steps=20_000)
        self.mesh = step.mesh
        self.state: State = put_replicated(state, self.mesh)
        self.batch = put_batch(Batch(images, labels), self.mesh)
        self.program = step.compile().lower(self.state, self.batch).compile()

    @property
    def temporary(self) -> int:
        """Bytes of temporary memory that XLA allocates in one step."""
        return self.program.memory_analysis().temp_size_in_bytes

    def forward(self) -> jax.Array:
        """Computes logits, channels last."""
        training, state = self.config.training, self.state
        arguments = training.precision, training.preprocessing, state.parameters, state.rest
        images, parts = self.batch.images, batch_sharding(self.mesh)
        return apply_network(self.graphs.inference, *arguments, images, parts=parts)

    def step(self) -> dict[str, Any]:
        """Makes one step, and returns its loss and the norm of the gradient."""
        self.state, record = self.program(self.state, self.batch)
        return record
