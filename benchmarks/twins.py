"""The small networks in PyTorch, written as usual there, with the parameters of jaxconv."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import nn

from jaxconv.models import FCN8s, ReSeg, UNet
from jaxconv.nn import BidirectionalSweep, Conv, ConvTranspose, Sweep


def twin(model: UNet | FCN8s | ReSeg) -> nn.Module:
    """Builds the PyTorch module that computes the same as `model`, on channels-first maps of even sizes."""
    return TWINS[type(model)](model)


def parameters(module: nn.Module) -> int:
    """Counts trained parameters: all but the second bias of a GRU, which is zero."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


class TwinUNet(nn.Module):
    """U-Net: two convolutions per level, pooling down, 2x2 transposed convolutions up, joined maps."""

    def __init__(self, model: UNet) -> None:
        super().__init__()
        self.down = nn.ModuleList(_rectify(block.convs) for block in model.down)
        self.up = nn.ModuleList(map(_conv, model.up))
        self.joined = nn.ModuleList(_rectify(block.convs) for block in model.joined)
        self.score = _conv(model.score)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes the logits of every pixel."""
        maps = [self.down[0](x)]
        for block in self.down[1:]:
            maps.append(block(F.max_pool2d(maps[-1], 2)))
        y = maps.pop()
        for up, joined in zip(reversed(self.up), reversed(self.joined), strict=True):
            y = joined(torch.cat([maps.pop(), up(y)], 1))
        return self.score(y)


class TwinFCN8s(nn.Module):
    """FCN-8s: VGG blocks, dense layers as convolutions, and the sum of the scores of three maps."""

    def __init__(self, model: FCN8s) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_rectify(block.convs) for block in model.features.blocks)
        self.dense = _rectify(model.dense)
        self.scores = nn.ModuleList(map(_conv, model.scores))
        self.upsamplings = nn.ModuleList(_conv(up.layer) for up in model.upsamplings)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes the logits of every pixel."""
        maps = []
        for block in self.blocks:
            x = F.max_pool2d(block(x), 2)
            maps.append(x)
        maps[-1] = self.dense(x)
        scores = [score(y) for score, y in zip(self.scores, maps[-len(self.scores) :], strict=True)]
        logits = scores.pop()
        for up in reversed(self.upsamplings[1:]):
            logits = scores.pop() + up(logits)
        return self.upsamplings[0](logits)


class TwinReSeg(nn.Module):
    """ReSeg: strided convolutions, bidirectional GRUs on columns and rows, transposed convolutions."""

    def __init__(self, model: ReSeg) -> None:
        super().__init__()
        self.front = _rectify(conv for block in model.front_end.blocks for conv in block.convs)
        self.sweeps = nn.ModuleList(_gru(sweep) for layer in model.layers for sweep in layer.sweeps)
        self.up = _rectify(model.upsamplings)
        self.score = _conv(model.scores)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes the logits of every pixel."""
        x = self.front(x).permute(2, 0, 3, 1)  # rows first, since the first GRU runs along them
        for sweep in self.sweeps:
            cells, n, across, features = x.shape
            x = sweep(x.reshape(cells, n * across, features))[0]
            x = x.reshape(cells, n, across, -1).transpose(0, 2)
        return self.score(self.up(x.permute(1, 3, 0, 2)))


TWINS = {UNet: TwinUNet, FCN8s: TwinFCN8s, ReSeg: TwinReSeg}


def _rectify(layers: Iterable[Conv | ConvTranspose]) -> nn.Sequential:
    return nn.Sequential(*(part for layer in layers for part in (_conv(layer), nn.ReLU(inplace=True))))


def _conv(layer: Conv | ConvTranspose) -> nn.Module:
    """Builds a convolution; padding only on the high side says which size a transposed one returns to."""
    kind = nn.ConvTranspose2d if isinstance(layer, ConvTranspose) else nn.Conv2d
    padding = 0 if isinstance(layer.padding, str) else tuple(low for low, _ in layer.padding)
    sizes = (layer.in_features, layer.out_features, layer.kernel_shape, layer.strides)
    module = kind(*sizes, padding=padding, bias=layer.bias is not None)
    _copy(module.weight, np.transpose(layer.kernel[...], (3, 2, 0, 1)))
    if layer.bias is not None:
        _copy(module.bias, layer.bias[...])
    return module


def _gru(layer: BidirectionalSweep) -> nn.GRU:
    units = layer.forward.recurrent_kernel.shape[0]
    module = nn.GRU(layer.forward.kernel.shape[0], units, bidirectional=True)
    for suffix, sweep in (("l0", layer.forward), ("l0_reverse", layer.backward)):
        _copy(getattr(module, f"weight_ih_{suffix}"), _gates(sweep, sweep.kernel[...]).T)
        _copy(getattr(module, f"weight_hh_{suffix}"), _gates(sweep, sweep.recurrent_kernel[...]).T)
        _copy(getattr(module, f"bias_ih_{suffix}"), _gates(sweep, sweep.bias[...]))
        nn.init.zeros_(getattr(module, f"bias_hh_{suffix}").requires_grad_(False))
    return module


def _gates(sweep: Sweep, columns: ArrayLike) -> np.ndarray:
    """Negates the columns of the update gate: PyTorch's is 1 minus ours, a sigmoid of the negative."""
    units = sweep.recurrent_kernel.shape[0]
    signs = np.repeat(np.float32([1, -1, 1]), units)
    return np.asarray(columns) * signs


def _copy(parameter: nn.Parameter, array: ArrayLike) -> None:
    """Copies an array into a parameter."""
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(array)))
