r"""Pooling: the maximum, the mean or the norm of every window.

With its switches fixed, max pooling is linear, $y = S x$ with one entry in each row of S. Average pooling is
linear: it is a depthwise convolution.
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

from jaxconv.core.checks import ArrayOrList, check_dtypes
from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding
from jaxconv.geometry.arguments import PaddingPairs, flag, real, shape_of
from jaxconv.operators.arguments import hint_at_channels_first, split_spatial
from jaxconv.operators.pooling.geometry import (
    axis_counts,
    counted_padding,
    pool_geometry,
    refuse_empty_windows,
    without_padding_taps,
)
from jaxconv.operators.pooling.memory import check_memory
from jaxconv.operators.pooling.window_max import max_and_switches, window_max
from jaxconv.operators.pooling.window_sums import window_sums
from jaxconv.operators.selections import check_selectable, exact_array


@overload
def max_pool(
    x: ArrayOrList,
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
    x: ArrayOrList,
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
    x: ArrayOrList,
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    return_switches: bool,
) -> jax.Array | tuple[jax.Array, jax.Array]: ...
def max_pool(
    x: ArrayOrList,
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
    order gets the whole gradient. The maximum of a window with a NaN is NaN. Padding is never the maximum:
    it holds minus infinity, or the smallest integer of the dtype. Integers are exact and keep their dtype.

    Args:
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes: real floating,
        integer or boolean.
      window: Spatial shape of the windows, a tuple of N ints: the N axes of `x` before its features are
        the spatial ones.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis; by default the shape of the window, so that windows do not overlap.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells. Padding is never the maximum.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
      ceil_mode: Whether a last window that reaches over the high edge is added; see `pool_geometry`.
      return_switches: Whether to return also the cell that holds each maximum, as PyTorch does with
        ``return_indices``.

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
    x: ArrayOrList,
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
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis; by default the shape of the window, so that windows do not overlap.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells. It holds zeros.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
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
    x: ArrayOrList,
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
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis; by default the shape of the window, so that windows do not overlap.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells. It holds zeros.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
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


def _check_means(x: jax.Array, g: ConvGeometry, counted: PaddingPairs) -> None:
    refuse_empty_windows(g, counted)
    check_memory(without_padding_taps(g), x.shape, accumulator(x.dtype).itemsize, "sum")


@partial(jax.jit, static_argnums=(1, 2))
def _max_pool(
    x: jax.Array, g: ConvGeometry, return_switches: bool
) -> jax.Array | tuple[jax.Array, jax.Array]:
    return max_and_switches(x, g) if return_switches else window_max(x, g)


@partial(jax.jit, static_argnums=(1, 2))
def _avg_pool(x: jax.Array, g: ConvGeometry, counted: PaddingPairs) -> jax.Array:
    return _means(x.astype(accumulator(x.dtype)), g, counted).astype(x.dtype)


@partial(jax.jit, static_argnums=(1, 2, 3))
def _lp_pool(x: jax.Array, g: ConvGeometry, counted: PaddingPairs, p: float) -> jax.Array:
    x, dtype = x.astype(accumulator(x.dtype)), x.dtype
    powers = x * x if p == 2 else _power(jnp.where(x == 0, jnp.zeros((), x.dtype), abs(x)), p)
    return _power(_means(powers, g, counted) * float(math.prod(g.kernel_shape)), 1 / p).astype(dtype)


def _means(x: jax.Array, g: ConvGeometry, counted: PaddingPairs) -> jax.Array:
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
    x: ArrayOrList,
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
        reason = ": pooling compares numbers, and complex numbers have no order" if integers_too else ""
        raise TypeError(f"`x` must be real, got {x.dtype}{reason}; pool jnp.abs(x).")
    taps = shape_of("window", window)
    _, spatial = split_spatial("x", x.shape, "window", taps)
    spatial = shape_of("x.shape", spatial)
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
