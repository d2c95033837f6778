"""Pictures of C: where its entries stand, and what they hold."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from jaxconv.errors import OptionError
from jaxconv.figures import canvas
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import ConvMatrix
from jaxconv.matrix.coordinates import Order, coordinates

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LINES = 64  # of one direction; more would hide the matrix
MOST_NUMBERS = 400  # entries up to which the values are written into their cells


def draw_matrix(
    C: ConvMatrix,
    path: str | Path,
    *,
    transpose: bool = True,
    colour: Literal["value", "tap"] = "value",
    order: Order = "channels_last",
) -> Path:
    """Draws C, and C-transposed beside it, into a file; see `matrix_figure`.

    Args:
      C: The matrix.
      path: Where to; the suffix decides the format (png, svg, pdf).
      transpose: Whether C-transposed is drawn too.
      colour: ``"value"`` or ``"tap"``.
      order: Numbering of rows and columns, as for the exports.

    Returns:
      `path`.

    Raises:
      OptionError: Unknown `colour`.
      GeometryError: Unknown `order`.
    """
    return canvas.save(matrix_figure(C, transpose=transpose, colour=colour, order=order), path)


def matrix_figure(
    C: ConvMatrix,
    *,
    transpose: bool = True,
    colour: Literal["value", "tap"] = "value",
    order: Order = "channels_last",
) -> Figure:
    """The picture of C as a matplotlib figure.

    Plain background is where C has no entry, whatever the kernel: an entry that happens to be 0 is
    white, not background. Lines border the blocks that one index of the first axis (rows of an image;
    with ``order="channels_first"``, one feature) makes. A matrix of thousands of columns is drawn in
    tiles; a tile that holds an entry shows it, however small its part.

    Args:
      C: The matrix. Complex values are drawn by their magnitude.
      transpose: Whether C-transposed is drawn too, on the right.
      colour: ``"value"``: blue below zero, red above, one scale around 0. ``"tap"``: every kernel
        tap has a colour of its own.
      order: ``"channels_last"`` or ``"channels_first"`` numbering of rows and columns.

    Returns:
      A `matplotlib.figure.Figure`.

    Raises:
      OptionError: Unknown `colour`.
      GeometryError: Unknown `order`.
    """
    if colour not in ("value", "tap"):
        raise OptionError(f"`colour` is 'value' or 'tap', got {colour!r}.")
    matrices = [C, C.T] if transpose else [C]
    shading = _shading(C, colour)
    sizes = [_panel_size(matrix.shape) for matrix in matrices]
    with canvas.rc_context(canvas.STYLE):
        width = max(sum(width for width, _ in sizes) + 1.1 * len(sizes) + 1.0, 5.0)
        figure = canvas.new_figure(width, max(height for _, height in sizes) + 1.4)
        axes = figure.subplots(1, len(matrices), squeeze=False, width_ratios=[width for width, _ in sizes])[0]
        for ax, matrix in zip(axes, matrices, strict=True):
            image = _draw(ax, matrix, colour, order, shading)
        _draw_scale(figure, axes, image, shading)
        figure.suptitle(_caption(C, round(13 * width)), fontsize=9, family="DejaVu Sans Mono")
    return figure


class Shading(NamedTuple):
    """How numbers become colours; one for all panels of a figure."""

    colours: Any  # a matplotlib colormap
    norm: Any
    ticks: list[float] | None  # of the scale; None: matplotlib's own
    names: list[str] | None  # of the ticks, and what is written into the cells


def _shading(C: ConvMatrix, colour: str) -> Shading:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    if colour == "value":
        largest = float(abs(np.asarray(C.values)).max(initial=0)) or 1.0
        colours = colormaps["RdBu_r"].with_extremes(bad=canvas.NO_ENTRY)
        return Shading(colours, Normalize(-largest, largest), None, None)
    shape = C.geometry.kernel_shape
    taps = math.prod(shape)
    listed = colormaps["turbo"](np.linspace(0.06, 0.94, taps))
    names = ["w" + (",".join if max(shape) > 10 else "".join)(map(str, index)) for index in np.ndindex(shape)]
    every = -(-taps // 27)  # a longer scale names only some
    ticks = [float(tap) for tap in range(0, taps, every)]
    colours = ListedColormap(listed).with_extremes(bad=canvas.NO_ENTRY)
    return Shading(colours, BoundaryNorm(np.arange(taps + 1) - 0.5, taps), ticks, names)


def _entries(matrix: ConvMatrix, colour: str, order: Order) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and what decides the colour of every entry, each ``(nnz,)``."""
    if colour == "value":
        row, column, stored = matrix.to_coo(order)
        values = np.asarray(stored)
        return row, column, abs(values) if values.dtype.kind == "c" else values.astype(np.float64)
    at = coordinates(matrix.geometry, matrix.transposed, order)
    return at.row, at.column, at.tap.astype(np.float64)


def _tiles(shape: tuple[int, int], most: tuple[int, int], row, column, value) -> np.ma.MaskedArray:
    """The matrix as a picture of at most `most` tiles; each shows its entry of largest magnitude.

    >>> _tiles((2, 4), (2, 2), np.array([0, 0, 1]), np.array([0, 1, 3]), np.array([1.0, -5.0, 2.0])).tolist()
    [[-5.0, None], [None, 2.0]]
    """
    height, width = (min(size, limit) for size, limit in zip(shape, most, strict=True))
    tiles = np.ma.array(np.zeros((height, width)), mask=True)
    weakest_first = np.argsort(abs(value), kind="stable")
    row = row[weakest_first].astype(np.int64) * height // shape[0]
    column = column[weakest_first].astype(np.int64) * width // shape[1]
    tiles[row, column] = value[weakest_first]
    return tiles


def _panel_size(shape: tuple[int, int]) -> tuple[float, float]:
    """Inches, wide and high: square cells while neither side gets too thin to see."""
    rows, columns = shape
    cell = min(0.34, 8.5 / (rows + columns))
    return max(columns * cell, 0.8), max(rows * cell, 0.8)


def _draw(ax, matrix: ConvMatrix, colour: str, order: Order, shading: Shading):
    """One matrix on its axes."""
    rows, columns = matrix.shape
    width, height = _panel_size(matrix.shape)
    tiles_an_inch = canvas.DPI / 2  # two pixels and more each, so that none falls through the resampling
    most = max(round(height * tiles_an_inch), 1), max(round(width * tiles_an_inch), 1)
    row, column, value = _entries(matrix, colour, order)
    image = ax.imshow(
        _tiles(matrix.shape, most, row, column, value),
        cmap=shading.colours,
        norm=shading.norm,
        extent=(0, columns, rows, 0),
        aspect="auto",
    )
    ax.set_box_aspect(height / width)
    ax.set_anchor("N")
    sides = _sides(matrix.geometry)
    down, across = reversed(sides) if matrix.transposed else sides
    for axis, side, size in ((ax.yaxis, down, rows), (ax.xaxis, across, columns)):
        _draw_blocks(axis, size, side.block(order), cells=max(rows, columns) <= MOST_LINES)
        axis.set_label_text(f"{side.name} {side.text}")
    if len(value) <= MOST_NUMBERS and width / columns >= 0.25:
        _write_values(ax, row, column, value, shading)
    power = r"$C^\mathsf{T}$" if matrix.transposed else "$C$"
    ax.set_title(f"{power}   {canvas.by(rows, columns)}, {matrix.nnz:,} entries")
    return image


class Side(NamedTuple):
    """The input or the output of a convolution: what its cells are called and how they are blocked."""

    name: str
    shape: tuple[int, ...]
    features: int

    @property
    def text(self) -> str:
        """Its size."""
        sizes = canvas.by(*self.shape, *[self.features] * (self.features > 1))
        return sizes if self.features == 1 else f"{sizes} features"

    def block(self, order: Order) -> int:
        """Cells that share the slowest index."""
        if order == "channels_first" and self.features > 1:
            return math.prod(self.shape)
        return math.prod(self.shape[1:]) * self.features


def _sides(g: ConvGeometry) -> tuple[Side, Side]:
    """Output and input."""
    return Side("output", g.output_shape, g.out_features), Side("input", g.input_shape, g.in_features)


def _draw_blocks(axis, size: int, block: int, *, cells: bool) -> None:
    """Borders between blocks, with ticks, and thin ones between `cells`."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    line = axis.axes.axhline if axis.axis_name == "y" else axis.axes.axvline
    if cells:
        for at in range(1, size):
            line(at, color="white", linewidth=0.5)
    borders = range(block, size, block) if block > 1 else range(0)
    if len(borders) < MOST_LINES:
        for at in borders:
            line(at, color=canvas.BORDER, linewidth=0.9 if len(borders) < 24 else 0.4)
    if 0 < len(borders) < 12:
        axis.set_major_locator(FixedLocator([0, *borders, size]))
    else:
        axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))


def _write_values(ax, row, column, value, shading: Shading) -> None:
    for r, c, v in zip(row, column, value, strict=True):
        red, green, blue, _ = shading.colours(shading.norm(v))
        dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.55
        ax.text(
            c + 0.5,
            r + 0.5,
            shading.names[int(v)] if shading.names else f"{v:.2g}",
            ha="center",
            va="center",
            fontsize=6,
            color="white" if dark else canvas.INK,
        )


def _draw_scale(figure, axes, image, shading: Shading) -> None:
    bar = figure.colorbar(
        image, ax=list(axes), fraction=0.03, pad=0.02, aspect=25, ticks=shading.ticks, panchor=False
    )
    bar.outline.set_visible(False)
    if shading.names and shading.ticks:
        bar.ax.set_yticklabels([shading.names[int(tick)] for tick in shading.ticks])
        bar.ax.tick_params(length=0, which="both")
        bar.ax.invert_yaxis()
    bar.set_label("tap" if shading.names else "value")


def _caption(C: ConvMatrix, width: int) -> str:
    """The geometry, as Python, in lines of at most `width` letters."""
    return "\n".join(textwrap.wrap(repr(C.geometry), width, break_long_words=False))
