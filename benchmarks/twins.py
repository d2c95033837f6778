"""The small networks once more in PyTorch, as one writes them there, with our parameters copied."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from jaxconv.models import FCN8s, ReSeg, UNet
from jaxconv.nn import BidirectionalSweep, Conv, ConvTranspose, Sweep


def twin(model) -> nn.Module:
    """The PyTorch module that computes what `model` does, on channels-first maps of even sizes."""
    return TWINS[type(model)](model)


def parameters(module: nn.Module) -> int:
    """Learned numbers: all but the second bias of a GRU, which is kept at zero."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


class TwinUNet(nn.Module):
    """Two convolutions a level, pooling down, 2x2 transposed convolutions up, maps joined."""

    def __init__(self, model: UNet):
        super().__init__()
        self.down = nn.ModuleList(_rectified(block.convs) for block in model.down)
        self.up = nn.ModuleList(map(_conv, model.up))
        self.joined = nn.ModuleList(_rectified(block.convs) for block in model.joined)
        self.score = _conv(model.score)

    def forward(self, x):
        """Logits of every pixel."""
        maps = [self.down[0](x)]
        for block in self.down[1:]:
            maps.append(block(F.max_pool2d(maps[-1], 2)))
        y = maps.pop()
        for up, joined in zip(reversed(self.up), reversed(self.joined), strict=True):
            y = joined(torch.cat([maps.pop(), up(y)], 1))
        return self.score(y)


class TwinFCN8s(nn.Module):
    """VGG blocks, dense layers as convolutions, three depths scored and added."""

    def __init__(self, model: FCN8s):
        super().__init__()
        self.blocks = nn.ModuleList(_rectified(block.convs) for block in model.features.blocks)
        self.dense = _rectified(model.dense)
        self.scores = nn.ModuleList(map(_conv, model.scores))
        self.upsamplings = nn.ModuleList(_conv(up.layer) for up in model.upsamplings)

    def forward(self, x):
        """Logits of every pixel."""
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
    """Strided convolutions, bidirectional GRUs down the columns and along the rows, and back up."""

    def __init__(self, model: ReSeg):
        super().__init__()
        self.front = _rectified(conv for block in model.front_end.blocks for conv in block.convs)
        self.sweeps = nn.ModuleList(_gru(sweep) for layer in model.layers for sweep in layer.sweeps)
        self.up = _rectified(model.upsamplings)
        self.score = _conv(model.scores)

    def forward(self, x):
        """Logits of every pixel."""
        x = self.front(x).permute(2, 0, 3, 1)  # rows first: what the first GRU runs along
        for sweep in self.sweeps:
            cells, n, across, features = x.shape
            x = sweep(x.reshape(cells, n * across, features))[0]
            x = x.reshape(cells, n, across, -1).transpose(0, 2)
        return self.score(self.up(x.permute(1, 3, 0, 2)))


TWINS = {UNet: TwinUNet, FCN8s: TwinFCN8s, ReSeg: TwinReSeg}


def _rectified(layers: Iterable) -> nn.Sequential:
    return nn.Sequential(*(part for layer in layers for part in (_conv(layer), nn.ReLU(inplace=True))))


def _conv(layer: Conv | ConvTranspose) -> nn.Module:
    """What our transposed convolutions pad on the high side alone says which size they return to."""
    kind = nn.ConvTranspose2d if isinstance(layer, ConvTranspose) else nn.Conv2d
    padding = 0 if isinstance(layer.padding, str) else tuple(low for low, _ in layer.padding)
    sizes = (layer.in_features, layer.out_features, layer.kernel_shape, layer.strides)
    made = kind(*sizes, padding=padding, bias=layer.bias is not None)
    _copy(made.weight, np.transpose(layer.kernel[...], (3, 2, 0, 1)))
    if layer.bias is not None:
        _copy(made.bias, layer.bias[...])
    return made


def _gru(layer: BidirectionalSweep) -> nn.GRU:
    units = layer.forward.recurrent_kernel.shape[0]
    made = nn.GRU(layer.forward.kernel.shape[0], units, bidirectional=True)
    for suffix, sweep in (("l0", layer.forward), ("l0_reverse", layer.backward)):
        _copy(getattr(made, f"weight_ih_{suffix}"), _gates(sweep, sweep.kernel[...]).T)
        _copy(getattr(made, f"weight_hh_{suffix}"), _gates(sweep, sweep.recurrent_kernel[...]).T)
        _copy(getattr(made, f"bias_ih_{suffix}"), _gates(sweep, sweep.bias[...]))
        nn.init.zeros_(getattr(made, f"bias_hh_{suffix}").requires_grad_(False))
    return made


def _gates(sweep: Sweep, columns) -> np.ndarray:
    """PyTorch's update gate is 1 minus ours: a sigmoid of the negative."""
    units = sweep.recurrent_kernel.shape[0]
    signs = np.repeat(np.float32([1, -1, 1]), units)
    return np.asarray(columns) * signs


def _copy(parameter: nn.Parameter, array) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(array)))
