"""Class frequencies, and class weights that balance them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxconv.data import Dataset, Prefetcher
from jaxconv.errors import DataError, GeometryError


def class_frequencies(dataset: Dataset, *, workers: int = 2) -> np.ndarray:
    """Computes the frequency of each class among the pixels of the images that contain it.

    $f_c$ = pixels of class c / all pixels of the images that contain c, where the latter include void
    pixels, as in the class weights published for CamVid. In classification an image counts as one pixel.

    Args:
      dataset: The data set; every example is read once.
      workers: Number of threads that read examples.

    Returns:
      ``(n_classes,)`` float64; NaN for a class that does not occur.

    References:
      Eigen & Fergus, arXiv:1411.4734, section 6.3.2.
    """
    n = len(dataset.classes)
    class_pixels, image_pixels = np.zeros(n, np.int64), np.zeros(n, np.int64)

    def count(index: int) -> tuple[np.ndarray, int]:
        label = dataset[index].label
        return np.bincount(label.ravel(), minlength=n)[
            :n
        ], label.size  # the count of void stands behind the classes

    with Prefetcher(count, range(len(dataset)), workers=workers) as counts:
        for class_counts, size in counts:
            class_pixels += class_counts
            image_pixels += np.where(class_counts > 0, size, 0)
    return np.divide(class_pixels, image_pixels, out=np.full(n, np.nan), where=image_pixels > 0)


def median_frequency_weights(frequencies: ArrayLike) -> np.ndarray:
    r"""Computes weights of the classes for a loss: $w_c = \mathrm{median}(f) / f_c$.

    Args:
      frequencies: ``(n_classes,)``, the result of `class_frequencies`: above 0, and NaN or 0 for a class
        that does not occur. The median is taken over the classes that occur.

    Returns:
      ``(n_classes,)`` float64; 1 for a class that does not occur, whose weight no pixel uses.

    Raises:
      GeometryError: `frequencies` is not a vector.
      DataError: No class occurs.

    >>> median_frequency_weights(np.array([0.5, 0.1, 0.2, np.nan])).tolist()
    [0.4, 2.0, 1.0, 1.0]
    """
    frequencies = np.asarray(frequencies, np.float64)
    if frequencies.ndim != 1:
        raise GeometryError(
            f"`frequencies` must have one number per class, shape (n_classes,); got {frequencies.shape}."
        )
    positive = frequencies[frequencies > 0]
    if not positive.size:
        raise DataError(
            "`frequencies` are 0 or NaN for every class: no class occurs and every pixel is void; check the "
            "labels of the data set."
        )
    weights = np.ones_like(frequencies)
    return np.divide(np.median(positive), frequencies, out=weights, where=frequencies > 0)
