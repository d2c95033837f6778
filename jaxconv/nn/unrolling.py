"""A classifier of one window as a fully convolutional network: run on every window of a map at once."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import PADDING_WORDS, at_least_one, per_axis, shape_of
from jaxconv.nn.conv import Conv
from jaxconv.nn.pooling import AvgPool, MaxPool
from jaxconv.operators import dense_to_conv, pool_geometry, sliding_windows

Numbers = tuple[nnx.State, jax.Array]  # parameters and maps


class FullyConvolutional(nnx.Sequential):
    """What `fully_convolutional` returns: layers that run on a map of any size from the window up.

    Attributes:
      window: Spatial shape that the classifier was made for.
      strides: Distance between the starts of the windows of neighbouring outputs, in cells, per spatial axis.
    """

    window: tuple[int, ...]
    strides: tuple[int, ...]


def fully_convolutional(
    model: nnx.Sequential, input_shape: Sequence[int], *, in_features: int | None = None
) -> FullyConvolutional:
    """Turns a classifier of one window into a network that classifies every window of a larger map.

    The first dense layer becomes a convolution with a kernel as large as the map that was
    flattened, those after it become 1x1 convolutions. Neighbouring windows then share what they
    have in common. Output ``(i, j)`` is what `model` returns for the window that begins at
    ``(i, j) * strides``, for every window that fits into the map. (One more output may follow
    at the end where the layers do not read the last cells of each window.)

    `model` may consist of convolutions and poolings without padding, functions that do the same at every
    position, one function that flattens, in any order, and dense layers with pointwise functions between.
    Dropout and batch normalisation are copied as they are at evaluation.
    The result is compared with `model` on windows of random numbers before it is returned.

    Args:
      model: Classifier of ``(maps, *input_shape, in_features)`` to ``(maps, outputs)``. It is not
        changed: the result holds copies of its parameters.
      input_shape: Spatial shape of the window that `model` classifies.
      in_features: Number of features of the input; by default that of the first layer.

    Returns:
      A network from ``(maps, *spatial, in_features)`` to ``(maps, *positions, outputs)``.

    Raises:
      GeometryError: Something in `model` makes a window's numbers depend on where its map ends, or
        on other positions; the message names it.
      TypeError: `model` is not an `nnx.Sequential`, or has layers of other kinds.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.1; Sermanet et al., arXiv:1312.6229,
      section 3.5.

    >>> rngs, flatten = nnx.Rngs(0), lambda x: x.reshape(x.shape[0], -1)
    >>> model = nnx.Sequential(
    ...     Conv(1, 4, (3, 3), strides=2, rngs=rngs), nnx.relu, flatten, nnx.Linear(36, 10, rngs=rngs))
    >>> network = fully_convolutional(model, (8, 8))
    >>> network.strides, network(jnp.ones((1, 20, 12, 1), jnp.float32)).shape
    ((2, 2), (1, 7, 3, 10))
    """
    if not isinstance(model, nnx.Sequential):
        raise TypeError(f"`model` must be a flax.nnx.Sequential, got {type(model).__name__}.")
    window = shape_of("input_shape", input_shape)
    layers = list(_inner_layers(model))
    x = _window_input(layers, window, in_features)
    network = FullyConvolutional(*_unroll(layers, x))
    network.window, network.strides = window, _strides(network, x)
    _check_against_windows(model, network, x)
    return network


def _inner_layers(model: nnx.Sequential) -> Iterator[Callable]:
    """Yields the layers, also those of inner Sequentials."""
    for layer in model.layers:
        if isinstance(layer, nnx.Sequential):
            yield from _inner_layers(layer)
        else:
            yield layer


def _window_input(
    layers: list[Callable], window: tuple[int, ...], in_features: int | None
) -> jax.ShapeDtypeStruct:
    """Returns the shape and dtype of what the first layer is given: one window."""
    first = next((layer for layer in layers if isinstance(layer, Conv | nnx.Conv | nnx.Linear)), None)
    if in_features is not None:
        in_features = at_least_one("in_features", in_features)
    if first is None:
        raise GeometryError("`model` must have a convolution or a dense layer: there is nothing to unroll.")
    cells = math.prod(window) if isinstance(first, nnx.Linear) else 1  # only a flattening comes before it
    features = first.in_features // cells if in_features is None else in_features
    return jax.ShapeDtypeStruct((1, *window, features), first.kernel.dtype)


def _unroll(layers: list[Callable], x: jax.ShapeDtypeStruct) -> Iterator[Callable]:
    """Yields the layers for larger maps; `x` becomes the input of each of them for one window."""
    shape, order = x.shape[1:-1], np.arange(0)  # of the map that was flattened, and the order of its cells
    for number, layer in enumerate(layers):
        name = f"layer {number} ({getattr(layer, '__name__', type(layer).__name__)})"
        if isinstance(layer, Conv | nnx.Conv):
            yield _remove_padding(layer, x.shape[1:-1], name)
        elif isinstance(layer, AvgPool | MaxPool):
            _output_of(layer, x, name)
            yield _remove_pool_padding(layer, x.shape[1:-1], name)
        elif isinstance(layer, nnx.Linear) and x.ndim == 2:
            _output_of(layer, x, name)  # refuses a window of another shape
            yield _dense_as_conv(layer, shape, order, x.dtype)
            shape, order = (1,) * len(shape), np.arange(layer.out_features)
        elif isinstance(layer, nnx.Module):
            yield _copy_pointwise(layer, name, flattened=x.ndim == 2 and max(shape) > 1)
        elif _output_of(layer, x, name).ndim != x.ndim:
            shape, order = x.shape[1:-1], _flattening_order(layer, x, name)
        else:
            yield layer
        x = _output_of(layer, x, name)
    if x.ndim != 2 or max(shape) > 1 or not np.array_equal(order, np.arange(order.size)):
        raise GeometryError(
            "`model` must end in one vector per window, by a flattening and dense layers; it returns "
            f"{x.shape} from a map of {shape} cells."
        )


def _output_of(layer: Callable, x: jax.ShapeDtypeStruct, name: str) -> jax.ShapeDtypeStruct:
    """Returns the shape and dtype of a layer's output for one window."""
    try:
        return jax.eval_shape(layer, x)
    except Exception as error:
        raise GeometryError(
            f"{name} does not take {x.shape}, which the layers before it return for one window: {error} "
            "`input_shape` must be the spatial shape that the model was made for."
        ) from error


def _remove_padding(layer: Conv | nnx.Conv, shape: tuple[int, ...], name: str) -> Conv | nnx.Conv:
    """Returns a copy of a convolution that pads no map, if it does not pad this one."""
    padding: Any = layer.padding
    if isinstance(padding, str) and padding not in PADDING_WORDS:
        padding = "HALF"  # flax's CIRCULAR and REFLECT pad by as many
    dilation = 1 if layer.kernel_dilation is None else layer.kernel_dilation
    strides = 1 if layer.strides is None else layer.strides
    kernel = layer.kernel.shape[: len(shape)]
    g = ConvGeometry(shape, kernel, strides=strides, padding=padding, kernel_dilation=dilation)
    _refuse_padding(g, name, "padding='VALID'")
    if max(per_axis("input_dilation", layer.input_dilation or 1, len(shape))) > 1:
        raise GeometryError(f"{name} inserts zeros between cells, which neighbouring windows cannot share.")
    copy = nnx.clone(layer)
    copy.padding = "VALID"
    if isinstance(copy, Conv):
        copy.geometry = None  # which fixes the map's size
    return copy


def _remove_pool_padding(layer: AvgPool | MaxPool, shape: tuple[int, ...], name: str) -> AvgPool | MaxPool:
    """Returns a copy of a pooling that pads no map, if it does not pad this one."""
    if isinstance(layer, MaxPool) and layer.return_switches:
        raise GeometryError(
            f"{name} returns switches, which number the cells of one window; use return_switches=False."
        )
    g = pool_geometry(
        shape[-len(layer.window) :],
        layer.window,
        strides=layer.strides,
        padding=layer.padding,
        dilation=layer.dilation,
        ceil_mode=layer.ceil_mode,
    )
    _refuse_padding(g, name, "padding='VALID' and ceil_mode=False")
    copy = nnx.clone(layer)
    copy.padding, copy.ceil_mode = "VALID", False
    return copy


def _refuse_padding(g: ConvGeometry, name: str, instead: str) -> None:
    if any(pad != (0, 0) for pad in g.padding):
        raise GeometryError(
            f"{name} pads its map by {g.padding}: at a window's border it reads the padding, where a larger "
            f"map has cells. Use {instead}."
        )


def _dense_as_conv(layer: nnx.Linear, shape: tuple[int, ...], order: np.ndarray, dtype: DTypeLike) -> Conv:
    """Returns a dense layer as a convolution over a map of `shape` that was flattened in this order."""
    weights, bias = layer.kernel[...], layer.bias
    kernel = dense_to_conv(weights[np.argsort(order)], shape)
    return Conv(
        kernel.shape[-2],
        kernel.shape[-1],
        shape,
        use_bias=bias is not None,
        kernel_init=lambda *_: kernel,
        bias_init=nnx.initializers.zeros if bias is None else lambda *_: bias[...],
        dtype=layer.dtype or jnp.promote_types(dtype, kernel.dtype),  # as nnx.Linear does
        param_dtype=kernel.dtype,
        precision=layer.precision,
        rngs=nnx.Rngs(0),
    )


def _flattening_order(function: Callable, x: jax.ShapeDtypeStruct, name: str) -> np.ndarray:
    """Returns which cell, numbered channels-last, each entry of the flattened vector is."""
    cells = np.arange(math.prod(x.shape)) - 1  # one of them is negative, which a rectifier would change
    order = np.asarray(function(jnp.asarray(cells).reshape(x.shape)))
    if order.shape != (1, cells.size) or not np.array_equal(np.sort(order[0]), cells):
        raise GeometryError(
            f"{name} returns {order.shape} for a map {x.shape}, but is not a flattening, which returns the "
            "same numbers as a vector, in any order. Pool with a window of the map's shape, then flatten."
        )
    return order[0] + 1


def _copy_pointwise(layer: nnx.Module, name: str, flattened: bool) -> nnx.Module:
    """Returns a copy of a layer that does the same at every position, at evaluation."""
    if isinstance(layer, nnx.Dropout):
        if layer.rate and not layer.deterministic:
            raise GeometryError(f"{name} drops at random; call model.eval() first.")
    elif isinstance(layer, nnx.BatchNorm):
        if flattened:
            raise GeometryError(f"{name} has numbers for every cell of a flattened map; normalise before it.")
        if not layer.use_running_average:
            raise GeometryError(f"{name} normalises over positions and batch; call model.eval() first.")
    elif isinstance(layer, nnx.GroupNorm | nnx.InstanceNorm):
        raise GeometryError(f"{name} normalises over positions: a larger map has another mean than a window.")
    elif not isinstance(layer, nnx.Linear):
        raise TypeError(
            f"{name} cannot be unrolled: `model` may hold convolutions, poolings, dense layers, Dropout, "
            "BatchNorm, and functions that are not modules."
        )
    return nnx.clone(layer)


def _strides(network: nnx.Sequential, x: jax.ShapeDtypeStruct) -> tuple[int, ...]:
    """Returns by how many cells the map must grow for one more output, per axis."""
    window = x.shape[1:-1]

    def outputs(more: int, axis: int) -> int:
        shape = tuple(size + more * (n == axis) for n, size in enumerate(window))
        larger = jax.ShapeDtypeStruct((1, *shape, x.shape[-1]), x.dtype)
        return jax.eval_shape(network, larger).shape[1 + axis]

    strides = []
    for axis, size in enumerate(window):
        growths = range(8 * size)
        second, third = (bisect_left(growths, n, key=partial(outputs, axis=axis)) for n in (2, 3))
        if third == len(growths):
            raise GeometryError(
                f"on axis {axis} there is one output, however large the map: a function reads all of it, "
                "as a mean does. Use a pooling with a fixed window."
            )
        strides.append(third - second)
    return tuple(strides)


def _check_against_windows(
    model: nnx.Sequential, network: FullyConvolutional, x: jax.ShapeDtypeStruct
) -> None:
    """Compares the two on maps that hold two windows along each axis, with every remainder of cells.

    A sum of n products has the rounding error of factors that are off by n eps. The bound is therefore
    n times the effect of changing all parameters and the map by eps.
    """
    remainders = range(max(network.strides))  # a word such as SAME pads some maps and not others
    shapes = [
        tuple(w + s + min(r, s - 1) for w, s in zip(network.window, network.strides, strict=True))
        for r in remainders
    ]
    graph, state = nnx.split(model)
    dtype = max(x.dtype, jax.eval_shape(model, x).dtype, key=lambda dtype: jnp.finfo(dtype).eps)
    eps, sums = float(jnp.finfo(dtype).eps), float(jnp.finfo(accumulator(dtype)).eps)

    rng = np.random.default_rng(0)
    maps = jnp.asarray(rng.normal(size=(1, *shapes[-1], x.shape[-1]))).astype(x.dtype)
    changed = jax.tree.map(partial(_perturb, eps, rng), (state, maps))

    @jax.jit  # one program, compiled once
    def compare(numbers: Numbers, changed: Numbers) -> list[jax.Array]:
        def windows(state: nnx.State, maps: jax.Array) -> jax.Array:
            return sliding_windows(nnx.merge(graph, state), maps, network.window, network.strides)

        y = windows(*numbers)
        cropped = (numbers[1][(slice(None), *map(slice, shape))] for shape in shapes)
        gaps = (network(maps)[(slice(None), *(slice(2) for _ in maps.shape[1:-1]))] - y for maps in cropped)
        gap = reduce(jnp.maximum, (abs(gap).max() for gap in gaps))  # maximum passes NaN on
        return [gap, *(abs(array).max() for array in (windows(*changed) - y, y))]

    gap, effect, largest = map(float, compare((state, maps), changed))
    terms = max(math.prod(array.shape[:-1]) for array in jax.tree.leaves(nnx.state(model, nnx.Param)))
    bound = (2 + terms * sums / eps) * (effect + eps * largest)
    if not gap <= bound:  # nan is a failure too
        raise GeometryError(
            f"unrolled, `model` is off by {gap:.2g} from its windows where rounding explains {bound:.2g}: "
            "one of its functions pads, or reads other positions or the map's size."
        )


def _perturb(eps: float, rng: np.random.Generator, array: jax.Array) -> jax.Array:
    """Returns an array with every number changed by eps, up or down at random."""
    if not jnp.issubdtype(array.dtype, jnp.inexact):
        return array
    factors = 1 + eps * rng.choice((-1, 1), size=array.shape)
    return array * jnp.asarray(factors).astype(array.dtype)
