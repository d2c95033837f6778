"""Mosaics of real handwritten digits: every pixel with ink is labelled with its digit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
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
from jaxconv.data.single_digits import DIGIT_COLORS, HELD_OUT, load_samples, split_samples
from jaxconv.errors import OptionError
from jaxconv.limits import Examples, Pixels, Seed, Within

BACKGROUND = 10
CLASS_NAMES = (*map(str, range(10)), "background")
DIGITS_AND_BACKGROUND = Classes(CLASS_NAMES, (*DIGIT_COLORS, (0, 0, 0)))
INK = 0.25
"""A pixel at least this bright (4 of the 16 grey levels) is ink.

Below lies the fringe of 8x8 anti-aliasing. At 0.25 all but one of the 1797 digits are one connected
stroke, and between a quarter and 56% of the 64 pixels are ink.
"""
MOST_HIDDEN = 0.1
"""A digit is placed only where it would share less than this part of its ink with the others."""

Enlargement = Annotated[float, Within(1, 100)]


@dataclass(frozen=True)
class DigitMosaics:
    """Endless mosaics from a fixed set of digits, of which the first `examples` are a data set.

    Attributes:
      digits: ``(n, 8, 8)`` float32, 0 to 1.
      targets: ``(n,)`` the digit that each is, 0 to 9.
      samples: ``(n,)`` where each stands among scikit-learn's 1797.
      canvas: Rows and columns of a mosaic.
      count: How many digits one mosaic is tried with; those that find no place are left out.
      scales: Smallest and largest enlargement of a digit, by linear interpolation.
      seed: Decides everything random, with the number of the mosaic or of the batch.
      examples: Mosaics that the data set has.
    """

    digits: np.ndarray
    targets: np.ndarray
    samples: np.ndarray
    canvas: tuple[int, int] = (48, 48)
    count: int = 8
    scales: tuple[float, float] = (1.0, 2.0)
    seed: int = 0
    examples: int = 4096
    classes: Classes = DIGITS_AND_BACKGROUND
    in_features: int = 1
    task: Task = "segmentation"

    def __post_init__(self):
        largest = round(8 * self.scales[1])
        if not 1.0 <= self.scales[0] <= self.scales[1]:
            raise OptionError(f"`scales` is (smallest, largest), both at least 1, got {self.scales}.")
        if len(self.canvas) != 2 or min(self.canvas) < largest:
            raise OptionError(
                f"a digit enlarged {self.scales[1]} times takes {largest}x{largest} pixels, the canvas is "
                f"{self.canvas}; make it larger or lower `scales`."
            )
        if self.examples < 1 or self.count < 0:
            raise OptionError(
                f"a data set has at least one mosaic, of no fewer than 0 digits; got examples="
                f"{self.examples}, count={self.count}."
            )

    def __len__(self) -> int:
        return self.examples

    def __getitem__(self, index: int) -> Example:
        """Mosaic `index`: the first of batch `index`."""
        index = example_index(index, len(self))
        image, label = self._mosaic(np.random.default_rng((self.seed, index)))
        return Example(f"mosaic-{index:05d}", image[..., None], label)

    def batch(self, step: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Mosaics and their labels.

        Args:
          step: Which batch; the same number gives the same batch, in any order and process.
          size: Mosaics in it.

        Returns:
          ``(size, *canvas, 1)`` float32, 0 to 1; and ``(size, *canvas)`` int32, 0 to 9 on ink and
          `BACKGROUND` elsewhere.
        """
        rng = np.random.default_rng((self.seed, step))
        pairs = [self._mosaic(rng) for _ in range(size)]
        images, labels = (np.array(part).reshape(size, *self.canvas) for part in zip(*pairs, strict=True))
        return images[..., None], labels

    def _mosaic(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        image = np.zeros(self.canvas, np.float32)
        label = np.full(self.canvas, BACKGROUND, np.int32)
        for n in rng.integers(len(self.digits), size=self.count):
            digit = _enlarge(self.digits[n], round(8 * rng.uniform(*self.scales)))
            ink = digit >= INK
            for _ in range(8):  # tries
                row, column = (rng.integers(side - len(digit) + 1) for side in self.canvas)
                window = np.s_[row : row + len(digit), column : column + len(digit)]
                if (ink & (label[window] != BACKGROUND)).sum() < MOST_HIDDEN * ink.sum():
                    # Where two digits meet, the stronger ink is seen and labelled.
                    label[window][ink & (digit > image[window])] = self.targets[n]
                    np.maximum(image[window], digit, out=image[window])
                    break
        return image, label


def digits(
    split: Split,
    folder: Path | None = None,
    *,
    examples: Examples = 4096,
    held_out_examples: Examples = 512,
    canvas: tuple[Pixels, Pixels] = (48, 48),
    count: Annotated[int, Within(0, 10**4)] = 8,
    scales: tuple[Enlargement, Enlargement] = (1.0, 2.0),
    seed: Seed = 0,
) -> DigitMosaics:
    """Mosaics of scikit-learn's digits; no handwritten sample is in two splits.

    Args:
      split: Made of 1347 digits in train, of 225 each in val and test.
      folder: None: the digits come with scikit-learn.
      examples: Mosaics of an epoch in train.
      held_out_examples: Mosaics of val and of test.
      canvas: Rows and columns of a mosaic.
      count: How many digits one mosaic is tried with.
      scales: Smallest and largest enlargement of a digit.
      seed: Of the mosaics.

    Raises:
      OptionError: An unknown split, a folder, or a canvas that is too small.

    >>> example = digits("val", canvas=(32, 40))[0]
    >>> example.image.shape, example.label.shape, sorted(set(example.label.ravel().tolist()))
    ((32, 40, 1), (32, 40), [1, 2, 6, 7, 8, 10])
    """
    refuse_folder("digits", folder)
    mosaics = examples if check_split(split) == "train" else held_out_examples
    own_seed = len(SPLITS) * seed + SPLITS.index(split)
    return DigitMosaics(*load_samples(split), canvas, count, scales, own_seed, mosaics)


def make_digit_mosaics(
    canvas: tuple[int, int] = (48, 48), *, count: int = 8, held_out: float = HELD_OUT, seed: int = 0
) -> tuple[DigitMosaics, DigitMosaics]:
    """Builds mosaics of training digits, and mosaics of held-out digits.

    The digits are split, not the mosaics: no handwritten sample is in both.

    Args:
      canvas: Rows and columns of a mosaic.
      count: How many digits one mosaic is tried with.
      held_out: Which part of each class is held out.
      seed: Of the mosaics.

    Returns:
      Mosaics of the training digits, and of those held out.

    Raises:
      OptionError: The canvas is too small, or `held_out` leaves one side without digits.

    >>> train, held_out = make_digit_mosaics((32, 48))
    >>> len(train.samples), len(held_out.samples)
    (1347, 450)
    >>> images, labels = train.batch(step=0, size=5)
    >>> images.shape, images.dtype.name, labels.shape, labels.dtype.name
    ((5, 32, 48, 1), 'float32', (5, 32, 48), 'int32')
    """
    train, test = (DigitMosaics(*side, canvas, count, seed=seed) for side in split_samples(held_out))
    return train, test


def _enlarge(digit: np.ndarray, side: int) -> np.ndarray:
    """``(8, 8)`` to ``(side, side)`` by linear interpolation: a product with a matrix from each side."""
    weights = _interpolation(len(digit), side)
    return weights @ digit @ weights.T


@lru_cache(maxsize=64)
def _interpolation(size: int, target: int) -> np.ndarray:
    """``(target, size)``: every row the weights of one new cell, whose centre lies between two old ones.

    >>> _interpolation(2, 4).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    centre = ((np.arange(target) + 0.5) * size / target - 0.5).clip(0, size - 1)
    return np.maximum(1 - abs(centre[:, None] - np.arange(size)), 0).astype(np.float32)
