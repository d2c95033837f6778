"""The pattern of C over all axes: which cell, tap and entry every stored slot stands for.

NumPy index arrays, cached by geometry; `pattern` has the same of one axis.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jaxconv import pattern
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry


class BlockRows(NamedTuple):
    """`pattern.rows` of every axis combined; arrays are (positions, slots)."""

    cell: np.ndarray  # spatial cell that a slot reads; n_cells where empty
    tap: np.ndarray  # flat tap
    entry: np.ndarray  # where the same block is stored in the transpose: position * slots + slot
    filled: np.ndarray  # bool
    n_cells: int


@lru_cache(maxsize=64)
def block_rows(geometry: ConvGeometry, transposed: bool = False) -> BlockRows:
    """Which cell, tap and entry of the transpose every slot of every row stands for."""
    axes = [pattern.rows(axis, transposed) for axis in geometry.axes]
    widths = [pattern.width(axis, not transposed) for axis in geometry.axes]  # of the transpose's rows
    shape = geometry.output_shape if transposed else geometry.input_shape
    filled = np.ones((1, 1), bool)
    for axis in axes:
        filled = _outer(np.logical_and, filled, axis.filled)
    n_cells = math.prod(shape)
    cell = np.where(filled, _flat([axis.cell for axis in axes], shape), n_cells)
    tap = _flat([axis.tap for axis in axes], geometry.kernel_shape)
    entry = np.where(filled, cell * math.prod(widths) + _flat([axis.rank for axis in axes], widths), 0)
    return BlockRows(cell, tap, entry, filled, n_cells)


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
    source: np.ndarray  # flat index into `values`, one for each filled place
    target: np.ndarray | None  # the entry that each of them adds to; None: one each


def coordinates(geometry: ConvGeometry, transposed: bool, order: str) -> Coordinates:
    """Sorted coordinates of the entries of C or C-transposed."""
    if order not in ("channels_last", "channels_first"):
        raise GeometryError(f"`order` is 'channels_last' or 'channels_first', got {order!r}.")
    blocks = block_rows(geometry, transposed)
    n, slots = blocks.cell.shape
    groups = geometry.feature_group_count
    rows, columns = geometry.out_features, geometry.in_features
    if transposed:
        rows, columns = columns, rows
    shape = (n, groups, rows // groups, slots, columns // groups)
    source = np.flatnonzero(np.broadcast_to(blocks.filled[:, None, None, :, None], shape))
    position, group, row_feature, slot, column_feature = np.unravel_index(source, shape)
    cell = blocks.cell[position, slot]
    row_feature += group * (rows // groups)
    column_feature += group * (columns // groups)
    if order == "channels_last":
        row, column = position * rows + row_feature, cell * columns + column_feature
    else:
        row, column = row_feature * n + position, column_feature * blocks.n_cells + cell
    key = row * (blocks.n_cells * columns) + column
    target = None
    if not (np.diff(key) > 0).all():
        by_key = np.argsort(key, kind="stable")
        row, column, source, key = row[by_key], column[by_key], source[by_key], key[by_key]
        first = np.diff(key, prepend=-1) > 0
        if not first.all():
            target = np.cumsum(first) - 1
            row, column = row[first], column[first]
    fits = max(n * rows, blocks.n_cells * columns) <= np.iinfo(np.int32).max
    dtype = np.int32 if fits else np.int64
    return Coordinates(row.astype(dtype), column.astype(dtype), source, target)
