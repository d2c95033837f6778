"""Coloured discs, squares and triangles on a ground of clutter, made on the fly."""

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
"""Amplitude of a ripple; the ground is 0.5, so that it stays inside 0 to 1 on average."""

Count = Annotated[int, Within(0, 10**4)]
Radius = Annotated[float, Within(1, 2**14)]


@dataclass(frozen=True)
class Shapes:
    """Pictures by number; their colours say nothing about the class.

    Attributes:
      canvas: Rows and columns.
      count: Shapes of a picture; later ones cover earlier ones.
      radii: Smallest and largest distance from a shape's centre to its corners, in pixels.
      clutter: Ripples on the ground and on the shapes.
      seed: Decides, with the number, everything random.
      examples: Pictures that the data set has.
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

    def __post_init__(self):
        if len(self.canvas) != 2 or min(self.canvas) < 1:
            raise OptionError(f"`canvas` is (rows, columns), at least one each, got {self.canvas}.")
        if len(self.radii) != 2 or not 1 <= self.radii[0] <= self.radii[1]:
            raise OptionError(f"`radii` is (smallest, largest), at least 1 pixel, got {self.radii}.")
        if min(self.count, self.clutter) < 0 or self.examples < 1:
            raise OptionError(
                f"at least one example, and no fewer than 0 shapes and ripples; got "
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
    """Where a shape around the origin is: a disc, or a polygon with corners at `radius`."""
    if shape == "disc":
        return x**2 + y**2 <= np.float32(radius**2)
    sides = SIDES[shape]
    normals = angle + 2 * np.pi * np.arange(sides) / sides
    reach = np.float32(radius * np.cos(np.pi / sides))  # from the centre to each side
    distances = [np.float32(np.cos(n)) * x + np.float32(np.sin(n)) * y for n in normals]
    return np.max(distances, axis=0) <= reach


def _ripple(y: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A patch of waves that is its own negative, turned by half a turn.

    So it adds no brightness anywhere: a mean over the neighbourhood does not tell it from the ground.
    """
    angle, waves, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1.2), rng.uniform(3, 8)
    along = np.float32(waves * np.cos(angle)) * x + np.float32(waves * np.sin(angle)) * y
    return np.sin(along) * np.exp(-(x**2 + y**2) / np.float32(2 * width**2))


def shapes(
    split: Split,
    folder: Path | None = None,
    *,
    examples: Examples = 2048,
    held_out_examples: Examples = 256,
    canvas: tuple[Pixels, Pixels] = (64, 64),
    count: Count = 4,
    radii: tuple[Radius, Radius] = (6.0, 14.0),
    clutter: Count = 6,
    seed: Seed = 0,
) -> Shapes:
    """Coloured shapes on clutter.

    Args:
      split: Each has pictures of its own.
      folder: None: the pictures are made.
      examples: Pictures of an epoch in train.
      held_out_examples: Pictures of val and of test.
      canvas: Rows and columns of a picture.
      count: Shapes of a picture.
      radii: Smallest and largest distance from a shape's centre to its corners, in pixels.
      clutter: Ripples on each picture.
      seed: Of the pictures.

    Raises:
      OptionError: An unknown split, a folder, or a number outside its range.

    >>> example = shapes("val")[0]
    >>> example.image.shape, example.label.shape
    ((64, 64, 3), (64, 64))
    """
    refuse_folder("shapes", folder)
    pictures = examples if check_split(split) == "train" else held_out_examples
    own_seed = len(SPLITS) * seed + SPLITS.index(split)
    return Shapes(canvas, count, radii, clutter, own_seed, pictures)
