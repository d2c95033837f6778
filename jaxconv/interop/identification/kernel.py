"""The kernel of a convolution whose geometry is known, from few impulses.

On every axis a few positions of an impulse show each tap in an output that reads nothing else. The impulses
of all axes are the products of these positions, with one for every input feature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from jaxconv.interop.identification.axis import AxisFit
from jaxconv.interop.identification.box import NUMBERS, Box
from jaxconv.interop.identification.join import Fit
from jaxconv.interop.identification.linear import wide


@dataclass(frozen=True)
class Readout:
    """Where to look for the taps of one axis.

    Attributes:
      positions: Positions of the impulses.
      weights: Weights ``(kernel, outputs, positions)`` with which responses give the taps: all 0 but one 1
        for a tap that an output reads alone.
    """

    positions: tuple[int, ...]
    weights: np.ndarray


def readout(fit: AxisFit) -> Readout:
    """Returns where to look for the taps of one axis; taps that no output reads count as 0."""
    out, cell, tap = fit.entries
    outputs, inputs = fit.shape
    count = np.zeros((outputs, inputs), int)
    np.add.at(count, (out, cell), 1)
    alone = count[out, cell] == 1
    entries = {(t, c): o for o, c, t in zip(out[alone], cell[alone], tap[alone], strict=True)}
    missing, positions = set(tap[alone].tolist()), []
    if missing != set(tap.tolist()):
        return _least_squares(fit)
    while missing:
        seen = {c: {t for t in missing if (t, c) in entries} for c in range(inputs)}
        best = max(seen, key=lambda c: (len(seen[c]), -abs(2 * c - inputs + 1)))
        positions.append(best)
        missing -= seen[best]
    positions.sort()
    weights = np.zeros((fit.geometry.kernel, outputs, len(positions)))
    for number, c in enumerate(positions):
        for t in range(fit.geometry.kernel):
            if (t, c) in entries and not weights[t].any():
                weights[t, entries[t, c], number] = 1
    return Readout(tuple(positions), weights)


def _least_squares(fit: AxisFit) -> Readout:
    """Returns the readout where some taps are only read together with others, through the padding."""
    out, cell, tap = fit.entries
    outputs, inputs = fit.shape
    system = np.zeros((outputs, inputs, fit.geometry.kernel))
    np.add.at(system, (out, cell, tap), 1)
    inverse = np.linalg.pinv(system.reshape(-1, fit.geometry.kernel))
    return Readout(tuple(range(inputs)), inverse.reshape(-1, outputs, inputs))


def taps(fit: AxisFit, responses: np.ndarray) -> np.ndarray:
    """Returns the vectors of the taps of one axis.

    Args:
      fit: What fits the axis.
      responses: Vectors ``(outputs, inputs, V)``.
    """
    found = readout(fit)
    return np.einsum("kop,opv->kv", found.weights, responses[:, found.positions])


def kernels(box: Box, fits: Sequence[Fit], bias: np.ndarray | None, height: float) -> list[np.ndarray]:
    """Calls a function with impulses. Returns the kernel of every fit, without groups.

    Args:
      box: The function.
      fits: Geometries; their impulses share one call.
      bias: What the function adds to every output of a feature.
      height: Height of the impulses, a power of 2.

    Returns:
      Arrays ``(*kernel_shape, in_features, out_features)`` in features of the function.
    """
    readouts = [[readout(axis) for axis in fit.axes] for fit in fits]
    n = len(box.input_shape)
    needed = [sorted({p for axes in readouts for p in axes[axis].positions}) for axis in range(n)]
    cells = list(product(*needed))
    step = max(NUMBERS // (len(cells) * max(math.prod(box.output_shape), 1)), 1)
    found: list[list[np.ndarray]] = [[] for _ in fits]
    for start in range(0, box.in_features, step):
        features = range(start, min(start + step, box.in_features))
        results = _impulses(box, cells, features, height)
        results = results.astype(wide(results.dtype)) - (0 if bias is None else bias)
        results = (results / height).reshape(len(features), *map(len, needed), *box.output_shape)
        for kernel, axes in zip(found, readouts, strict=True):
            kernel.append(_read(results, axes, needed))
    return [np.concatenate(kernel, -2) for kernel in found]


def _impulses(box: Box, cells: Sequence[tuple[int, ...]], features: range, height: float) -> np.ndarray:
    """Returns the results for an impulse at each of the cells, for each of the features."""
    maps = np.zeros((len(features), len(cells), *box.input_shape, box.in_features), box.dtype)
    for number, feature in enumerate(features):
        for place, cell in enumerate(cells):
            maps[(number, place, *cell, feature)] = height
    return box(maps.reshape(-1, *maps.shape[2:]))


def _read(results: np.ndarray, axes: Sequence[Readout], needed: Sequence[Sequence[int]]) -> np.ndarray:
    """Returns the kernel ``(*kernel_shape, features, out_features)`` from ``(features, *positions, ...)``."""
    n = len(axes)
    for axis, (found, positions) in enumerate(zip(axes, needed, strict=True)):
        chosen = [positions.index(p) for p in found.positions]
        # Of the positions, those of this axis stand first; its outputs follow after the remaining ones.
        results = results.take(chosen, 1)
        results = np.tensordot(results, found.weights, ((n - axis + 1, 1), (1, 2)))
    # now (features, out_features, *kernel_shape)
    return np.moveaxis(results, (0, 1), (-2, -1))
