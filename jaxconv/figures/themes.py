"""The colours of pictures of convolutions, for light and for dark pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Literal

from jaxconv.errors import OptionError
from jaxconv.geometry.arguments import did_you_mean

HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Theme:
    """Colours as ``"#rrggbb"``.

    Attributes:
      paper: Background.
      ink: Text, the outline of the window and of the current output cell.
      muted: Notes and the text of zeros.
      line: Outlines of cells that hold zeros, and the grid of the matrix.
      x: Cells of the forward convolution's input; the output of its transpose.
      x_line: Outlines of these cells.
      y: Cells of the forward convolution's output; the input of its transpose.
      y_line: Outlines of these cells.
      empty: Places of the matrix without an entry, and zeros of the map.
      taps: Colours of the kernel's first tap, of some between, and of its last tap; others are interpolated.
    """

    paper: str = "#ffffff"
    ink: str = "#1d2733"
    muted: str = "#5b6773"
    line: str = "#aab4be"
    x: str = "#cfe4f8"
    x_line: str = "#7fb0de"
    y: str = "#cdecd8"
    y_line: str = "#7cc29a"
    empty: str = "#f1f4f6"
    taps: tuple[str, ...] = field(default=("#ffd84d", "#ff9f5a", "#fb8aa9", "#bba2f8"))

    def __post_init__(self) -> None:
        for name in (colour.name for colour in fields(self)):
            value = getattr(self, name)
            several = name == "taps"
            for one in value if several and isinstance(value, tuple) and value else [value]:
                if not isinstance(one, str) or not HEX.fullmatch(one):
                    kind = "a tuple of colours" if several else "a colour"
                    raise OptionError(f"`{name}` of a Theme must be {kind} such as '#1f6feb', got {one!r}.")

    def tap(self, index: int, count: int) -> str:
        """Returns the colour of one of `count` taps.

        >>> Theme(taps=("#000000", "#0000ff")).tap(1, 3)
        '#000080'
        """
        at = index / max(count - 1, 1) * (len(self.taps) - 1)
        low = min(int(at), len(self.taps) - 1)
        high = min(low + 1, len(self.taps) - 1)
        pairs = zip(_channels(self.taps[low]), _channels(self.taps[high]), strict=True)
        return "#" + "".join(f"{round(a + (b - a) * (at - low)):02x}" for a, b in pairs)

    def colour(self, role: str) -> str:
        """Returns the colour of a role: the name of a field, or ``"tap:INDEX:COUNT"``."""
        if role.startswith("tap:"):
            index, count = role.split(":")[1:]
            return self.tap(int(index), int(count))
        return getattr(self, role)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


LIGHT = Theme()
DARK = Theme(
    paper="#12181f",
    ink="#eef3f8",
    muted="#a3afbb",
    line="#56626e",
    x="#1d4469",
    x_line="#4f86b8",
    y="#1f5139",
    y_line="#4f9a70",
    empty="#1e262e",
    taps=("#7d6200", "#96480f", "#982c57", "#5c40b0"),
)

ThemeOption = Theme | Literal["auto", "light", "dark"]
_WORDS: dict[str, tuple[Theme, Theme | None]] = {
    "auto": (LIGHT, DARK),
    "light": (LIGHT, None),
    "dark": (DARK, None),
}


def resolve_theme(theme: ThemeOption) -> tuple[Theme, Theme | None]:
    """Returns the colours of a light page, and of a dark page where they differ.

    Args:
      theme: Colours, or a word: ``"auto"`` follows the page in SVG files, and is light in others.

    Raises:
      OptionError: Another word, or not a Theme.
    """
    if isinstance(theme, Theme):
        return theme, None
    if isinstance(theme, str) and theme in _WORDS:
        return _WORDS[theme]
    hint = did_you_mean(theme, _WORDS, otherwise=".") if isinstance(theme, str) else "."
    raise OptionError(f"`theme` must be a Theme or one of {tuple(_WORDS)}, got {theme!r}{hint}")
