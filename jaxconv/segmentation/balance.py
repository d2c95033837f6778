"""How often each class occurs, and weights that make up for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxconv.data import Dataset, Prefetcher
from jaxconv.errors import DataError


def class_frequencies(dataset: Dataset, *, workers: int = 2) -> np.ndarray:
    """How much of the images that contain a class it fills.

    $f_c$ = pixels of c / all pixels of the images that contain c, void among the latter: so counted are
    the weights that are published for CamVid. In classification an image is one pixel.

    Args:
      dataset: Read once, whole.
      workers: Threads that read.

    Returns:
      ``(n_classes,)`` float64; NaN for a class that does not occur.

    References:
      Eigen & Fergus, arXiv:1411.4734, section 6.3.2.
    """
    n = len(dataset.classes)
    pixels, around = np.zeros(n, np.int64), np.zeros(n, np.int64)

    def count(index: int) -> tuple[np.ndarray, int]:
        label = dataset[index].label
        return np.bincount(label.ravel(), minlength=n)[:n], label.size  # void comes after the classes

    with Prefetcher(count, range(len(dataset)), workers=workers) as counts:
        for counted, size in counts:
            pixels += counted
            around += np.where(counted > 0, size, 0)
    return np.divide(pixels, around, out=np.full(n, np.nan), where=around > 0)


def median_frequency_weights(frequencies: ArrayLike) -> np.ndarray:
    r"""Weights of the classes in the loss: $w_c = \mathrm{median}(f) / f_c$.

    Args:
      frequencies: ``(n_classes,)`` of `class_frequencies`. The median is that of the classes that occur.

    Returns:
      ``(n_classes,)`` float64; 1 for a class that does not occur, which no pixel is multiplied with.

    Raises:
      DataError: No class occurs.

    >>> median_frequency_weights(np.array([0.5, 0.1, 0.2, np.nan])).tolist()
    [0.4, 2.0, 1.0, 1.0]
    """
    frequencies = np.asarray(frequencies, np.float64)
    occurring = frequencies[frequencies > 0]
    if not occurring.size:
        raise DataError("no class occurs, so there is no median: every pixel is void.")
    weights = np.ones_like(frequencies)
    return np.divide(np.median(occurring), frequencies, out=weights, where=frequencies > 0)
