"""Examples at a fraction of their size, for networks that run at less than the labels' resolution."""

from __future__ import annotations

import numpy as np

from jaxconv.data.dataset import Example
from jaxconv.errors import OptionError


def downsample_image(image: np.ndarray, shrink: int) -> np.ndarray:
    """Averages over ``shrink x shrink`` pixels.

    An image that does not divide is continued by its last row and column. So the centre of cell i lies
    at ``shrink * (i + 0.5)`` in pixels, and bilinear upsampling by `shrink`, cropped, returns to the pixels.

    Args:
      image: ``(rows, columns, features)``.
      shrink: Pixels of a cell along each axis.

    Returns:
      ``(ceil(rows / shrink), ceil(columns / shrink), features)``.

    Raises:
      OptionError: `shrink` below 1.

    >>> downsample_image(np.arange(6.0).reshape(2, 3, 1), 2)[..., 0].tolist()
    [[2.0, 3.5]]
    """
    if shrink < 1:
        raise OptionError(f"`shrink` is the pixels of one cell, at least 1, got {shrink}.")
    if shrink == 1:
        return image
    rows, columns, features = image.shape
    missing = [(0, -size % shrink) for size in (rows, columns)]
    if any(high for _, high in missing):
        image = np.pad(image, [*missing, (0, 0)], mode="edge")
    rows, columns = image.shape[0] // shrink, image.shape[1] // shrink
    # Long sums of rows first, then few of columns: eight times faster than the mean over both at once.
    bands = image.reshape(rows, shrink, -1).sum(axis=1, dtype=image.dtype)
    cells = bands.reshape(rows, columns, shrink, features)
    return sum(cells[:, :, n] for n in range(shrink)) / image.dtype.type(shrink**2)


def downsample_example(example: Example, shrink: int) -> Example:
    """Averages the image of an example, and takes the label of the middle pixel of each cell.

    With an even `shrink` the middle is the pixel right below it; a cell at the edge whose middle is
    missing takes its last pixel.
    """
    image, label = downsample_image(example.image, shrink), example.label
    if label.ndim and shrink > 1:
        rows, columns = (
            np.minimum(np.arange(shrink // 2, shrink * cells, shrink), size - 1)
            for size, cells in zip(label.shape, image.shape, strict=False)
        )
        label = label[np.ix_(rows, columns)]
    return Example(example.name, image, label)
