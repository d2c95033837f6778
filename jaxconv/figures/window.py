"""The input with the window that moves over it."""

from __future__ import annotations

import math

from jaxconv.figures.display import Group, Item, Offset, Pen, Rectangle, Text
from jaxconv.figures.maps import MapLayout, draw_input, text_size
from jaxconv.figures.numbers import Texts
from jaxconv.figures.plan import Panel
from jaxconv.geometry.scene import Scene, cell_at, flat_index

INSET = 0.13  # cells around the colour of a tap, in which the cell beneath stays visible


def draw_window(pen: Pen, panel: Panel, layout: MapLayout, colour: str) -> None:
    """Draws the input, the colours of the taps on the cells that they read, and a frame around them.

    Args:
      pen: Pen that draws the window.
      panel: Panel with the scenes of the convolution.
      layout: Layout of the input on the sheet.
      colour: Role of the input cells' colour in the theme, ``"x"`` or ``"y"``.
    """
    texts, first = panel.texts, panel.scenes[0]
    draw_input(pen, layout, panel.shown, colour, panel.output_padding, zeros=texts is not None)
    offsets = tuple(
        layout.shift(
            scene.reads[0].position,
            scene.input_features.start,
            first.reads[0].position,
            first.input_features.start,
        )
        for scene in panel.scenes
    )
    pen.items.append(Group(tuple(_tints(panel, layout)), offsets))
    if texts is not None:
        _write_input(pen, panel, layout, texts)
        _write_weights(pen, panel, layout, texts, offsets)
    edges = [edge for feature in first.input_features for edge in _edges(first, layout, feature)]
    pen.items.append(Group(tuple(edges), offsets))


def _tints(panel: Panel, layout: MapLayout) -> list[Rectangle]:
    """Returns the colours of the taps, where they stand in the first frame."""
    first, kernel_shape = panel.scenes[0], panel.scenes[0].geometry.kernel_shape
    inset = (INSET if panel.texts is None else INSET / 2) * layout.cell
    inner = layout.cell - 2 * inset
    tints = []
    for feature in first.input_features:
        for read in first.reads:
            tap = f"tap:{flat_index(read.tap, kernel_shape)}:{math.prod(kernel_shape)}"
            x, y = layout.corner(read.position, feature)
            fill = "tap:0:1" if panel.pooling else tap
            tints.append(Rectangle(x + inset, y + inset, inner, inner, fill=fill))
    return tints


def _edges(scene: Scene, layout: MapLayout, feature: int) -> list[Rectangle]:
    """Returns a frame around the span of the window, on every slice that it reads."""
    spans = [axis.span for axis in scene.shown.axes]
    corners: dict[tuple[int, ...], Offset] = {}
    for read in scene.reads:  # the first tap of each slice
        corners.setdefault(read.position[:-2], layout.corner(read.position, feature))
    width = spans[-1] * layout.cell
    height = (spans[-2] if len(spans) > 1 else 1) * layout.cell
    return [Rectangle(x, y, width, height, line="ink", thickness=2.2) for x, y in corners.values()]


def _write_input(pen: Pen, panel: Panel, layout: MapLayout, texts: Texts) -> None:
    c = layout.cell
    height = 0.42 if texts.kernel is not None else 0.5  # room for the kernel's entry
    for feature in range(layout.features):
        for position in layout.cells():
            cell = cell_at(panel.shown, position)
            if cell.kind == "cropped":
                continue
            x, y = layout.corner(position, feature)
            word = "0" if cell.cell is None else texts.input[(*cell.cell, feature)]
            colour = "muted" if cell.cell is None else "ink"
            pen.text(x + c / 2, y + c * height, word, size=text_size(word, c), colour=colour, anchor="middle")


def _write_weights(
    pen: Pen, panel: Panel, layout: MapLayout, texts: Texts, offsets: tuple[Offset, ...]
) -> None:
    """Writes the kernel's entries into the corners of the window's cells, for each output feature."""
    if texts.kernel is None:
        return
    c = layout.cell
    for output_feature in range(panel.shown.out_features):
        frames = [n for n, scene in enumerate(panel.scenes) if scene.output_feature == output_feature]
        scene = panel.scenes[frames[0]]
        words: list[Item] = []
        for feature in scene.input_features:
            for read in scene.reads:
                x, y = layout.corner(read.position, feature)
                word = texts.kernel[scene.kernel_index(read.tap, feature)]
                words.append(
                    Text(x + c - 2.5, y + c - 6, word, size=text_size(word, c, 0.7, 9), anchor="end")
                )
        x0, y0 = offsets[frames[0]]
        places = {n: (offsets[n][0] - x0, offsets[n][1] - y0) for n in frames}
        pen.items.append(Group(tuple(words), tuple(places.get(n) for n in range(len(panel.scenes)))))
