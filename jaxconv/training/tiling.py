"""Labels of an image of any size: where it is large, by tiles of which only the middle is kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jax import lax

from jaxconv.errors import DataError, GeometryError, OptionError
from jaxconv.geometry.arguments import at_least_one, per_axis
from jaxconv.training.resolution import label, shrunken

STEP = 32
"""Tiles begin at multiples of it: the largest product of strides of the models here, so that the
windows of a tile are windows of the image."""


def predict(trained, images: np.ndarray, *, max_pixels: int = 2**20, halo: int = 128) -> np.ndarray:
    """The likeliest class of every pixel, or of every image where the network classifies.

    An image of more than `max_pixels` is cut into square tiles, each read with `halo` pixels around
    the part that is kept. A fully convolutional network whose receptive field reaches no further
    gives the same labels with tiles as without. One that sees everything at once, as ReSeg does,
    sees a tile at once; there a larger `max_pixels` is the better answer, if the memory is there.

    Args:
      trained: A `jaxconv.training.Trained`.
      images: ``(*batch, rows, columns, features)`` floating, 0 to 1. Grey is made of colour and colour
        of grey as the network wants it, and an alpha channel is dropped.
      max_pixels: Pixels of one image that the network sees at once, at the network's resolution.
      halo: Pixels around the kept part of a tile, at the network's resolution; rounded up to a multiple
        of `STEP`.

    Returns:
      ``(*batch, rows, columns)`` int32; ``batch`` from a classifier.

    Raises:
      DataError: Features that cannot be converted.
      GeometryError: An empty image, no pixels, or a negative `halo`.
      OptionError: Tiles too small for `halo`.
      TypeError: `images` are not floating, or `max_pixels` or `halo` not an integer.

    >>> from types import SimpleNamespace
    >>> trained = SimpleNamespace(
    ...     task="segmentation", in_features=1, shrink=1, logits=lambda x: np.concatenate([x, 1 - x], -1)
    ... )
    >>> predict(trained, np.float32([[[0.9], [0.2]]])).tolist()
    [[0, 1]]
    """
    max_pixels, (halo,) = at_least_one("max_pixels", max_pixels), per_axis("halo", halo, 1, least=0)
    images = np.asarray(images)
    if images.dtype.kind != "f":
        raise TypeError(f"`images` are floating, 0 to 1; got {images.dtype}: divide bytes by 255.")
    if images.ndim < 3 or not all(images.shape[-3:]):
        raise GeometryError(f"`images` are (*batch, rows, columns, features), not empty; got {images.shape}.")
    *batch, rows, columns, _ = images.shape
    x = with_features(images.astype(np.float32), trained.in_features)
    x = x.reshape(math.prod(batch), *x.shape[-3:])
    if trained.task == "classification":
        logits = trained.logits(shrunken(x, trained.shrink))
        return np.asarray(lax.argmax(logits, 1, np.int32)).reshape(batch)
    if rows * columns <= max_pixels * trained.shrink**2:
        return np.asarray(label(trained, x)).reshape(*batch, rows, columns)
    labels = np.empty((len(x), rows, columns), np.int32)
    edge, halo = _tile(max_pixels, halo)
    for row in cuts(rows, edge * trained.shrink, halo * trained.shrink):
        for column in cuts(columns, edge * trained.shrink, halo * trained.shrink):
            tile = np.asarray(label(trained, x[:, row.read, column.read]))
            labels[:, row.kept, column.kept] = tile[:, row.within, column.within]
    return labels.reshape(*batch, rows, columns)


class Cut(NamedTuple):
    """One tile along one axis.

    Attributes:
      read: What the network sees.
      kept: The part of it whose labels are taken.
    """

    read: slice
    kept: slice

    @property
    def within(self) -> slice:
        """What is kept, counted from the tile's beginning."""
        return slice(self.kept.start - self.read.start, self.kept.stop - self.read.start)


def cuts(size: int, edge: int, halo: int) -> Iterator[Cut]:
    """Tiles along an axis: all but the last of one length, so that few programs are compiled.

    Args:
      size: Of the axis.
      edge: Length of a tile.
      halo: Cells on either side that are read but not kept, except at the ends of the axis.

    Yields:
      Tiles whose kept parts follow each other from 0 to `size`.

    >>> [(cut.read.start, cut.read.stop, cut.kept.start, cut.kept.stop) for cut in cuts(20, 8, 1)]
    [(0, 8, 0, 7), (6, 14, 7, 13), (12, 20, 13, 20)]
    """
    for start in range(0, max(size - 2 * halo, 1), edge - 2 * halo):
        stop = min(start + edge, size)
        kept = slice(start + halo if start else 0, stop - halo if stop < size else size)
        yield Cut(slice(start, stop), kept)


def with_features(images: np.ndarray, features: int) -> np.ndarray:
    """Grey as colour or colour as grey, ``(..., features)``; alpha is dropped.

    The grey of a colour is its luma by ITU-R BT.601, which Pillow's mode L is too.

    Raises:
      DataError: There is no such conversion.

    >>> with_features(np.float32([[0.5]]), 3).tolist()
    [[0.5, 0.5, 0.5]]
    """
    found = images.shape[-1]
    if found == features:
        return images
    if found in (2, 4):
        return with_features(images[..., :-1], features)
    if (found, features) == (1, 3):
        return np.repeat(images, 3, axis=-1)
    if (found, features) == (3, 1):
        return images @ np.array([[0.299], [0.587], [0.114]], images.dtype)
    raise DataError(
        f"the network was trained on {features} features, the image has {found}; only grey and colour "
        "are converted into each other."
    )


def _tile(max_pixels: int, halo: int) -> tuple[int, int]:
    """Edge and halo of the tiles, multiples of `STEP`."""
    halo = -(-halo // STEP) * STEP
    edge = math.isqrt(max_pixels) // STEP * STEP
    if edge <= 2 * halo:
        raise OptionError(
            f"tiles of {max_pixels} pixels, {edge} wide, hold nothing but a halo of {halo} on either side; "
            f"raise `max_pixels` (--max-pixels) to {(2 * halo + STEP) ** 2} or lower `halo` (--halo)."
        )
    return edge, halo
