"""Pictures of convolutions, of one frame or more, and the files that hold them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jaxconv.errors import OptionError
from jaxconv.figures.display import DisplayList, sheet
from jaxconv.figures.svg import svg
from jaxconv.figures.themes import Theme
from jaxconv.geometry.arguments import did_you_mean

SUFFIXES = (".svg", ".gif", ".webp")
STILL_SUFFIXES = (".svg", ".png", ".gif", ".webp")


@dataclass(frozen=True)
class Animation:
    """A picture of a convolution, of one frame or more; notebooks show it.

    Attributes:
      display: Items of the picture and their positions in every frame.
      title: Description of the picture for screen readers.
      milliseconds: Duration of a frame in milliseconds.
      light: Colours on light pages.
      dark: Colours of SVG files on dark pages; None for the colours of `light`.
    """

    display: DisplayList
    title: str
    milliseconds: int
    light: Theme
    dark: Theme | None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.display.frames

    def svg(self) -> str:
        """Returns the text of an SVG file."""
        return svg(self.display, self.light, self.dark, title=self.title, milliseconds=self.milliseconds)

    def _repr_svg_(self) -> str:
        return self.svg()

    def frame(self, number: int) -> Animation:
        """Returns one frame as a picture that does not move.

        Args:
          number: Number of the frame, from 0.

        Raises:
          OptionError: `number` is not the number of a frame.
        """
        if not 0 <= operator.index(number) < self.frames:
            raise OptionError(f"`number` must be a frame from 0 to {self.frames - 1}, got {number}.")
        return replace(self, display=self.display.frame(number))

    def sheet(self, columns: int | None = None) -> Animation:
        """Returns all frames in one picture, row by row.

        Args:
          columns: Frames per row; by default as many as make the picture about square.

        Raises:
          OptionError: `columns` is not positive.
        """
        if columns is not None and operator.index(columns) < 1:
            raise OptionError(f"`columns` must be at least 1, got {columns}.")
        pictures = [self.display.frame(number) for number in range(self.frames)]
        return replace(self, display=sheet(pictures, columns), title=f"{self.title}, all frames")

    def save(self, path: str | Path) -> Path:
        """Writes the picture in the format that the suffix names, and makes the folder for it.

        The same picture gives the same bytes.

        Args:
          path: File to write; it ends in ``.svg``, ``.gif`` or ``.webp``, or in ``.png`` for a single frame
            or a sheet.

        Returns:
          `path`.

        Raises:
          OptionError: Another suffix.
          OSError: The file cannot be written.
        """
        path = path_with_suffix(path, STILL_SUFFIXES if self.frames == 1 else SUFFIXES)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".svg":
            path.write_text(self.svg(), encoding="utf-8", newline="\n")
        else:
            from jaxconv.figures.raster import save_pixels

            save_pixels(self.display, path, self.light, self.milliseconds)
        return path

    def save_frames(self, path: str | Path) -> tuple[Path, ...]:
        """Writes one file per frame.

        Args:
          path: Path that contains ``{frame}`` in place of the number of the frame, such as
            ``"frames/{frame}.svg"``; it ends in ``.svg``, ``.png``, ``.gif`` or ``.webp``.

        Returns:
          The paths, in order.

        Raises:
          OptionError: ``{frame}`` is missing, or another suffix.
          OSError: A file cannot be written.
        """
        if "{frame}" not in str(path):
            raise OptionError(
                f"`path` must contain {{frame}}, such as 'frames/{{frame}}.svg', got {str(path)!r}."
            )
        path_with_suffix(path, STILL_SUFFIXES)
        digits = len(str(self.frames - 1))
        return tuple(
            self.frame(number).save(str(path).replace("{frame}", str(number).zfill(digits)))
            for number in range(self.frames)
        )


def path_with_suffix(path: str | Path, suffixes: Sequence[str]) -> Path:
    """Returns `path` as a `Path` after checking its suffix.

    Raises:
      OptionError: The path does not end in one of `suffixes`.
    """
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        hint = did_you_mean(path.suffix.lower(), suffixes, otherwise=".") if path.suffix else "."
        if path.suffix.lower() == ".png":
            hint = "; an animation's frames go to .png files with `save_frames` or `sheet`."
        raise OptionError(f"`path` must end in one of {', '.join(suffixes)}, got {str(path)!r}{hint}")
    return path
