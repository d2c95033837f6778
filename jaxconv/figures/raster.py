"""A display list as pixels, drawn by Pillow: GIF and WebP animations, PNG pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features

from jaxconv.errors import OptionError
from jaxconv.figures.display import DisplayList, Group, Item, Line, Rectangle, Text
from jaxconv.figures.svg import arrow_head
from jaxconv.figures.themes import Theme

SUPERSAMPLING = 2  # drawn this much larger, then averaged: smooth edges
COLOURS = 128  # of a GIF's palette, which all frames share


def pixels(picture: DisplayList, theme: Theme, scale: int = 1) -> list[Image.Image]:
    """Returns the frames as RGB images, `scale` times as large as the picture says."""
    return [_Painter(picture.frame(frame), theme).image(scale) for frame in range(picture.frames)]


def save_pixels(picture: DisplayList, path: Path, theme: Theme, milliseconds: int) -> None:
    """Writes a GIF, WebP or PNG file; the suffix decides. PNG files hold the first frame, twice as large.

    Raises:
      OptionError: This build of Pillow cannot write WebP.
    """
    if path.suffix.lower() == ".png":
        pixels(picture.frame(0), theme, scale=2)[0].save(path, optimize=True)
        return
    images = pixels(picture, theme)
    if path.suffix.lower() == ".webp":
        if not features.check("webp"):
            raise OptionError("this build of Pillow cannot write WebP files; choose .svg or .gif.")
        images[0].save(
            path,
            save_all=True,
            append_images=images[1:],
            duration=milliseconds,
            loop=0,
            lossless=True,
            quality=100,
            method=4,  # Pillow's own choice for animations, 0, makes files several times as large
        )
    else:
        frames = _with_one_palette(images)
        frames[0].save(
            path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, disposal=1
        )


def _with_one_palette(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Returns the frames in the commonest colours of a few of them.

    One palette for all frames keeps still what does not change, and flat areas keep their exact colours.
    """
    samples = [_codes(image).ravel() for image in (images[0], images[len(images) // 2], images[-1])]
    colours, counts = np.unique(np.concatenate(samples), return_counts=True)
    palette = _channels(colours[np.argsort(-counts, kind="stable")[:COLOURS]])
    return [_in_palette(image, palette) for image in images]


def _in_palette(image: Image.Image, palette: np.ndarray) -> Image.Image:
    """Returns the image in the nearest colours of a palette, ``(colours, 3)``.

    Pillow's own way with a given palette rounds colours, white too.
    """
    codes = _codes(image)
    colours, place = np.unique(codes, return_inverse=True)
    distance = ((_channels(colours)[:, None] - palette) ** 2).sum(-1)
    indices = distance.argmin(-1).astype(np.uint8)[place.reshape(codes.shape)]
    result = Image.frombytes("P", image.size, indices.tobytes())
    result.putpalette(palette.astype(np.uint8).tobytes())
    return result


def _codes(image: Image.Image) -> np.ndarray:
    """Returns one integer per pixel, ``(rows, columns)``."""
    return np.asarray(image).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _channels(codes: np.ndarray) -> np.ndarray:
    """Returns the red, green and blue of codes, ``(codes, 3)``."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)


@lru_cache(maxsize=64)
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """Loads DejaVu Sans, which comes with matplotlib, so that pictures look alike everywhere."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


class _Painter:
    """Draws one frame."""

    def __init__(self, picture: DisplayList, theme: Theme):
        """Draws `picture`, which has one frame."""
        self.theme = theme
        self.size = (round(picture.width), round(picture.height))
        large = self.size[0] * SUPERSAMPLING, self.size[1] * SUPERSAMPLING
        self.canvas = Image.new("RGB", large, theme.paper)
        self.draw = ImageDraw.Draw(self.canvas)
        for item in picture.items:
            self._item(item, 0.0, 0.0)

    def image(self, scale: int) -> Image.Image:
        """Returns the frame at a multiple of its size."""
        size = self.size[0] * scale, self.size[1] * scale
        return self.canvas if scale == SUPERSAMPLING else self.canvas.resize(size, Image.Resampling.BOX)

    def _item(self, item: Item, x: float, y: float) -> None:
        if isinstance(item, Group):
            self._group(item, x, y)
        elif isinstance(item, Text):
            self._text(item, x, y)
        elif isinstance(item, Line):
            self._line(item, x, y)
        else:
            self._rectangle(item, x, y)

    def _group(self, item: Group, x: float, y: float) -> None:
        offset = item.at(0)
        if offset is None:
            return
        before = self.canvas.copy() if item.clip else None
        for inside in item.items:
            self._item(inside, x + offset[0], y + offset[1])
        if before is not None and item.clip is not None:
            x1, y1 = round(SUPERSAMPLING * (x + item.clip[0])), round(SUPERSAMPLING * (y + item.clip[1]))
            x2, y2 = x1 + round(SUPERSAMPLING * item.clip[2]), y1 + round(SUPERSAMPLING * item.clip[3])
            before.paste(self.canvas.crop((x1, y1, x2, y2)), (x1, y1))
            self.canvas.paste(before)

    def _rectangle(self, item: Rectangle, x: float, y: float) -> None:
        left, top = SUPERSAMPLING * (x + item.x), SUPERSAMPLING * (y + item.y)
        right, bottom = left + SUPERSAMPLING * item.width, top + SUPERSAMPLING * item.height
        if item.fill:
            colour = self.theme.colour(item.fill)
            if item.opacity < 1:
                self._blend((left, top, right, bottom), colour, item.opacity)
            else:
                self.draw.rounded_rectangle((left, top, right, bottom), SUPERSAMPLING * item.radius, colour)
        if item.line:
            self._outline(item, left, top, right, bottom)

    def _outline(self, item: Rectangle, left: float, top: float, right: float, bottom: float) -> None:
        colour, width = self.theme.colour(item.line or "line"), round(SUPERSAMPLING * item.thickness)
        if not item.dashes:
            half = width / 2  # lines lie on both sides of the edge, as those of SVG
            box = (left - half, top - half, right + half, bottom + half)
            self.draw.rounded_rectangle(box, SUPERSAMPLING * item.radius, outline=colour, width=width)
            return
        dash, gap = (SUPERSAMPLING * length for length in item.dashes)
        for x1, y1, x2, y2 in ((left, top, right, top), (right, top, right, bottom),
                               (left, bottom, right, bottom), (left, top, left, bottom)):  # fmt: skip
            length, at = max(x2 - x1, y2 - y1), 0.0
            while at < length:
                start, end = at / length, min(at + dash, length) / length
                ends = [(x1 + (x2 - x1) * t, y1 + (y2 - y1) * t) for t in (start, end)]
                self.draw.line(ends, colour, width)
                at += dash + gap

    def _blend(self, box: tuple[float, float, float, float], colour: str, opacity: float) -> None:
        left, top, right, bottom = (round(v) for v in box)
        inside = (max(left, 0), max(top, 0), min(right, self.canvas.width), min(bottom, self.canvas.height))
        if inside[0] < inside[2] and inside[1] < inside[3]:
            area = self.canvas.crop(inside)
            self.canvas.paste(Image.blend(area, Image.new("RGB", area.size, colour), opacity), inside[:2])

    def _text(self, item: Text, x: float, y: float) -> None:
        place = SUPERSAMPLING * (x + item.x), SUPERSAMPLING * (y + item.y)
        anchor = {"start": "l", "middle": "m", "end": "r"}[item.anchor] + "m"
        font = _font(round(SUPERSAMPLING * item.size * 0.94), item.bold)
        self.draw.text(place, item.text, self.theme.colour(item.colour), font, anchor)

    def _line(self, item: Line, x: float, y: float) -> None:
        colour, width = self.theme.colour(item.colour), round(SUPERSAMPLING * item.thickness)
        strokes = [(item.x1, item.y1, item.x2, item.y2)]
        strokes += [(item.x2, item.y2, *end) for end in arrow_head(item)] if item.arrow else []
        for x1, y1, x2, y2 in strokes:
            ends = [(SUPERSAMPLING * (x + x1), SUPERSAMPLING * (y + y1)),
                    (SUPERSAMPLING * (x + x2), SUPERSAMPLING * (y + y2))]  # fmt: skip
            self.draw.line(ends, colour, width)
