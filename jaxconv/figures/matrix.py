"""Pictures of C: where its entries stand, and what they hold."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage
from matplotlib.ticker import FixedLocator, MaxNLocator

from jaxconv.errors import GeometryError, OptionError
from jaxconv.figures import canvas
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import ConvMatrix
from jaxconv.matrix.coordinates import Order, coordinates

MOST_LINES = 64  # per direction; more would hide the matrix
MOST_NUMBERS = 400  # entries up to which the values are written into their cells
MOST_COLOURED = 256  # rows and columns up to which `plot` colours the entries
SMALLEST_TEXT = 0.25  # inches of the side of a cell that holds a text

Colour = Literal["value", "tap"]


def plot(
    C: ConvMatrix, *, ax: Axes | None = None, colour: Colour = "tap", order: Order = "channels_last"
) -> Axes:
    """Plots C, or C-transposed, on matplotlib axes.

    Every entry is a square in the colour of its kernel tap. Grey cells have no entry, whatever the kernel.
    Lines border the blocks of cells that share the first index, such as the rows of an image. If C has more
    than 256 rows or columns, the picture shows only where the entries are.

    Args:
      C: The matrix, as `jaxconv.conv_matrix` returns it, or its transpose ``C.T``.
      ax: Axes to plot on; by default those of a new figure of `matplotlib.pyplot`.
      colour: ``"tap"``: one colour per kernel tap. ``"value"``: blue below zero, red above, white at zero;
        complex values by their magnitude.
      order: How rows and columns are numbered: ``"channels_last"``, as `x.ravel()` numbers the cells of a
        ``(*spatial, features)`` feature map, or ``"channels_first"``, feature by feature.

    Returns:
      The axes; ``ax.figure.savefig("C.png")`` writes the picture.

    Raises:
      TypeError: `C` is not a ConvMatrix or is traced, or `ax` is not a matplotlib Axes.
      OptionError: `colour` is unknown.
      GeometryError: `order` is unknown, or `C` is a batch of matrices.

    >>> import jaxconv
    >>> geometry = jaxconv.ConvGeometry((6, 6), (3, 3))
    >>> ax = plot(jaxconv.conv_matrix(np.ones((3, 3, 1, 1), np.float32), geometry).T)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('output cell (4 × 4)', 'input cell (6 × 6)')
    """
    _check_matrix(C)
    _check_colour(colour)
    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(f"`ax` must be a matplotlib Axes, such as plt.gca(), got {type(ax).__name__}.")
    coloured = max(C.shape) <= MOST_COLOURED
    shading = _shading(C, colour) if coloured else _one_colour()
    width, height = _panel_size(C.shape)
    if ax is not None:
        box = ax.get_window_extent()  # in pixels
        scale = min(box.width / width, box.height / height) / ax.figure.dpi
        size = scale * width, scale * height
        image = _draw(ax, C, colour, order, shading, size)
    else:
        from matplotlib import pyplot

        with canvas.rc_context(canvas.STYLE):
            figure = pyplot.figure(figsize=(max(width + 1.8, 4.0), height + 1.1), layout="constrained")
            ax = figure.add_subplot()
            image = _draw(ax, C, colour, order, shading, (width, height))
    if coloured:
        _draw_scale(ax.figure, [ax], image, shading)
    return ax


def draw_matrix(
    C: ConvMatrix,
    path: str | Path,
    *,
    transpose: bool = True,
    colour: Colour = "value",
    order: Order = "channels_last",
) -> Path:
    """Writes a picture of C, with C-transposed on its right, to a file; `matrix_figure` describes it.

    Args:
      C: The matrix. Complex values are drawn by their magnitude.
      path: File to write; its suffix is the format (.png, .svg or .pdf). The folder is made if it is missing.
      transpose: Whether C-transposed is drawn too.
      colour: ``"value"``: blue below zero, red above. ``"tap"``: one colour per kernel tap.
      order: ``"channels_last"`` or ``"channels_first"`` numbering of rows and columns.

    Returns:
      `path`.

    Raises:
      TypeError: `C` is not a ConvMatrix, or is traced.
      OptionError: `colour` is unknown.
      GeometryError: `order` is unknown, or `C` is a batch of matrices.
    """
    return canvas.save(matrix_figure(C, transpose=transpose, colour=colour, order=order), path)


def matrix_figure(
    C: ConvMatrix,
    *,
    transpose: bool = True,
    colour: Colour = "value",
    order: Order = "channels_last",
) -> Figure:
    """Returns the picture of C, with C-transposed on its right, as a matplotlib figure.

    Grey cells have no entry, whatever the kernel: an entry whose value is 0 is white, not grey. Lines border
    the blocks of cells that share the first index: a row of an image or, with ``order="channels_first"``, a
    feature. A matrix of thousands of columns is drawn in tiles; a tile that holds an entry shows it, however
    small its part.

    Args:
      C: The matrix. Complex values are drawn by their magnitude.
      transpose: Whether C-transposed is drawn too, on the right.
      colour: ``"value"``: blue below zero, red above, one scale around 0. ``"tap"``: one colour per kernel
        tap.
      order: ``"channels_last"`` or ``"channels_first"`` numbering of rows and columns.

    Returns:
      A `matplotlib.figure.Figure`.

    Raises:
      TypeError: `C` is not a ConvMatrix, or is traced.
      OptionError: `colour` is unknown.
      GeometryError: `order` is unknown, or `C` is a batch of matrices.
    """
    _check_matrix(C)
    _check_colour(colour)
    matrices = [C, C.T] if transpose else [C]
    shading = _shading(C, colour)
    sizes = [_panel_size(matrix.shape) for matrix in matrices]
    with canvas.rc_context(canvas.STYLE):
        width = max(sum(width for width, _ in sizes) + 1.1 * len(sizes) + 1.0, 5.0)
        figure = canvas.new_figure(width, max(height for _, height in sizes) + 1.4)
        axes = figure.subplots(1, len(matrices), squeeze=False, width_ratios=[width for width, _ in sizes])[0]
        for ax, matrix in zip(axes, matrices, strict=True):
            image = _draw(ax, matrix, colour, order, shading, _panel_size(matrix.shape))
        _draw_scale(figure, axes, image, shading)
        figure.suptitle(_caption(C, round(13 * width)), fontsize=9, family="DejaVu Sans Mono")
    return figure


def _check_matrix(C: ConvMatrix) -> None:
    """Refuses what is not a single matrix with known values."""
    if not isinstance(C, ConvMatrix):
        raise TypeError(
            f"`C` must be a ConvMatrix, got {type(C).__name__}; make it from a kernel and its geometry: "
            "jaxconv.conv_matrix(kernel, geometry)."
        )
    if isinstance(C.values, jax.core.Tracer):
        raise TypeError(
            "`C` is traced: its values are not known inside jax.jit, jax.grad or jax.vmap. Return C from the "
            "function and draw it outside."
        )
    if C.values.ndim > C.geometry.ndim + 4:
        raise GeometryError(
            f"`C` is a batch of matrices, as jax.vmap returns it, with values of shape {C.values.shape}; "
            "draw one of them, such as jax.tree.map(lambda values: values[0], C)."
        )


def _check_colour(colour: str) -> None:
    if colour not in ("value", "tap"):
        raise OptionError(f"`colour` must be 'value' or 'tap', got {colour!r}.")


class Shading(NamedTuple):
    """How numbers become colours; shared by all panels of a figure."""

    colours: Colormap
    norm: Normalize
    ticks: list[float] | None  # of the scale; None: matplotlib's own
    names: list[str] | None  # of the ticks, and what is written into the cells


def _one_colour() -> Shading:
    """Returns the shading of a picture of the sparsity alone."""
    colours = ListedColormap([canvas.INK]).with_extremes(bad=canvas.NO_ENTRY)
    return Shading(colours, Normalize(0, 1), None, None)


def _shading(C: ConvMatrix, colour: Colour) -> Shading:
    if colour == "value":
        largest = float(abs(np.asarray(C.values)).max(initial=0)) or 1.0
        colours = colormaps["RdBu_r"].with_extremes(bad=canvas.NO_ENTRY)
        return Shading(colours, Normalize(-largest, largest), None, None)
    shape = C.geometry.kernel_shape
    taps = math.prod(shape)
    tap_colours = colormaps["turbo"](np.linspace(0.06, 0.94, taps))
    names = ["w" + (",".join if max(shape) > 10 else "".join)(map(str, index)) for index in np.ndindex(shape)]
    every = -(-taps // 27)  # a longer scale names only some
    ticks = [float(tap) for tap in range(0, taps, every)]
    colours = ListedColormap(tap_colours).with_extremes(bad=canvas.NO_ENTRY)
    return Shading(colours, BoundaryNorm(np.arange(taps + 1) - 0.5, taps), ticks, names)


def _entries(matrix: ConvMatrix, colour: Colour, order: Order) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the row, the column and the number to colour of every entry, each ``(nnz,)``."""
    if colour == "value":
        row, column, stored = matrix.to_coo(order)
        values = np.asarray(stored)
        return row, column, abs(values) if values.dtype.kind == "c" else values.astype(np.float64)
    at = coordinates(matrix.geometry, matrix.transposed, order)
    return at.row, at.column, at.tap.astype(np.float64)


def _tiles(
    shape: tuple[int, int], most: tuple[int, int], row: np.ndarray, column: np.ndarray, value: np.ndarray
) -> np.ma.MaskedArray:
    """Returns the matrix in at most `most` tiles; each shows its entry of largest magnitude.

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
    """Returns width and height in inches: square cells, unless a side would be too thin to see."""
    rows, columns = shape
    cell = min(0.34, 8.5 / (rows + columns))
    return max(columns * cell, 0.8), max(rows * cell, 0.8)


def _draw(
    ax: Axes, matrix: ConvMatrix, colour: Colour, order: Order, shading: Shading, size: tuple[float, float]
) -> AxesImage:
    """Draws one matrix on axes of this width and height in inches."""
    rows, columns = matrix.shape
    width, height = size
    tiles_per_inch = canvas.DPI / 2  # two pixels and more each, so that none falls through the resampling
    most = max(round(height * tiles_per_inch), 1), max(round(width * tiles_per_inch), 1)
    row, column, value = _entries(matrix, colour, order)
    image = ax.imshow(
        _tiles(matrix.shape, most, row, column, value),
        cmap=shading.colours,
        norm=shading.norm,
        extent=(0, columns, rows, 0),
        aspect="auto",
        interpolation="nearest",
    )
    natural_width, natural_height = _panel_size(matrix.shape)
    ax.set_box_aspect(natural_height / natural_width)
    ax.set_anchor("N")
    sides = _sides(matrix.geometry)
    down, across = reversed(sides) if matrix.transposed else sides
    for axis, side, count in ((ax.yaxis, down, rows), (ax.xaxis, across, columns)):
        _draw_blocks(axis, count, side.block(order), cells=max(rows, columns) <= MOST_LINES)
        axis.set_label_text(f"{side.name} cell ({side.text})")
    if len(value) <= MOST_NUMBERS and min(width / columns, height / rows) >= SMALLEST_TEXT:
        _write_values(ax, row, column, value, shading)
    power = r"$C^\mathsf{T}$" if matrix.transposed else "$C$"
    ax.set_title(f"{power}   {canvas.by(rows, columns)}, {matrix.nnz:,} entries")
    return image


class Side(NamedTuple):
    """The input or the output of a convolution, with the names and blocks of its cells."""

    name: str
    shape: tuple[int, ...]
    features: int

    @property
    def text(self) -> str:
        """The sizes per axis, and the number of features if there are several."""
        sizes = canvas.by(*self.shape, *[self.features] * (self.features > 1))
        return sizes if self.features == 1 else f"{sizes} features"

    def block(self, order: Order) -> int:
        """Returns how many cells share the slowest index."""
        if order == "channels_first" and self.features > 1:
            return math.prod(self.shape)
        return math.prod(self.shape[1:]) * self.features


def _sides(g: ConvGeometry) -> tuple[Side, Side]:
    """Returns the output and the input."""
    return Side("output", g.output_shape, g.out_features), Side("input", g.input_shape, g.in_features)


def _draw_blocks(axis: XAxis | YAxis, size: int, block: int, *, cells: bool) -> None:
    """Draws borders between blocks, with ticks, and thin ones between `cells`."""
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


def _write_values(ax: Axes, row: np.ndarray, column: np.ndarray, value: np.ndarray, shading: Shading) -> None:
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


def _draw_scale(figure: Figure | SubFigure, axes: Sequence[Axes], image: AxesImage, shading: Shading) -> None:
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
    """Returns the geometry, as Python, in lines of at most `width` letters."""
    return "\n".join(textwrap.wrap(repr(C.geometry), width, break_long_words=False))
