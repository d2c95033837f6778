"""How a notebook shows C: a small C as a picture, any other C as a table of its properties.

HTML and SVG as strings, without scripts, style sheets or matplotlib. All colours of the picture are its own,
and its texts take the colour of the page, so that it is legible on light and dark pages.
"""

from __future__ import annotations

import math
from html import escape
from typing import Protocol

import jax
import numpy as np

from jaxconv.geometry import ConvGeometry
from jaxconv.matrix.coordinates import coordinates

MAX_LINES = 64  # rows, and columns, of a picture
MAX_ENTRIES = 1024  # of a picture: each takes about 200 bytes
CELL_PIXELS = (14, 28)  # smallest and largest side of a cell
PICTURE_PIXELS = 560  # aimed at for the longer side of a picture
BLUE, WHITE, RED, NOT_FINITE = (33, 102, 172), (255, 255, 255), (178, 24, 43), (230, 180, 0)


class Matrix(Protocol):
    """The part of `jaxconv.ConvMatrix` that is shown."""

    values: jax.Array
    geometry: ConvGeometry
    transposed: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def nnz(self) -> int:
        """Number of entries."""


def html(C: Matrix) -> str:
    """Returns a picture of a small C with known values, and a table of the properties of any other C.

    In the picture the colour is the value (blue below zero, red above, white at zero), the number in a cell
    is the kernel tap, and the tooltip has both. Cells without an entry are grey. A complex value is coloured
    by its magnitude.

    Args:
      C: The matrix or its transpose. Its values may be traced, or those of a batch of matrices.
    """
    small = max(C.shape) <= MAX_LINES and 0 < C.nnz <= MAX_ENTRIES
    values = _known_values(C) if small else None
    return _table(C) if values is None else _picture(C, values)


def _known_values(C: Matrix) -> np.ndarray | None:
    """Returns the stored values of a single matrix; None if traced, batched, deleted or not on this host."""
    values = C.values
    if isinstance(values, jax.core.Tracer) or not isinstance(values, jax.Array | np.ndarray):
        return None
    if isinstance(values, jax.Array) and (values.is_deleted() or not values.is_fully_addressable):
        return None
    return np.asarray(values) if values.ndim == C.geometry.ndim + 4 else None


def _picture(C: Matrix, values: np.ndarray) -> str:
    g, (rows, columns) = C.geometry, C.shape
    entries = coordinates(g, C.transposed, "channels_last")
    values = values.astype(complex if values.dtype.kind == "c" else float).ravel()[entries.source]
    if entries.target is not None:  # two taps meet in one entry: their values add up
        values = np.bincount(entries.target, values.real) + (
            1j * np.bincount(entries.target, values.imag) if values.dtype.kind == "c" else 0
        )
    shown = abs(values) if values.dtype.kind == "c" else values
    largest = abs(shown[np.isfinite(shown)]).max(initial=0) or 1.0
    scale = f"value, from {-largest:.3g} (blue) to {largest:.3g} (red)"
    if values.dtype.kind == "c":
        scale = f"magnitude, up to {largest:.3g} (red)"
    taps = [np.unravel_index(tap, g.kernel_shape) for tap in entries.tap]
    cell = min(max(PICTURE_PIXELS // max(rows, columns), CELL_PIXELS[0]), CELL_PIXELS[1])
    width, height = columns * cell, rows * cell
    outputs = math.prod(g.output_shape[1:]) * g.out_features
    inputs = math.prod(g.input_shape[1:]) * g.in_features
    down, across = (inputs, outputs) if C.transposed else (outputs, inputs)
    marks = [
        _cell(int(row), int(column), cell, _colour(number / largest), tuple(map(int, tap)), value)
        for row, column, number, tap, value in zip(
            entries.row, entries.column, shown, taps, values, strict=True
        )
    ]
    return "\n".join(
        [
            f"<div>{_heading(C)}",
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width + 2} {height + 2}" '
            f'width="{width + 2}" height="{height + 2}" style="max-width:100%;height:auto" '
            f'font-family="sans-serif" font-size="{0.42 * cell:.3g}" text-anchor="middle">',
            f'<rect width="{width}" height="{height}" fill="#888" fill-opacity="0.22"/>',
            _lines(width, height, cell, cell, "0.35", "0.5"),
            *marks,
            _lines(width, height, down * cell, across * cell, "1", "1.2"),
            f'<rect width="{width}" height="{height}" fill="none" stroke="#888"/>',
            "</svg>",
            f"<div><small>{_sides(C)}. Colour: {scale}; number: kernel tap; grey: no entry.<br>"
            f"<code>{escape(repr(g))}</code></small></div></div>",
        ]
    )


def _cell(
    row: int,
    column: int,
    size: int,
    colour: tuple[int, int, int],
    tap: tuple[int, ...],
    value: complex,
) -> str:
    """Returns one entry: a square with a tooltip, and the tap in it."""
    red, green, blue = colour
    ink = "#fff" if 0.3 * red + 0.59 * green + 0.11 * blue < 140 else "#222"
    name = ("" if max(tap) < 10 else ",").join(map(str, tap))
    x, y = column * size, row * size
    return (
        f"<g><title>row {row}, column {column}: {value:.6g}, tap {escape(str(tap))}</title>"
        f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="#{red:02x}{green:02x}{blue:02x}" '
        f'stroke="#888" stroke-width="0.5"/>'
        f'<text x="{x + size / 2:g}" y="{y + 0.65 * size:g}" fill="{ink}">{name}</text></g>'
    )


def _colour(share: float) -> tuple[int, int, int]:
    """Returns red, green and blue, 0 to 255, of a share of the largest magnitude, from -1 to 1.

    >>> _colour(0.0), _colour(-1.0)
    ((255, 255, 255), (33, 102, 172))
    """
    if not math.isfinite(share):
        return NOT_FINITE
    end, part = (RED if share > 0 else BLUE), abs(share)
    red, green, blue = (round(w + part * (e - w)) for w, e in zip(WHITE, end, strict=True))
    return red, green, blue


def _lines(width: int, height: int, down: int, across: int, opacity: str, stroke: str) -> str:
    """Returns lines across the picture at every `down` and `across` pixels."""
    path = [f"M0 {y}H{width}" for y in range(down, height, down)]
    path += [f"M{x} 0V{height}" for x in range(across, width, across)]
    return f'<path d="{"".join(path)}" stroke="#888" stroke-opacity="{opacity}" stroke-width="{stroke}"/>'


def _heading(C: Matrix) -> str:
    rows, columns = C.shape
    name = "ConvMatrix.T" if C.transposed else "ConvMatrix"
    return f"<div><b>{name}</b> {rows} &times; {columns}, {C.nnz:,} entries, {_dtype(C)}</div>"


def _sides(C: Matrix) -> str:
    """Returns what rows and columns number."""
    g = C.geometry
    sides = [
        f"output cells {(*g.output_shape, g.out_features)}",
        f"input cells {(*g.input_shape, g.in_features)}",
    ]
    rows, columns = reversed(sides) if C.transposed else sides
    return f"Rows: {rows}; columns: {columns}"


def _dtype(C: Matrix) -> str:
    """Returns the dtype of the values, or the type of the leaf that a mapped tree has in their place."""
    traced = ", traced" if isinstance(C.values, jax.core.Tracer) else ""
    return escape(str(getattr(C.values, "dtype", type(C.values).__name__))) + traced


def _table(C: Matrix) -> str:
    g, (rows, columns) = C.geometry, C.shape
    shape = getattr(C.values, "shape", ())
    batch = shape[: max(len(shape) - g.ndim - 4, 0)]
    properties = {
        "batch": " &times; ".join(map(str, batch)) + " matrices" if batch else "",
        "shape": f"{rows:,} &times; {columns:,}",
        "entries": f"{C.nnz:,} ({C.nnz / max(rows * columns, 1):.3%} of the places)",
        "dtype": _dtype(C),
        "stored": f"{math.prod(shape) * C.values.dtype.itemsize:,} bytes"
        if hasattr(C.values, "dtype")
        else "",
        "numbering": _sides(C),
        "geometry": f"<code>{escape(repr(g))}</code>",
    }
    lines = [
        f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{text}</td></tr>'
        for name, text in properties.items()
        if text
    ]
    name = "ConvMatrix.T" if C.transposed else "ConvMatrix"
    return "\n".join([f"<table><caption><b>{name}</b></caption>", *lines, "</table>"])
