r"""Two ways to apply a filter to every feature of a map: correlation and true convolution.

What frameworks call a convolution is the *correlation* $y[p] = \sum_t x[p + t]\,w[t]$. The *convolution* of
mathematics flips the filter: $y[p] = \sum_t x[p - t]\,w[t]$, up to where $p$ starts. Only the convolution
commutes. For symmetric filters the two agree.

At the borders a filter shrinks the map, or the map is padded:

>>> from fractions import Fraction
>>> from jaxconv.operators.filters import box_filter
>>> def show(y):
...     print(*(Fraction(v).limit_denominator(9) for v in y.ravel().tolist()))
>>> x = jnp.array([4.0, 3, 2, -5, 3, 5, 2, 5, 5, 6]).reshape(10, 1)  # (*spatial, features)
>>> show(correlate(x, box_filter((3,))))
3 0 0 1 10/3 4 4 16/3
>>> show(correlate(x, box_filter((3,)), padding="SAME"))
7/3 3 0 0 1 10/3 4 4 16/3 11/3
>>> show(correlate(x, box_filter((3,)), padding="SAME", padding_mode="circular"))
13/3 3 0 0 1 10/3 4 4 16/3 5
>>> show(correlate(x, box_filter((3,)), padding="SAME", padding_mode="reflect"))
10/3 3 0 0 1 10/3 4 4 16/3 16/3
>>> show(correlate(x, box_filter((3,)), padding="SAME", padding_mode="replicate"))
11/3 3 0 0 1 10/3 4 4 16/3 17/3

A filter of one cell keeps the shape of the map and scales it, here by 2:

>>> x = [[-5, 3, 2, -5, 3], [4, 3, 2, 1, -3], [1, 0, 3, 3, 5], [-2, 0, 1, 4, 4], [5, 6, 7, 9, -1]]
>>> x = jnp.array(x, float)[..., None]
>>> print(correlate(x, jnp.array([[2.0]]))[..., 0].astype(int))
[[-10   6   4 -10   6]
 [  8   6   4   2  -6]
 [  2   0   6   6  10]
 [ -4   0   2   8   8]
 [ 10  12  14  18  -2]]
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxconv.convolution import conv
from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes, split_map
from jaxconv.errors import GeometryError
from jaxconv.geometry import IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import at_least_one, per_axis, shape_of
from jaxconv.operators.arguments import check_window_fits, hint_at_channels_first, padding_in_cells

__all__ = [
    "convolve",
    "correlate",
    "filter_kernel",
]


def correlate(
    x: ArrayOrList,
    filter: ArrayOrList,
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    kernel_dilation: IntPerAxis = 1,
) -> jax.Array:
    r"""Correlates every feature of a map with a filter: $y[p] = \sum_t x[p + t]\,w[t]$.

    This is what every framework calls convolution: nothing is flipped. It is a depthwise `conv` with the
    kernel of `filter_kernel`, from which its matrix and its derivatives follow.

    SciPy has other names for padding modes: in `scipy.ndimage` ``"constant"`` means ``"zeros"``, ``"wrap"``
    ``"circular"``, ``"nearest"`` ``"replicate"`` and ``"mirror"`` ``"reflect"``. The ``"reflect"`` of SciPy,
    which repeats the border cell, does not exist here. `scipy.ndimage.correlate` pads as ``"SAME_LOWER"``.

    Args:
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes, floating or complex.
      filter: Weights, of the dtype of `x`, with one axis per spatial axis.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis.
      padding: ``"VALID"`` shrinks the map, ``"SAME"`` keeps its size; another word of `ConvGeometry`, an int,
        or per spatial axis an int or a ``(low, high)`` pair, in cells.
      padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``: what the padding holds.
      kernel_dilation: Distance between neighbouring taps, in cells; 1 means adjacent. An int or one int per
        spatial axis.

    Returns:
      ``(*batch, *output_shape, features)``, of x's dtype.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: `x` and `filter` are not floating or complex, or not of one dtype.

    References:
      Goodfellow, Bengio & Courville, Deep Learning, section 9.1.

    >>> x = jnp.array([0.0, 0.0, 1.0, 0.0, 0.0]).reshape(5, 1)
    >>> correlate(x, jnp.array([1.0, 2.0, 3.0])).ravel().tolist()
    [3.0, 2.0, 1.0]
    """
    x, filter = as_array("x", x), as_array("filter", filter)
    check_dtypes(x=x, filter=filter)
    _check_filter(filter)
    if x.ndim <= filter.ndim and filter.ndim > 2 and filter.shape[-2:] == (1, 1):
        raise GeometryError(
            f"`filter` must have one axis per spatial axis of `x` and none for features, got "
            f"{filter.shape} for x of shape {x.shape}; if it is a kernel of `conv`, pass filter[..., 0, 0]."
        )
    n, taps = filter.ndim, shape_of("filter.shape", filter.shape)
    _, spatial = split_map("x", x.shape, n, "`filter`")
    spatial = shape_of("x.shape", spatial)
    s, d = per_axis("strides", strides, n), per_axis("kernel_dilation", kernel_dilation, n)
    pads = padding_in_cells(padding, spatial, taps, s, d)
    with hint_at_channels_first("x", x.shape, n):
        check_window_fits(spatial, taps, d, pads, name="filter", dilation_name="kernel_dilation")
        return conv(
            x,
            filter_kernel(filter, x.shape[-1]),
            strides=s,
            padding=pads,
            padding_mode=padding_mode,
            kernel_dilation=d,
            feature_group_count=x.shape[-1],
        )


def convolve(
    x: ArrayOrList,
    filter: ArrayOrList,
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    kernel_dilation: IntPerAxis = 1,
) -> jax.Array:
    r"""Convolves every feature of a map with a filter: correlates it with the flipped filter.

    An impulse becomes the filter itself, while `correlate` turns it into the flipped filter. The
    convolution is commutative and associative with ``padding="FULL"``. Padding is that of the correlation:
    ``"same"`` of `scipy.signal` and of NumPy is ``"SAME_LOWER"``, while `scipy.ndimage.convolve` pads as
    ``"SAME"``.

    Args:
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes, floating or complex.
      filter: Weights before the flip, of the dtype of `x`, with one axis per spatial axis.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis.
      padding: ``"VALID"`` shrinks the map, ``"SAME"`` keeps its size; another word of `ConvGeometry`, an int,
        or per spatial axis an int or a ``(low, high)`` pair, in cells.
      padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``: what the padding holds.
      kernel_dilation: Distance between neighbouring taps, in cells; 1 means adjacent. An int or one int per
        spatial axis.

    Returns:
      ``(*batch, *output_shape, features)``, of x's dtype.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: `x` and `filter` are not floating or complex, or not of one dtype.

    References:
      Goodfellow, Bengio & Courville, Deep Learning, section 9.1, for the convolution with a flip.

    >>> x = jnp.array([0.0, 0.0, 1.0, 0.0, 0.0]).reshape(5, 1)
    >>> convolve(x, jnp.array([1.0, 2.0, 3.0])).ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    return correlate(
        x,
        jnp.flip(as_array("filter", filter)),
        strides=strides,
        padding=padding,
        padding_mode=padding_mode,
        kernel_dilation=kernel_dilation,
    )


def filter_kernel(filter: ArrayOrList, features: int = 1) -> jax.Array:
    """Returns the kernel of the depthwise convolution that applies a filter to every feature.

    It is meant for `conv` and `conv_matrix` with ``feature_group_count=features``.

    Args:
      filter: Weights ``(*shape)``, with one axis per spatial axis.
      features: Number of features of the map that the filter is applied to.

    Returns:
      ``(*shape, 1, features)``.

    Raises:
      GeometryError: The filter has no axis, or `features` is below 1.

    >>> from jaxconv.operators.filters import box_filter
    >>> filter_kernel(box_filter((2, 2)), features=3).shape
    (2, 2, 1, 3)
    """
    filter = as_array("filter", filter)
    _check_filter(filter)
    features = at_least_one("features", features)
    return jnp.broadcast_to(filter[..., None, None], (*filter.shape, 1, features))


def _check_filter(filter: jax.Array) -> None:
    if filter.ndim < 1:
        raise GeometryError(
            "`filter` must have at least one spatial axis, got a number; for two axes pass "
            "jnp.full((1, 1), 2.0)."
        )
