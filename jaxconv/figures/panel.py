"""Draws one convolution on a sheet: input, kernel, output and C, with one frame per output cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from jaxconv.figures.display import DisplayList, Group, Item, Line, Offset, Pen, Rectangle, Text, text_width
from jaxconv.figures.maps import PLANE_GAP, MapLayout, draw_plain, text_size
from jaxconv.figures.matrix_panel import draw_matrix_panel
from jaxconv.figures.plan import GAP, MARGIN, NOTE, Panel, Plan, make_plan
from jaxconv.figures.window import draw_window
from jaxconv.figures.words import describe_convolution
from jaxconv.geometry.scene import flat_index


def draw_panel(panel: Panel) -> DisplayList:
    """Draws a convolution: one frame per scene.

    Raises:
      SizeError: The cells of its maps or of its matrix would be too small to be seen.
    """
    plan, pen = make_plan(panel), Pen()
    x, y = ("y", "x") if panel.scenes[0].transposed else ("x", "y")  # roles of the input and of the output
    right = _draw_titles(pen, panel, plan)
    draw_window(pen, panel, panel.input_map(*plan.corners[0], plan.cell), x)
    if not panel.pooling:
        _draw_kernels(pen, panel, plan)
    _draw_output(pen, panel, panel.output_map(*plan.corners[2], plan.cell), y)
    if not panel.stacked:
        _draw_arrow(pen, panel, plan)
    if panel.matrix:
        draw_matrix_panel(pen, panel.scenes, panel.texts, *plan.corners[3])
    right = max(right, plan.width, _write_sums(pen, panel, plan))
    return DisplayList(math.ceil(right), math.ceil(plan.height), tuple(pen.items), len(panel.scenes))


def _draw_titles(pen: Pen, panel: Panel, plan: Plan) -> float:
    """Writes the heading and the names of the maps. Returns the width of the heading in pixels."""
    right = 0.0
    if panel.heading:
        numbers = describe_convolution(panel.scenes[0], "windows" if panel.pooling else "kernel")
        pen.text(MARGIN, MARGIN + 4, panel.heading, size=14, bold=True)
        at = MARGIN + text_width(panel.heading, 14, True) + 12
        pen.text(at, MARGIN + 4.5, numbers, size=12, colour="muted")
        right = at + text_width(numbers, 12) + MARGIN
    for block, (x, _), top in zip(plan.blocks, plan.corners, plan.tops, strict=True):
        pen.text(x, top + 8, block.name, size=13, bold=True)
        for line, text in enumerate(block.note_lines):
            pen.text(x, top + 26 + line * NOTE, text, size=11, colour="muted")
    return right


def _draw_kernels(pen: Pen, panel: Panel, plan: Plan) -> None:
    """Draws the kernels: output features side by side, input features below each other."""
    x, y = plan.corners[1]
    layout = panel.kernel_map(x, y, plan.cell)
    step = layout.width + PLANE_GAP * layout.cell
    for output in range(panel.sheets[1]):
        _draw_kernel(pen, panel, panel.kernel_map(x + output * step, y, plan.cell), output)
    if panel.sheets[1] > 1:
        around = Rectangle(x - 4, y - 2, layout.width + 8, layout.height + 6, line="ink", thickness=1.6)
        offsets = tuple((scene.output_feature * step, 0.0) for scene in panel.scenes)
        pen.items.append(Group((around,), offsets))


def _draw_kernel(pen: Pen, panel: Panel, layout: MapLayout, output: int) -> None:
    """Draws the kernels of one output feature, rotated if the transpose is shown."""
    scene = next(scene for scene in panel.scenes if scene.output_feature == output)
    kernel_shape, texts, c = scene.geometry.kernel_shape, panel.texts, layout.cell
    for sheet, feature in enumerate(list(scene.input_features)[: panel.sheets[0]]):
        if panel.sheets != (1, 1):
            x, y = layout.corner((0,) * panel.shown.ndim, sheet)
            pen.text(x, y - 7, f"{feature} \N{RIGHTWARDS ARROW} {output}", size=10, colour="muted")
        for read, place in zip(scene.reads, layout.cells(), strict=True):
            x, y = layout.corner(place, sheet)
            fill = f"tap:{flat_index(read.tap, kernel_shape)}:{math.prod(kernel_shape)}"
            pen.rectangle(x, y, c, c, fill=fill, line="ink", thickness=0.6)
            if texts is not None and texts.kernel is not None:
                word = texts.kernel[scene.kernel_index(read.tap, feature)]
                pen.text(x + c / 2, y + c / 2, word, size=text_size(word, c), anchor="middle")
    if panel.sheets == (1, 1):
        layout.draw_heads(pen)


def _draw_output(pen: Pen, panel: Panel, layout: MapLayout, colour: str) -> None:
    first, frames, c = panel.scenes[0], len(panel.scenes), layout.cell
    draw_plain(pen, layout, colour)
    for frame, scene in enumerate(panel.scenes) if panel.texts is not None else ():
        assert panel.texts is not None
        x, y = layout.corner(scene.output, scene.output_feature)
        word = panel.texts.output[(*scene.output, scene.output_feature)]
        if frame:  # blank before its frame
            blank = Rectangle(x, y, c, c, fill="paper", line="line")
            pen.items.append(_group_in_frames([blank], range(frame), frames, still=None))
        text = Text(x + c / 2, y + c / 2, word, size=text_size(word, c), anchor="middle")
        pen.items.append(_group_in_frames([text], range(frame, frames), frames, still=(0.0, 0.0)))
    x, y = layout.corner(first.output, first.output_feature)
    fill = f"{colour}_line" if panel.texts is None else None
    mark = Rectangle(x, y, c, c, fill=fill, line="ink", thickness=2.8)
    offsets = tuple(
        layout.shift(scene.output, scene.output_feature, first.output, first.output_feature)
        for scene in panel.scenes
    )
    pen.items.append(Group((mark,), offsets))
    for place in layout.cells() if panel.subsample is not None else ():
        if panel.subsample is not None and place not in panel.subsample:
            x, y = layout.corner(place)
            cross = "\N{MULTIPLICATION SIGN}"
            pen.text(x + c / 2, y + c / 2, cross, size=0.7 * c, colour="ink", anchor="middle")


def _draw_arrow(pen: Pen, panel: Panel, plan: Plan) -> None:
    """Draws an arrow to the output, and the name of a pooling's function before it."""
    height = max(min(block.height for block in plan.blocks[:3] if block.height) / 2, 14)
    x, y = plan.corners[2]
    pen.items.append(Line(x - GAP + 6, y + height, x - 10, y + height, arrow=True))
    if panel.pooling:
        x, y = plan.corners[1]
        pen.text(x, y + height, panel.pooling, size=13, colour="muted")


def _write_sums(pen: Pen, panel: Panel, plan: Plan) -> float:
    """Writes the sum of every frame below the maps. Returns the width of the longest in pixels."""
    sums = [panel.texts.sum_of(scene) if panel.texts is not None else "" for scene in panel.scenes]
    for frame, text in enumerate(sums):
        if text:
            line = Text(MARGIN, plan.bottom + MARGIN + 4, text, size=12)
            pen.items.append(_group_in_frames([line], [frame], len(sums)))
    return max(text_width(text, 12) + 2 * MARGIN for text in sums)


def _group_in_frames(
    items: Sequence[Item],
    frames: Sequence[int],
    count: int,
    still: Offset | Literal["first"] | None = "first",
) -> Group:
    """Returns items as a group that is visible in some of `count` frames."""
    visible = set(frames)
    return Group(tuple(items), tuple((0.0, 0.0) if n in visible else None for n in range(count)), still)
