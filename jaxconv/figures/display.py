"""Display lists: the items of a picture, which SVG and pixel files are drawn from.

Lengths are pixels, y points down, and colours are roles of a `Theme`. Motion is a `Group` with an offset
per frame: a window that moves, a text that is shown in one frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Offset = tuple[float, float]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Rectangle:
    """A rectangle; `fill` and `line` are roles of a theme, or None for nothing."""

    x: float
    y: float
    width: float
    height: float
    fill: str | None = None
    line: str | None = None
    thickness: float = 1.0
    dashes: tuple[float, float] | None = None
    radius: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True)
class Text:
    """One line of text; y is its middle."""

    x: float
    y: float
    text: str
    size: float = 12.0
    colour: str = "ink"
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True)
class Line:
    """A straight line, with a head at its end if it is an arrow."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str = "muted"
    thickness: float = 1.5
    arrow: bool = False


@dataclass(frozen=True)
class Group:
    """Items that move together.

    Attributes:
      items: Items of the group.
      offsets: One offset per frame, which is added to the coordinates of the items; None hides the group in
        that frame. Empty for a group that does not move.
      still: Offset for readers who prefer reduced motion; None hides the group, and ``"first"`` is the offset
        of the first frame.
      clip: x, y, width and height of the area outside of which the group is hidden; None for no limit.
    """

    items: tuple[Item, ...]
    offsets: tuple[Offset | None, ...] = ()
    still: Offset | Literal["first"] | None = "first"
    clip: tuple[float, float, float, float] | None = None

    def at(self, frame: int) -> Offset | None:
        """Returns the offset of the group in a frame; None if it is hidden."""
        return self.offsets[frame] if self.offsets else (0.0, 0.0)


Item = Rectangle | Text | Line | Group


@dataclass(frozen=True)
class DisplayList:
    """Items on a sheet, in the order of drawing, and how many frames they have."""

    width: float
    height: float
    items: tuple[Item, ...]
    frames: int = 1

    def frame(self, frame: int) -> DisplayList:
        """Returns one frame as a picture that does not move."""
        return replace(self, items=tuple(_items_of_frame(self.items, frame)), frames=1)

    def translate(self, x: float, y: float) -> Group:
        """Returns all items as a group, moved by x and y."""
        return Group(self.items, ((x, y),) * self.frames, (x, y))


def _items_of_frame(items: Sequence[Item], frame: int) -> Iterator[Item]:
    for item in items:
        if not isinstance(item, Group):
            yield item
        elif (offset := item.at(frame)) is not None:
            inside = Group(tuple(_items_of_frame(item.items, frame)), clip=item.clip)
            moved = offset != (0, 0)
            yield replace(inside, offsets=(offset,), still=offset) if moved else inside


def sheet(pictures: Sequence[DisplayList], columns: int | None = None, gap: float = 18.0) -> DisplayList:
    """Returns pictures side by side, row by row.

    Args:
      pictures: One or more pictures of equal size.
      columns: Pictures per row; by default about as many as make the sheet square.
      gap: Pixels between neighbouring pictures.
    """
    width, height = pictures[0].width + gap, pictures[0].height + gap
    columns = columns or max(round(math.sqrt(len(pictures) * height / width)), 1)
    columns = min(columns, len(pictures))
    items = tuple(
        picture.translate(index % columns * width, index // columns * height)
        for index, picture in enumerate(pictures)
    )
    rows = -(-len(pictures) // columns)
    return DisplayList(columns * width - gap, rows * height - gap, items)


@dataclass
class Pen:
    """Collects items."""

    items: list[Item] = field(default_factory=list)

    def rectangle(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str | None = None,
        line: str | None = None,
        thickness: float = 1.0,
        dashes: tuple[float, float] | None = None,
        opacity: float = 1.0,
    ) -> None:
        """Adds a rectangle."""
        item = Rectangle(x, y, width, height, fill, line, thickness, dashes, opacity=opacity)
        self.items.append(item)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12.0,
        colour: str = "ink",
        anchor: Anchor = "start",
        bold: bool = False,
    ) -> None:
        """Adds a text."""
        self.items.append(Text(x, y, text, size, colour, anchor, bold))


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Returns an estimate, rather too large than too small, of the width of a text in a sans-serif font."""
    return len(text) * size * (0.62 if bold else 0.57)
