"""The pattern of C over all axes: which cell and tap every stored slot stands for.

NumPy index arrays, for exports and pictures; products and C itself are made from `pattern.slots`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, pattern

# How the cells of a map are numbered: as (*spatial, features), or as (features, *spatial).
Order = Literal["channels_last", "channels_first"]


class BlockRows(NamedTuple):
    """`pattern.rows` of every axis combined; arrays are (positions, slots)."""

    cell: np.ndarray  # spatial cell that a slot reads; n_cells where empty
    tap: np.ndarray  # flat tap
    filled: np.ndarray  # bool
    n_cells: int


@lru_cache(maxsize=64)
def block_rows(geometry: ConvGeometry) -> BlockRows:
    """Which cell and tap every slot of every output position stands for."""
    axes = [pattern.rows(axis) for axis in geometry.axes]
    filled = np.ones((1, 1), bool)
    for axis in axes:
        filled = _outer(np.logical_and, filled, axis.filled)
    n_cells = math.prod(geometry.input_shape)
    cell = np.where(filled, _flat([axis.cell for axis in axes], geometry.input_shape), n_cells)
    tap = np.where(filled, _flat([axis.tap for axis in axes], geometry.kernel_shape), 0)
    return BlockRows(cell, tap, filled, n_cells)


def _outer(combine, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(p, s) and (q, t) -> (p q, s t), row-major, as `numpy.kron` orders them."""
    c = combine(a[:, None, :, None], b[None, :, None, :])
    return c.reshape(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])


def _flat(indices, sizes) -> np.ndarray:
    """Row-major flat index of one index an axis, over all combinations of rows and slots."""
    flat = np.zeros((1, 1), np.int64)
    for index, size in zip(indices, sizes, strict=True):
        flat = _outer(lambda a, b, size=size: a * size + b, flat, index)
    return flat


class Coordinates(NamedTuple):
    """Where the stored values stand in the matrix, row-major."""

    row: np.ndarray  # (nnz,)
    column: np.ndarray  # (nnz,)
    tap: np.ndarray  # (nnz,) flat; the first of those that meet in the entry
    source: np.ndarray  # flat index into `values`, one for each filled place
    target: np.ndarray | None  # the entry that each of them adds to; None: one each


def coordinates(geometry: ConvGeometry, transposed: bool, order: Order) -> Coordinates:
    """Sorted coordinates of the entries of C or C-transposed."""
    if order not in ("channels_last", "channels_first"):
        raise GeometryError(f"`order` is 'channels_last' or 'channels_first', got {order!r}.")
    g, blocks = geometry, block_rows(geometry)
    n, slots = blocks.cell.shape
    groups = g.feature_group_count
    outputs, inputs = g.out_features // groups, g.in_features // groups
    # Row by row: nearly sorted already, unlike `values`, which are stored slot by slot.
    shape = (n, groups, outputs, slots, inputs)
    places = np.flatnonzero(np.broadcast_to(blocks.filled[:, None, None, :, None], shape))
    position, group, output, slot, input_ = np.unravel_index(places, shape)
    source = np.ravel_multi_index((slot, position, group, output, input_), (slots, n, *shape[1:3], inputs))
    cell, tap = blocks.cell[position, slot], blocks.tap[position, slot]
    output += group * outputs
    input_ += group * inputs
    if order == "channels_last":
        row, column = position * g.out_features + output, cell * g.in_features + input_
    else:
        row, column = output * n + position, input_ * blocks.n_cells + cell
    sizes = n * g.out_features, blocks.n_cells * g.in_features
    if transposed:
        row, column, sizes = column, row, sizes[::-1]
    key = row * sizes[1] + column
    target = None
    if not (np.diff(key) > 0).all():
        by_key = np.argsort(key, kind="stable")
        row, column, tap, source, key = (array[by_key] for array in (row, column, tap, source, key))
        first = np.diff(key, prepend=-1) > 0
        if not first.all():
            target = np.cumsum(first) - 1
            row, column, tap = row[first], column[first], tap[first]
    dtype = np.int32 if max(sizes) <= np.iinfo(np.int32).max else np.int64
    return Coordinates(row.astype(dtype), column.astype(dtype), tap, source, target)
