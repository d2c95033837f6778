"""Pictures that do not move: a kernel by itself, and the positions of a window counted."""

from __future__ import annotations

import numpy as np

from jaxconv.figures.display import DisplayList, Line, Pen
from jaxconv.figures.maps import MapLayout, draw_input, input_positions, map_positions
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.scene import Scene, scenes

CELL, MARGIN, GAP = 30.0, 16.0, 34.0


def draw_kernel(kernel: np.ndarray) -> DisplayList:
    """Draws a kernel of two axes with its numbers.

    Args:
      kernel: ``(rows, columns)``.
    """
    pen = Pen()
    pen.text(MARGIN, MARGIN + 4, "Kernel", size=13, bold=True)
    layout = MapLayout(MARGIN, MARGIN + 22, CELL, map_positions(kernel.shape))
    for tap, place in enumerate(layout.cells()):
        x, y = layout.corner(place)
        fill = f"tap:{tap}:{kernel.size}"
        pen.rectangle(x, y, CELL, CELL, fill=fill, line="ink", thickness=0.6)
        pen.text(x + CELL / 2, y + CELL / 2, str(kernel[place]), size=12, anchor="middle")
    return DisplayList(layout.width + 2 * MARGIN, layout.height + 22 + 2 * MARGIN, tuple(pen.items))


def draw_positions(geometry: ConvGeometry) -> DisplayList:
    """Draws the windows of the first row of outputs side by side, with the steps between them.

    Args:
      geometry: A convolution of two axes.
    """
    pen = Pen()
    steps = [scene for scene in scenes(geometry) if scene.output[0] == 0]
    x = MARGIN
    for number, scene in enumerate(steps):
        name = "first position" if number == 0 else f"step {number}"
        pen.text(x, MARGIN + 4, name, size=13, bold=True)
        layout = MapLayout(x, MARGIN + 22, CELL, input_positions(geometry))
        draw_input(pen, layout, geometry, "x", (0,) * geometry.ndim, zeros=False)
        _draw_window(pen, layout, scene)
        x += layout.width + GAP
        if number + 1 < len(steps):
            middle = MARGIN + 22 + layout.height / 2
            pen.items.append(Line(x - GAP + 8, middle, x - 8, middle, arrow=True))
    count = len(steps)
    text = f"{count - 1} {'step' if count == 2 else 'steps'} of size {geometry.strides[1]}"
    text += f", plus the first position: o = {count}"
    pen.text(MARGIN, MARGIN + 44 + layout.height, text, size=12)
    return DisplayList(x - GAP + MARGIN, layout.height + 44 + 2 * MARGIN, tuple(pen.items))


def _draw_window(pen: Pen, layout: MapLayout, scene: Scene) -> None:
    taps = len(scene.reads)
    for tap, read in enumerate(scene.reads):
        fill = f"tap:{tap}:{taps}"
        pen.rectangle(*layout.corner(read.position), CELL, CELL, fill=fill, line="ink", thickness=0.6)
    width, height = (axis.span * CELL for axis in reversed(scene.shown.axes))
    pen.rectangle(*layout.corner(scene.reads[0].position), width, height, line="ink", thickness=2.2)
