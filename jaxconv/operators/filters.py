r"""Filters with names, and the two ways to apply one: correlation and true convolution.

Frameworks call it convolution and compute the *correlation* $y[p] = \sum_t x[p + t]\,w[t]$. The
*convolution* of mathematics flips the filter: $y[p] = \sum_t x[p - t]\,w[t]$ (up to where $p$ starts).
Only that one commutes. For symmetric filters they agree; the ones here are symmetric but Sobel's.

At the borders (the lecture: "What to do at boundaries?") a filter shrinks the map, or the map is padded:

>>> from fractions import Fraction
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

A filter of one cell keeps the map's shape and scales it (the lecture's 1x1 convolution, kernel 2):

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

import math
from collections.abc import Sequence
from functools import reduce
from numbers import Real

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

from jaxconv.convolution import conv
from jaxconv.core.checks import check_dtype, check_dtypes, split_map
from jaxconv.errors import GeometryError
from jaxconv.geometry import IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import at_least_one, integer, real, shape_of


def correlate(
    x: ArrayLike,
    filter: ArrayLike,
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    kernel_dilation: IntPerAxis = 1,
) -> jax.Array:
    r"""Correlation with a filter, every feature alone: $y[p] = \sum_t x[p + t]\,w[t]$.

    What every framework calls convolution: nothing is flipped. A depthwise `conv` with
    `filter_kernel`, from which its matrix and its derivatives follow.

    SciPy calls its modes otherwise: `scipy.ndimage`'s ``"constant"`` is our ``"zeros"``, ``"wrap"``
    ``"circular"``, ``"nearest"`` ``"replicate"`` and ``"mirror"`` ``"reflect"``; its ``"reflect"``, which
    repeats the border cell, is none of ours. Its `correlate` pads as ``"SAME_LOWER"``.

    Args:
      x: ``(*batch, *spatial, features)``, any number of batch axes.
      filter: ``(*shape)``, of `x`'s dtype; its ndim is N.
      strides: Cells between neighbouring windows; see `ConvGeometry`, as for the next three.
      padding: A word, an int, or an int or pair an axis: ``"VALID"`` shrinks, ``"SAME"`` keeps the size.
      padding_mode: What the padding holds.
      kernel_dilation: Cells between neighbouring taps.

    Returns:
      ``(*batch, *output_shape, features)``.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: `x` and `filter` are not floating or complex, or not of one dtype.

    References:
      Lecture on convolutional networks, image filters; lecture on convolution layers.

    >>> x = jnp.array([0.0, 0.0, 1.0, 0.0, 0.0]).reshape(5, 1)
    >>> correlate(x, jnp.array([1.0, 2.0, 3.0])).ravel().tolist()
    [3.0, 2.0, 1.0]
    """
    x, filter = jnp.asarray(x), jnp.asarray(filter)
    check_dtypes(x=x, filter=filter)
    _check_filter(filter)
    split_map("x", x.shape, filter.ndim, "the filter")
    return conv(
        x,
        filter_kernel(filter, x.shape[-1]),
        strides=strides,
        padding=padding,
        padding_mode=padding_mode,
        kernel_dilation=kernel_dilation,
        feature_group_count=x.shape[-1],
    )


def convolve(
    x: ArrayLike,
    filter: ArrayLike,
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    kernel_dilation: IntPerAxis = 1,
) -> jax.Array:
    r"""True convolution with a filter, every feature alone: the correlation with the flipped filter.

    An impulse becomes the filter itself, where `correlate` makes it the flipped one. Commutative and
    associative with ``padding="FULL"``. Paddings are those of the correlation: SciPy's
    ``"same"`` is ``"SAME_LOWER"``, and so is numpy's, while `scipy.ndimage.convolve` pads as ``"SAME"``.

    Args:
      x: As in `correlate`, as all that follow.
      filter: Likewise.
      strides: Likewise.
      padding: Likewise.
      padding_mode: Likewise.
      kernel_dilation: Likewise.

    Returns:
      ``(*batch, *output_shape, features)``.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: `x` and `filter` are not floating or complex, or not of one dtype.

    References:
      Lecture on convolutional networks: $(f * g)(t) = \int f(\tau)\,g(t - \tau)\,d\tau$.

    >>> x = jnp.array([0.0, 0.0, 1.0, 0.0, 0.0]).reshape(5, 1)
    >>> convolve(x, jnp.array([1.0, 2.0, 3.0])).ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    return correlate(
        x,
        jnp.flip(jnp.asarray(filter)),
        strides=strides,
        padding=padding,
        padding_mode=padding_mode,
        kernel_dilation=kernel_dilation,
    )


def filter_kernel(filter: ArrayLike, features: int = 1) -> jax.Array:
    """A filter as the kernel of a depthwise convolution: the same for every feature.

    For `conv` and `conv_matrix` with ``feature_group_count=features``.

    Args:
      filter: ``(*shape)``.
      features: Of the map that it is applied to.

    Returns:
      ``(*shape, 1, features)``.

    Raises:
      GeometryError: The filter has no axis, or `features` is below one.

    >>> filter_kernel(box_filter((2, 2)), features=3).shape
    (2, 2, 1, 3)
    """
    filter = jnp.asarray(filter)
    _check_filter(filter)
    features = at_least_one("features", features)
    return jnp.broadcast_to(filter[..., None, None], (*filter.shape, 1, features))


def box_filter(shape: Sequence[int], dtype: DTypeLike = float) -> jax.Array:
    """The mean of a box: every weight is one over their number.

    Args:
      shape: Of the filter, one size an axis, as in all of these.
      dtype: Of the weights, as in all of these: that of the map. ``float`` is jax's default.

    References:
      Lecture on convolutional networks, "box mean".

    >>> print((9 * box_filter((3, 3))).astype(int))
    [[1 1 1]
     [1 1 1]
     [1 1 1]]
    """
    shape = shape_of("shape", shape)
    return jnp.asarray(np.full(shape, 1 / math.prod(shape)), check_dtype(dtype))


def binomial_filter(shape: Sequence[int], dtype: DTypeLike = float) -> jax.Array:
    """The Gaussian's discrete kin: along every axis a row of Pascal's triangle over its sum.

    ``(3, 3)`` is the lecture's Gaussian blur. A convolution of two is one again, exactly; k taps have
    the variance (k - 1) / 4.

    Args:
      shape: Of the filter.
      dtype: Of the weights.

    References:
      Lecture on convolutional networks, "Gaussian blur".

    >>> print((16 * binomial_filter((3, 3))).astype(int))
    [[1 2 1]
     [2 4 2]
     [1 2 1]]
    """
    rows = [[math.comb(k - 1, t) / 2 ** (k - 1) for t in range(k)] for k in shape_of("shape", shape)]
    return _outer(rows, dtype)


def gaussian_filter(
    shape: Sequence[int], sigma: float | Sequence[float], dtype: DTypeLike = float
) -> jax.Array:
    """A Gaussian sampled at the cells around the filter's centre, with sum 1.

    Separable: applied axis by axis, as filters of shape ``(k, 1)`` and ``(1, k)``, it costs 2k products
    a cell where one of shape ``(k, k)`` costs k squared.

    Args:
      shape: Of the filter; three sigma on either side of an axis hold 99.7% of it.
      sigma: Standard deviation in cells, one for all axes or one an axis.
      dtype: Of the weights.

    Raises:
      GeometryError: A sigma is not positive, or there are not as many as axes.
      TypeError: A sigma is not a number.

    >>> [f"{weight:.4f}" for weight in gaussian_filter((3,), 1.0)]
    ['0.2741', '0.4519', '0.2741']
    """
    shape = shape_of("shape", shape)
    deviations = [sigma] if isinstance(sigma, Real) else sigma
    if not isinstance(deviations, Sequence | np.ndarray) or isinstance(deviations, str):
        raise TypeError(f"`sigma` must be a number, or one number per axis; got {sigma!r}.")
    deviations = [real("sigma", one) for one in deviations]
    sigmas = np.broadcast_to(deviations, len(shape)) if len(deviations) == 1 else np.asarray(deviations)
    if sigmas.shape != (len(shape),) or not (sigmas > 0).all():
        raise GeometryError(
            f"`sigma` must be one positive number, or one for each of the {len(shape)} axes, got {sigma!r}."
        )
    rows = []
    for k, deviation in zip(shape, sigmas, strict=True):
        weights = np.exp(-0.5 * ((np.arange(k) - (k - 1) / 2) / deviation) ** 2)
        rows.append(weights / weights.sum())
    return _outer(rows, dtype)


def sharpen_filter(ndim: int = 2, dtype: DTypeLike = float) -> jax.Array:
    """Every cell plus its difference from its direct neighbours; 3 taps an axis, sum 1.

    Args:
      ndim: N.
      dtype: Of the weights.

    References:
      Lecture on convolutional networks, "sharpen".

    >>> print(sharpen_filter().astype(int))
    [[ 0 -1  0]
     [-1  5 -1]
     [ 0 -1  0]]
    """
    n = at_least_one("ndim", ndim)
    distance = abs(np.indices((3,) * n) - 1).sum(0)  # in steps along the axes
    return jnp.asarray(np.select([distance == 0, distance == 1], [2 * n + 1, -1], 0), check_dtype(dtype))


def edge_filter(ndim: int = 2, dtype: DTypeLike = float) -> jax.Array:
    """Every cell's difference from all its neighbours, diagonal ones too; 3 taps an axis, sum 0.

    Args:
      ndim: N.
      dtype: Of the weights.

    References:
      Lecture on convolutional networks, "edge detection".

    >>> print(edge_filter().astype(int))
    [[-1 -1 -1]
     [-1  8 -1]
     [-1 -1 -1]]
    """
    n = at_least_one("ndim", ndim)
    weights = np.full((3,) * n, -1)
    weights[(1,) * n] = 3**n - 1
    return jnp.asarray(weights, check_dtype(dtype))


def sobel_filter(axis: int, ndim: int = 2, dtype: DTypeLike = float) -> jax.Array:
    """The slope along one axis, smoothed along the others: -1 0 1 there, 1 2 1 here.

    For `correlate`, positive where the map rises; `convolve` turns its sign. A slope of one a cell gives
    ``2 * 4^(N-1)``.

    Args:
      axis: The spatial axis, negative ones counted from the last.
      ndim: N.
      dtype: Of the weights.

    Raises:
      GeometryError: There is no such axis.
      TypeError: `axis` or `ndim` is not an integer.

    >>> print(sobel_filter(axis=1).astype(int))
    [[-1  0  1]
     [-2  0  2]
     [-1  0  1]]
    """
    n = at_least_one("ndim", ndim)
    axis = integer("axis", axis)
    if axis not in range(-n, n):
        raise GeometryError(f"`axis` must be one of the {n} spatial axes, in [{-n}, {n}), got {axis}.")
    return _outer([[-1, 0, 1] if one == axis % n else [1, 2, 1] for one in range(n)], dtype)


def _outer(rows: Sequence[Sequence[float]], dtype: DTypeLike) -> jax.Array:
    """The separable filter of one row an axis."""
    return jnp.asarray(reduce(np.multiply.outer, map(np.asarray, rows)), check_dtype(dtype))


def _check_filter(filter: jax.Array) -> None:
    if filter.ndim < 1:
        raise GeometryError("a filter has at least one spatial axis, got a number; give it as [[2.0]].")
