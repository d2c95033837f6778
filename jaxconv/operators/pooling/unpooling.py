r"""Unpooling: the transpose of max pooling, $S^\mathsf{T} y$."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.core

from jaxconv.core.checks import ArrayOrList
from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import shape_of
from jaxconv.operators.arguments import split_spatial
from jaxconv.operators.pooling.switches import cell_numbers, scatter_to_cells
from jaxconv.operators.selections import check_selectable, exact_array


def unpool(y: ArrayOrList, switches: ArrayOrList, input_shape: Sequence[int]) -> jax.Array:
    r"""Returns a map of zeros with every number of `y` at the cell that its switch names: $S^\mathsf{T} y$.

    This is the transpose of max pooling with fixed switches, and PyTorch's ``MaxUnpool1d`` to
    ``MaxUnpool3d``. Where windows share a cell the numbers add up, while PyTorch keeps one of them; sums of
    integers are exact, and wrap around beyond the range of their dtype.

    Args:
      y: ``(*batch, *spatial, features)``, floating, complex or integer.
      switches: Switches as `max_pool` returns them: integers of y's shape, each the row-major index of a cell
        of `input_shape`.
      input_shape: Spatial shape of the result, a tuple of N ints.

    Returns:
      ``(*batch, *input_shape, features)``, of y's dtype.

    Raises:
      GeometryError: The shapes differ, or a switch is outside of `input_shape`. Under `jax.jit`, where
        values are not known, such a switch puts a NaN into cell 0 instead, or drops an integer.
      TypeError: `y` is boolean or has 8-bit floats, or `switches` are not integers.

    References:
      Noh et al., *Learning deconvolution network for semantic segmentation*, arXiv:1505.04366.

    >>> import jax.numpy as jnp
    >>> y, switches = jnp.array([7.0, 9.0])[:, None], jnp.array([3, 1])[:, None]
    >>> unpool(y, switches, (4,)).ravel().tolist()
    [0.0, 9.0, 0.0, 7.0]
    """
    y, switches = exact_array("y", y), exact_array("switches", switches)
    check_selectable("y", y)
    if y.dtype == bool:
        raise TypeError(
            "`y` must be numbers, got bool: where windows share a cell they add up; convert it, for example "
            "with y.astype(jnp.int32)."
        )
    shape = shape_of("input_shape", input_shape)
    split_spatial("y", y.shape, "input_shape", shape)
    if y.shape != switches.shape:
        raise GeometryError(
            f"`y` and `switches` must have the same shape, got {y.shape} and {switches.shape}; pass both as "
            "max_pool(..., return_switches=True) returned them."
        )
    if switches.size and not isinstance(switches, jax.core.Tracer):
        with jax.ensure_compile_time_eval():  # known, although the program around them is being traced
            low, high = int(switches.min()), int(switches.max())
        if low < 0 or high >= math.prod(shape):
            raise GeometryError(
                f"`switches` must index the {math.prod(shape)} cells of input_shape={shape}, got {low} to "
                f"{high}; pass the spatial input shape of the max_pool that returned them."
            )
    return _unpool(y, cell_numbers(switches, math.prod(shape)), shape)


@partial(jax.jit, static_argnums=2)
def _unpool(y: jax.Array, switches: jax.Array, input_shape: tuple[int, ...]) -> jax.Array:
    return scatter_to_cells(y.astype(accumulator(y.dtype)), switches, input_shape).astype(y.dtype)
