"""Which cells every output of a resized axis reads, and with which weights: integers, then float64.

With n/m = q/p in lowest terms, the axis stretched by p - 1 zeros between cells, as an input dilation
does it, has the centre of output o at position ``o q + (q - p) / 2`` (``o q`` where corners are
aligned). So resizing is a convolution with input dilation p and stride q: one fixed kernel on the
stretched axis, of which every output meets each p-th tap. Only near the edges do weights differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np

Method = Literal["nearest", "bilinear", "bicubic"]
Edges = Literal["clamp", "renormalize"]
METHODS: tuple[str, ...] = get_args(Method)
EDGES: tuple[str, ...] = get_args(Edges)

RADIUS = {"bilinear": 1, "bicubic": 2}  # of the interpolation kernel, in cells


@dataclass(frozen=True, slots=True)
class AxisResizing:
    """One axis of a map that is resized, from n to m cells.

    Args:
      size: n.
      out_size: m.
      method: Of `METHODS`.
      align_corners: The first and the last cells of both stand over each other.
      cubic_a: The slope parameter of the cubic kernel.
      antialias: The kernel is as wide as an output cell where that is wider than an input cell.
      edges: Of `EDGES`: what happens to the weights of cells outside.

    >>> axis = AxisResizing(4, 6, "bilinear")
    >>> axis.ratio, axis.taps
    ((3, 2), (-3, 2))
    """

    size: int
    out_size: int
    method: Method
    align_corners: bool = False
    cubic_a: float = -0.75
    antialias: bool = False
    edges: Edges = "clamp"

    @property
    def ratio(self) -> tuple[int, int]:
        """(p, q): as many outputs stand over as many inputs, in lowest terms."""
        n, m = (self.size - 1, self.out_size - 1) if self._corners else (self.size, self.out_size)
        if m == 0:  # one output, at the first corner
            return 1, 1
        return m // math.gcd(n, m), n // math.gcd(n, m)

    @property
    def _corners(self) -> bool:
        """One cell has no two corners; it is what every output reads, however it is placed."""
        return self.align_corners and self.size > 1

    @property
    def _offset(self) -> int:
        """Twice the position of output 0 on the stretched axis: half-pixel centres, or corners."""
        p, q = self.ratio
        return 0 if self._corners else q - p

    @property
    def _width(self) -> int:
        """Stretched cells of the kernel's unit."""
        return max(self.ratio) if self.antialias else self.ratio[0]

    @property
    def taps(self) -> tuple[int, int]:
        """The first and the last stretched position that output 0 meets with a weight."""
        p, q = self.ratio
        if self.method == "nearest":  # the last cell whose half-open interval begins before the centre
            return q // 2 - p + 1, q // 2
        reach = 2 * RADIUS[self.method] * self._width
        return (self._offset - reach) // 2 + 1, -((-self._offset - reach) // 2) - 1

    @property
    def kernel(self) -> np.ndarray:
        """The weights of `taps`, float64: the fixed kernel on the stretched axis."""
        first, last = self.taps
        if self.method == "nearest":
            return np.ones(last - first + 1)
        twice = abs(2 * np.arange(first, last + 1) - self._offset)
        unit = 2 * self._width
        if self.method == "bilinear":
            return (unit - twice) / unit
        return _cubic(twice / unit, self.cubic_a)


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel at distances below 2 (Keys 1981)."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, far)


class Band(NamedTuple):
    """A matrix whose row o has ``weights[o]`` in the columns from ``first[o]`` on; 0 where there are none."""

    columns: int
    first: np.ndarray  # (rows,)
    weights: np.ndarray  # (rows, width), float64


@lru_cache(maxsize=256)
def band(axis: AxisResizing) -> Band:
    """The cells that every output reads, and the weights.

    >>> cells = band(AxisResizing(2, 4, "bilinear"))
    >>> cells.first.tolist(), cells.weights.tolist()
    ([-1, 0, 0, 1], [[0.0, 1.0], [0.75, 0.25], [0.25, 0.75], [1.0, 0.0]])
    """
    (p, q), (low, high), n = axis.ratio, axis.taps, axis.size
    out, first, width = _windows(axis.out_size, p, q, low, high)
    slot = np.arange(width)
    kernel = np.pad(axis.kernel, (0, p))  # the last slot of some outputs is past the last tap
    cell = first[:, None] + slot
    weights = kernel[p * cell - (q * out + low)[:, None]]
    if axis.edges == "renormalize":
        weights = np.where((cell >= 0) & (cell < n), weights, 0)
    weights = weights / weights.sum(1, keepdims=True)
    folded = np.zeros_like(weights)
    np.add.at(folded, (out[:, None], cell.clip(0, n - 1) - first[:, None]), weights)
    return _frozen(Band(n, first, folded))


@lru_cache(maxsize=256)
def transposed_band(axis: AxisResizing) -> Band:
    """The outputs that read every cell: the transpose of `band`, a band too."""
    (p, q), (low, high) = axis.ratio, axis.taps
    forward = band(axis)
    cell, first, width = _windows(axis.size, q, p, -high, -low)
    out = first[:, None] + np.arange(width)
    held = forward.first[out.clip(0, axis.out_size - 1)]
    slot = cell[:, None] - held
    filled = (out >= 0) & (out < axis.out_size) & (slot >= 0) & (slot < forward.weights.shape[1])
    weights = np.where(filled, forward.weights[np.where(filled, out, 0), np.where(filled, slot, 0)], 0)
    return _frozen(Band(axis.out_size, first, weights))


def _windows(rows: int, p: int, q: int, low: int, high: int):
    """All rows, the first column of each, how many columns: multiples of p in ``o q + [low, high]``."""
    row = np.arange(rows)
    return row, -(-(row * q + low) // p), -(-(high - low + 1) // p)


def _frozen(band: Band) -> Band:
    band.first.flags.writeable = band.weights.flags.writeable = False
    return band


def dense(band: Band) -> np.ndarray:
    """The band as a matrix, (rows, columns)."""
    matrix = np.zeros((len(band.first), band.columns))
    row, slot = np.nonzero(band.weights)
    matrix[row, band.first[row] + slot] = band.weights[row, slot]
    return matrix
