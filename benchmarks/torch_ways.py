"""PyTorch's ways to the three results of a convolution.

Its backward functions are called directly, without the overhead of autograd, on tensors in its layout;
both of its memory formats are measured. Padding that differs between the sides of an axis is added to x
before the timing, which favours PyTorch.
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
    """Returns the device of jax, if PyTorch can use it, otherwise the CPU."""
    return "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"


class TorchConvolution:
    """One geometry and its operands in PyTorch's layout and one of its memory formats."""

    def __init__(self, case: Case, operands: dict[str, np.ndarray], *, channels_last: bool) -> None:
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
        """Returns calls without arguments, by result and name."""
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
            result: {n: partial(_call_synchronously, c) for n, c in ways.items()}
            for result, ways in calls.items()
        }

    def numpy(self, result: str, tensor: Any) -> np.ndarray:
        """Converts the result of a way to the layout and size of jaxconv."""
        array = tensor.cpu().numpy()
        if result == "w":
            return np.moveaxis(array, (0, 1), (-1, -2))
        array = np.moveaxis(array, 1, -1)
        return array[:, *self.crop] if result == "x" else array

    def _tensor(self, array: np.ndarray) -> Any:
        """Converts (batch, *spatial, features) to (batch, features, *spatial)."""
        tensor = torch.from_numpy(np.moveaxis(array, -1, 1).copy())
        return tensor.to(device(), memory_format=self.format)


def torch_convolutions(case: Case, operands: dict[str, np.ndarray]) -> dict[str, TorchConvolution]:
    """Returns a convolution for each memory format; none if PyTorch is not installed."""
    if torch is None:
        return {}
    formats = {"contiguous": False} | ({"channels last": True} if case.geometry.ndim > 1 else {})
    return {
        name: TorchConvolution(case, operands, channels_last=channels_last)
        for name, channels_last in formats.items()
    }


def _symmetric(g: ConvGeometry) -> ConvGeometry:
    """Returns a geometry with symmetric padding, whose input contains the rest of the high padding."""
    shape = tuple(size + high - low for size, (low, high) in zip(g.input_shape, g.padding, strict=True))
    return ConvGeometry(
        shape,
        g.kernel_shape,
        in_features=g.in_features,
        out_features=g.out_features,
        **g.options | {"padding": tuple((low, low) for low, _ in g.padding)},
    )


def _call_synchronously(call: Callable[[], Any]) -> Any:
    result = call()
    if result.is_cuda:
        torch.cuda.synchronize()
    return result
