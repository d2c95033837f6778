"""One convolution on a sheet: input, kernel, output, and C, one frame per output cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxconv.errors import SizeError
from jaxconv.figures.display import DisplayList, Group, Item, Line, Offset, Pen, Rectangle, Text, text_width
from jaxconv.figures.maps import MapLayout, draw_input, draw_plain, fitting, full, padded
from jaxconv.figures.matrix_panel import draw_matrix_panel, place_size
from jaxconv.figures.numbers import Texts
from jaxconv.figures.words import describe, kernel_note, padding_note, sizes
from jaxconv.geometry.scene import Scene, cell_at, flat_index

MARGIN, GAP = 16.0, 34.0  # pixels around a panel, and between its maps
HEADING, LABEL, NOTE = 30.0, 20.0, 16.0  # pixels of the lines of text above the maps
MOST_CELLS = 24  # columns of kernels side by side; more are not drawn
LARGEST, LARGEST_WITH_TEXT, SMALLEST = 30.0, 34.0, 5.0  # pixels of a cell
INSET = 0.13  # cells around the colour of a tap on the input
WIDEST_WITH_MATRIX = 900.0  # pixels; in a wider picture C stands below the maps
WIDEST, HIGHEST = 560.0, 460.0  # pixels that the maps may take together


@dataclass(frozen=True)
class Panel:
    """What a panel shows.

    Attributes:
      scenes: All of one convolution, in order.
      texts: What is written into the cells, or None.
      matrix: Whether C is drawn.
      heading: First line.
      pooling: Name of the function that takes the place of the kernel, such as ``"maximum"``.
      retained: Output cells that are kept; the others are crossed out. None: all, and nothing is marked.
    """

    scenes: tuple[Scene, ...]
    texts: Texts | None = None
    matrix: bool = False
    heading: str = ""
    pooling: str = ""
    retained: frozenset[tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Block:
    """A map with its name and a note above it."""

    name: str
    note: str
    width: float
    height: float


def draw_panel(panel: Panel) -> DisplayList:
    """Draws a convolution: one frame per scene.

    Raises:
      SizeError: Its cells or the places of its matrix would be too small to be seen.
    """
    return _Drawing(panel).draw()


class _Drawing:
    """Places the maps, then draws them."""

    def __init__(self, panel: Panel):
        self.panel, self.scenes = panel, panel.scenes
        first = self.scenes[0]
        self.shown, self.transposed = first.shown, first.transposed
        self.input_colour, self.output_colour = ("y", "x") if self.transposed else ("x", "y")
        self.stacked = self.shown.ndim != 2  # long maps stand below each other
        self.pen = Pen()
        g = self.shown
        self.sheets = len(first.input_features), g.out_features
        planes = math.prod(g.kernel_shape[:-2])
        if self.sheets[1] * planes * (g.kernel_shape[-1] + 1) > MOST_CELLS or math.prod(self.sheets) > 16:
            self.sheets = (1, 1)
        self.cell = self._cell_size()

    def draw(self) -> DisplayList:
        """Returns the display list."""
        blocks = self._blocks()
        corners, width, height = self._place(blocks)
        self._titles(blocks, corners)
        x, y = corners[0]
        self.input = MapLayout(x, y, self.cell, padded(self.shown), self.shown.in_features)
        x, y = corners[2]
        self.output = MapLayout(x, y, self.cell, full(self.shown.output_shape), self.shown.out_features)
        self._draw_input()
        if not self.panel.pooling:
            self._draw_kernel(*corners[1])
        self._draw_output()
        self._draw_arrows(blocks, corners)
        if self.panel.matrix:
            draw_matrix_panel(self.pen, self.scenes, self.panel.texts, *corners[3])
        bottom = MARGIN + 4 + max(y + b.height for b, (_, y) in zip(blocks[:3], corners, strict=False))
        sums = [self.panel.texts.sum_of(scene) if self.panel.texts else "" for scene in self.scenes]
        for frame, text in enumerate(sums):
            if text:
                self._only_in([frame], [Text(MARGIN, bottom, text, size=12)])
        width = max([width, *(text_width(text, 12) + 2 * MARGIN for text in sums)])
        heading = text_width(self.panel.heading, 14, True) + text_width(
            describe(self.scenes[0], "windows" if self.panel.pooling else "kernel"), 12
        )
        width = max(width, heading + 2 * MARGIN + 12 if self.panel.heading else 0)
        return DisplayList(math.ceil(width), math.ceil(height), tuple(self.pen.items), len(self.scenes))

    def _cell_size(self) -> float:
        g = self.shown
        inputs, outputs = padded(g), full(g.output_shape)
        widths = [MapLayout(0, 0, 1, axes).width for axes in (inputs, outputs)]
        widths.insert(1, self._kernel_layout(0, 0, 1.0).width + 1)
        across = max(widths) if self.stacked else sum(widths)
        rows = [len(axes[-2]) if len(axes) > 1 else 1 for axes in (inputs, full(g.kernel_shape), outputs)]
        features = (g.in_features, self.sheets[0], g.out_features)
        down = [r * f for r, f in zip(rows, features, strict=True)]
        high = sum(down) if self.stacked else max(down)
        largest = LARGEST if self.panel.texts is None else LARGEST_WITH_TEXT
        widest = WIDEST if not self.stacked else 800.0
        cell = min(largest, widest / across, HIGHEST / high)
        if cell < SMALLEST:
            raise SizeError(
                f"the maps are too large to be drawn: {across:.0f} cells across and {high} down. Take a "
                f"smaller `input_shape`, or fewer features. Got {self.scenes[0].geometry}."
            )
        return math.floor(2 * cell) / 2

    def _kernel_layout(self, x: float, y: float, cell: float) -> MapLayout:
        """Returns where the kernels of one output feature stand."""
        headed = self.sheets != (1, 1)
        return MapLayout(x, y, cell, full(self.shown.kernel_shape), self.sheets[0], headed)

    def _blocks(self) -> list[Block]:
        g, cell = self.shown, self.cell
        maps = [
            MapLayout(0, 0, cell, padded(g), g.in_features),
            self._kernel_layout(0, 0, cell),
            MapLayout(0, 0, cell, full(g.output_shape), g.out_features),
        ]
        kernels = maps[1].width * self.sheets[1] + cell * (self.sheets[1] - 1) * 0.7
        names = ("Input", "Kernel", "Output")
        counts = (f", {g.in_features} features" if g.in_features > 1 else "",
                  f", {len(self.scenes[0].input_features)} to {g.out_features} features"
                  if g.in_features * g.out_features > 1 else "",
                  f", {g.out_features} features" if g.out_features > 1 else "")  # fmt: skip
        shapes = (g.input_shape, g.kernel_shape, g.output_shape)
        notes = (padding_note(g), kernel_note(self.scenes[0]), "")
        widths = (maps[0].width, kernels, maps[2].width)
        blocks = [
            Block(f"{name} {sizes(shape)}{count}", note, width, layout.height)
            for name, shape, count, note, width, layout in zip(
                names, shapes, counts, notes, widths, maps, strict=True
            )
        ]
        if self.panel.pooling:
            blocks[1] = Block("", "", text_width(self.panel.pooling, 13) + 14, 0)
        if self.panel.matrix:
            rows, columns = g.matrix_shape
            size = place_size(rows, columns)
            name = "C transposed" if self.transposed else "C"
            note = "one row per output, one column per input"
            blocks.append(Block(f"{name} {sizes((rows, columns))}", note, columns * size, rows * size))
        return blocks

    def _place(self, blocks: Sequence[Block]) -> tuple[list[Offset], float, float]:
        """Returns the corners of the maps, and the size of the panel."""
        top = MARGIN + (HEADING if self.panel.heading else 0.0)
        titles = LABEL + (NOTE if any(block.note for block in blocks) else 0.0)
        widths = [max(b.width, text_width(b.name, 13, True), text_width(b.note, 11)) for b in blocks]
        corners: list[Offset] = []
        if self.stacked:
            y, right = top, MARGIN
            for block, width in zip(blocks[:3], widths[:3], strict=True):
                own = LABEL + (NOTE if block.note else 0.0)
                corners.append((MARGIN, y + own))
                y += own + block.height + 18
                right = max(right, MARGIN + width)
            bottom = y - 18
        else:
            right = MARGIN - GAP
            for width in widths[:3]:
                corners.append((right + GAP, top + titles))
                right += GAP + width
            bottom = top + titles + max(block.height for block in blocks[:3])
        if self.panel.texts is not None and self.panel.texts.kernel is not None:
            bottom += 26.0  # a line for the sum
        for block, width in zip(blocks[3:], widths[3:], strict=True):
            if right + GAP + width + MARGIN <= WIDEST_WITH_MATRIX:
                corners.append((right + GAP, top + titles))
                right += GAP + width
                bottom = max(bottom, top + titles + block.height)
            else:
                corners.append((MARGIN, bottom + 18 + titles))
                right = max(right, MARGIN + width)
                bottom += 18 + titles + block.height
        return corners, right + MARGIN, bottom + MARGIN

    def _titles(self, blocks: Sequence[Block], corners: Sequence[Offset]) -> None:
        if self.panel.heading:
            heading = self.panel.heading
            self.pen.text(MARGIN, MARGIN + 4, heading, size=14, bold=True)
            at = MARGIN + text_width(heading, 14, True) + 12
            self.pen.text(
                at,
                MARGIN + 4.5,
                describe(self.scenes[0], "windows" if self.panel.pooling else "kernel"),
                size=12,
                colour="muted",
            )
        noted = any(block.note for block in blocks)
        for block, (x, y) in zip(blocks, corners, strict=True):
            up = NOTE if (block.note if self.stacked else noted) else 0.0
            self.pen.text(x, y - up - 12, block.name, size=13, bold=True)
            self.pen.text(x, y - 10, block.note, size=11, colour="muted")

    def _draw_input(self) -> None:
        layout, texts = self.input, self.panel.texts
        draw_input(self.pen, layout, self.shown, self.input_colour, zeros=texts is not None)
        first = self.scenes[0]
        tints, edges = [], []
        taps = math.prod(first.geometry.kernel_shape)
        inset = (INSET if texts is None else INSET / 2) * layout.cell  # the cell beneath stays in sight
        for feature in first.input_features:
            for read in first.reads:
                tap = flat_index(read.tap, first.geometry.kernel_shape)
                fill = "tap:0:1" if self.panel.pooling else f"tap:{tap}:{taps}"
                x, y = layout.corner(read.position, feature)
                inner = layout.cell - 2 * inset
                tints.append(Rectangle(x + inset, y + inset, inner, inner, fill=fill))
            edges += self._outlines(first, feature)
        offsets = tuple(
            layout.shift(scene.reads[0].position, scene.input_features.start,
                         first.reads[0].position, first.input_features.start)
            for scene in self.scenes
        )  # fmt: skip
        self.pen.items.append(Group(tuple(tints), offsets))
        if texts is not None:
            self._write_input(texts)
            self._write_weights(texts, offsets)
        self.pen.items.append(Group(tuple(edges), offsets))

    def _outlines(self, scene: Scene, feature: int) -> list[Rectangle]:
        """Returns a frame around the span of the window, on every slice that it reads."""
        layout = self.input
        spans = [axis.span for axis in self.shown.axes]
        corners: dict[tuple[int, ...], Offset] = {}
        for read in scene.reads:  # the first tap of each slice
            corners.setdefault(read.position[:-2], layout.corner(read.position, feature))
        width = spans[-1] * layout.cell
        height = (spans[-2] if len(spans) > 1 else 1) * layout.cell
        return [Rectangle(x, y, width, height, line="ink", thickness=2.2) for x, y in corners.values()]

    def _write_input(self, texts: Texts) -> None:
        layout, c = self.input, self.input.cell
        raised = 0.42 if texts.kernel is not None else 0.5
        for feature in range(layout.features):
            for position in layout.cells():
                held = cell_at(self.shown, position)
                x, y = layout.corner(position, feature)
                if held.kind == "cropped":
                    continue
                word = "0" if held.cell is None else texts.input[(*held.cell, feature)]
                colour = "muted" if held.cell is None else "ink"
                size = fitting(word, c)
                self.pen.text(x + c / 2, y + c * raised, word, size=size, colour=colour, anchor="middle")

    def _write_weights(self, texts: Texts, offsets: tuple[Offset, ...]) -> None:
        """Writes the kernel's entries into the corners of the window's cells, for each output feature."""
        if texts.kernel is None:
            return
        layout, c = self.input, self.input.cell
        for output_feature in range(self.shown.out_features):
            frames = [n for n, scene in enumerate(self.scenes) if scene.output_feature == output_feature]
            scene = self.scenes[frames[0]]
            words: list[Item] = []
            for feature in scene.input_features:
                for read in scene.reads:
                    x, y = layout.corner(read.position, feature)
                    word = texts.kernel[scene.kernel_index(read.tap, feature)]
                    size = fitting(word, c, 0.7, 9)
                    words.append(Text(x + c - 2.5, y + c - 6, word, size=size, anchor="end"))
            base = offsets[frames[0]]
            places = dict(
                zip(frames, ((offsets[n][0] - base[0], offsets[n][1] - base[1]) for n in frames), strict=True)
            )
            self.pen.items.append(Group(tuple(words), tuple(places.get(n) for n in range(len(self.scenes)))))

    def _draw_kernel(self, x: float, y: float) -> None:
        first, texts = self.scenes[0], self.panel.texts
        taps = math.prod(first.geometry.kernel_shape)
        step = self._kernel_layout(0, 0, self.cell).width + 0.7 * self.cell
        for output in range(self.sheets[1]):
            layout = self._kernel_layout(x + output * step, y, self.cell)
            scene = next(scene for scene in self.scenes if scene.output_feature == output)
            for sheet, feature in enumerate(list(scene.input_features)[: self.sheets[0]]):
                if self.sheets != (1, 1):
                    left, top = layout.corner((0,) * self.shown.ndim, sheet)
                    name = f"{feature} \N{RIGHTWARDS ARROW} {output}"
                    self.pen.text(left, top - 7, name, size=10, colour="muted")
                for read, place in zip(scene.reads, layout.cells(), strict=True):
                    fill = f"tap:{flat_index(read.tap, first.geometry.kernel_shape)}:{taps}"
                    left, top = layout.corner(place, sheet)
                    self.pen.rectangle(
                        left, top, layout.cell, layout.cell, fill=fill, line="ink", thickness=0.6
                    )
                    if texts is not None and texts.kernel is not None:
                        word = texts.kernel[scene.kernel_index(read.tap, feature)]
                        middle = left + layout.cell / 2, top + layout.cell / 2
                        self.pen.text(*middle, word, size=fitting(word, layout.cell), anchor="middle")
            if self.sheets == (1, 1):
                layout.draw_heads(self.pen)
        if self.sheets[1] > 1:
            around = Rectangle(
                x - 4, y - 2, step - 0.7 * self.cell + 8, layout.height + 6, line="ink", thickness=1.6
            )
            offsets = tuple((scene.output_feature * step, 0.0) for scene in self.scenes)
            self.pen.items.append(Group((around,), offsets))

    def _draw_output(self) -> None:
        layout, texts, c = self.output, self.panel.texts, self.output.cell
        first = self.scenes[0]
        draw_plain(self.pen, layout, self.output_colour)
        if texts is not None:  # numbers appear with their frame
            for frame, scene in enumerate(self.scenes):
                x, y = layout.corner(scene.output, scene.output_feature)
                word = texts.output[(*scene.output, scene.output_feature)]
                text = Text(x + c / 2, y + c / 2, word, size=fitting(word, c), anchor="middle")
                blank = Rectangle(x, y, c, c, fill="paper", line="line")
                if frame:
                    self._only_in(range(frame), [blank], still=None)
                self._only_in(range(frame, len(self.scenes)), [text], still=(0.0, 0.0))
        for place in layout.cells() if self.panel.retained is not None else ():
            if place not in (self.panel.retained or ()):
                x, y = layout.corner(place)
                cross = "\N{MULTIPLICATION SIGN}"
                self.pen.text(x + c / 2, y + c / 2, cross, size=0.7 * c, colour="muted", anchor="middle")
        x, y = layout.corner(first.output, first.output_feature)
        fill = f"{self.output_colour}_line" if texts is None else None
        mark = Rectangle(x, y, c, c, fill=fill, line="ink", thickness=2.8)
        offsets = tuple(
            layout.shift(scene.output, scene.output_feature, first.output, first.output_feature)
            for scene in self.scenes
        )
        self.pen.items.append(Group((mark,), offsets))

    def _draw_arrows(self, blocks: Sequence[Block], corners: Sequence[Offset]) -> None:
        if self.stacked:
            return
        height = max(min(block.height for block in blocks[:3] if block.height) / 2, 14)
        x, y = corners[2]
        self.pen.items.append(Line(x - GAP + 6, y + height, x - 10, y + height, arrow=True))
        if self.panel.pooling:
            x, y = corners[1]
            self.pen.text(x, y + height, self.panel.pooling, size=13, colour="muted")

    def _only_in(
        self, frames: Sequence[int], items: Sequence[Item], still: Offset | Literal["first"] | None = "first"
    ) -> None:
        """Adds items that are seen in some frames."""
        seen = set(frames)
        offsets = tuple((0.0, 0.0) if frame in seen else None for frame in range(len(self.scenes)))
        self.pen.items.append(Group(tuple(items), offsets, still))
