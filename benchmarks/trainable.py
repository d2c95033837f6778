"""One small network ready to be trained: by this library, and by PyTorch from the same parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from benchmarks.twins import F, parameters, torch, twin
from jaxconv.segmentation import Batch
from jaxconv.training import Config
from jaxconv.training.config import build_model
from jaxconv.training.devices import batch_mesh, put_batch, put_replicated, replicated
from jaxconv.training.losses import LOSSES
from jaxconv.training.optimizers import build_optimizer
from jaxconv.training.state import State, Step, initial_state, use

RATE = 0.01
CLASSES = 11


class Size(NamedTuple):
    """Of a batch of colour images."""

    batch: int = 4
    rows: int = 96
    columns: int = 128

    def examples(self) -> tuple[np.ndarray, np.ndarray]:
        """Random pixels and labels, the same for every side."""
        rng = np.random.default_rng(0)
        return rng.random((*self, 3), np.float32), rng.integers(0, CLASSES, self, np.int32)


def configuration(network: str, gpu: bool) -> Config:
    """Plain gradient descent on the mean cross-entropy; the data are only named."""
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
    """`jaxconv.training`'s own step, compiled as the train command compiles it."""

    def __init__(self, network: str, size: Size):
        self.config = configuration(network, jax.default_backend() == "gpu")
        images, labels = size.examples()
        mesh = batch_mesh(size.batch)
        optimizer, schedule = build_optimizer(self.config)
        loss = LOSSES["cross_entropy"](None, **self.config.loss.options)
        self.graphs, state = initial_state(self.config, optimizer, 3, CLASSES)
        self.parameters = sum(leaf.size for leaf in jax.tree.leaves(state.parameters))
        self.state: State = put_replicated(state, mesh)
        self.batch = put_batch(Batch(images, labels), mesh)
        step = Step(self.config, self.graphs, optimizer, schedule, loss, replicated(mesh))
        self.program = step.compiled().lower(self.state, self.batch).compile()

    @property
    def temporary(self) -> int:
        """Bytes that XLA asks for in one step."""
        return self.program.memory_analysis().temp_size_in_bytes

    def forward(self) -> jax.Array:
        """Logits, channels last."""
        training, state = self.config.training, self.state
        arguments = training.precision, training.preprocessing, state.parameters, state.rest
        return use(self.graphs.use, *arguments, self.batch.images)

    def step(self) -> dict[str, Any]:
        """One step; its loss and the gradient's norm."""
        self.state, record = self.program(self.state, self.batch)
        return record


class Theirs:
    """The twin in PyTorch with its own loss and optimiser; compiled, in bfloat16, on a GPU."""

    temporary = None

    def __init__(self, network: str, size: Size, *, channels_last: bool):
        self.gpu = jax.default_backend() == "gpu" and torch.cuda.is_available()
        device = "cuda" if self.gpu else "cpu"
        layout = torch.channels_last if channels_last else torch.contiguous_format
        model = build_model(configuration(network, self.gpu), 3, CLASSES, rngs=nnx.Rngs(params=0, dropout=1))
        images, labels = (torch.from_numpy(array) for array in size.examples())
        self.images = images.permute(0, 3, 1, 2).to(device).contiguous(memory_format=layout)
        self.labels = labels.to(device, torch.long)
        self.model = twin(model).to(device, memory_format=layout)
        self.parameters = parameters(self.model)
        self.optimizer = torch.optim.SGD(self._learned(), lr=RATE)
        self.network = torch.compile(self.model) if self.gpu else self.model

    def forward(self):
        """Logits, channels last: a view."""
        with torch.inference_mode():
            logits = self._logits().permute(0, 2, 3, 1)
            self._wait()
        return logits

    def step(self) -> dict[str, Any]:
        """One step; its loss."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self._logits().float(), self.labels)
        loss.backward()
        self.optimizer.step()
        self._wait()
        return {"loss": loss.detach()}

    def gradient_norm(self) -> float:
        """Of the last step."""
        return float(torch.sqrt(sum((p.grad.float() ** 2).sum() for p in self._learned())))

    def _logits(self):
        with torch.autocast(self.images.device.type, torch.bfloat16, enabled=self.gpu):
            return self.network(self.images)

    def _learned(self):
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _wait(self):
        if self.gpu:
            torch.cuda.synchronize()
