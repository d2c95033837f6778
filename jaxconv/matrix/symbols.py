"""A small matrix C printed in symbols, as the guide and the lectures print it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jaxconv.core.checks import check_option
from jaxconv.errors import GeometryError, SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix.coordinates import Order, block_rows

MAX_PRINTED_ENTRIES = 4096  # entries, zeros too: beyond, nobody reads it


def symbols(
    geometry: ConvGeometry,
    names: Sequence[str] | None = None,
    *,
    transposed: bool = False,
    order: Order = "channels_last",
) -> str:
    """C, or its transpose, as a table of the kernel's entries.

    Args:
      geometry: Which convolution.
      names: One for each entry of the kernel, in the order of ``kernel.ravel()``; by default ``w``
        and the tap's indices, then ``,`` and the input and output feature where there are several.
      transposed: Print C-transposed.
      order: How rows and columns number the cells of feature maps, as in `ConvMatrix.to_coo`.

    Returns:
      One line a row, aligned; ``0`` where C has no entry, ``+`` where two taps read one cell.

    Raises:
      SizeError: More than 4096 places.
      GeometryError: `names` has the wrong length, or `order` is unknown.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4.1; the lecture on transposed convolutions.

    >>> print(symbols(ConvGeometry((4, 4), (3, 3))))
    w00 w01 w02   0 w10 w11 w12   0 w20 w21 w22   0   0   0   0   0
      0 w00 w01 w02   0 w10 w11 w12   0 w20 w21 w22   0   0   0   0
      0   0   0   0 w00 w01 w02   0 w10 w11 w12   0 w20 w21 w22   0
      0   0   0   0   0 w00 w01 w02   0 w10 w11 w12   0 w20 w21 w22

    The lecture's matrices act on the padded vector (0, a, b, c, d, 0), stride 1 and 2:

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

    With the padding inside of C, the columns of the two border zeros are gone:

    >>> print(symbols(ConvGeometry((4,), (3,), padding=1), "xyz"))
    y z 0 0
    x y z 0
    0 x y z
    0 0 x y
    """
    check_option("order", order, ("channels_last", "channels_first"))
    rows, columns = geometry.matrix_shape
    if rows * columns > MAX_PRINTED_ENTRIES:
        raise SizeError(
            f"a matrix of shape {(rows, columns)} is too large to print "
            f"({MAX_PRINTED_ENTRIES} places); draw it instead."
        )
    table = np.full((rows, columns), "0", dtype=object)
    for row, column, name in _entries(geometry, _names(geometry, names)):
        table[row, column] = name if table[row, column] == "0" else f"{table[row, column]}+{name}"
    if order == "channels_first":
        split = (-1, geometry.out_features, columns // geometry.in_features, geometry.in_features)
        table = table.reshape(split).transpose(1, 0, 3, 2).reshape(rows, columns)
    if transposed:
        table = table.T
    width = max(len(entry) for entry in table.flat)
    return "\n".join(" ".join(entry.rjust(width) for entry in line) for line in table)


def _entries(geometry: ConvGeometry, names: np.ndarray):
    """(row, column, name) of every (output, tap, input) that C connects."""
    blocks = block_rows(geometry)
    inputs = geometry.in_features // geometry.feature_group_count
    outputs = geometry.out_features // geometry.feature_group_count
    for position, slot in zip(*np.nonzero(blocks.filled), strict=True):
        cell, tap = blocks.cell[position, slot], blocks.tap[position, slot]
        for i, o in np.ndindex(inputs, geometry.out_features):
            column = cell * geometry.in_features + o // outputs * inputs + i
            yield position * geometry.out_features + o, column, names[tap, i, o]


def _names(geometry: ConvGeometry, names: Sequence[str] | None) -> np.ndarray:
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
            f"`names` needs one for each of {math.prod(shape)} kernel entries, got {len(names)}."
        )
    return np.array(list(names), dtype=object).reshape(shape)


def _digits(index: Sequence[int], sizes: Sequence[int]) -> str:
    """Indices side by side, apart only where one of them may have two digits."""
    return ("" if max(sizes) <= 10 else "_").join(map(str, index))
