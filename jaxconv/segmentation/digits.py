"""Mosaics of real handwritten digits: every pixel with ink is labelled with its digit.

The digits are scikit-learn's 1797 of 8x8 pixels: the test part of the UCI set "Optical Recognition of
Handwritten Digits", by 13 writers. Which of them wrote a digit is not recorded, so a split by digits
puts the same hands on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from jaxconv.errors import GeometryError

BACKGROUND = 10
CLASS_NAMES = (*map(str, range(10)), "background")
INK = 0.25
"""A pixel at least this bright (4 of the 16 grey levels) is ink.

Below lies the fringe of 8x8 anti-aliasing. At 0.25 all but one of the 1797 digits are one connected
stroke, and between a quarter and 56% of the 64 pixels are ink.
"""
MOST_HIDDEN = 0.1
"""A digit is placed only where it would share less than this part of its ink with the others."""


@dataclass(frozen=True)
class DigitMosaics:
    """Endless mosaics from a fixed set of digits; batch `step` is always the same.

    Attributes:
      digits: ``(n, 8, 8)`` float32, 0 to 1.
      classes: ``(n,)`` the digit that each is, 0 to 9.
      samples: ``(n,)`` where each stands among scikit-learn's 1797.
      canvas: Rows and columns of a mosaic.
      count: How many digits one mosaic is tried with; those that find no place are left out.
      scales: Smallest and largest enlargement of a digit, by linear interpolation.
      seed: Decides, with the step, everything random.
    """

    digits: np.ndarray
    classes: np.ndarray
    samples: np.ndarray
    canvas: tuple[int, int] = (48, 48)
    count: int = 8
    scales: tuple[float, float] = (1.0, 2.0)
    seed: int = 0

    def __post_init__(self):
        largest = round(8 * self.scales[1])
        if not 1.0 <= self.scales[0] <= self.scales[1]:
            raise GeometryError(f"`scales` is (smallest, largest), both at least 1, got {self.scales}.")
        if len(self.canvas) != 2 or min(self.canvas) < largest:
            raise GeometryError(
                f"a digit enlarged {self.scales[1]} times takes {largest}x{largest} pixels, the canvas is "
                f"{self.canvas}; make it larger or lower `scales`."
            )

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
            digit = _enlarged(self.digits[n], round(8 * rng.uniform(*self.scales)))
            ink = digit >= INK
            for _ in range(8):  # tries
                row, column = (rng.integers(side - len(digit) + 1) for side in self.canvas)
                window = np.s_[row : row + len(digit), column : column + len(digit)]
                if (ink & (label[window] != BACKGROUND)).sum() < MOST_HIDDEN * ink.sum():
                    # Where two digits meet, the stronger ink is seen and labelled.
                    label[window][ink & (digit > image[window])] = self.classes[n]
                    np.maximum(image[window], digit, out=image[window])
                    break
        return image, label


def digit_mosaics(
    canvas: tuple[int, int] = (48, 48), *, count: int = 8, held_out: float = 0.25, seed: int = 0
) -> tuple[DigitMosaics, DigitMosaics]:
    """Mosaics to learn from, and mosaics of other digits to be judged on.

    The digits are split, not the mosaics: no handwritten sample is in both. The split is
    stratified (every class gives the same part), and depends on nothing but `held_out`.

    Args:
      canvas: Rows and columns of a mosaic.
      count: How many digits one mosaic is tried with.
      held_out: Which part of each class is held out.
      seed: Of the mosaics.

    Returns:
      Mosaics of the training digits, and of those held out.

    Raises:
      GeometryError: The canvas is too small, or `held_out` leaves one side without digits.

    >>> train, held_out = digit_mosaics((32, 48))
    >>> len(train.samples), len(held_out.samples)
    (1347, 450)
    >>> images, labels = train.batch(step=0, size=5)
    >>> images.shape, images.dtype.name, labels.shape, labels.dtype.name
    ((5, 32, 48, 1), 'float32', (5, 32, 48), 'int32')
    """
    if not 0 < held_out < 1:
        raise GeometryError(f"`held_out` is a part of the digits, between 0 and 1, got {held_out}.")
    digits, classes = _load()
    rng = np.random.default_rng(0)  # the split's own, whatever the mosaics' seed
    shuffled = [rng.permutation(np.flatnonzero(classes == c)) for c in range(10)]
    cuts = [round(held_out * len(samples)) for samples in shuffled]
    sides = (
        np.sort(np.concatenate([samples[cut:] for samples, cut in zip(shuffled, cuts, strict=True)])),
        np.sort(np.concatenate([samples[:cut] for samples, cut in zip(shuffled, cuts, strict=True)])),
    )
    if not all(map(len, sides)):
        raise GeometryError(f"held_out={held_out} leaves one side without digits; move it towards 0.25.")
    train, test = (
        DigitMosaics(digits[side], classes[side], side, canvas, count, seed=seed) for side in sides
    )
    return train, test


@lru_cache(maxsize=1)
def _load() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return (loaded.images / 16).astype(np.float32), loaded.target.astype(np.int32)


def _enlarged(digit: np.ndarray, side: int) -> np.ndarray:
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
