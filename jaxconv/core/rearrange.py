"""Rearranges blocks of cells into features and back; each of the two is the transpose of the other."""

import math
from collections.abc import Sequence

import jax
import numpy as np


def cells_as_features(x: jax.Array, block: Sequence[int], first: int) -> jax.Array:
    """Rearranges ``(..., *spatial, ...)`` to ``(..., *blocks, cells of a block, ...)``, row-major.

    Args:
      x: An array whose spatial sizes are multiples of the block's.
      block: Size of a block, per spatial axis.
      first: Number of the first spatial axis of `x`.
    """
    n, shape = len(block), x.shape
    blocks = [size // cells for size, cells in zip(shape[first : first + n], block, strict=True)]
    x = x.reshape(*shape[:first], *np.stack([blocks, block], 1).ravel().tolist(), *shape[first + n :])
    x = x.transpose(
        *range(first),
        *range(first, first + 2 * n, 2),
        *range(first + 1, first + 2 * n, 2),
        *range(first + 2 * n, x.ndim),
    )
    return x.reshape(*shape[:first], *blocks, math.prod(block), *shape[first + n :])


def features_as_cells(x: jax.Array, block: Sequence[int], first: int) -> jax.Array:
    """Rearranges ``(..., *blocks, cells of a block, ...)`` to ``(..., *spatial, ...)``, row-major.

    Args:
      x: An array whose axis after the spatial ones has the cells of a block.
      block: Size of a block, per spatial axis.
      first: Number of the first spatial axis of `x`.
    """
    n, shape = len(block), x.shape
    blocks = shape[first : first + n]
    x = x.reshape(*shape[: first + n], *block, *shape[first + n + 1 :])
    x = x.transpose(
        *range(first),
        *np.arange(first, first + 2 * n).reshape(2, n).T.ravel().tolist(),
        *range(first + 2 * n, x.ndim),
    )
    spatial = [size * cells for size, cells in zip(blocks, block, strict=True)]
    return x.reshape(*shape[:first], *spatial, *shape[first + n + 1 :])
