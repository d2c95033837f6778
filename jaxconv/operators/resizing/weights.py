"""The cells that every output of a resized axis reads, and their weights: integers, then float64.

With n/m = q/p in lowest terms, stretch the axis by p - 1 zeros between cells, as an input dilation does.
The centre of output o is then at position ``o q + (q - p) / 2``, or ``o q`` with aligned corners. So resizing
is a convolution with input dilation p and stride q: one fixed kernel on the stretched axis, of which every
output uses each p-th tap. Only near the edges the weights differ.
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
    """One axis of a map that is resized from n to m cells.

    Args:
      size: n, cells of the input.
      out_size: m, cells of the result.
      method: One of `METHODS`.
      align_corners: Whether the centres of the first cells, and of the last ones, coincide.
      cubic_a: Slope parameter of the cubic kernel.
      antialias: Whether the kernel is as wide as an output cell where that is wider than an input cell.
      edges: One of `EDGES`: what happens to the weights of cells outside.

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
        """(p, q) in lowest terms: p output cells are as long as q input cells."""
        n, m = (self.size - 1, self.out_size - 1) if self._corners else (self.size, self.out_size)
        if m == 0:  # one output, at the first corner
            return 1, 1
        return m // math.gcd(n, m), n // math.gcd(n, m)

    @property
    def _corners(self) -> bool:
        """Whether corners are aligned; a single cell has no two corners, and every output reads it anyway."""
        return self.align_corners and self.size > 1

    @property
    def _offset(self) -> int:
        """Twice the position of output 0 on the stretched axis."""
        p, q = self.ratio
        return 0 if self._corners else q - p

    @property
    def _width(self) -> int:
        """Unit of the interpolation kernel, in stretched cells."""
        return max(self.ratio) if self.antialias else self.ratio[0]

    @property
    def taps(self) -> tuple[int, int]:
        """First and last stretched position at which output 0 may have a weight."""
        p, q = self.ratio
        if self.method == "nearest":  # the p positions of which one is a cell
            return q // 2 - p + 1, q // 2
        reach = 2 * RADIUS[self.method] * self._width
        return (self._offset - reach) // 2 + 1, -((-self._offset - reach) // 2) - 1

    @property
    def kernel(self) -> np.ndarray:
        """Weights of `taps`, float64: the fixed kernel on the stretched axis."""
        first, last = self.taps
        if self.method == "nearest":
            return np.ones(last - first + 1)
        twice = abs(2 * np.arange(first, last + 1) - self._offset)
        unit = 2 * self._width
        if self.method == "bilinear":
            return (unit - twice) / unit
        return _cubic(twice / unit, self.cubic_a)


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """Evaluates the cubic convolution kernel at distances below 2 (Keys 1981)."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x < 1, near, far)


class Band(NamedTuple):
    """A matrix whose row o has ``weights[o]`` in the columns from ``first[o]`` on, and 0 elsewhere."""

    columns: int
    first: np.ndarray  # (rows,)
    weights: np.ndarray  # (rows, width), float64


@lru_cache(maxsize=256)
def band(axis: AxisResizing) -> Band:
    """Returns the cells that every output reads, and their weights.

    >>> cells = band(AxisResizing(2, 4, "bilinear"))
    >>> cells.first.tolist(), cells.weights.tolist()
    ([-1, 0, 0, 1], [[0.0, 1.0], [0.75, 0.25], [0.25, 0.75], [1.0, 0.0]])
    """
    (p, q), (low, high), n = axis.ratio, axis.taps, axis.size
    out, first, width = _windows(axis.out_size, p, q, low, high)
    slot = np.arange(width)
    kernel = np.pad(axis.kernel, (0, p))  # the last slot of some outputs lies beyond the last tap
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
    """Returns the outputs that read every cell, and their weights: the transpose of `band`."""
    (p, q), (low, high) = axis.ratio, axis.taps
    forward = band(axis)
    cell, first, width = _windows(axis.size, q, p, -high, -low)
    out = first[:, None] + np.arange(width)
    first_read = forward.first[out.clip(0, axis.out_size - 1)]
    slot = cell[:, None] - first_read
    filled = (out >= 0) & (out < axis.out_size) & (slot >= 0) & (slot < forward.weights.shape[1])
    weights = np.where(filled, forward.weights[np.where(filled, out, 0), np.where(filled, slot, 0)], 0)
    return _frozen(Band(axis.out_size, first, weights))


def _windows(rows: int, p: int, q: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns all rows, the first column of each, and how many columns each has.

    Column c is in row o if ``p c`` lies in ``o q + [low, high]``.
    """
    row = np.arange(rows)
    return row, -(-(row * q + low) // p), -(-(high - low + 1) // p)


def _frozen(band: Band) -> Band:
    """Makes the arrays of a band that is cached read-only."""
    band.first.flags.writeable = band.weights.flags.writeable = False
    return band


def dense(band: Band) -> np.ndarray:
    """Returns the band as a matrix, (rows, columns)."""
    matrix = np.zeros((len(band.first), band.columns))
    row, slot = np.nonzero(band.weights)
    matrix[row, band.first[row] + slot] = band.weights[row, slot]
    return matrix
