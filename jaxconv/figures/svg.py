"""Writes a display list as SVG text: one file, animated by CSS, with colours for light and dark pages."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape, quoteattr

from jaxconv.figures.display import DisplayList, Group, Item, Line, Offset, Rectangle, Text
from jaxconv.figures.themes import Theme

FONTS = "system-ui,-apple-system,'Segoe UI','Helvetica Neue','DejaVu Sans',Arial,sans-serif"


def svg(
    picture: DisplayList, light: Theme, dark: Theme | None = None, *, title: str = "", milliseconds: int = 600
) -> str:
    """Returns the picture as the text of an SVG file.

    Frames are CSS keyframes with ``step-end``, which browsers run inside of ``<img>`` too. Readers who prefer
    reduced motion see the picture without it. The same picture gives the same text.

    Args:
      picture: Picture to write.
      light: Colours on light pages.
      dark: Colours on dark pages; None for the colours of `light`.
      title: Description of the picture for screen readers.
      milliseconds: Duration of a frame in milliseconds.
    """
    writer = _Writer(picture.frames, picture.frames * milliseconds / 1000)
    body = writer.draw(picture.items)
    content = f"{picture.width} {picture.height} {title} {body} {writer.keyframes} {light} {dark}"
    # Names are global where several files are put into one page, so each picture has its own.
    name = "j" + hashlib.sha256(content.encode()).hexdigest()[:7]
    css = [f"#{name} text{{font-family:{FONTS}}}", *_colours(writer.roles, light, name)]
    if dark is not None:
        css += ["@media (prefers-color-scheme:dark){", *_colours(writer.roles, dark, name), "}"]
    for number, (steps, rule) in enumerate(writer.keyframes.items()):
        css.append(f"@keyframes {name}k{number}{{{steps}}}")
        css.append(
            f"#{name} .{rule}{{animation:{name}k{number} {_number(writer.seconds)}s step-end infinite}}"
        )
    if writer.keyframes:
        css.append(f"@media (prefers-reduced-motion:reduce){{#{name} *{{animation:none!important}}}}")
    width, height = _number(picture.width), _number(picture.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{name}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label={quoteattr(title)}>',
        f"<title>{escape(title)}</title>",
        "<style>",
        *css,
        "</style>",
        f'<rect width="{width}" height="{height}" rx="8" class="f-paper"/>',
        body,
        "</svg>",
        "",
    ]
    return "\n".join(lines)


def _colours(roles: Iterable[str], theme: Theme, name: str) -> list[str]:
    """Returns the CSS of the colours in use; `roles` begin with ``f-`` for fill or ``s-`` for stroke."""
    properties = {"f": "fill", "s": "stroke"}
    colours = {role: theme.colour(role[2:]) for role in sorted({"f-paper", *roles})}
    return [f"#{name} .{_class(role)}{{{properties[role[0]]}:{c}}}" for role, c in colours.items()]


def _class(role: str) -> str:
    return role.replace(":", "_")


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass
class _Writer:
    """Writes items, and remembers which colours and movements they use."""

    frames: int
    seconds: float
    roles: set[str] = field(default_factory=set)
    keyframes: dict[str, str] = field(default_factory=dict)  # steps to the class that runs them

    def draw(self, items: Sequence[Item]) -> str:
        """Returns items as elements; neighbouring rectangles of one style become one path."""
        parts = []
        for style, run in itertools.groupby(items, _style):
            if style is None:
                parts += [self._element(item) for item in run]
            else:
                parts.append(self._path(style, [item for item in run if isinstance(item, Rectangle)]))
        return "\n".join(parts)

    def _element(self, item: Item) -> str:
        if isinstance(item, Group):
            return self._group(item)
        if isinstance(item, Text):
            return self._text(item)
        if isinstance(item, Line):
            return self._line(item)
        return self._rectangle(item)

    def _use(self, fill: str | None, stroke: str | None, thickness: float = 0) -> str:
        """Returns the attributes of the colours, and remembers them."""
        classes = [f"f-{fill}"] if fill else []
        classes += [f"s-{stroke}"] if stroke else []
        self.roles.update(classes)
        attributes = f' class="{" ".join(map(_class, classes))}"' if classes else ""
        attributes += "" if fill else ' fill="none"'
        return attributes + (f' stroke-width="{_number(thickness)}"' if stroke else "")

    def _paint(self, item: Rectangle) -> str:
        attributes = self._use(item.fill, item.line, item.thickness)
        if item.dashes:
            attributes += f' stroke-dasharray="{_number(item.dashes[0])} {_number(item.dashes[1])}"'
        return attributes + (f' opacity="{_number(item.opacity)}"' if item.opacity != 1 else "")

    def _path(self, style: Rectangle, run: list[Rectangle]) -> str:
        w, h = _number(style.width), _number(style.height)
        moves = "".join(f"M{_number(r.x)} {_number(r.y)}h{w}v{h}h-{w}z" for r in run)
        return f'<path d="{moves}"{self._paint(style)}/>'

    def _rectangle(self, item: Rectangle) -> str:
        place = f'x="{_number(item.x)}" y="{_number(item.y)}" '
        size = f'width="{_number(item.width)}" height="{_number(item.height)}" rx="{_number(item.radius)}"'
        return f"<rect {place}{size}{self._paint(item)}/>"

    def _text(self, item: Text) -> str:
        anchor = f' text-anchor="{item.anchor}"' if item.anchor != "start" else ""
        weight = ' font-weight="600"' if item.bold else ""
        place = f'x="{_number(item.x)}" y="{_number(item.y)}" dy=".35em" font-size="{_number(item.size)}"'
        return f"<text {place}{anchor}{weight}{self._use(item.colour, None)}>{escape(item.text)}</text>"

    def _line(self, item: Line) -> str:
        path = f"M{_number(item.x1)} {_number(item.y1)}L{_number(item.x2)} {_number(item.y2)}"
        for x, y in arrow_head(item) if item.arrow else ():
            path += f"M{_number(item.x2)} {_number(item.y2)}L{_number(x)} {_number(y)}"
        return f'<path d="{path}"{self._use(None, item.colour, item.thickness)} stroke-linecap="round"/>'

    def _group(self, item: Group) -> str:
        inside = self.draw(item.items)
        offsets = set(item.offsets)
        still = item.at(0) if item.still == "first" else item.still
        attributes = _transform(still) if still is not None else ' visibility="hidden"'
        if len(offsets) > 1:
            steps = _steps(item.offsets)
            attributes += f' class="{self.keyframes.setdefault(steps, f"k{len(self.keyframes)}")}"'
        inside = f"<g{attributes}>{inside}</g>"
        if item.clip is None:
            return inside
        x, y, width, height = map(_number, item.clip)
        place = f'x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{x} {y} {width} {height}"'
        return f"<svg {place}>{inside}</svg>"


def _style(item: Item) -> Rectangle | None:
    """Returns what rectangles must share to become one path: everything but their places."""
    if not isinstance(item, Rectangle) or item.radius:
        return None
    return replace(item, x=0, y=0)


def _transform(offset: Offset) -> str:
    return f' transform="translate({_number(offset[0])} {_number(offset[1])})"' if offset != (0, 0) else ""


def _steps(offsets: Sequence[Offset | None]) -> str:
    """Returns keyframes, one for each change."""
    places = {offset for offset in offsets if offset is not None}
    steps, before = [], object()
    for frame, offset in enumerate(offsets):
        if offset == before:
            continue
        before = offset
        rules = []
        if offset is not None and len(places) > 1:
            rules.append(f"transform:translate({_number(offset[0])}px,{_number(offset[1])}px)")
        if None in offsets:
            rules.append(f"visibility:{'hidden' if offset is None else 'visible'}")
        steps.append(f"{round(100 * frame / len(offsets), 3):g}%{{{';'.join(rules)}}}")
    return "".join(steps)


def arrow_head(line: Line, length: float = 5.0) -> list[Offset]:
    """Returns the two far ends of the strokes that make the head of an arrow."""
    dx, dy = line.x2 - line.x1, line.y2 - line.y1
    size = max((dx**2 + dy**2) ** 0.5, 1e-9)
    ux, uy = dx / size * length, dy / size * length
    return [
        (line.x2 - ux - uy * 0.7, line.y2 - uy + ux * 0.7),
        (line.x2 - ux + uy * 0.7, line.y2 - uy - ux * 0.7),
    ]
