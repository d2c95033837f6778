r"""Pooling: the maximum, the mean or the norm of every window, and unpooling.

With its switches fixed, max pooling is linear, $y = S x$ with one entry in each row of S, and
`unpool` is $S^\mathsf{T} y$; average pooling is linear as it is, a depthwise convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal, overload

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxconv.core.checks import check_dtypes, split_map
from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding
from jaxconv.geometry.arguments import flag, real, shape_of
from jaxconv.operators.arguments import hint_at_channels_first
from jaxconv.operators.pooling.geometry import (
    Pairs,
    axis_counts,
    counted_padding,
    pool_geometry,
    refuse_empty_windows,
    without_padding_taps,
)
from jaxconv.operators.pooling.matrix import pool_matrix
from jaxconv.operators.pooling.memory import check_memory
from jaxconv.operators.pooling.switches import cell_numbers, scatter_to_cells
from jaxconv.operators.pooling.window_max import max_and_switches, window_max
from jaxconv.operators.pooling.window_sums import window_sums
from jaxconv.operators.selections import check_selectable, exact_array

__all__ = ["avg_pool", "lp_pool", "max_pool", "pool_geometry", "pool_matrix", "unpool"]


@overload
def max_pool(
    x: ArrayLike,
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    return_switches: Literal[False] = False,
) -> jax.Array: ...
@overload
def max_pool(
    x: ArrayLike,
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    return_switches: Literal[True],
) -> tuple[jax.Array, jax.Array]: ...
@overload
def max_pool(
    x: ArrayLike,
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    return_switches: bool,
) -> jax.Array | tuple[jax.Array, jax.Array]: ...
def max_pool(
    x: ArrayLike,
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    return_switches: bool = False,
) -> jax.Array | tuple[jax.Array, jax.Array]:
    r"""Returns the maximum of every window, for each feature separately.

    The derivatives are those of $y = S x$ with fixed switches: of equal numbers, the first in row-major
    order gets the whole gradient. A NaN wins its window. Padding never wins: it holds minus infinity, or
    the smallest integer of the dtype. Integers are exact and keep their dtype.

    Args:
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes: real floating,
        integer or boolean.
      window: Spatial shape of the windows, a tuple of N ints: the N axes of `x` before its features are
        the spatial ones.
      strides: Cells between neighbouring windows, an int or one int per spatial axis; by default the shape
        of the window, so that windows do not overlap.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells. It never wins.
      dilation: Distance between neighbouring cells of a window, an int or one int per spatial axis.
      ceil_mode: Whether a last window that reaches over the high edge is added; see `pool_geometry`.
      return_switches: Whether to return also which cell won each window.

    Returns:
      The maxima ``(*batch, *output_shape, features)``, of x's dtype. With `return_switches` a pair: the
      maxima and the switches, int32 of the same shape, each the row-major index of a cell of the unpadded
      spatial input.

    Raises:
      GeometryError: Shapes or options contradict each other, or a window lies in the padding.
      SizeError: The padded map or the result does not fit into the physical memory.
      TypeError: `x` is complex or has 8-bit floats.

    References:
      Dumoulin & Visin, arXiv:1603.07285, sections 1.2 and 3.

    >>> x = jnp.array([[1.0, 3, 2, 9], [7, 4, 1, 5], [8, 5, 2, 3], [4, 2, 1, 4]])
    >>> y, switches = max_pool(x[..., None], (2, 2), return_switches=True)
    >>> print(y[..., 0])
    [[7. 9.]
     [8. 4.]]
    >>> print(switches[..., 0])
    [[ 4  3]
     [ 8 15]]
    """
    x, g = _pooled_map(x, window, strides, padding, dilation, ceil_mode, integers_too=True)
    return_switches = flag("return_switches", return_switches)
    refuse_empty_windows(g, ((0, 0),) * g.ndim)
    if math.prod(g.input_shape) > np.iinfo(np.int32).max:
        raise GeometryError(
            f"the spatial shape {g.input_shape} of `x` has more cells than switches, which are int32, can "
            "count; pool a smaller map."
        )
    g = without_padding_taps(g)
    check_memory(g, x.shape, x.dtype.itemsize, "max", return_switches)
    return _max_pool(x, g, return_switches)


def avg_pool(
    x: ArrayLike,
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> jax.Array:
    r"""Returns the mean of every window, for each feature separately.

    Average pooling is a depthwise convolution; `pool_matrix` returns its matrix.

    Args:
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes, floating or complex.
      window: Spatial shape of the windows, a tuple of N ints: the N axes of `x` before its features are
        the spatial ones.
      strides: Cells between neighbouring windows, an int or one int per spatial axis; by default the shape
        of the window, so that windows do not overlap.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells. It holds zeros.
      dilation: Distance between neighbouring cells of a window, an int or one int per spatial axis.
      ceil_mode: Whether a last window that reaches over the high edge is added; see `pool_geometry`. Its
        cells outside the padded map do not count.
      count_include_pad: Whether the cells of the padding count in the mean.

    Returns:
      The means ``(*batch, *output_shape, features)``, of x's dtype. 16-bit floats are summed in float32.

    Raises:
      GeometryError: Shapes or options contradict each other, or a window has no cell that counts.
      SizeError: The padded map or the result does not fit into the physical memory.
      TypeError: `x` is not floating or complex, or has 8-bit floats.

    References:
      Dumoulin & Visin, arXiv:1603.07285, sections 1.2 and 3.

    >>> x = jnp.array([[1.0, 3, 2, 9], [7, 4, 1, 5], [8, 5, 2, 3], [4, 2, 1, 4]])
    >>> print(avg_pool(x[..., None], (2, 2))[..., 0])
    [[3.75 4.25]
     [4.75 2.5 ]]
    """
    x, g = _pooled_map(x, window, strides, padding, dilation, ceil_mode, complex_too=True)
    counted = counted_padding(g, padding, flag("count_include_pad", count_include_pad))
    _check_means(x, g, counted)
    return _avg_pool(x, g, counted)


def lp_pool(
    x: ArrayLike,
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    p: float = 2,
) -> jax.Array:
    r"""Returns the norm $(\sum |x|^p)^{1/p}$ of every window, for each feature separately.

    With p = 2 this is L2 pooling. The gradient at 0 is 0. A window of k cells of which ceil mode leaves
    only n inside is scaled by $(k/n)^{1/p}$, as in PyTorch. For odd p PyTorch adds *signed* powers, so that
    p = 1 is the plain sum there. The p-th powers must fit the dtype: nothing is rescaled.

    Args:
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes, real floating.
      window: Spatial shape of the windows, a tuple of N ints: the N axes of `x` before its features are
        the spatial ones.
      strides: Cells between neighbouring windows, an int or one int per spatial axis; by default the shape
        of the window, so that windows do not overlap.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells. It holds zeros.
      dilation: Distance between neighbouring cells of a window, an int or one int per spatial axis.
      ceil_mode: Whether a last window that reaches over the high edge is added; see `pool_geometry`.
      p: Exponent, a positive number. For large p the norm approaches `max_pool` of the magnitudes.

    Returns:
      The norms ``(*batch, *output_shape, features)``, of x's dtype.

    Raises:
      GeometryError: Shapes or options contradict each other, or `p` is not positive and finite.
      SizeError: The padded map or the result does not fit into the physical memory.
      TypeError: `x` is not real floating, or `p` is not a number.

    References:
      Goodfellow, Bengio & Courville, Deep Learning, section 9.3, names L2 pooling.

    >>> lp_pool(jnp.array([3.0, 4.0, 0.0, -2.0])[:, None], (2,)).ravel().tolist()
    [5.0, 2.0]
    """
    x, g = _pooled_map(x, window, strides, padding, dilation, ceil_mode)
    p = real("p", p)
    if not 0 < p < math.inf:
        raise GeometryError(
            f"`p` must be a positive, finite number, got {p!r}; for the largest magnitude use "
            "max_pool(jnp.abs(x), ...)."
        )
    counted = counted_padding(g, padding, True)
    _check_means(x, g, counted)
    return _lp_pool(x, g, counted, p)


def unpool(y: ArrayLike, switches: ArrayLike, input_shape: Sequence[int]) -> jax.Array:
    r"""Returns a map of zeros with every number of `y` at the cell that its switch names: $S^\mathsf{T} y$.

    This is the transpose of max pooling with fixed switches. Where windows share a cell the numbers add up;
    sums of integers are exact, and wrap around beyond the range of their dtype.

    Args:
      y: ``(*batch, *spatial, features)``, floating, complex or integer.
      switches: Integers of `y`'s shape: row-major indices into `input_shape`.
      input_shape: Spatial shape of the result; its length is N.

    Returns:
      ``(*batch, *input_shape, features)``, of y's dtype.

    Raises:
      GeometryError: The shapes differ, or a switch is outside of `input_shape`. Under `jax.jit`, where
        values are not known, such a switch puts a NaN into cell 0 instead, or drops an integer.
      TypeError: `y` is boolean or has 8-bit floats, or `switches` are not integers.

    References:
      Noh et al., *Learning deconvolution network for semantic segmentation*, arXiv:1505.04366.

    >>> y, switches = jnp.array([7.0, 9.0])[:, None], jnp.array([3, 1])[:, None]
    >>> unpool(y, switches, (4,)).ravel().tolist()
    [0.0, 9.0, 0.0, 7.0]
    """
    y, switches = exact_array("y", y), jnp.asarray(switches)
    check_selectable("y", y)
    if y.dtype == bool:
        raise TypeError(
            "`y` must be numbers, got bool: where windows share a cell they add up; convert it, for example "
            "with y.astype(jnp.int32)."
        )
    shape = shape_of("input_shape", input_shape)
    split_map("y", y.shape, len(shape), "`input_shape`")
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


def _check_means(x: jax.Array, g: ConvGeometry, counted: Pairs) -> None:
    refuse_empty_windows(g, counted)
    check_memory(without_padding_taps(g), x.shape, accumulator(x.dtype).itemsize, "sum")


@partial(jax.jit, static_argnums=(1, 2))
def _max_pool(
    x: jax.Array, g: ConvGeometry, return_switches: bool
) -> jax.Array | tuple[jax.Array, jax.Array]:
    return max_and_switches(x, g) if return_switches else window_max(x, g)


@partial(jax.jit, static_argnums=(1, 2))
def _avg_pool(x: jax.Array, g: ConvGeometry, counted: Pairs) -> jax.Array:
    return _means(x.astype(accumulator(x.dtype)), g, counted).astype(x.dtype)


@partial(jax.jit, static_argnums=(1, 2, 3))
def _lp_pool(x: jax.Array, g: ConvGeometry, counted: Pairs, p: float) -> jax.Array:
    x, dtype = x.astype(accumulator(x.dtype)), x.dtype
    powers = x * x if p == 2 else _power(jnp.where(x == 0, jnp.zeros((), x.dtype), abs(x)), p)
    return _power(_means(powers, g, counted) * float(math.prod(g.kernel_shape)), 1 / p).astype(dtype)


@partial(jax.jit, static_argnums=2)
def _unpool(y: jax.Array, switches: jax.Array, input_shape: tuple[int, ...]) -> jax.Array:
    return scatter_to_cells(y.astype(accumulator(y.dtype)), switches, input_shape).astype(y.dtype)


def _means(x: jax.Array, g: ConvGeometry, counted: Pairs) -> jax.Array:
    counts = axis_counts(g, counted)
    sums = window_sums(x, without_padding_taps(g))
    if all(count.size == 1 for count in counts):
        return sums / math.prod(float(count[0]) for count in counts)
    cells = jnp.ones((1,) * x.ndim, jnp.finfo(x.dtype).dtype)
    for dimension, count in enumerate(counts, start=x.ndim - g.ndim - 1):
        along = (1,) * dimension + count.shape + (1,) * (x.ndim - dimension - 1)
        cells = cells * jnp.asarray(count.reshape(along), cells.dtype)
    return sums / cells


def _power(x: jax.Array, p: float) -> jax.Array:
    """Returns powers of numbers that are not negative, with derivatives that are 0 at 0."""
    if p == 1:
        return x
    positive = x != 0  # a NaN too
    safe = jnp.where(positive, x, jnp.ones((), x.dtype))
    return jnp.where(positive, jnp.sqrt(safe) if p == 0.5 else safe**p, jnp.zeros((), x.dtype))


def _pooled_map(
    x: ArrayLike,
    window: Sequence[int],
    strides: IntPerAxis | None,
    padding: Padding,
    dilation: IntPerAxis,
    ceil_mode: bool,
    *,
    complex_too: bool = False,
    integers_too: bool = False,
) -> tuple[jax.Array, ConvGeometry]:
    """Returns the map as an array, and the geometry of its pooling."""
    x = exact_array("x", x)
    if integers_too:
        check_selectable("x", x)
    else:
        check_dtypes(x=x)
    if jnp.iscomplexobj(x) and not complex_too:
        raise TypeError(
            f"`x` must be real, got {x.dtype}: complex numbers have no order, and no powers here; pool "
            "jnp.abs(x)."
        )
    taps = shape_of("window", window)
    _, spatial = split_map("x", x.shape, len(taps), "`window`")
    with hint_at_channels_first("x", x.shape, len(taps)):
        g = pool_geometry(
            spatial,
            taps,
            strides=strides,
            padding=padding,
            dilation=dilation,
            ceil_mode=ceil_mode,
            features=x.shape[-1],
        )
    return x, g
