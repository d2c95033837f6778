"""Handwritten digits, and a data set in which each is an image to be classified.

The digits are scikit-learn's 1797 images of 8x8 pixels: the test part of the UCI set "Optical Recognition of
Handwritten Digits", by 13 writers. Who wrote a digit is not recorded, so a split by digits has the same
writers on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxconv.data.dataset import Classes, Example, Split, Task, check_split, example_index, refuse_folder
from jaxconv.errors import OptionError, needs_extra

DIGIT_COLORS = (
    (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189),
    (140, 86, 75), (227, 119, 194), (127, 127, 127), (188, 189, 34), (23, 190, 207),
)  # fmt: skip
"""Colours of the ten digits: matplotlib's tab10."""
DIGITS = Classes(tuple(map(str, range(10))), DIGIT_COLORS)
HELD_OUT = 0.25


class Samples(NamedTuple):
    """Some of the digits.

    Attributes:
      digits: Images, ``(n, 8, 8)`` float32, from 0 to 1.
      targets: ``(n,)`` int32, the class of each image, 0 to 9.
      samples: ``(n,)``, the index of each image among scikit-learn's 1797.
    """

    digits: np.ndarray
    targets: np.ndarray
    samples: np.ndarray


def split_samples(held_out: float = HELD_OUT) -> tuple[Samples, Samples]:
    """Splits the digits into training digits and held-out digits.

    The split is stratified (every class contributes the same part), and depends only on `held_out`.

    Args:
      held_out: Part of each class that is held out, between 0 and 1.

    Raises:
      OptionError: `held_out` leaves one side without digits.
    """
    if not 0 < held_out < 1:
        raise OptionError(f"`held_out` must be a part of the digits, above 0 and below 1, got {held_out}.")
    train, test = _split(held_out)
    if not (len(train) and len(test)):
        raise OptionError(
            f"`held_out` = {held_out} leaves one side without digits; choose a value nearer to 0.25."
        )
    return _select(np.sort(train)), _select(np.sort(test))


def load_samples(split: Split) -> Samples:
    """Loads the digits of a split: 1347 in train, and 225 each in val and test; none is in two of them."""
    train, rest = _split(HELD_OUT)
    # Held-out digits are ordered by class, so taking every second one keeps both halves stratified.
    parts = {"train": train, "val": rest[0::2], "test": rest[1::2]}
    return _select(np.sort(parts[check_split(split)]))


@dataclass(frozen=True)
class DigitImages:
    """A data set of digits of 8x8 pixels, each an image of one class."""

    samples: Samples
    classes: Classes = DIGITS
    in_features: int = 1
    task: Task = "classification"

    def __len__(self) -> int:
        return len(self.samples.samples)

    def __getitem__(self, index: int) -> Example:
        index = example_index(index, len(self))
        digits, targets, samples = self.samples
        return Example(str(samples[index]), digits[index][..., None], np.array(targets[index]))


def digit_images(split: Split, folder: str | Path | None = None) -> DigitImages:
    """Loads scikit-learn's digits as a data set for classification.

    Args:
      split: ``"train"`` has 1347 digits, ``"val"`` and ``"test"`` 225 each; every class is divided in the
        same proportions.
      folder: Must be None, since the digits come with scikit-learn.

    Returns:
      The data set.

    Raises:
      OptionError: `split` is unknown, or a folder is given.

    >>> len(digit_images("train")), digit_images("val")[0].image.shape
    (1347, (8, 8, 1))
    """
    refuse_folder("digit_images", folder)
    return DigitImages(load_samples(split))


def _split(held_out: float) -> tuple[np.ndarray, np.ndarray]:
    targets = _load()[1]
    rng = np.random.default_rng(0)  # fixed, so that the split does not depend on any other seed
    shuffled = [rng.permutation(np.flatnonzero(targets == c)) for c in range(10)]
    cuts = [round(held_out * len(samples)) for samples in shuffled]
    train = [samples[cut:] for samples, cut in zip(shuffled, cuts, strict=True)]
    test = [samples[:cut] for samples, cut in zip(shuffled, cuts, strict=True)]
    return np.concatenate(train), np.concatenate(test)


def _select(samples: np.ndarray) -> Samples:
    digits, targets = _load()
    return Samples(digits[samples], targets[samples], samples)


@lru_cache(maxsize=1)
def _load() -> tuple[np.ndarray, np.ndarray]:
    with needs_extra("the data of handwritten digits", "train"):
        from sklearn.datasets import load_digits

    bunch = load_digits()
    return (bunch.images / 16).astype(np.float32), bunch.target.astype(np.int32)
