"""Random changes of an image together with its labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from jaxconv.data.dataset import VOID, Example, is_pair
from jaxconv.errors import OptionError, needs_extra

SCALES = (0.05, 20.0)
LARGEST = 2**14


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes and their strengths; by default none.

    Attributes:
      flip: Probability, from 0 to 1, that left and right are exchanged.
      scale: ``(smallest, largest)`` enlargement, each from 0.05 to 20, drawn uniformly on a logarithmic
        scale; needs `crop`.
      crop: ``(rows, columns)`` of a window that is cut out at a random place, after the enlargement and
        before the colours change. Where the window is larger than the image, it is filled with zeros that
        are labelled void. In a configuration its unit is a pixel of the file, whatever `training.shrink`
        is.
      brightness: Strength from 0 to 1; with 0.2, all values are multiplied by a number from 0.8 to 1.2.
      contrast: Strength from 0 to 1; with 0.2, differences from the mean of the image are multiplied by a
        number from 0.8 to 1.2.
      saturation: Strength from 0 to 1; with 0.2, differences from the grey of each pixel are multiplied by
        a number from 0.8 to 1.2.

    Raises:
      OptionError: A number is outside its range, or `scale` is given without `crop`.
    """

    flip: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    crop: tuple[int, int] | None = None
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flip", "brightness", "contrast", "saturation"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 <= float(value) <= 1):
                raise OptionError(f"`{name}` must be a number from 0 to 1, got {value!r}.")
        if not is_pair(self.scale) or not SCALES[0] <= self.scale[0] <= self.scale[1] <= SCALES[1]:
            raise OptionError(
                f"`scale` must be (smallest, largest), from {SCALES[0]} to {SCALES[1]}, got {self.scale}."
            )
        if self.crop is not None and (
            not is_pair(self.crop) or not 1 <= min(self.crop) <= max(self.crop) <= LARGEST
        ):
            raise OptionError(
                f"`crop` must be (rows, columns), each from 1 to {LARGEST} pixels, got {self.crop}."
            )
        if tuple(self.scale) != (1.0, 1.0) and self.crop is None:
            raise OptionError(
                f"`scale` changes the size of every example, and the examples of a batch must have one size: "
                f"give `crop` too; got scale={self.scale} and crop=None."
            )

    def downsample(self, shrink: int) -> Augmentation:
        """Returns the changes for examples that were averaged over `shrink` pixels per axis.

        Raises:
          OptionError: `crop` is not a multiple of `shrink`.

        >>> Augmentation(crop=(336, 432)).downsample(3).crop
        (112, 144)
        """
        if self.crop is None or shrink == 1:
            return self
        rows, columns = self.crop
        if rows % shrink or columns % shrink:
            below = [max(size - size % shrink, shrink) for size in self.crop]
            raise OptionError(
                f"`augmentation.crop` counts pixels of the file, and `training.shrink` averages {shrink} of "
                f"them per axis, so both sizes must be multiples of {shrink}, got {[rows, columns]}; {below} "
                "would do."
            )
        return replace(self, crop=(rows // shrink, columns // shrink))


def augment(example: Example, augmentation: Augmentation, rng: np.random.Generator) -> Example:
    """Returns a randomly changed copy of an example.

    The image is interpolated linearly (where it shrinks, over as many pixels as one cell covers), and each
    label is that of the nearest pixel, at the same coordinates. Every call draws seven numbers from `rng`,
    whatever is switched on, so that switching on one change does not alter the others.

    Args:
      example: The example; its arrays are not modified.
      augmentation: Which changes may happen, and how strong they are.
      rng: Source of randomness.

    Returns:
      The changed example.

    Raises:
      OptionError: `saturation` is above 0 and the image does not have three features.

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
    if flip < augmentation.flip:  # last: arithmetic on a reversed view takes four times as long
        image = image[:, ::-1]
        label = label[:, ::-1] if label.ndim else label
    return Example(example.name, image, label)


@dataclass(frozen=True, slots=True)
class _Window:
    """A window on one axis of a scaled map; integers, so that rounding never decides between two pixels."""

    size: int  # cells of the map
    scaled: int  # cells of the scaled map
    cells: int  # cells of the window
    start: int  # first cell of the window on the scaled map; negative where the window begins before it

    @property
    def visible(self) -> tuple[int, int]:
        """First and last + 1 of the cells of the scaled map inside the window."""
        return max(self.start, 0), min(self.start + self.cells, self.scaled)

    @property
    def target(self) -> slice:
        """Where the visible cells are in the window."""
        low, high = self.visible
        return slice(low - self.start, high - self.start)

    @property
    def source(self) -> tuple[float, float]:
        """Start and end of the part of the map that the visible cells cover, in pixels."""
        low, high = self.visible
        return low * self.size / self.scaled, high * self.size / self.scaled

    @property
    def nearest(self) -> np.ndarray:
        """For each visible cell, the pixel that contains its centre."""
        return (2 * np.arange(*self.visible) + 1) * self.size // (2 * self.scaled)


def _window(size: int, factor: float, cells: int, chance: float) -> _Window:
    """Places the window on the scaled map, or the map in the window if that is larger.

    Args:
      size: Cells of the map.
      factor: Enlargement.
      cells: Cells of the window.
      chance: Where it is placed, from 0 to 1.
    """
    scaled = max(round(size * factor), 1)
    spare = scaled - cells
    return _Window(size, scaled, cells, math.floor(chance * (abs(spare) + 1)) * (1 if spare > 0 else -1))


def _cut(plane: np.ndarray, rows: _Window, columns: _Window, outside: int) -> np.ndarray:
    """Cuts a window out of ``(rows, columns)``: floats are interpolated, integers take the nearest pixel."""
    cut = np.full((rows.cells, columns.cells), outside, plane.dtype)
    target = cut[rows.target, columns.target]
    if (rows.size, columns.size) == (rows.scaled, columns.scaled):
        target[...] = plane[slice(*rows.visible), slice(*columns.visible)]
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
    """Changes brightness, contrast and saturation in one pass, then clips to 0 to 1."""
    strengths = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    if not any(strengths):
        return image
    if augmentation.saturation and image.shape[-1] != 3:
        raise OptionError(
            f"`saturation` needs red, green and blue, but the image has {image.shape[-1]} features; "
            "set it to 0."
        )
    brightness, contrast, saturation = (np.float32(1 + s * u) for s, u in zip(strengths, chance, strict=True))
    mean = image.mean(dtype=np.float32)
    out = image * (brightness * contrast * saturation)
    if augmentation.saturation:
        grey = image @ np.full((3, 1), brightness * contrast * (1 - saturation) / 3, np.float32)
        out += grey
    out += brightness * (1 - contrast) * mean
    return out.clip(0, 1, out=out)
