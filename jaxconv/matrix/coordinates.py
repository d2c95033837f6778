"""The sparsity pattern of C over all axes: which cell and tap every stored slot stands for.

These are NumPy index arrays for exports and pictures; C and its products are made from `pattern.slots`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from jaxconv.core.checks import check_option
from jaxconv.geometry import ConvGeometry, pattern

# How the numbers of a map are numbered: as (*spatial, features), or as (features, *spatial).
Order = Literal["channels_last", "channels_first"]
ORDERS: tuple[Order, ...] = get_args(Order)


def number_in_map(cell: Any, feature: Any, cells: int, features: int, order: Order) -> Any:
    """Returns the row or column number of a feature at a spatial cell.

    Args:
      cell: Flat spatial cell, an integer or an array of them.
      feature: Feature, an integer or an array of them.
      cells: Number of spatial cells of the map.
      features: Number of features of the map.
      order: How the map is numbered.
    """
    return cell * features + feature if order == "channels_last" else feature * cells + cell


class BlockRows(NamedTuple):
    """`pattern.rows` of all axes combined; the arrays are (positions, slots)."""

    cell: np.ndarray  # flat spatial cell that a slot reads; n_cells if the slot is empty
    tap: np.ndarray  # flat tap in the slot; 0 if the slot is empty
    filled: np.ndarray  # bool: whether the slot connects a tap and a cell
    n_cells: int  # spatial cells of the input


@lru_cache(maxsize=64)
def block_rows(geometry: ConvGeometry) -> BlockRows:
    """Returns which cell and tap every slot of every output position stands for."""
    axes = [pattern.rows(axis) for axis in geometry.axes]
    filled = np.ones((1, 1), bool)
    for axis in axes:
        filled = _combine_axes(np.logical_and, filled, axis.filled)
    n_cells = math.prod(geometry.input_shape)
    cell = np.where(filled, _flat([axis.cell for axis in axes], geometry.input_shape), n_cells)
    tap = np.where(filled, _flat([axis.tap for axis in axes], geometry.kernel_shape), 0)
    return BlockRows(cell, tap, filled, n_cells)


def _combine_axes(combine: Callable[..., np.ndarray], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Combines (p, s) and (q, t) to (p q, s t), row-major, in the order of `numpy.kron`."""
    c = combine(a[:, None, :, None], b[None, :, None, :])
    return c.reshape(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])


def _flat(indices: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    """Returns row-major flat indices of one index per axis, over all combinations of rows and slots."""
    flat = np.zeros((1, 1), np.int64)
    for index, size in zip(indices, sizes, strict=True):
        flat = _combine_axes(lambda a, b, size=size: a * size + b, flat, index)
    return flat


class Coordinates(NamedTuple):
    """The places of the stored values in the matrix, row-major."""

    row: np.ndarray  # (nnz,)
    column: np.ndarray  # (nnz,)
    tap: np.ndarray  # (nnz,) flat tap of the entry; the first one if several share it
    source: np.ndarray  # flat index into `values`, one for each value in use
    target: np.ndarray | None  # the entry that each of those values adds to; None if they are the entries


def coordinates(geometry: ConvGeometry, transposed: bool, order: Order) -> Coordinates:
    """Returns the sorted coordinates of the entries of C, or of C-transposed.

    Raises:
      GeometryError: `order` is unknown.
    """
    check_option("order", order, ORDERS)
    g, blocks = geometry, block_rows(geometry)
    n, slots = blocks.cell.shape
    groups = g.feature_group_count
    outputs, inputs = g.out_features // groups, g.in_features // groups
    # Row by row, which is nearly sorted already; `values` are stored slot by slot.
    shape = (n, groups, outputs, slots, inputs)
    places = np.flatnonzero(np.broadcast_to(blocks.filled[:, None, None, :, None], shape))
    position, group, output, slot, input_ = np.unravel_index(places, shape)
    source = np.ravel_multi_index((slot, position, group, output, input_), (slots, n, *shape[1:3], inputs))
    cell, tap = blocks.cell[position, slot], blocks.tap[position, slot]
    output += group * outputs
    input_ += group * inputs
    row = number_in_map(position, output, n, g.out_features, order)
    column = number_in_map(cell, input_, blocks.n_cells, g.in_features, order)
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
