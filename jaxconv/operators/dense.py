"""Dense layers as convolutions, and a function run on every window of a map."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxconv.core.checks import check_dtypes, check_option
from jaxconv.errors import GeometryError
from jaxconv.geometry import IntPerAxis
from jaxconv.geometry.arguments import at_least_one, per_axis, shape_of
from jaxconv.matrix.coordinates import Order

_ORDERS = ("channels_last", "channels_first")


def dense_to_conv(
    weights: ArrayLike, input_shape: Sequence[int], *, order: Order = "channels_last"
) -> jax.Array:
    r"""A dense layer on a flattened feature map, as a convolution whose kernel is as large as the map.

    Its C, for the one output cell, is the layer's matrix: `weights` transposed. On a larger map the
    same kernel runs the layer at every position. With ``input_shape = (1, ...)`` a dense layer on
    the features of a cell becomes a 1x1 convolution.

    Args:
      weights: ``(inputs, outputs)``, as in ``x.ravel() @ weights``; transpose PyTorch's.
      input_shape: Spatial shape of the map that is flattened; it divides the inputs into features.
      order: How it is flattened: ``"channels_last"`` as ``(*spatial, features)``,
        ``"channels_first"`` as ``(features, *spatial)``, PyTorch's.

    Returns:
      The kernel ``(*input_shape, features, outputs)``, for ``padding="VALID"``.

    Raises:
      GeometryError: `weights` is no matrix, or its inputs are no such map.
      TypeError: `weights` is not floating or complex.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.1; lecture on convolution layers.

    >>> from jaxconv import ConvGeometry, conv_matrix
    >>> weights = jnp.arange(24.0).reshape(12, 2)
    >>> kernel = dense_to_conv(weights, (2, 3))
    >>> kernel.shape
    (2, 3, 2, 2)
    >>> C = conv_matrix(kernel, ConvGeometry((2, 3), (2, 3), in_features=2, out_features=2))
    >>> bool((C.todense() == weights.T).all())
    True
    """
    weights = jnp.asarray(weights)
    check_dtypes(weights=weights)
    check_option("order", order, _ORDERS)
    shape = shape_of("input_shape", input_shape)
    if weights.ndim != 2:
        raise GeometryError(f"`weights` is a matrix (inputs, outputs), got shape {weights.shape}.")
    if not weights.size or weights.shape[0] % math.prod(shape):
        raise GeometryError(
            f"the inputs of `weights` are the cells of input_shape={shape} times their features, a multiple "
            f"of {math.prod(shape)}; got {weights.shape}. Name the shape of the map that is flattened."
        )
    return _to_conv(weights, shape, order)


@partial(jax.jit, static_argnums=(1, 2))
def _to_conv(weights, shape, order):
    features = weights.shape[0] // math.prod(shape)
    if order == "channels_last":
        return weights.reshape(*shape, features, -1)
    return jnp.moveaxis(weights.reshape(features, *shape, -1), 0, -2)


def conv_to_dense(kernel: ArrayLike, *, order: Order = "channels_last") -> jax.Array:
    """The dense layer that a convolution is on a map as large as its kernel: undoes `dense_to_conv`.

    On a larger map any convolution is a dense layer too, mostly of zeros:
    ``conv_matrix(kernel, geometry).todense(order).T``.

    Args:
      kernel: ``(*kernel_shape, features, outputs)``, of a convolution without groups.
      order: How the map is flattened, as in `dense_to_conv`.

    Returns:
      ``(inputs, outputs)``.

    Raises:
      GeometryError: `kernel` has no spatial axis.
      TypeError: `kernel` is not floating or complex.

    >>> kernel = jnp.arange(24.0).reshape(2, 3, 2, 2)
    >>> x = jnp.arange(12.0).reshape(2, 3, 2)
    >>> last, first = conv_to_dense(kernel), conv_to_dense(kernel, order="channels_first")
    >>> bool((x.ravel() @ last == jnp.moveaxis(x, -1, 0).ravel() @ first).all())
    True
    """
    kernel = jnp.asarray(kernel)
    check_dtypes(kernel=kernel)
    check_option("order", order, _ORDERS)
    if kernel.ndim < 3:
        raise GeometryError(f"`kernel` is (*kernel_shape, features, outputs), got shape {kernel.shape}.")
    return _to_dense(kernel, order)


@partial(jax.jit, static_argnums=1)
def _to_dense(kernel, order):
    if order == "channels_first":
        kernel = jnp.moveaxis(kernel, -2, 0)
    return kernel.reshape(-1, kernel.shape[-1])


def sliding_windows(
    function: Callable[[jax.Array], jax.Array],
    x: ArrayLike,
    window: Sequence[int],
    strides: IntPerAxis = 1,
    *,
    batch_size: int = 64,
) -> jax.Array:
    """Crops every window of a map and calls the function on each: what unrolling a classifier saves.

    Args:
      function: ``(maps, *window, features)`` to ``(maps, *results)``, such as a classifier.
      x: ``(*batch, *spatial, features)``.
      window: Spatial shape of the crops; its length is N.
      strides: Cells between neighbouring crops, an int or one an axis.
      batch_size: Positions that are cropped at a time, by `jax.vmap`.

    Returns:
      ``(*batch, *positions, *results)``.

    Raises:
      GeometryError: `x` is smaller than a window.

    >>> x = jnp.arange(8.0).reshape(4, 2, 1)
    >>> sliding_windows(lambda crops: crops.sum((1, 2)), x, (2, 2)).ravel().tolist()
    [6.0, 14.0, 22.0]
    """
    x = jnp.asarray(x)
    shape = shape_of("window", window)
    steps = per_axis("strides", strides, len(shape))
    spatial = x.shape[x.ndim - len(shape) - 1 : -1]
    if len(spatial) != len(shape) or any(size < w for size, w in zip(spatial, shape, strict=True)):
        raise GeometryError(
            f"`x` must be a feature map (*batch, *spatial, features) at least as large as window={shape}, "
            f"got {x.shape}."
        )
    batch = x.shape[: x.ndim - len(shape) - 1]
    maps = x.reshape(math.prod(batch), *spatial, x.shape[-1])
    positions = [range(0, size - w + 1, s) for size, w, s in zip(spatial, shape, steps, strict=True)]
    corners = np.stack(np.meshgrid(*positions, indexing="ij"), -1).reshape(-1, len(shape))

    def at(corner):
        start, size = (0, *corner, 0), (maps.shape[0], *shape, x.shape[-1])
        return function(jax.lax.dynamic_slice(maps, start, size))

    found = jax.lax.map(at, jnp.asarray(corners), batch_size=at_least_one("batch_size", batch_size))
    found = jnp.moveaxis(found, 0, 1)  # (maps, positions, *results)
    return found.reshape(*batch, *map(len, positions), *found.shape[2:])
