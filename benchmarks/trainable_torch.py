"""The same small network and its training step in PyTorch, with the same parameters."""

from __future__ import annotations

from typing import Any

import jax
import torch
import torch.nn.functional as F
from flax import nnx

from benchmarks.trainable import CLASSES, RATE, Size, configuration
from benchmarks.twins import parameters, twin
from jaxconv.training.state import build_model


class Theirs:
    """The network in PyTorch with its loss and optimizer; on a GPU it is compiled and uses bfloat16."""

    temporary = None

    def __init__(self, network: str, size: Size, *, channels_last: bool) -> None:
        self.gpu = jax.default_backend() == "gpu" and torch.cuda.is_available()
        device = "cuda" if self.gpu else "cpu"
        layout = torch.channels_last if channels_last else torch.contiguous_format
        model = build_model(configuration(network, self.gpu), 3, CLASSES, rngs=nnx.Rngs(params=0, dropout=1))
        images, labels = (torch.from_numpy(array) for array in size.examples())
        self.images = images.permute(0, 3, 1, 2).to(device).contiguous(memory_format=layout)
        self.labels = labels.to(device, torch.long)
        self.model = twin(model).to(device, memory_format=layout)
        self.parameters = parameters(self.model)
        self.optimizer = torch.optim.SGD(self._trained_parameters(), lr=RATE)
        self.network = torch.compile(self.model) if self.gpu else self.model

    def forward(self) -> torch.Tensor:
        """Computes logits, channels last, as a view."""
        with torch.inference_mode():
            logits = self._logits().permute(0, 2, 3, 1)
            self._wait()
        return logits

    def step(self) -> dict[str, Any]:
        """Makes one step, and returns its loss."""
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self._logits().float(), self.labels)
        loss.backward()
        self.optimizer.step()
        self._wait()
        return {"loss": loss.detach()}

    def gradient_norm(self) -> float:
        """Computes the norm of the gradient of the last step."""
        return float(torch.sqrt(sum((p.grad.float() ** 2).sum() for p in self._trained_parameters())))

    def _logits(self) -> torch.Tensor:
        with torch.autocast(self.images.device.type, torch.bfloat16, enabled=self.gpu):
            return self.network(self.images)

    def _trained_parameters(self) -> list[torch.nn.Parameter]:
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _wait(self) -> None:
        if self.gpu:
            torch.cuda.synchronize()
