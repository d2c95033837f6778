"""The maximum of every window and the cell that holds it: of equal numbers the first in row-major order."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.convolution.formulations.windows import read_tap
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.operators.pooling.geometry import only_window
from jaxconv.operators.pooling.switches import first_cells, pad, select, tap_steps
from jaxconv.operators.selections import lowest

# Taps of an axis that are read by one slice each; of more, windows of twice the width are made of two.
MAX_AXIS_TAPS_READ_SINGLY = 16
# Taps of a window up to which every comparison handles NaN; for more, looking for a NaN first is cheaper.
MAX_WINDOW_TAPS_COMPARING_NAN = 4

Parts = tuple[jax.Array, ...]  # numbers, and optionally their offsets, of the same shape


def window_max(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the maxima: ``(*batch, *input_shape, features)`` to ``(*batch, *output_shape, features)``."""
    return _differentiable_max(x, g) if jnp.issubdtype(x.dtype, jnp.inexact) else _window_max(x, g)


def _window_max(x: jax.Array, g: ConvGeometry) -> jax.Array:
    first = x.ndim - g.ndim - 1
    if math.prod(g.output_shape) == 1:
        return only_window(x, g).max(tuple(range(first, x.ndim - 1)), keepdims=True)
    x = pad(x, g, lowest(x.dtype))
    larger = _maximum if math.prod(g.kernel_shape) <= MAX_WINDOW_TAPS_COMPARING_NAN else jnp.maximum
    for dimension, axis in enumerate(g.axes, start=first):
        (x,) = _reduce_axis((x,), dimension, axis, 0, lambda a, b: (larger(a[0], b[0]),))
    return x


def _maximum(a: jax.Array, b: jax.Array) -> jax.Array:
    """Computes `jnp.maximum`, faster for small windows."""
    # Milliseconds on 4x96x128x16:
    #   windows  this  jnp.maximum
    #   2x2      0.08         0.16
    #   3x3      0.26         0.19
    return jnp.where(_larger_or_nan(a, b), b, a)


_differentiable_max = jax.custom_jvp(_window_max, nondiff_argnums=(1,))


@_differentiable_max.defjvp
def _differentiable_max_jvp(
    g: ConvGeometry, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    y, switches = max_and_switches(primals[0], g)
    return y, select(tangents[0], switches, g)


def max_and_switches(x: jax.Array, g: ConvGeometry) -> tuple[jax.Array, jax.Array]:
    """Returns the maxima and the switches: the cell of each, a row-major index of the unpadded input, int32.

    In a window that holds nothing but the lowest number of its dtype, it is the first cell.
    """
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return _max_and_switches(x, g)
    y, switches = _max_and_switches(lax.stop_gradient(x), g)
    return _value_of_selection(x, y, switches, g), switches


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _value_of_selection(x: jax.Array, y: jax.Array, switches: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns y = S x; its derivatives, of any order, are those of S x."""
    return y


@_value_of_selection.defjvp
def _value_of_selection_jvp(
    g: ConvGeometry, primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    # Not y, which `stop_gradient` made a constant: the next derivative is of what is returned here.
    return _value_of_selection(*primals, g), select(tangents[0], primals[2], g)


def _max_and_switches(x: jax.Array, g: ConvGeometry) -> tuple[jax.Array, jax.Array]:
    if math.prod(g.output_shape) == 1:
        y = window_max(x, g)
        return y, _switch_of_only_window(x, y, g)
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        y, offset = _max_and_offsets(x, g, _larger)
    elif math.prod(g.kernel_shape) <= MAX_WINDOW_TAPS_COMPARING_NAN:
        y, offset = _max_and_offsets(x, g, _larger_or_nan)
    else:
        some_nan = jnp.isnan(x.reshape(-1, x.shape[-1]).sum(0)).any()
        y, offset = lax.cond(
            some_nan,
            lambda x: _max_and_offsets(x, g, _larger_or_nan),
            lambda x: _max_and_offsets(x, g, _larger),
            x,
        )
    lead = (1,) * (y.ndim - g.ndim - 1)
    switches = offset + jnp.asarray(first_cells(g).reshape(*lead, *g.output_shape, 1))
    if any(low > 0 for low, _ in g.padding):  # only then may a window begin outside of the input
        inside = jnp.asarray(_first_inside(g).reshape(*lead, *g.output_shape, 1))
        switches = jnp.where(y == lowest(y.dtype), inside, switches)
    return y, switches


def _larger(a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns whether b is the maximum of two numbers, of which a is the earlier one."""
    return b > a


def _larger_or_nan(a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns whether b is the maximum of two numbers; the maximum with a NaN is the earlier NaN."""
    return ~(a >= b) & (a == a)


def _max_and_offsets(
    x: jax.Array, g: ConvGeometry, is_later_larger: Callable[[jax.Array, jax.Array], jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Returns the maxima, and the distance of each from the first cell of its window, in cell numbers.

    Axes are reduced one after the other, the last one first, so that of equal numbers the first row
    counts, and in it the first cell.
    """
    x = pad(x, g, lowest(x.dtype))
    parts: Parts = x, jnp.zeros_like(x, jnp.int32)

    def larger_of(a: Parts, b: Parts) -> Parts:
        later = is_later_larger(a[0], b[0])
        return jnp.where(later, b[0], a[0]), jnp.where(later, b[1], a[1])

    for axis in reversed(range(g.ndim)):
        dimension = x.ndim - g.ndim - 1 + axis
        parts = _reduce_axis(parts, dimension, g.axes[axis], tap_steps(g)[axis], larger_of)
    y, offsets = parts
    return y, offsets


def _reduce_axis(
    parts: Parts, dimension: int, axis: AxisGeometry, step: int, combine: Callable[[Parts, Parts], Parts]
) -> Parts:
    """Combines the cells that the taps of an axis read, in the order of the taps.

    Args:
      parts: The padded numbers, and optionally their offsets from the first cell of the window.
      dimension: Axis of the arrays that is reduced.
      axis: Geometry of that axis.
      step: Distance between neighbouring taps, in row-major cell numbers.
      combine: Function of two tuples that returns the maxima; the first tuple has the earlier taps.
    """

    def read_parts(parts: Parts, number: int, axis: AxisGeometry) -> Parts:
        cells = [read_tap(part, dimension, number * axis.dilation, axis) for part in parts]
        return (cells[0], *(offset + jnp.int32(number * step) for offset in cells[1:]))

    if axis.kernel <= MAX_AXIS_TAPS_READ_SINGLY:
        result = read_parts(parts, 0, axis)
        for number in range(1, axis.kernel):
            result = combine(result, read_parts(parts, number, axis))
        return result
    width = 1
    while 2 * width <= axis.kernel:
        pair = AxisGeometry(parts[0].shape[dimension], width + 1, dilation=axis.dilation)
        parts = combine(read_parts(parts, 0, pair), read_parts(parts, width, pair))
        width *= 2
    rest = axis.kernel - width  # two overlapping windows of `width` cover the whole
    cover = AxisGeometry(parts[0].shape[dimension], rest + 1, axis.stride, dilation=axis.dilation)
    return combine(read_parts(parts, 0, cover), read_parts(parts, rest, cover))


def _switch_of_only_window(x: jax.Array, y: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the first cell of the only window that has its maximum."""
    spatial = tuple(range(x.ndim - g.ndim - 1, x.ndim - 1))
    cells = jnp.arange(math.prod(g.input_shape), dtype=jnp.int32)
    cells = cells.reshape((1,) * spatial[0] + (*g.input_shape, 1))
    x, cells = only_window(x, g), only_window(cells, g)
    last = jnp.int32(np.iinfo(np.int32).max)
    return jnp.where((x == y) | (x != x), cells, last).min(spatial, keepdims=True)


def _first_inside(g: ConvGeometry) -> np.ndarray:
    """Returns the first cell of every window that lies in the input, ``output_shape``."""
    cells = np.zeros((), np.int64)
    for axis in g.axes:
        start = np.arange(axis.out_size) * axis.stride - axis.padding[0]
        start += -(np.minimum(start, 0) // axis.dilation) * axis.dilation
        cells = cells[..., None] * axis.size + start
    return cells.astype(np.int32)
