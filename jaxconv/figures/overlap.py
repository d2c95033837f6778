"""Pictures of the overlap of a transposed convolution: how many taps it adds to each cell."""

from __future__ import annotations

import numpy as np

from jaxconv.core.checks import check_geometry
from jaxconv.errors import GeometryError
from jaxconv.figures.display import DisplayList, Line, Pen
from jaxconv.figures.maps import MapLayout, map_positions, text_size
from jaxconv.figures.pictures import Animation
from jaxconv.figures.themes import ThemeOption, resolve_theme
from jaxconv.geometry import ConvGeometry, pattern
from jaxconv.linalg import is_even, overlap

CELL, SMALL, MARGIN, HEAD = 30.0, 22.0, 16.0, 26.0


def overlap_figure(geometry: ConvGeometry, *, theme: ThemeOption = "auto") -> Animation:
    """Draws how many taps of a transposed convolution are added to each cell of its result.

    With one axis, the windows are drawn one below the other, and below them the counts. With two axes, the
    counts are drawn. Where they differ away from the border, the picture is a checkerboard.

    Args:
      geometry: Geometry of the forward convolution, of one or two axes. The counts are those of
        `jaxconv.linalg.overlap`.
      theme: ``"auto"`` (light, and dark where the page is), ``"light"``, ``"dark"``, or a `Theme`.

    Returns:
      A picture of one frame; its `save` writes a file.

    Raises:
      GeometryError: The geometry has more than two axes.
      OptionError: An unknown theme.
      TypeError: `geometry` is not a `ConvGeometry`.

    References:
      Odena, Dumoulin & Olah, Deconvolution and checkerboard artifacts, Distill 2016,
      doi:10.23915/distill.00003.

    >>> overlap_figure(ConvGeometry((9, 9), (3, 3), strides=2)).frames
    1
    """
    check_geometry(geometry)
    if geometry.ndim > 2:
        raise GeometryError(
            f"`geometry` must have one or two axes to be drawn, got {geometry.ndim}; draw one axis at a time."
        )
    light, dark = resolve_theme(theme)
    counts = overlap(geometry)[..., 0]
    pen = Pen()
    pen.text(MARGIN, MARGIN + 4, _heading(geometry), size=13, bold=True)
    draw = _draw_axis if geometry.ndim == 1 else _draw_plane
    width, height = draw(pen, geometry, counts)
    width = max(width, 8.0 * len(_heading(geometry)))
    display = DisplayList(width + 2 * MARGIN, height + 2 * MARGIN, tuple(pen.items))
    return Animation(display, _description(geometry, counts), 600, light, dark)


def _heading(g: ConvGeometry) -> str:
    numbers = []
    for letter, values in (("k", g.kernel_shape), ("s", g.strides), ("d", g.kernel_dilation)):
        if letter != "d" or max(values) > 1:
            same = len(set(values)) == 1
            numbers.append(f"{letter} = {values[0] if same else ' x '.join(map(str, values))}")
    return f"{', '.join(numbers)}: {'even' if is_even(g) else 'uneven'} overlap"


def _description(g: ConvGeometry, counts: np.ndarray) -> str:
    least, most = counts.min(), counts.max()
    return f"Overlap of the transposed convolution, {_heading(g)}: {least} to {most} taps per cell"


def _draw_axis(pen: Pen, g: ConvGeometry, counts: np.ndarray) -> tuple[float, float]:
    """Draws every window with its taps, and the counts below; returns width and height."""
    (axis,) = g.axes
    top = MARGIN + HEAD
    step = SMALL + 5
    for output, tap, cell in zip(*pattern.reads(axis), strict=True):
        x, y = MARGIN + cell * CELL, top + output * step
        pen.rectangle(x, y, CELL, SMALL, fill=f"tap:{tap}:{axis.kernel}", line="ink", thickness=0.6)
        pen.text(x + CELL / 2, y + SMALL / 2, f"t{tap}", size=10, anchor="middle")
    bottom = top + axis.out_size * step + 8
    width = axis.size * CELL
    pen.items.append(Line(MARGIN, bottom - 8, MARGIN + width, bottom - 8))
    layout = MapLayout(MARGIN, bottom, CELL, map_positions(g.input_shape))
    _draw_counts(pen, layout, counts, numbers=True)
    pen.text(MARGIN, bottom + CELL + 14, "taps added to each cell", size=11, colour="muted")
    return width, bottom + CELL + 24 - MARGIN


def _draw_plane(pen: Pen, g: ConvGeometry, counts: np.ndarray) -> tuple[float, float]:
    """Draws the counts of two axes; returns width and height."""
    cell = CELL if max(g.input_shape) <= 14 else 420.0 / max(g.input_shape)
    layout = MapLayout(MARGIN, MARGIN + HEAD, cell, map_positions(g.input_shape))
    _draw_counts(pen, layout, counts, numbers=cell >= 18)
    return layout.width, layout.height + HEAD


def _draw_counts(pen: Pen, layout: MapLayout, counts: np.ndarray, *, numbers: bool) -> None:
    """Draws a map whose cells have a colour per count."""
    values = np.unique(counts[counts > 0]).tolist()
    for place in layout.cells():
        count = int(counts[place])
        fill = f"tap:{values.index(count)}:{len(values)}" if count else "empty"
        x, y = layout.corner(place)
        pen.rectangle(x, y, layout.cell, layout.cell, fill=fill, line="line", thickness=0.6)
        if numbers:
            size = text_size(str(count), layout.cell)
            pen.text(x + layout.cell / 2, y + layout.cell / 2, str(count), size=size, anchor="middle")
