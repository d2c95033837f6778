"""Dense layers as convolutions, and a function applied to every window of a map."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes, check_option
from jaxconv.errors import GeometryError
from jaxconv.geometry import IntPerAxis
from jaxconv.geometry.arguments import at_least_one, per_axis, shape_of
from jaxconv.matrix.coordinates import ORDERS, Order
from jaxconv.operators.arguments import split_spatial

__all__ = [
    "conv_to_dense",
    "dense_to_conv",
    "sliding_windows",
]


def dense_to_conv(
    weights: ArrayOrList, input_shape: Sequence[int], *, order: Order = "channels_last"
) -> jax.Array:
    r"""Converts a dense layer on a flattened feature map to a convolution with a kernel of the map's size.

    For the single output cell, C of this convolution is the matrix of the layer, `weights` transposed. On a
    larger map the same kernel applies the layer at every position. With ``input_shape = (1, ...)`` a dense
    layer on the features of a cell becomes a 1x1 convolution.

    Args:
      weights: Matrix ``(inputs, outputs)``, as in ``x.ravel() @ weights``; that of PyTorch is its transpose.
      input_shape: Spatial shape of the map that is flattened, a tuple of N ints. The number of features is
        the number of inputs divided by its cells.
      order: How the map is flattened: ``"channels_last"`` as ``(*spatial, features)``, or
        ``"channels_first"`` as ``(features, *spatial)``, which is PyTorch's order.

    Returns:
      The kernel ``(*input_shape, features, outputs)``, for ``padding="VALID"``.

    Raises:
      GeometryError: `weights` is not a matrix, or its inputs are not a multiple of the cells of
        `input_shape`.
      TypeError: `weights` is not floating or complex.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.1.

    >>> from jaxconv import ConvGeometry, conv_matrix
    >>> weights = jnp.arange(24.0).reshape(12, 2)
    >>> kernel = dense_to_conv(weights, (2, 3))
    >>> kernel.shape
    (2, 3, 2, 2)
    >>> C = conv_matrix(kernel, ConvGeometry((2, 3), (2, 3), in_features=2, out_features=2))
    >>> bool((C.todense() == weights.T).all())
    True
    """
    weights = as_array("weights", weights)
    check_dtypes(weights=weights)
    check_option("order", order, ORDERS)
    shape = shape_of("input_shape", input_shape)
    if weights.ndim != 2:
        raise GeometryError(f"`weights` must be a matrix (inputs, outputs), got shape {weights.shape}.")
    cells = math.prod(shape)
    if not weights.size or weights.shape[0] % cells:
        hint = "pass the spatial shape of the map that is flattened"
        if weights.size and weights.shape[1] % cells == 0:
            hint = "if it is (outputs, inputs), as in PyTorch, pass weights.T"
        raise GeometryError(
            f"`weights` must be (inputs, outputs) with as many inputs as input_shape={shape} has cells times "
            f"features, a multiple of {cells}; got {weights.shape}; {hint}."
        )
    return _to_conv(weights, shape, order)


@partial(jax.jit, static_argnums=(1, 2))
def _to_conv(weights: jax.Array, shape: tuple[int, ...], order: Order) -> jax.Array:
    features = weights.shape[0] // math.prod(shape)
    if order == "channels_last":
        return weights.reshape(*shape, features, -1)
    return jnp.moveaxis(weights.reshape(features, *shape, -1), 0, -2)


def conv_to_dense(kernel: ArrayOrList, *, order: Order = "channels_last") -> jax.Array:
    """Converts a convolution of a map as large as its kernel to a dense layer: undoes `dense_to_conv`.

    On a larger map a convolution is a dense layer too, whose weights are mostly zeros:
    ``conv_matrix(kernel, geometry).todense(order).T``.

    Args:
      kernel: ``(*kernel_shape, features, outputs)`` of a convolution without groups.
      order: How the map is flattened: ``"channels_last"`` as ``(*spatial, features)``, or
        ``"channels_first"`` as ``(features, *spatial)``, which is PyTorch's order.

    Returns:
      The weights ``(inputs, outputs)``, as in ``x.ravel() @ weights``.

    Raises:
      GeometryError: `kernel` has no spatial axis.
      TypeError: `kernel` is not floating or complex.

    >>> kernel = jnp.arange(24.0).reshape(2, 3, 2, 2)
    >>> x = jnp.arange(12.0).reshape(2, 3, 2)
    >>> last, first = conv_to_dense(kernel), conv_to_dense(kernel, order="channels_first")
    >>> bool((x.ravel() @ last == jnp.moveaxis(x, -1, 0).ravel() @ first).all())
    True
    """
    kernel = as_array("kernel", kernel)
    check_dtypes(kernel=kernel)
    check_option("order", order, ORDERS)
    if kernel.ndim < 3:
        raise GeometryError(
            f"`kernel` must be (*kernel_shape, features, outputs) with a spatial axis, got shape "
            f"{kernel.shape}."
        )
    return _to_dense(kernel, order)


@partial(jax.jit, static_argnums=1)
def _to_dense(kernel: jax.Array, order: Order) -> jax.Array:
    if order == "channels_first":
        kernel = jnp.moveaxis(kernel, -2, 0)
    return kernel.reshape(-1, kernel.shape[-1])


def sliding_windows(
    function: Callable[[jax.Array], jax.Array],
    x: ArrayOrList,
    window: Sequence[int],
    strides: IntPerAxis = 1,
    *,
    batch_size: int = 64,
) -> jax.Array:
    """Applies a function to the crop of every window of a map.

    For a classifier whose dense layers are converted by `dense_to_conv` this gives the same numbers as one
    call on the whole map, at a higher cost.

    Args:
      function: Maps ``(maps, *window, features)`` to ``(maps, *results)``, such as a classifier.
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes.
      window: Spatial shape of the crops, a tuple of N ints.
      strides: Distance between the starts of neighbouring crops, in cells, an int or one int per spatial
        axis.
      batch_size: Number of positions that are cropped at a time, by `jax.vmap`.

    Returns:
      ``(*batch, *positions, *results)``.

    Raises:
      GeometryError: `x` is smaller than `window`.

    >>> x = jnp.arange(8.0).reshape(4, 2, 1)
    >>> sliding_windows(lambda crops: crops.sum((1, 2)), x, (2, 2)).ravel().tolist()
    [6.0, 14.0, 22.0]
    """
    x = as_array("x", x)
    shape = shape_of("window", window)
    steps = per_axis("strides", strides, len(shape))
    batch, spatial = split_spatial("x", x.shape, "window", shape)
    if any(size < w for size, w in zip(spatial, shape, strict=True)):
        raise GeometryError(
            f"`x` must be a feature map (*batch, *spatial, features) at least as large as window={shape}, "
            f"got {x.shape}."
        )
    maps = x.reshape(math.prod(batch), *spatial, x.shape[-1])
    positions = [range(0, size - w + 1, s) for size, w, s in zip(spatial, shape, steps, strict=True)]
    corners = np.stack(np.meshgrid(*positions, indexing="ij"), -1).reshape(-1, len(shape))

    def at(corner: jax.Array) -> jax.Array:
        start, size = (0, *corner, 0), (maps.shape[0], *shape, x.shape[-1])
        return function(jax.lax.dynamic_slice(maps, start, size))

    results = jax.lax.map(at, jnp.asarray(corners), batch_size=at_least_one("batch_size", batch_size))
    results = jnp.moveaxis(results, 0, 1)  # (maps, positions, *results)
    return results.reshape(*batch, *map(len, positions), *results.shape[2:])
