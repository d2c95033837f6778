"""Features to cells and back: the rearrangement of a sub-pixel convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax

from jaxconv.core.checks import ArrayOrList
from jaxconv.core.rearrange import cells_as_features, features_as_cells
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import shape_of
from jaxconv.operators.arguments import split_spatial
from jaxconv.operators.selections import exact_array


def depth_to_space(x: ArrayOrList, block: Sequence[int]) -> jax.Array:
    """Spreads the features of every cell over a block of cells; the inverse of `space_to_depth`.

    The features of `x` are ordered by the cell of the block, row-major, and then by the feature of that
    cell: TensorFlow's order, and that of the taps of `unfold`. PyTorch's ``pixel_shuffle`` orders by the
    feature first, so that ``depth_to_space(x, block)`` is ``pixel_shuffle(x_torch, r)`` with
    ``x_torch = x.reshape(*cells, r * r, f).swapaxes(-1, -2).reshape(*cells, f * r * r)``, channels first.

    Args:
      x: Feature map ``(*batch, *spatial, prod(block) * features)`` of any dtype.
      block: Shape of the block of cells that a cell becomes, a tuple of N ints.

    Returns:
      ``(*batch, *(block * spatial), features)``.

    Raises:
      GeometryError: The number of features is not a multiple of ``prod(block)``.

    References:
      Shi et al., arXiv:1609.05158 and arXiv:1609.07009.

    >>> import jax.numpy as jnp
    >>> depth_to_space(jnp.arange(4).reshape(1, 1, 4), (2, 2))[..., 0].tolist()
    [[0, 1], [2, 3]]
    >>> depth_to_space(jnp.array([[1, 2], [3, 4]]), (2,)).ravel().tolist()
    [1, 2, 3, 4]
    """
    x, block = exact_array("x", x), shape_of("block", block)
    cells = math.prod(block)
    first = _first_axis(x, block)
    if x.shape[-1] % cells:
        raise GeometryError(
            f"the number of features of `x` must be a multiple of the {cells} cells of block={block}, but "
            f"{cells} does not divide the {x.shape[-1]} features of shape {x.shape}; change `block`."
        )
    return features_as_cells(x.reshape(*x.shape[:-1], cells, x.shape[-1] // cells), block, first)


def space_to_depth(x: ArrayOrList, block: Sequence[int]) -> jax.Array:
    """Turns every block of cells into the features of one cell; the inverse of `depth_to_space`.

    This is `unfold` with windows that do not overlap, in the same order: by the cell of the block,
    row-major, and then by the feature of that cell.

    Args:
      x: Feature map ``(*batch, *spatial, features)`` of any dtype.
      block: Shape of the block of cells that becomes one cell, a tuple of N ints.

    Returns:
      ``(*batch, *(spatial / block), prod(block) * features)``.

    Raises:
      GeometryError: A spatial size is not a multiple of the block's.

    References:
      Shi et al., arXiv:1609.05158.

    >>> import jax.numpy as jnp
    >>> space_to_depth(jnp.arange(8).reshape(2, 4, 1), (2, 2)).tolist()
    [[[0, 1, 4, 5], [2, 3, 6, 7]]]
    """
    x, block = exact_array("x", x), shape_of("block", block)
    first = _first_axis(x, block)
    spatial = x.shape[first:-1]
    if any(size % cells for size, cells in zip(spatial, block, strict=True)):
        raise GeometryError(
            f"the spatial shape {spatial} of `x` does not consist of whole blocks of {block}; pad or crop "
            "`x`, or change `block`."
        )
    x = cells_as_features(x, block, first)
    return x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])


def _first_axis(x: jax.Array, block: tuple[int, ...]) -> int:
    batch, _ = split_spatial("x", x.shape, "block", block)
    return len(batch)
