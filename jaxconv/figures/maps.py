"""Layout of the cells of a feature map on a sheet, and their drawing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jaxconv.figures.display import Offset, Pen, text_width
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.scene import cell_at, drawn_positions

PLANE_GAP = 0.7  # cells between the slices of a map
HEAD = 15.0  # pixels above a slice or a sheet for its name
DASHED = (3.0, 2.5)


@dataclass(frozen=True)
class MapLayout:
    """Layout of a map of N axes: the last two are rows and columns, the others slices side by side.

    Features are sheets, one below the other.

    Attributes:
      x: Left edge, in pixels.
      y: Upper edge, in pixels; names of slices and features, if there are any, begin here.
      cell: Side of a cell, in pixels.
      positions: Positions that are drawn, one range per axis; they may begin below 0.
      features: Number of features, one sheet each.
      with_head: Whether a single sheet has room above it for a name too.
    """

    x: float
    y: float
    cell: float
    positions: tuple[range, ...]
    features: int = 1
    with_head: bool = False

    @property
    def planes(self) -> int:
        """Number of slices."""
        return math.prod(map(len, self.positions[:-2]))

    @property
    def rows(self) -> int:
        """Number of rows of a slice; 1 for maps of one axis."""
        return len(self.positions[-2]) if len(self.positions) > 1 else 1

    @property
    def columns(self) -> int:
        """Number of columns of a slice."""
        return len(self.positions[-1])

    @property
    def head(self) -> float:
        """Pixels above each slice for its name."""
        return HEAD if self.planes > 1 or self.features > 1 or self.with_head else 0.0

    @property
    def width(self) -> float:
        """Width of all slices, in pixels."""
        return self.planes * self.columns * self.cell + (self.planes - 1) * PLANE_GAP * self.cell

    @property
    def height(self) -> float:
        """Height of all sheets, in pixels."""
        return self.features * self._feature_step - (4.0 if self.features > 1 else 0.0)

    @property
    def _feature_step(self) -> float:
        return self.rows * self.cell + self.head + (4.0 if self.features > 1 else 0.0)

    def corner(self, position: tuple[int, ...], feature: int = 0) -> Offset:
        """Returns the upper left corner of a cell; positions outside of the map continue its steps."""
        plane = 0
        for at, axis in zip(position[:-2], self.positions[:-2], strict=True):
            plane = plane * len(axis) + at - axis.start
        row = position[-2] - self.positions[-2].start if len(position) > 1 else 0
        column = position[-1] - self.positions[-1].start
        x = self.x + plane * (self.columns + PLANE_GAP) * self.cell + column * self.cell
        return x, self.y + feature * self._feature_step + self.head + row * self.cell

    def cells(self) -> Iterator[tuple[int, ...]]:
        """Returns every position, row by row."""
        return itertools.product(*self.positions)

    def shift(
        self, position: tuple[int, ...], feature: int, other: tuple[int, ...], other_feature: int
    ) -> Offset:
        """Returns the offset of a cell from the `other` one, in pixels."""
        (x, y), (x0, y0) = self.corner(position, feature), self.corner(other, other_feature)
        return x - x0, y - y0

    def draw_heads(self, pen: Pen) -> None:
        """Writes the numbers of features and slices above the slices."""
        if not self.head:
            return
        leading = list(itertools.product(*self.positions[:-2]))
        for feature in range(self.features):
            for lead in leading:
                x, y = self.corner((*lead, *(axis.start for axis in self.positions[-2:])), feature)
                index = ",".join(map(str, lead))
                parts = [f"feature {feature}"] * (self.features > 1) + [f"slice {index}"] * (self.planes > 1)
                short = [f"f{feature}"] * (self.features > 1) + [index] * (self.planes > 1)
                name = ", ".join(parts)
                room = (self.columns + PLANE_GAP) * self.cell if self.planes > 1 else math.inf
                name = name if text_width(name, 10) < room else " ".join(short)
                pen.text(x, y - 7, name, size=10, colour="muted")


def map_positions(shape: tuple[int, ...]) -> tuple[range, ...]:
    """Returns the positions of a map without padding."""
    return tuple(map(range, shape))


def input_positions(geometry: ConvGeometry) -> tuple[range, ...]:
    """Returns the positions of the stretched and padded input, cropped cells included."""
    return tuple(map(drawn_positions, geometry.axes))


def draw_input(
    pen: Pen,
    layout: MapLayout,
    geometry: ConvGeometry,
    colour: str,
    output_padding: Sequence[int],
    zeros: bool,
) -> None:
    """Draws the cells of a stretched and padded input, each kind with an outline of its own.

    Args:
      pen: Pen that draws the cells.
      layout: Layout of the input on the sheet.
      geometry: Convolution that reads the input.
      colour: Role of the input cells' colour in the theme, ``"x"`` or ``"y"``.
      output_padding: Cells after each axis that are the a of a transpose, a part of the padding.
      zeros: Whether the caller writes ``0`` into the cells that hold zeros; otherwise a dot marks inserted
        zeros.
    """
    c = layout.cell
    cells = {position: cell_at(geometry, position) for position in layout.cells()}
    styles: dict[str, dict[str, Any]] = {
        "padding": {"line": "line", "dashes": DASHED},
        "cropped": {"line": "line", "dashes": (1.0, 3.0)},
        "inserted": {"fill": "empty", "line": "line"},
        "input": {"fill": colour, "line": f"{colour}_line"},
    }
    for feature in range(layout.features):
        for kind, style in styles.items():
            for position, cell in cells.items():
                if cell.kind != kind:
                    continue
                corner = layout.corner(position, feature)
                if kind == "padding" and cell.cell is not None:  # repeats an input cell
                    pen.rectangle(*corner, c, c, fill=colour, opacity=0.45)
                elif kind == "padding" and _is_output_padding(geometry, position, output_padding):
                    pen.rectangle(*corner, c, c, fill="empty")
                pen.rectangle(*corner, c, c, **style)
        for position, cell in cells.items():
            x, y = layout.corner(position, feature)
            if cell.kind == "cropped":
                pen.text(
                    x + c / 2,
                    y + c / 2,
                    "\N{MULTIPLICATION SIGN}",
                    size=c / 2.5,
                    colour="muted",
                    anchor="middle",
                )
            elif cell.kind == "inserted" and not zeros:
                pen.rectangle(x + c / 2 - 1.5, y + c / 2 - 1.5, 3, 3, fill="muted")
    layout.draw_heads(pen)


def _is_output_padding(g: ConvGeometry, position: Sequence[int], output_padding: Sequence[int]) -> bool:
    places = zip(g.axes, position, output_padding, strict=True)
    return any(axis.padded - a <= at < axis.padded for axis, at, a in places)


def draw_plain(pen: Pen, layout: MapLayout, colour: str) -> None:
    """Draws the cells of a map that is neither padded nor stretched."""
    for feature in range(layout.features):
        for position in layout.cells():
            pen.rectangle(
                *layout.corner(position, feature),
                layout.cell,
                layout.cell,
                fill=colour,
                line=f"{colour}_line",
            )
    layout.draw_heads(pen)


def text_size(text: str, cell: float, share: float = 0.86, largest: float = 12.0) -> float:
    """Returns the font size at which a text fits into a cell.

    Args:
      text: One line of text.
      cell: Pixels of a side of the cell.
      share: Largest part of the side that the text may take, 0 to 1.
      largest: Largest font size, in pixels.
    """
    return min(largest, cell * share / max(text_width(text, 1.0), 1e-9))
