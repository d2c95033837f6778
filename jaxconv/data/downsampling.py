"""Downsampled examples, for networks that run below the resolution of the labels."""

from __future__ import annotations

import numpy as np

from jaxconv.data.dataset import Example
from jaxconv.errors import OptionError


def downsample_image(image: np.ndarray, shrink: int) -> np.ndarray:
    """Averages an image over ``shrink x shrink`` pixels.

    An image whose size is not a multiple of `shrink` is continued by its last row and column. So the centre
    of cell i lies at ``shrink * (i + 0.5)`` in pixels, and bilinear upsampling by `shrink`, cropped, is
    aligned with the pixels.

    Args:
      image: ``(rows, columns, features)`` floats.
      shrink: Number of pixels per cell and axis, at least 1.

    Returns:
      ``(ceil(rows / shrink), ceil(columns / shrink), features)``.

    Raises:
      OptionError: `shrink` is below 1.

    >>> downsample_image(np.arange(6.0).reshape(2, 3, 1), 2)[..., 0].tolist()
    [[2.0, 3.5]]
    """
    if shrink < 1:
        raise OptionError(f"`shrink` must be at least 1, the pixels of a cell per axis; got {shrink}.")
    if shrink == 1:
        return image
    rows, columns, features = image.shape
    missing = [(0, -size % shrink) for size in (rows, columns)]
    if any(high for _, high in missing):
        image = np.pad(image, [*missing, (0, 0)], mode="edge")
    rows, columns = image.shape[0] // shrink, image.shape[1] // shrink
    # Long sums over rows first, then a few over columns: eight times faster than one mean over both.
    bands = image.reshape(rows, shrink, -1).sum(axis=1, dtype=image.dtype)
    cells = bands.reshape(rows, columns, shrink, features)
    return sum(cells[:, :, n] for n in range(shrink)) / image.dtype.type(shrink**2)


def downsample_example(example: Example, shrink: int) -> Example:
    """Averages the image of an example, and takes the label of the middle pixel of each cell.

    With an even `shrink` the pixel right below the middle is taken. A cell at the edge that does not
    contain its middle takes its last pixel.

    Args:
      example: The example.
      shrink: Number of pixels per cell and axis, at least 1.

    Returns:
      The downsampled example.

    Raises:
      OptionError: `shrink` is below 1.
    """
    image, label = downsample_image(example.image, shrink), example.label
    if label.ndim and shrink > 1:
        rows, columns = (
            np.minimum(np.arange(shrink // 2, shrink * cells, shrink), size - 1)
            for size, cells in zip(label.shape, image.shape, strict=False)
        )
        label = label[np.ix_(rows, columns)]
    return Example(example.name, image, label)
