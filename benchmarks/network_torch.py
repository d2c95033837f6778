"""The small networks of the network table in PyTorch, with the same kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxconv import ConvGeometry

try:
    import torch
    import torch.nn.functional as F
except ImportError:  # an extra: `pip install '.[torch]'`
    torch = None  # type: ignore[assignment]

Product = tuple[ConvGeometry, bool]  # the forward geometry of a layer, and whether it is transposed (up)


def torch_steps(
    products: Sequence[Product], kernels: Sequence[np.ndarray], x: np.ndarray
) -> dict[str, Callable[[], list[Any]]]:
    """Returns calls that compute the loss and its gradients, by name, for each memory format of PyTorch.

    None if PyTorch is not installed. `arrays` converts their results.
    """
    if torch is None:
        return {}
    formats = {"PyTorch": torch.contiguous_format, "PyTorch, channels last": torch.channels_last}
    return {name: _step(products, kernels, x, layout) for name, layout in formats.items()}


def arrays(tensors: Sequence[Any]) -> list[np.ndarray]:
    """Converts the loss, the gradients in the kernels and that in the input to jaxconv's layouts."""
    loss, *kernels, x = (tensor.detach().numpy() for tensor in tensors)
    return [loss, *(np.transpose(kernel, (2, 3, 1, 0)) for kernel in kernels), np.moveaxis(x, 1, -1)]


def _step(
    products: Sequence[Product], kernels: Sequence[np.ndarray], x: np.ndarray, layout: Any
) -> Callable[[], list[Any]]:
    weights = [torch.from_numpy(np.transpose(kernel, (3, 2, 0, 1)).copy()) for kernel in kernels]
    leaves = [*weights, torch.from_numpy(np.moveaxis(x, -1, 1).copy())]
    leaves = [leaf.to(memory_format=layout).requires_grad_() for leaf in leaves]

    def step() -> list[Any]:
        *kernels, y = leaves
        for (g, up), kernel in zip(products, kernels, strict=True):
            multiply = F.conv_transpose2d if up else F.conv2d
            padding = [low for low, _ in g.padding]
            y = torch.relu(
                multiply(y, kernel, stride=g.strides, padding=padding, groups=g.feature_group_count)
            )
        loss = (y * y).mean()
        return [loss, *torch.autograd.grad(loss, leaves)]

    return step
