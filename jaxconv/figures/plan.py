"""Layout of a panel: the size of a cell, the names above the maps, and the corners of the maps."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from jaxconv.errors import SizeError
from jaxconv.figures.display import Offset, text_width
from jaxconv.figures.maps import PLANE_GAP, MapLayout, input_positions, map_positions
from jaxconv.figures.matrix_panel import place_size
from jaxconv.figures.numbers import Texts
from jaxconv.figures.words import kernel_note, padding_note, sizes
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.scene import Scene

MARGIN, GAP = 16.0, 34.0  # pixels around a panel, and between its maps
HEADING, LABEL, NOTE, SUM = 30.0, 20.0, 16.0, 26.0  # pixels of the lines of text
NOTE_WIDTH = 390.0  # pixels that a line of a note may take above a map that is narrower
BELOW = 18.0  # pixels between maps that stand below each other
MOST_COLUMNS, MOST_SHEETS = 24, 16  # of kernels; of more, only the first is drawn
LARGEST, LARGEST_WITH_TEXT, SMALLEST = 30.0, 34.0, 5.0  # pixels of a cell
WIDEST, WIDEST_STACKED, HIGHEST = 560.0, 800.0, 460.0  # pixels that the maps may take together
WIDEST_WITH_MATRIX = 900.0  # pixels; in a wider picture C stands below the maps


@dataclass(frozen=True)
class Panel:
    """Contents of a panel: the scenes of one convolution, and what is drawn with them.

    Attributes:
      scenes: All scenes of one convolution, in order.
      texts: Texts of the cells; None writes nothing.
      matrix: Whether C is drawn.
      heading: Heading above the maps; empty for none.
      pooling: Name of a pooling's function, such as ``"maximum"``, drawn instead of a kernel; empty for a
        convolution.
      subsample: Output cells of a subsample; the others are crossed out. None crosses out nothing.
    """

    scenes: tuple[Scene, ...]
    texts: Texts | None = None
    matrix: bool = False
    heading: str = ""
    pooling: str = ""
    subsample: frozenset[tuple[int, ...]] | None = None

    @property
    def shown(self) -> ConvGeometry:
        """The convolution that is shown."""
        return self.scenes[0].shown

    @property
    def stacked(self) -> bool:
        """Whether the maps are drawn below each other, because maps of one axis and of slices are wide."""
        return self.shown.ndim != 2

    @property
    def sheets(self) -> tuple[int, int]:
        """Kernels that are drawn: for how many input features, and for how many output features."""
        sheets = len(self.scenes[0].input_features), self.shown.out_features
        columns = sheets[1] * math.prod(self.shown.kernel_shape[:-2]) * (self.shown.kernel_shape[-1] + 1)
        return sheets if columns <= MOST_COLUMNS and math.prod(sheets) <= MOST_SHEETS else (1, 1)

    @property
    def with_sums(self) -> bool:
        """Whether the sum of the frame is written below the maps."""
        return self.texts is not None and self.texts.kernel is not None

    @property
    def output_padding(self) -> tuple[int, ...]:
        """Padded cells that are the a of a transpose, per axis; 0 where cropping removes them."""
        first = self.scenes[0]
        a = first.geometry.output_padding if first.transposed else (0,) * self.shown.ndim
        return tuple(n if n <= high else 0 for n, (_, high) in zip(a, self.shown.padding, strict=True))

    def input_map(self, x: float, y: float, cell: float) -> MapLayout:
        """Returns the layout of the input."""
        return MapLayout(x, y, cell, input_positions(self.shown), self.shown.in_features)

    def kernel_map(self, x: float, y: float, cell: float) -> MapLayout:
        """Returns the layout of the kernels of one output feature."""
        with_head = self.sheets != (1, 1)
        return MapLayout(x, y, cell, map_positions(self.shown.kernel_shape), self.sheets[0], with_head)

    def output_map(self, x: float, y: float, cell: float) -> MapLayout:
        """Returns the layout of the output."""
        return MapLayout(x, y, cell, map_positions(self.shown.output_shape), self.shown.out_features)


@dataclass(frozen=True)
class Block:
    """A map with its name and a note above it."""

    name: str
    note: str
    width: float
    height: float

    @property
    def whole_width(self) -> float:
        """Width of the map, or of the text above it if that is wider, in pixels."""
        notes = [text_width(line, 11) for line in self.note_lines]
        return max(self.width, text_width(self.name, 13, True), *notes)

    @property
    def note_lines(self) -> list[str]:
        """The note in lines that are not much wider than the map."""
        return textwrap.wrap(self.note, int(max(self.width, NOTE_WIDTH) / text_width("m", 11)))

    @property
    def note_height(self) -> float:
        """Height of the note, in pixels."""
        return NOTE * len(self.note_lines)


@dataclass(frozen=True)
class Plan:
    """Layout of a panel.

    Attributes:
      cell: Pixels of a cell.
      blocks: Input, kernel and output, and C if it is drawn.
      corners: Upper left corner of the map of each block.
      tops: Upper edge of the name of each block, in pixels.
      width: Pixels of the panel.
      height: Pixels of the panel.
    """

    cell: float
    blocks: tuple[Block, ...]
    corners: tuple[Offset, ...]
    tops: tuple[float, ...]
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """Lower edge of the maps, without C."""
        maps = zip(self.blocks[:3], self.corners[:3], strict=True)
        return max(y + block.height for block, (_, y) in maps)


def make_plan(panel: Panel) -> Plan:
    """Computes the layout of a panel.

    Raises:
      SizeError: The cells of the maps or of the matrix would be too small to be seen.
    """
    cell = _cell_size(panel)
    blocks = _blocks(panel, cell)
    corners, tops, width, height = _place(panel, blocks)
    return Plan(cell, tuple(blocks), tuple(corners), tuple(tops), width, height)


def _cell_size(panel: Panel) -> float:
    maps = [panel.input_map(0, 0, 1), panel.kernel_map(0, 0, 1), panel.output_map(0, 0, 1)]
    widths = [layout.width for layout in maps]
    high = [layout.rows * layout.features for layout in maps]
    across = max(widths) if panel.stacked else sum(widths) + 1
    down = sum(high) if panel.stacked else max(high)
    largest = LARGEST if panel.texts is None else LARGEST_WITH_TEXT
    cell = min(largest, (WIDEST_STACKED if panel.stacked else WIDEST) / across, HIGHEST / down)
    if cell < SMALLEST:
        raise SizeError(
            f"the maps are too large to be drawn: {across:.0f} cells across and {down} down. Use a smaller "
            f"`input_shape`, or fewer features. Got {panel.scenes[0].geometry}."
        )
    return math.floor(2 * cell) / 2


def _blocks(panel: Panel, cell: float) -> list[Block]:
    g, first = panel.shown, panel.scenes[0]
    kernel, columns = panel.kernel_map(0, 0, cell), panel.sheets[1]
    note, input_note = kernel_note(first), padding_note(g, panel.output_padding)
    features = ""
    if g.in_features * g.out_features > 1:
        features = f", {len(first.input_features)} to {g.out_features} features"
        if panel.sheets == (1, 1) and panel.texts is not None:
            note = f"{note}, " * bool(note) + "first features"
    blocks = [
        _map_block("Input", g.input_shape, g.in_features, input_note, panel.input_map(0, 0, cell)),
        Block(
            f"Kernel {sizes(g.kernel_shape)}{features}",
            note,
            kernel.width * columns + cell * (columns - 1) * PLANE_GAP,
            kernel.height,
        ),
        _map_block("Output", g.output_shape, g.out_features, "", panel.output_map(0, 0, cell)),
    ]
    if panel.pooling:
        blocks[1] = Block("", "", text_width(panel.pooling, 13) + 14, 0)
    if panel.matrix:
        rows, places = g.matrix_shape
        size = place_size(rows, places)
        name = f"{'C transposed' if first.transposed else 'C'} {sizes((rows, places))}"
        blocks.append(Block(name, "one row per output, one column per input", places * size, rows * size))
    return blocks


def _map_block(name: str, shape: Sequence[int], features: int, note: str, layout: MapLayout) -> Block:
    count = f", {features} features" if features > 1 else ""
    return Block(f"{name} {sizes(shape)}{count}", note, layout.width, layout.height)


def _place(panel: Panel, blocks: Sequence[Block]) -> tuple[list[Offset], list[float], float, float]:
    """Returns the corners of the maps, the upper edges of their names, and the size of the panel."""
    top = MARGIN + (HEADING if panel.heading else 0.0)
    titles = LABEL + max(block.note_height for block in blocks)
    corners: list[Offset] = []
    tops: list[float] = []
    if panel.stacked:
        y = top
        for block in blocks[:3]:
            own = LABEL + block.note_height
            corners.append((MARGIN, y + own))
            tops.append(y)
            y += own + block.height + BELOW
        right = MARGIN + max(block.whole_width for block in blocks[:3])
        bottom = y - BELOW
    else:
        right = MARGIN - GAP
        for block in blocks[:3]:
            corners.append((right + GAP, top + titles))
            tops.append(top)
            right += GAP + block.whole_width
        bottom = top + titles + max(block.height for block in blocks[:3])
    bottom += SUM if panel.with_sums else 0.0
    for block in blocks[3:]:
        if right + GAP + block.whole_width + MARGIN <= WIDEST_WITH_MATRIX:
            corners.append((right + GAP, top + titles))
            tops.append(top)
            right += GAP + block.whole_width
            bottom = max(bottom, top + titles + block.height)
        else:
            own = LABEL + block.note_height
            corners.append((MARGIN, bottom + BELOW + own))
            tops.append(bottom + BELOW)
            right = max(right, MARGIN + block.whole_width)
            bottom += BELOW + own + block.height
    return corners, tops, right + MARGIN, bottom + MARGIN
