"""Draws C beside its maps, with the row of the frame highlighted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxconv.errors import SizeError
from jaxconv.figures.display import Group, Pen, Rectangle
from jaxconv.figures.maps import text_size
from jaxconv.figures.numbers import Texts
from jaxconv.geometry.scene import Scene, flat_index

MOST_WIDTH, MOST_HEIGHT = 352.0, 288.0  # pixels of the places of C
LARGEST_PLACE, SMALLEST_PLACE = 22.0, 1.0
SMALLEST_WITH_TEXT = 13.0
SMALLEST_BLOCK = 12.0  # pixels between the lines that mark blocks
CURTAIN = 0.72  # opacity of what hides the other rows


def place_size(rows: int, columns: int) -> float:
    """Returns the side of one entry of the matrix, in pixels.

    Raises:
      SizeError: The entries would be too small to be seen.
    """
    size = min(LARGEST_PLACE, MOST_WIDTH / columns, MOST_HEIGHT / rows)
    if size < SMALLEST_PLACE:
        raise SizeError(
            f"`matrix=True` would draw {rows:,} x {columns:,} entries, too many to be seen; leave out "
            "`matrix`, or use a smaller `input_shape`."
        )
    return math.floor(2 * size) / 2


def draw_matrix_panel(pen: Pen, scenes: Sequence[Scene], texts: Texts | None, x: float, y: float) -> None:
    """Draws C, or C-transposed, its entries in the colours of their taps.

    A frame marks the row of the scene, and a curtain dims all others.

    Args:
      pen: Pen that draws the matrix.
      scenes: All scenes of the convolution, one per row of the matrix, in order.
      texts: Texts of the kernel's entries, written where they fit; None writes nothing.
      x: Left edge of the matrix, in pixels.
      y: Upper edge of the matrix, in pixels.
    """
    shown, kernel_shape = scenes[0].shown, scenes[0].geometry.kernel_shape
    rows, columns = shown.matrix_shape
    size = place_size(rows, columns)
    width, height = columns * size, rows * size
    pen.rectangle(x, y, width, height, fill="empty")
    colours: dict[tuple[int, int], int] = {}
    words: dict[tuple[int, int], str] = {}
    for scene in scenes:
        for entry in scene.entries:
            place = scene.row, entry.column
            tap = flat_index(entry.kernel_index[: len(kernel_shape)], kernel_shape)
            if texts is not None and texts.kernel is not None:
                words[place] = "+" if place in colours else texts.kernel[entry.kernel_index]
            colours.setdefault(place, tap)
    taps = math.prod(kernel_shape)
    by_tap = sorted(colours.items(), key=lambda item: item[1])  # one path per colour
    for (row, column), tap in by_tap:
        pen.rectangle(x + column * size, y + row * size, size, size, fill=f"tap:{tap}:{taps}")
    _draw_grid(pen, x, y, rows, columns, size)
    if size >= SMALLEST_WITH_TEXT:
        for (row, column), word in words.items():
            middle = x + (column + 0.5) * size, y + (row + 0.5) * size
            pen.text(*middle, word, size=text_size(word, size, 0.78, 10), anchor="middle")
    blocks = ((shown.out_features, shown.output_shape), (shown.in_features, shown.input_shape))
    for vertical, (features, shape) in enumerate(blocks):
        step = features * (shape[-1] if len(shape) > 1 else 1)
        for wider in reversed(shape[1:-1]):  # lines that are too close hide the entries
            step *= wider if step * size < SMALLEST_BLOCK else 1
        total = columns if vertical else rows
        for at in range(step, total, step) if len(shape) > 1 or features > 1 else ():
            if vertical:
                pen.rectangle(x + at * size, y, 0, height, line="muted", thickness=1)
            else:
                pen.rectangle(x, y + at * size, width, 0, line="muted", thickness=1)
    pen.rectangle(x, y, width, height, line="muted", thickness=1)
    offsets = tuple((0.0, scene.row * size) for scene in scenes)
    curtain = (
        Rectangle(x, y - height, width, height, fill="paper", opacity=CURTAIN),
        Rectangle(x, y + size, width, height, fill="paper", opacity=CURTAIN),
    )
    pen.items.append(Group((Group(curtain, offsets),), clip=(x, y, width, height)))
    frame = Rectangle(x, y, width, size, line="ink", thickness=2)
    pen.items.append(Group((frame,), offsets))


def _draw_grid(pen: Pen, x: float, y: float, rows: int, columns: int, size: float) -> None:
    if size < 5:
        return
    for row in range(1, rows):
        pen.rectangle(x, y + row * size, columns * size, 0, line="paper", thickness=1)
    for column in range(1, columns):
        pen.rectangle(x + column * size, y, 0, rows * size, line="paper", thickness=1)
