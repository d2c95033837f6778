"""PyTorch's ways to the three results of a convolution.

The library's own backward functions are called directly, without autograd's overhead, on tensors
that are already in PyTorch's layout; both of its memory formats are tried. What padding differs
between the sides of an axis is put around x before the clock starts, which is to PyTorch's favour.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.cases import Case
from jaxconv import ConvGeometry

try:
    import torch
except ImportError:  # an extra: `pip install '.[torch]'`
    torch = None  # type: ignore[assignment]


def device() -> str:
    """Where jax computes, if PyTorch can."""
    return "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"


class TorchConvolution:
    """One geometry and its operands in PyTorch's layout and one of its memory formats."""

    def __init__(self, case: Case, operands: dict[str, np.ndarray], *, channels_last: bool):
        self.case = case
        g = self.geometry = _symmetric(case.geometry)
        options = {2: torch.channels_last, 3: torch.channels_last_3d}
        self.format = options[g.ndim] if channels_last else torch.contiguous_format
        extra = [
            (0, big - small) for big, small in zip(g.input_shape, case.geometry.input_shape, strict=True)
        ]
        self.crop = tuple(slice(0, size) for size in case.geometry.input_shape)
        self.x = self._tensor(np.pad(operands["x"], [(0, 0), *extra, (0, 0)]))
        self.y = self._tensor(operands["y"])
        self.w = torch.from_numpy(np.moveaxis(operands["w"], (-1, -2), (0, 1)).copy())
        self.w = self.w.to(device(), memory_format=self.format)
        shared = (g.strides, tuple(low for low, _ in g.padding), g.kernel_dilation)
        self.forward = (*shared, False, (0,) * g.ndim, g.feature_group_count)
        self.transposed = (*shared, True, g.output_padding, g.feature_group_count)

    def ways(self) -> dict[str, dict[str, Callable[[], Any]]]:
        """By result and name, as calls without arguments."""
        convolution = torch.ops.aten.convolution
        backward = torch.ops.aten.convolution_backward
        in_input, in_kernel = (True, False, False), (False, True, False)
        x, y, w = self.x, self.y, self.w
        calls = {
            "y": {"conv": lambda: convolution(x, w, None, *self.forward)},
            "x": {
                "gradient of conv": lambda: backward(y, x, w, None, *self.forward, in_input)[0],
                "conv_transpose": lambda: convolution(y, w, None, *self.transposed),
            },
            "w": {
                "gradient of conv": lambda: backward(y, x, w, None, *self.forward, in_kernel)[1],
                "gradient of conv_transpose": lambda: backward(x, y, w, None, *self.transposed, in_kernel)[1],
            },
        }
        return {
            result: {n: partial(_synchronised, c) for n, c in ways.items()} for result, ways in calls.items()
        }

    def numpy(self, result: str, tensor) -> np.ndarray:
        """What a way returned, in this library's layout and size."""
        array = tensor.cpu().numpy()
        if result == "w":
            return np.moveaxis(array, (0, 1), (-1, -2))
        array = np.moveaxis(array, 1, -1)
        return array[:, *self.crop] if result == "x" else array

    def _tensor(self, array: np.ndarray):
        """(batch, *spatial, features) with the features moved to PyTorch's place."""
        tensor = torch.from_numpy(np.moveaxis(array, -1, 1).copy())
        return tensor.to(device(), memory_format=self.format)


def torch_convolutions(case: Case, operands: dict[str, np.ndarray]) -> dict[str, TorchConvolution]:
    """One for each memory format; none where PyTorch is not installed."""
    if torch is None:
        return {}
    formats = {"contiguous": False} | ({"channels last": True} if case.geometry.ndim > 1 else {})
    return {
        name: TorchConvolution(case, operands, channels_last=channels_last)
        for name, channels_last in formats.items()
    }


def _symmetric(g: ConvGeometry) -> ConvGeometry:
    """The same outputs from an input that already holds what is padded on the high side alone."""
    shape = tuple(size + high - low for size, (low, high) in zip(g.input_shape, g.padding, strict=True))
    return ConvGeometry(
        shape,
        g.kernel_shape,
        in_features=g.in_features,
        out_features=g.out_features,
        **g.options | {"padding": tuple((low, low) for low, _ in g.padding)},
    )


def _synchronised(call: Callable) -> Any:
    result = call()
    if result.is_cuda:
        torch.cuda.synchronize()
    return result
