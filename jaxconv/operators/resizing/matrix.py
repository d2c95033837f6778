"""Resizing as an explicit matrix: a convolution with input dilation and strides, except at the edges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxconv.core.checks import check_dtype
from jaxconv.core.dtypes import accumulator
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import at_least_one, shape_of
from jaxconv.matrix import ConvMatrix
from jaxconv.matrix.sizes import check_size
from jaxconv.operators.resizing.options import Resizing, resizing
from jaxconv.operators.resizing.weights import AxisResizing, Edges, Method, band


def resize_geometry(
    input_shape: Sequence[int],
    shape: Sequence[int],
    method: Method = "nearest",
    align_corners: bool = False,
    *,
    features: int = 1,
    cubic_a: float = -0.75,
    antialias: bool = False,
    edges: Edges | None = None,
) -> ConvGeometry:
    r"""Returns the geometry of the convolution that resizes a map.

    An axis that is resized from n to m cells has input dilation p and stride q, with n/m = q/p in lowest
    terms, or (n-1)/(m-1) = q/p with `align_corners`. One fixed kernel lies on the input stretched by p; every
    output uses each p-th of its taps, on the cells around the output's centre. The geometry is depthwise:
    features are resized separately.

    Args:
      input_shape: Spatial shape of the input, a tuple of N ints.
      shape: Spatial shape of the result, a tuple of N ints.
      method: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``; see `resize`.
      align_corners: Whether the centres of the corner cells of both maps coincide.
      features: Number of features of both maps.
      cubic_a: Parameter of the cubic kernel.
      antialias: Whether the kernel is widened on an axis that shrinks.
      edges: ``"clamp"`` or ``"renormalize"``: what happens to the weights of cells outside; see `resize`.

    Returns:
      A `ConvGeometry` with ``feature_group_count=features``.

    Raises:
      GeometryError: Shapes or options contradict each other.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.3.

    >>> resize_geometry((4,), (8,), "bilinear")
    ConvGeometry((4,), (4,), padding=((2, 2),), input_dilation=(2,))
    >>> resize_geometry((6,), (4,), "bilinear")
    ConvGeometry((6,), (4,), strides=(3,), padding=((1, 1),), input_dilation=(2,))
    """
    shapes = shape_of("input_shape", input_shape), shape
    return _geometry(resizing(*shapes, method, align_corners, cubic_a, antialias, edges), features)


def resize_matrix(
    input_shape: Sequence[int],
    shape: Sequence[int],
    method: Method = "nearest",
    align_corners: bool = False,
    *,
    features: int = 1,
    dtype: DTypeLike = float,
    cubic_a: float = -0.75,
    antialias: bool = False,
    edges: Edges | None = None,
    max_bytes: int | None = None,
) -> ConvMatrix:
    """Returns the matrix C of a resizing: ``C(x)`` equals ``resize(x, shape, ...)``.

    Its geometry is that of `resize_geometry`. In the interior its entries repeat like those of a
    convolution; near the edges `edges` determines them.

    Args:
      input_shape: Spatial shape of the input, a tuple of N ints.
      shape: Spatial shape of the result, a tuple of N ints.
      method: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``; see `resize`.
      align_corners: Whether the centres of the corner cells of both maps coincide.
      features: Number of features of both maps.
      dtype: Dtype of the entries; it must be that of the maps. ``float`` is JAX's default.
      cubic_a: Parameter of the cubic kernel.
      antialias: Whether the kernel is widened on an axis that shrinks.
      edges: ``"clamp"`` or ``"renormalize"``: what happens to the weights of cells outside; see `resize`.
      max_bytes: Largest size of the stored entries in bytes; by default the physical memory.

    Returns:
      A `ConvMatrix` of shape ``(outputs, inputs)``.

    Raises:
      GeometryError: Shapes or options contradict each other.
      SizeError: The matrix needs more than `max_bytes`; raised before anything is allocated.
      TypeError: `dtype` is not floating or complex.

    >>> C = resize_matrix((3,), (6,), "bilinear")
    >>> print(C.todense())
    [[1.   0.   0.  ]
     [0.75 0.25 0.  ]
     [0.25 0.75 0.  ]
     [0.   0.75 0.25]
     [0.   0.25 0.75]
     [0.   0.   1.  ]]
    >>> print(C.T @ jnp.ones(6, C.dtype))
    [2. 2. 2.]
    """
    shapes = shape_of("input_shape", input_shape), shape
    axes = resizing(*shapes, method, align_corners, cubic_a, antialias, edges)
    dtype = check_dtype(dtype)
    geometry = _geometry(axes, features)
    check_size(geometry, dtype.itemsize, max_bytes)
    return ConvMatrix(_values(axes, geometry.in_features, dtype), geometry)


def _geometry(resizing: Resizing, features: int) -> ConvGeometry:
    ratios = [axis.ratio for axis in resizing.axes]
    features = at_least_one("features", features)
    return ConvGeometry(
        [axis.size for axis in resizing.axes],
        [axis.taps[1] - axis.taps[0] + 1 for axis in resizing.axes],
        in_features=features,
        out_features=features,
        strides=[q for _, q in ratios],
        padding=[_padding(axis) for axis in resizing.axes],
        input_dilation=[p for p, _ in ratios],
        feature_group_count=features,
    )


def _padding(axis: AxisResizing) -> tuple[int, int]:
    """Returns the padding that the first and the last window need."""
    (p, q), (first, last) = axis.ratio, axis.taps
    return -first, (axis.out_size - 1) * q + last - p * (axis.size - 1)


@partial(jax.jit, static_argnames=("resizing", "features", "dtype"))
def _values(resizing: Resizing, features: int, dtype: jnp.dtype) -> jax.Array:
    """Returns the products of the axes' weights: ``(slots, *shape, features, 1, 1)``."""
    tables = [jnp.asarray(band(axis).weights.T, accumulator(dtype)) for axis in resizing.axes]
    values = reduce(jnp.multiply.outer, tables).astype(dtype)  # (slots, positions) of every axis in turn
    n = resizing.ndim
    values = values.transpose(*range(0, 2 * n, 2), *range(1, 2 * n, 2))
    values = values.reshape(int(np.prod(values.shape[:n])), *values.shape[n:], 1, 1, 1)
    return jnp.broadcast_to(values, (*values.shape[:-3], features, 1, 1))
