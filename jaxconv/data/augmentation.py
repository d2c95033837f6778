"""Chance changes of an image together with its labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from jaxconv.data.dataset import VOID, Example
from jaxconv.errors import OptionError, needs_extra

SCALES = (0.05, 20.0)
LARGEST = 2**14


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Which changes, and how strong; nothing by default.

    Attributes:
      flip: Probability that left and right change places.
      scale: Smallest and largest enlargement, equally likely on a logarithmic scale, 0.05 to 20; needs
        `crop`.
      crop: Rows and columns of a window that is cut out anywhere, after the enlargement. Where it is
        larger than the map, zeros labelled void surround it. Colours change after it. In a
        configuration it counts pixels of the file, whatever `training.shrink` is.
      brightness: Of 0.2: all values are multiplied by 0.8 to 1.2.
      contrast: Of 0.2: differences from the image's mean are multiplied by 0.8 to 1.2.
      saturation: Of 0.2: differences from each pixel's grey are multiplied by 0.8 to 1.2.

    Raises:
      OptionError: A number outside its range, or `scale` without `crop`.
    """

    flip: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    crop: tuple[int, int] | None = None
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self):
        for name in ("flip", "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"`{name}` must be a number from 0 to 1, got {getattr(self, name)}.")
        if len(self.scale) != 2 or not SCALES[0] <= self.scale[0] <= self.scale[1] <= SCALES[1]:
            raise OptionError(
                f"`scale` must be (smallest, largest), from {SCALES[0]} to {SCALES[1]}, got {self.scale}."
            )
        if self.crop is not None and (
            len(self.crop) != 2 or not 1 <= min(self.crop) <= max(self.crop) <= LARGEST
        ):
            raise OptionError(
                f"`crop` must be (rows, columns), each from 1 to {LARGEST} pixels, got {self.crop}."
            )
        if tuple(self.scale) != (1.0, 1.0) and self.crop is None:
            raise OptionError(
                f"`scale` changes the size of every example, which one batch cannot hold; give `crop` too. "
                f"Got scale={self.scale}."
            )

    def downsample(self, shrink: int) -> Augmentation:
        """Returns the same changes for examples that were averaged over `shrink` pixels per axis.

        Raises:
          OptionError: `shrink` does not divide the crop.

        >>> Augmentation(crop=(336, 432)).downsample(3).crop
        (112, 144)
        """
        if self.crop is None or shrink == 1:
            return self
        rows, columns = self.crop
        if rows % shrink or columns % shrink:
            below = [max(size - size % shrink, shrink) for size in self.crop]
            raise OptionError(
                f"`augmentation.crop` counts pixels of the file, of which every {shrink} become one "
                f"(`training.shrink`), so both sizes must be multiples of {shrink}, got {[rows, columns]}; "
                f"{below} would do."
            )
        return replace(self, crop=(rows // shrink, columns // shrink))


def augment(example: Example, augmentation: Augmentation, rng: np.random.Generator) -> Example:
    """One example, changed by chance.

    The image is interpolated linearly (over as many pixels as one cell covers, where it shrinks), the
    labels take the nearest pixel, both at the same coordinates. Every call takes seven numbers from
    `rng`, whatever is switched on, so that one change does not move the others.

    Args:
      example: Its arrays are left as they are.
      augmentation: What may happen.
      rng: Decides what does.

    Raises:
      OptionError: `saturation` for images without three features.

    >>> from jaxconv.data import shapes
    >>> example = shapes("train")[0]
    >>> changed = augment(example, Augmentation(flip=0.5, crop=(48, 80)), np.random.default_rng(0))
    >>> changed.image.shape, changed.label.shape
    ((48, 80, 3), (48, 80))
    """
    flip, scale, *place = rng.uniform(size=4)
    colour = rng.uniform(-1, 1, size=3)
    image, label = example.image, example.label
    if augmentation.crop is not None:
        smallest, largest = augmentation.scale
        factor = smallest * (largest / smallest) ** scale
        rows, columns = (
            _window(size, factor, target, u)
            for size, target, u in zip(image.shape, augmentation.crop, place, strict=False)
        )
        image = np.stack([_cut(image[..., f], rows, columns, 0) for f in range(image.shape[-1])], axis=-1)
        label = _cut(label, rows, columns, VOID) if label.ndim else label
    image = _recolour(image, augmentation, colour)
    if flip < augmentation.flip:  # last: arithmetic on a map read backwards takes four times as long
        image = image[:, ::-1]
        label = label[:, ::-1] if label.ndim else label
    return Example(example.name, image, label)


@dataclass(frozen=True, slots=True)
class _Window:
    """Along one axis of a scaled map: the cells that a window shows, and where it shows them.

    In integers, so that no rounding decides between two pixels.
    """

    size: int  # of the map
    scaled: int  # of the scaled map
    cells: int  # of the window
    start: int  # first cell of the window on the scaled map; negative where the window begins before it

    @property
    def shown(self) -> tuple[int, int]:
        """First and last + 1 of the scaled map's cells that are inside the window."""
        return max(self.start, 0), min(self.start + self.cells, self.scaled)

    @property
    def target(self) -> slice:
        """Where they are in the window."""
        low, high = self.shown
        return slice(low - self.start, high - self.start)

    @property
    def source(self) -> tuple[float, float]:
        """The part of the map that they cover, in pixels."""
        low, high = self.shown
        return low * self.size / self.scaled, high * self.size / self.scaled

    @property
    def nearest(self) -> np.ndarray:
        """The pixel that holds the centre of each."""
        return (2 * np.arange(*self.shown) + 1) * self.size // (2 * self.scaled)


def _window(size: int, factor: float, cells: int, chance: float) -> _Window:
    """The window anywhere on the scaled map, or the map anywhere in the window if that is larger."""
    scaled = max(round(size * factor), 1)
    spare = scaled - cells
    return _Window(size, scaled, cells, math.floor(chance * (abs(spare) + 1)) * (1 if spare > 0 else -1))


def _cut(plane: np.ndarray, rows: _Window, columns: _Window, outside: int) -> np.ndarray:
    """The window on ``(rows, columns)``: floats are interpolated, integers take the nearest pixel."""
    cut = np.full((rows.cells, columns.cells), outside, plane.dtype)
    target = cut[rows.target, columns.target]
    if (rows.size, columns.size) == (rows.scaled, columns.scaled):
        target[...] = plane[slice(*rows.shown), slice(*columns.shown)]
    elif plane.dtype.kind == "f":
        with needs_extra("scaling an image", "train"):
            from PIL import Image

        (top, bottom), (left, right) = rows.source, columns.source
        image = Image.fromarray(np.ascontiguousarray(plane))
        linear = Image.Resampling.BILINEAR
        target[...] = image.resize(target.shape[::-1], linear, box=(left, top, right, bottom))
    else:
        target[...] = plane[np.ix_(rows.nearest, columns.nearest)]
    return cut


def _recolour(image: np.ndarray, augmentation: Augmentation, chance: np.ndarray) -> np.ndarray:
    """Brightness, contrast and saturation in one pass, then back to 0 to 1."""
    strengths = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    if not any(strengths):
        return image
    if augmentation.saturation and image.shape[-1] != 3:
        raise OptionError(
            f"`saturation` needs red, green and blue, the image has {image.shape[-1]} features; set it to 0."
        )
    brightness, contrast, saturation = (np.float32(1 + s * u) for s, u in zip(strengths, chance, strict=True))
    mean = image.mean(dtype=np.float32)
    out = image * (brightness * contrast * saturation)
    if augmentation.saturation:
        grey = image @ np.full((3, 1), brightness * contrast * (1 - saturation) / 3, np.float32)
        out += grey
    out += brightness * (1 - contrast) * mean
    return out.clip(0, 1, out=out)
