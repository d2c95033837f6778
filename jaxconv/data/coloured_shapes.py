"""Coloured discs, squares and triangles on a background with clutter, made on the fly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from jaxconv.data.dataset import (
    SPLITS,
    Classes,
    Example,
    Split,
    Task,
    check_split,
    example_index,
    is_pair,
    refuse_folder,
)
from jaxconv.errors import OptionError
from jaxconv.limits import Examples, Pixels, Seed, Within

SHAPES = ("disc", "square", "triangle")
GROUND_AND_SHAPES = Classes(
    ("background", *SHAPES), ((0, 0, 0), (214, 39, 40), (31, 119, 180), (255, 187, 0))
)
SIDES = {"square": 4, "triangle": 3}
CLUTTER = 0.25
"""Amplitude of a ripple; the background is 0.5, so that values stay within 0 to 1 on average."""

Count = Annotated[int, Within(0, 10**4)]
Radius = Annotated[float, Within(1, 2**14)]


@dataclass(frozen=True)
class Shapes:
    """A data set of random pictures of shapes, whose colours do not depend on the class.

    Attributes:
      canvas: Rows and columns of a picture.
      count: Number of shapes in a picture; later shapes cover earlier ones.
      radii: Smallest and largest distance from the centre of a shape to its corners, in pixels.
      clutter: Number of ripples on the background and the shapes of a picture.
      seed: Seed; with the index of a picture, it determines everything random.
      examples: Number of pictures.

    Raises:
      OptionError: A number is outside its range.
    """

    canvas: tuple[int, int] = (64, 64)
    count: int = 4
    radii: tuple[float, float] = (6.0, 14.0)
    clutter: int = 6
    seed: int = 0
    examples: int = 2048
    classes: Classes = GROUND_AND_SHAPES
    in_features: int = 3
    task: Task = "segmentation"

    def __post_init__(self) -> None:
        if not is_pair(self.canvas) or min(self.canvas) < 1:
            raise OptionError(f"`canvas` must be (rows, columns), each at least 1, got {self.canvas}.")
        if not is_pair(self.radii) or not 1 <= self.radii[0] <= self.radii[1]:
            raise OptionError(
                f"`radii` must be (smallest, largest), each at least 1 pixel, got {self.radii}."
            )
        if min(self.count, self.clutter) < 0 or self.examples < 1:
            raise OptionError(
                f"`examples` must be at least 1, `count` and `clutter` at least 0; got "
                f"examples={self.examples}, count={self.count}, clutter={self.clutter}."
            )

    def __len__(self) -> int:
        return self.examples

    def __getitem__(self, index: int) -> Example:
        index = example_index(index, len(self))
        rng = np.random.default_rng((self.seed, index))
        rows, columns = np.indices(self.canvas, np.float32)
        image = np.full((*self.canvas, 3), 0.5, np.float32)
        label = np.zeros(self.canvas, np.int32)
        for _ in range(self.count):
            c = int(rng.integers(len(SHAPES)))
            y, x = rows - self._draw_place(rng, 0), columns - self._draw_place(rng, 1)
            inside = _inside(SHAPES[c], y, x, rng.uniform(*self.radii), rng.uniform(0, 2 * np.pi))
            image[inside] = rng.uniform(0, 1, size=3)
            label[inside] = 1 + c
        for _ in range(self.clutter):
            y, x = rows - self._draw_place(rng, 0), columns - self._draw_place(rng, 1)
            image += _ripple(y, x, rng)[..., None] * rng.uniform(-CLUTTER, CLUTTER, size=3).astype(np.float32)
        return Example(f"shapes-{index:05d}", image.clip(0, 1), label)

    def _draw_place(self, rng: np.random.Generator, axis: int) -> np.float32:
        return np.float32(rng.uniform(0, self.canvas[axis] - 1))


def _inside(shape: str, y: np.ndarray, x: np.ndarray, radius: float, angle: float) -> np.ndarray:
    """Returns True inside a shape around the origin: a disc, or a polygon with corners at `radius`."""
    if shape == "disc":
        return x**2 + y**2 <= np.float32(radius**2)
    sides = SIDES[shape]
    normals = angle + 2 * np.pi * np.arange(sides) / sides
    reach = np.float32(radius * np.cos(np.pi / sides))  # from the centre to each side
    distances = [np.float32(np.cos(n)) * x + np.float32(np.sin(n)) * y for n in normals]
    return np.max(distances, axis=0) <= reach


def _ripple(y: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns a patch of waves that is its own negative when rotated by 180 degrees.

    So it adds no brightness: a mean over the neighbourhood cannot tell it from the background.
    """
    angle, waves, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.2), rng.uniform(3, 8)
    along = np.float32(waves * np.cos(angle)) * x + np.float32(waves * np.sin(angle)) * y
    return np.sin(along) * np.exp(-(x**2 + y**2) / np.float32(2 * width**2))


def shapes(
    split: Split,
    folder: str | Path | None = None,
    *,
    examples: Examples = 2048,
    held_out_examples: Examples = 256,
    canvas: tuple[Pixels, Pixels] = (64, 64),
    count: Count = 4,
    radii: tuple[Radius, Radius] = (6.0, 14.0),
    clutter: Count = 6,
    seed: Seed = 0,
) -> Shapes:
    """Makes pictures of coloured shapes on clutter.

    Args:
      split: ``"train"``, ``"val"`` or ``"test"``; no picture occurs in two of them.
      folder: Must be None, since the pictures are made and not read.
      examples: Number of pictures in train.
      held_out_examples: Number of pictures in val, and in test.
      canvas: Rows and columns of a picture.
      count: Number of shapes in a picture; later shapes cover earlier ones.
      radii: Smallest and largest distance from the centre of a shape to its corners, in pixels.
      clutter: Number of ripples on a picture.
      seed: Seed of the pictures.

    Returns:
      The data set.

    Raises:
      OptionError: `split` is unknown, a folder is given, or a number is outside its range.

    >>> example = shapes("val")[0]
    >>> example.image.shape, example.label.shape
    ((64, 64, 3), (64, 64))
    """
    refuse_folder("shapes", folder)
    pictures = examples if check_split(split) == "train" else held_out_examples
    own_seed = len(SPLITS) * seed + SPLITS.index(split)
    return Shapes(canvas, count, radii, clutter, own_seed, pictures)
