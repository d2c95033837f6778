"""The matrix of a pooling: C of average pooling, S of max pooling with its switches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxconv.core.checks import ArrayOrList, check_dtype
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding
from jaxconv.geometry.arguments import PaddingPairs, shape_of
from jaxconv.matrix import ConvMatrix
from jaxconv.matrix.coordinates import block_rows
from jaxconv.matrix.sizes import check_size
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
    switches: ArrayOrList | None = None,
    features: int = 1,
    dtype: DTypeLike = float,
    max_bytes: int | None = None,
) -> ConvMatrix:
    r"""Returns the matrix of `avg_pool`, or, with switches, the selection matrix S of `max_pool`.

    Both have the pattern of the depthwise convolution of `pool_geometry`. S has a 1 at the cell that
    holds the maximum of each window and stores the other cells as zeros; ``to_scipy().eliminate_zeros()``
    drops them.

    Args:
      input_shape: Spatial shape of the input, a tuple of N ints.
      window: Spatial shape of the windows, a tuple of N ints.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis; by default the shape of the window.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
      ceil_mode: Whether a last window that reaches over the high edge is added; see `pool_geometry`.
      count_include_pad: Whether the cells of the padding count in the mean. Not used with `switches`.
      switches: Switches of one map, ``(*output_shape, features)``, as `max_pool` returned them for the same
        arguments; they set the number of features. By default the matrix is that of `avg_pool`.
      features: Number of features of the maps. Not used with `switches`.
      dtype: Dtype of the entries; it must be that of the maps that are multiplied. ``float`` is JAX's
        default.
      max_bytes: Largest size of the stored entries in bytes; by default the physical memory.

    Returns:
      A `ConvMatrix` of shape ``(outputs, inputs)``.

    Raises:
      GeometryError: Shapes or options contradict each other, or the switches are not of this pooling.
      SizeError: The matrix needs more than `max_bytes`.
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
        return _mean_matrix(g, counted_padding(g, padding, count_include_pad), dtype)
    return _selection_matrix(g, switches, dtype)


def _mean_matrix(g: ConvGeometry, counted: PaddingPairs, dtype: jnp.dtype) -> ConvMatrix:
    """Returns the matrix whose entries are one over the number of cells that count in their window."""
    filled = block_rows(g).filled.T.reshape(-1, *g.output_shape)
    values = jnp.asarray(filled / cell_counts(g, counted), dtype)[..., None, None, None]
    return ConvMatrix(jnp.broadcast_to(values, (*values.shape[: 1 + g.ndim], g.in_features, 1, 1)), g)


def _selection_matrix(g: ConvGeometry, switches: jax.Array, dtype: jnp.dtype) -> ConvMatrix:
    """Returns the matrix whose entries are 1 where a slot reads the cell that the switch names, else 0."""
    if switches.shape != (*g.output_shape, g.in_features):
        raise GeometryError(
            f"`switches` must be those of one map, (*output_shape, features) = "
            f"{(*g.output_shape, g.in_features)}, got {switches.shape}; make one matrix per map of a batch."
        )
    blocks = block_rows(g)
    cells = jnp.where(blocks.filled.T, blocks.cell.T, -2).astype(jnp.int32).reshape(-1, *g.output_shape, 1)
    selected = cells == switches[None]
    if not isinstance(selected, jax.core.Tracer) and int(selected.sum()) != math.prod(switches.shape):
        raise GeometryError(
            "`switches` name a cell that is not in its window; pass the same arguments as to the max_pool "
            f"that returned them. Got {g}."
        )
    return ConvMatrix(selected.astype(dtype)[..., None, None], g)
