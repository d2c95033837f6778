"""Mosaics of handwritten digits: every pixel with ink is labelled with its digit."""

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
    is_pair,
    refuse_folder,
)
from jaxconv.data.single_digits import DIGIT_COLORS, HELD_OUT, load_samples, split_samples
from jaxconv.errors import OptionError
from jaxconv.limits import Examples, Pixels, Seed, Within
from jaxconv.operators.resizing.weights import AxisResizing, band, dense

BACKGROUND = 10
CLASS_NAMES = (*map(str, range(10)), "background")
DIGITS_AND_BACKGROUND = Classes(CLASS_NAMES, (*DIGIT_COLORS, (0, 0, 0)))
INK = 0.25
"""A pixel at least this bright (4 of the 16 grey levels) is ink.

Below lies the fringe of 8x8 anti-aliasing. At 0.25 all but one of the 1797 digits are one connected
stroke, and between a quarter and 56% of the 64 pixels are ink.
"""
MOST_HIDDEN = 0.1
"""A digit is placed only where less than this part of its ink overlaps other digits."""

Enlargement = Annotated[float, Within(1, 100)]


@dataclass(frozen=True)
class DigitMosaics:
    """Endless mosaics of a fixed set of digits; the first `examples` of them are a data set.

    Attributes:
      digits: Images of the digits, ``(n, 8, 8)`` float32, from 0 to 1.
      targets: ``(n,)``, the class of each image, 0 to 9.
      samples: ``(n,)``, the index of each image among scikit-learn's 1797.
      canvas: Rows and columns of a mosaic.
      count: Number of digits tried per mosaic; a digit that does not fit is left out.
      scales: Smallest and largest enlargement of a digit, by linear interpolation; at least 1.
      seed: Seed; with the index of a mosaic or batch, it determines everything random.
      examples: Number of mosaics in the data set.

    Raises:
      OptionError: A number is outside its range, or the canvas is smaller than an enlarged digit.
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

    def __post_init__(self) -> None:
        if not is_pair(self.scales) or not 1.0 <= self.scales[0] <= self.scales[1]:
            raise OptionError(f"`scales` must be (smallest, largest), each at least 1, got {self.scales}.")
        largest = round(8 * self.scales[1])
        if not is_pair(self.canvas) or min(self.canvas) < largest:
            raise OptionError(
                f"`canvas` must be (rows, columns), each at least {largest}, the size of a digit enlarged "
                f"{self.scales[1]} times; got {self.canvas}. Make it larger or lower `scales`."
            )
        if self.examples < 1 or self.count < 0:
            raise OptionError(
                f"`examples` must be at least 1 and `count` at least 0; got examples={self.examples}, "
                f"count={self.count}."
            )

    def __len__(self) -> int:
        return self.examples

    def __getitem__(self, index: int) -> Example:
        """Makes mosaic `index`, which is the first of batch `index`."""
        index = example_index(index, len(self))
        image, label = self._mosaic(np.random.default_rng((self.seed, index)))
        return Example(f"mosaic-{index:05d}", image[..., None], label)

    def batch(self, step: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Makes a batch of mosaics and their labels.

        Args:
          step: Number of the batch; the same number gives the same batch, in any order and process.
          size: Number of mosaics in the batch.

        Returns:
          Images, ``(size, *canvas, 1)`` float32 from 0 to 1, and labels, ``(size, *canvas)`` int32: 0 to 9
          on ink and `BACKGROUND` elsewhere.
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
                    # Where two digits overlap, the stronger ink is visible and labelled.
                    label[window][ink & (digit > image[window])] = self.targets[n]
                    np.maximum(image[window], digit, out=image[window])
                    break
        return image, label


def digits(
    split: Split,
    folder: str | Path | None = None,
    *,
    examples: Examples = 4096,
    held_out_examples: Examples = 512,
    canvas: tuple[Pixels, Pixels] = (48, 48),
    count: Annotated[int, Within(0, 10**4)] = 8,
    scales: tuple[Enlargement, Enlargement] = (1.0, 2.0),
    seed: Seed = 0,
) -> DigitMosaics:
    """Makes mosaics of scikit-learn's digits; no handwritten digit is in two splits.

    Args:
      split: ``"train"`` uses 1347 digits, ``"val"`` and ``"test"`` 225 each.
      folder: Must be None, since the digits come with scikit-learn.
      examples: Number of mosaics in train.
      held_out_examples: Number of mosaics in val, and in test.
      canvas: Rows and columns of a mosaic.
      count: Number of digits tried per mosaic; a digit that does not fit is left out.
      scales: Smallest and largest enlargement of a digit, each at least 1.
      seed: Seed of the mosaics.

    Returns:
      The data set.

    Raises:
      OptionError: `split` is unknown, a folder is given, or the canvas is too small.

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
      count: Number of digits tried per mosaic; a digit that does not fit is left out.
      held_out: Part of each class that is held out, between 0 and 1.
      seed: Seed of the mosaics.

    Returns:
      Mosaics of the training digits, and mosaics of the held-out digits.

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
    """Enlarges ``(8, 8)`` to ``(side, side)`` by linear interpolation, a matrix product on each axis."""
    weights = _interpolation_matrix(len(digit), side)
    return weights @ digit @ weights.T


@lru_cache(maxsize=64)
def _interpolation_matrix(size: int, target: int) -> np.ndarray:
    """Returns the matrix ``(target, size)`` of bilinear resizing on one axis.

    >>> _interpolation_matrix(2, 4).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    return dense(band(AxisResizing(size, target, "bilinear"))).astype(np.float32)
