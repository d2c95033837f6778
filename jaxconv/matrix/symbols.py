"""Prints a small matrix C in symbols, as Dumoulin & Visin, arXiv:1603.07285, section 4.1, do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from jaxconv.core.checks import check_geometry, check_option
from jaxconv.errors import GeometryError, SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix.coordinates import ORDERS, Order, block_rows, number_in_map

MAX_PRINTED_ENTRIES = 4096  # entries, zeros included; a larger table is not readable


def symbols(
    geometry: ConvGeometry,
    names: Sequence[str] | None = None,
    *,
    transposed: bool = False,
    order: Order = "channels_last",
) -> str:
    """Returns C, or its transpose, as a table of the names of the kernel's entries.

    Args:
      geometry: Geometry of the convolution.
      names: A name for each entry of the kernel, in the order of ``kernel.ravel()``; by default ``w`` and the
        tap's indices, then ``,`` and the input and output feature if there are several.
      transposed: Whether to print C-transposed.
      order: ``"channels_last"`` numbers the cells of ``(*spatial, features)`` maps, ``"channels_first"``
        those of ``(features, *spatial)`` maps.

    Returns:
      One line per row, aligned; ``0`` where C has no entry, ``+`` where several taps read one cell.

    Raises:
      SizeError: C has more than 4096 places.
      GeometryError: `names` has the wrong length, or `order` is unknown.
      TypeError: `geometry` is not a `ConvGeometry`.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4.1.

    >>> print(symbols(ConvGeometry((4, 4), (3, 3))))
    w00 w01 w02   0 w10 w11 w12   0 w20 w21 w22   0   0   0   0   0
      0 w00 w01 w02   0 w10 w11 w12   0 w20 w21 w22   0   0   0   0
      0   0   0   0 w00 w01 w02   0 w10 w11 w12   0 w20 w21 w22   0
      0   0   0   0   0 w00 w01 w02   0 w10 w11 w12   0 w20 w21 w22

    Three taps on a vector of six cells, such as a padded (0, a, b, c, d, 0), with strides 1 and 2:

    >>> print(symbols(ConvGeometry((6,), (3,)), "xyz"))
    x y z 0 0 0
    0 x y z 0 0
    0 0 x y z 0
    0 0 0 x y z
    >>> print(symbols(ConvGeometry((6,), (3,)), "xyz", transposed=True))
    x 0 0 0
    y x 0 0
    z y x 0
    0 z y x
    0 0 z y
    0 0 0 z
    >>> print(symbols(ConvGeometry((6,), (3,), strides=2), "xyz"))
    x y z 0 0 0
    0 0 x y z 0
    >>> print(symbols(ConvGeometry((6,), (3,), strides=2), "xyz", transposed=True))
    x 0
    y 0
    z x
    0 y
    0 z
    0 0

    Where C pads itself, the columns of the two border zeros are absent:

    >>> print(symbols(ConvGeometry((4,), (3,), padding=1), "xyz"))
    y z 0 0
    x y z 0
    0 x y z
    0 0 x y
    """
    check_geometry(geometry)
    check_option("order", order, ORDERS)
    rows, columns = geometry.matrix_shape
    if rows * columns > MAX_PRINTED_ENTRIES:
        raise SizeError(
            f"`geometry` has a matrix of shape {(rows, columns)}, too large to print: more than "
            f"{MAX_PRINTED_ENTRIES} places. Draw it instead: "
            "jaxconv.figures.plot(jaxconv.conv_matrix(kernel, geometry))."
        )
    table = np.full((rows, columns), "0", dtype=object)
    for row, column, name in _entries(geometry, _names(geometry, names), order):
        table[row, column] = name if table[row, column] == "0" else f"{table[row, column]}+{name}"
    if transposed:
        table = table.T
    width = max(len(entry) for entry in table.flat)
    return "\n".join(" ".join(entry.rjust(width) for entry in line) for line in table)


def _entries(geometry: ConvGeometry, names: np.ndarray, order: Order) -> Iterator[tuple[int, int, str]]:
    """Yields (row, column, name) of every (output, tap, input) that C connects."""
    blocks, cells = block_rows(geometry), math.prod(geometry.output_shape)
    inputs = geometry.in_features // geometry.feature_group_count
    outputs = geometry.out_features // geometry.feature_group_count
    for position, slot in zip(*np.nonzero(blocks.filled), strict=True):
        cell, tap = blocks.cell[position, slot], blocks.tap[position, slot]
        for i, o in np.ndindex(inputs, geometry.out_features):
            feature = o // outputs * inputs + i
            row = number_in_map(position, o, cells, geometry.out_features, order)
            column = number_in_map(cell, feature, blocks.n_cells, geometry.in_features, order)
            yield row, column, names[tap, i, o]


def _names(geometry: ConvGeometry, names: Sequence[str] | None) -> np.ndarray:
    """Returns the names of the kernel's entries: (taps, in, out)."""
    *taps, inputs, outputs = geometry.kernel_array_shape
    shape = (math.prod(taps), inputs, outputs)
    if names is None:
        features = (inputs, outputs)
        names = [
            f"w{_digits(tap, taps)}" + (f",{_digits(pair, features)}" if features != (1, 1) else "")
            for tap in np.ndindex(*taps)
            for pair in np.ndindex(*features)
        ]
    if len(names) != math.prod(shape):
        raise GeometryError(
            f"`names` needs one name for each of the {math.prod(shape)} kernel entries, got {len(names)}."
        )
    return np.array(list(names), dtype=object).reshape(shape)


def _digits(index: Sequence[int], sizes: Sequence[int]) -> str:
    """Writes indices side by side, with ``_`` between them only where one of them can have two digits."""
    return ("" if max(sizes) <= 10 else "_").join(map(str, index))
