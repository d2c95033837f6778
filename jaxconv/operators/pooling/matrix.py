"""The matrix of a pooling: C of average pooling, S of max pooling with its switches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

from jaxconv.core.checks import check_dtype
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding
from jaxconv.geometry.arguments import shape_of
from jaxconv.matrix import ConvMatrix
from jaxconv.matrix.coordinates import block_rows
from jaxconv.matrix.matrix import check_size
from jaxconv.operators.pooling.geometry import cell_counts, counted_padding, pool_geometry
from jaxconv.operators.pooling.switches import cell_numbers


def pool_matrix(
    input_shape: Sequence[int],
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    switches: ArrayLike | None = None,
    features: int = 1,
    dtype: DTypeLike = float,
    max_bytes: int | None = None,
) -> ConvMatrix:
    r"""The matrix of `avg_pool`, or, with switches, the selection matrix S of `max_pool`.

    Both have the pattern of the pooling's depthwise convolution, `pool_geometry`: S holds 1 at the cell
    that each window took, and stores the zeros beside it, which
    ``to_scipy().eliminate_zeros()`` drops.

    Args:
      input_shape: Spatial shape of the input, N axes.
      window: Spatial shape of the windows.
      strides: As in `avg_pool`, as the next four.
      padding: Likewise.
      dilation: Likewise.
      ceil_mode: Likewise.
      count_include_pad: Likewise; of no account with `switches`.
      switches: Of one map, ``(*output_shape, features)``, as `max_pool` returned them with the same
        arguments. They say how many features there are.
      features: Of the maps.
      dtype: Of the entries: that of the maps. ``float`` is jax's default.
      max_bytes: Refuse to store more than this; the physical memory by default.

    Returns:
      A `ConvMatrix`, ``(outputs, inputs)``.

    Raises:
      GeometryError: No pooling has these numbers, or the switches are not of this pooling.
      SizeError: The matrix would not fit.
      TypeError: `dtype` is not floating or complex, or the switches are not integers.

    >>> print(pool_matrix((4,), (2,)).todense())
    [[0.5 0.5 0.  0. ]
     [0.  0.  0.5 0.5]]
    >>> print(pool_matrix((4,), (2,), switches=jnp.array([[1], [2]])).todense())
    [[0. 1. 0. 0.]
     [0. 0. 1. 0.]]
    """
    if switches is not None:
        switches = cell_numbers(switches, math.prod(shape_of("input_shape", input_shape)))
        features = switches.shape[-1] if switches.ndim else 1
    g = pool_geometry(
        input_shape,
        window,
        strides=strides,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
        features=features,
    )
    dtype = check_dtype(dtype)
    check_size(g, dtype.itemsize, max_bytes)
    if switches is None:
        return _means(g, counted_padding(g, padding, count_include_pad), dtype)
    return _selection(g, switches, dtype)


def _means(g: ConvGeometry, counted, dtype) -> ConvMatrix:
    """One over the number of cells that count, for every cell of a window."""
    filled = block_rows(g).filled.T.reshape(-1, *g.output_shape)
    values = jnp.asarray(filled / cell_counts(g, counted), dtype)[..., None, None, None]
    return ConvMatrix(jnp.broadcast_to(values, (*values.shape[: 1 + g.ndim], g.in_features, 1, 1)), g)


def _selection(g: ConvGeometry, switches, dtype) -> ConvMatrix:
    """One where the cell that a slot reads is the one that the switch names."""
    if switches.shape != (*g.output_shape, g.in_features):
        raise GeometryError(
            f"`switches` of one map are {(*g.output_shape, g.in_features)}, (*output_shape, features), got "
            f"{switches.shape}; make a matrix of each map of a batch."
        )
    blocks = block_rows(g)
    cells = jnp.where(blocks.filled.T, blocks.cell.T, -2).astype(jnp.int32).reshape(-1, *g.output_shape, 1)
    took = cells == switches[None]
    if not isinstance(took, jax.core.Tracer) and int(took.sum()) != math.prod(switches.shape):
        raise GeometryError(
            "a switch names a cell that its window does not hold; give the arguments of the max_pool that "
            f"returned the switches. Got {g}."
        )
    return ConvMatrix(took.astype(dtype)[..., None, None], g)
