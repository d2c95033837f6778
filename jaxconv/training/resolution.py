"""From the resolution of an image to that of a network, and back: means of blocks, interpolated scores."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.operators import avg_pool, resize


@partial(jax.jit, static_argnames="shrink")
def shrunken(images: np.ndarray | jax.Array, shrink: int) -> jax.Array:
    """The mean of every block of ``shrink`` x ``shrink`` pixels.

    Args:
      images: ``(b, rows, columns, features)``; where `shrink` does not divide a size, the last row or
        column is repeated.
      shrink: Pixels that become one, along each axis.

    Returns:
      ``(b, ceil(rows / shrink), ceil(columns / shrink), features)``.

    >>> shrunken(jnp.array([[1.0, 3], [5, 7], [9, 11]]).reshape(1, 3, 2, 1), 2).ravel().tolist()
    [4.0, 10.0]
    """
    images = jnp.asarray(images)
    if shrink == 1:
        return images
    rows, columns = images.shape[1:3]
    images = jnp.pad(images, ((0, 0), (0, -rows % shrink), (0, -columns % shrink), (0, 0)), mode="edge")
    return avg_pool(images, (shrink, shrink))


@partial(jax.jit, static_argnames=("shape", "shrink"))
def upsampled(logits: jax.Array, shape: tuple[int, int], shrink: int) -> jax.Array:
    """Scores of shrunken images at the size that these had: bilinear, then cropped.

    Args:
      logits: ``(b, ceil(rows / shrink), ceil(columns / shrink), n)``.
      shape: ``(rows, columns)``.
      shrink: As it was for `shrunken`.

    Returns:
      ``(b, rows, columns, n)``.

    >>> upsampled(jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1), (1, 4), 2).ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    if shrink == 1:
        return logits
    rows, columns = logits.shape[1:3]
    full = resize(logits, (shrink * rows, shrink * columns), "bilinear")
    return full[:, : shape[0], : shape[1]]


@partial(jax.jit, static_argnames=("shape", "shrink"))
def upsampled_labels(logits: jax.Array, shape: tuple[int, int], shrink: int) -> jax.Array:
    """The class with the largest of the `upsampled` scores, ``(b, rows, columns)`` int32."""
    return lax.argmax(upsampled(logits, shape, shrink), 3, jnp.int32)


def label(trained, images: np.ndarray | jax.Array) -> jax.Array:
    """The class of every pixel, at the resolution of the images whatever the network runs at.

    Args:
      trained: A `jaxconv.training.Trained` that segments.
      images: ``(b, rows, columns, in_features)`` float32, 0 to 1.

    Returns:
      ``(b, rows, columns)`` int32, still being computed: nothing waits for the device.
    """
    _, rows, columns, _ = images.shape
    logits = trained.logits(shrunken(images, trained.shrink))
    return upsampled_labels(logits, (rows, columns), trained.shrink)
