"""The products with the selection matrix S of max pooling, and with its transpose.

S is given by switches: for every output, the row-major index of the spatial input cell that holds the
maximum. Where the windows are known, S is a sum of slices, one per tap, and so is its transpose, which
then neither scatters nor adds in an undefined order. With switches alone, and for windows of very many
taps, S is a gather and its transpose a scatter.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from jaxconv.convolution.formulations.windows import read_tap
from jaxconv.core.checks import ArrayOrList
from jaxconv.core.dtypes import accumulator
from jaxconv.core.linear_primitives import linear_with_transpose
from jaxconv.errors import SizeError
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.operators.selections import exact_array

MAX_WINDOW_TAPS_READ_SINGLY = 64  # taps of a window that are read by one slice each


def select(x: jax.Array, switches: jax.Array, g: ConvGeometry) -> jax.Array:
    """Computes S x: ``(*batch, *input_shape, features)`` to ``(*batch, *output_shape, features)``.

    Linear in `x`, with a transpose of its own.
    """
    if math.prod(g.kernel_shape) > MAX_WINDOW_TAPS_READ_SINGLY and math.prod(g.output_shape) > 1:
        return gather_cells(x, switches, g.ndim)
    return SELECT.bind(x, switches, geometry=g)


def gather_cells(x: jax.Array, switches: jax.Array, ndim: int) -> jax.Array:
    """Computes S x by a gather."""

    def gather(x: jax.Array, switches: jax.Array) -> jax.Array:
        return (
            x.ravel()
            .at[_flat_indices(switches, x.shape[:-1]).ravel()]
            .get(mode="promise_in_bounds")
            .reshape(switches.shape)
        )

    return _vmap_batch(gather, x.ndim - ndim - 1)(x, switches)


def cell_numbers(switches: ArrayOrList, cells: int) -> jax.Array:
    """Returns switches of any integer dtype as int32, with -1 for those outside of the map.

    Raises:
      SizeError: The map has more cells than int32 counts.
      TypeError: The switches are not integers.
    """
    if cells > np.iinfo(np.int32).max:
        raise SizeError(
            f"`input_shape` has {cells:,} cells, more than switches, which are int32, can count; take a "
            "smaller map."
        )
    switches = exact_array("switches", switches)
    if not jnp.issubdtype(switches.dtype, jnp.integer):
        raise TypeError(
            "`switches` must be integers, as max_pool(..., return_switches=True) returns them, got "
            f"{switches.dtype}."
        )
    if switches.dtype.itemsize < 4:
        switches = switches.astype(jnp.int32)
    last = jnp.asarray(cells - 1, switches.dtype)
    possible = (switches >= 0) & (switches <= last)
    return jnp.where(possible, switches.astype(jnp.int32), jnp.int32(-1))


def scatter_to_cells(y: jax.Array, switches: jax.Array, input_shape: tuple[int, ...]) -> jax.Array:
    """Returns S-transposed y by a scatter; a switch of -1 puts a NaN into cell 0, or drops an integer."""
    cells = math.prod(input_shape)
    nothing = jnp.nan if jnp.issubdtype(y.dtype, jnp.inexact) else 0
    y = jnp.where(switches >= 0, y, jnp.full((), nothing, y.dtype))
    switches = jnp.maximum(switches, 0)

    def scatter(y: jax.Array, switches: jax.Array) -> jax.Array:
        x = jnp.zeros(cells * y.shape[-1], y.dtype)
        x = x.at[_flat_indices(switches, input_shape).ravel()].add(y.ravel(), mode="promise_in_bounds")
        return x.reshape(*input_shape, y.shape[-1])

    return _vmap_batch(scatter, y.ndim - len(input_shape) - 1)(y, switches)


def _vmap_batch(function: Callable[..., jax.Array], batch_axes: int) -> Callable[..., jax.Array]:
    """Returns a function of one map as one of a batch, whose maps stay on their devices."""
    for _ in range(batch_axes):
        function = jax.vmap(function)
    return function


def _flat_indices(switches: jax.Array, input_shape: tuple[int, ...]) -> jax.Array:
    """Returns the indices of raveled ``(cells, features)``."""
    features = switches.shape[-1]
    if math.prod(input_shape) * features > np.iinfo(np.int32).max:
        raise SizeError(
            f"a map of shape {(*input_shape, features)} has more numbers than int32 counts; pool fewer "
            "features at a time."
        )
    return switches * features + lax.broadcasted_iota(jnp.int32, switches.shape, switches.ndim - 1)


def first_cells(g: ConvGeometry) -> np.ndarray:
    """Returns the input cell at which every window begins, a row-major index: ``(*output_shape, 1)``, int32.

    >>> first_cells(ConvGeometry((4, 5), (2, 2), strides=2)).ravel().tolist()
    [0, 2, 10, 12]
    """
    first = np.zeros((), np.int64)
    for axis in g.axes:
        start = np.arange(axis.out_size) * axis.stride - axis.padding[0]
        first = first[..., None] * axis.size + start
    return first[..., None].astype(np.int32)


def tap_steps(g: ConvGeometry) -> list[int]:
    """Returns the distance between neighbouring taps of each axis, in row-major cell numbers."""
    rows = [math.prod(g.input_shape[axis + 1 :]) for axis in range(g.ndim)]
    return [row * d for row, d in zip(rows, g.kernel_dilation, strict=True)]


def pad(x: jax.Array, g: ConvGeometry, value: ArrayLike) -> jax.Array:
    """Pads ``(*batch, *input_shape, features)`` with `value`."""
    config = [(0, 0, 0)] * (x.ndim - g.ndim - 1) + [(low, high, 0) for low, high in g.padding] + [(0, 0, 0)]
    return lax.pad(x, jnp.asarray(value, x.dtype), config)


def _select(x: jax.Array, switches: jax.Array, geometry: ConvGeometry) -> jax.Array:
    g, first = geometry, x.ndim - geometry.ndim - 1
    if math.prod(g.output_shape) == 1:
        chosen = jnp.where(_cells(g, x.ndim) == switches, x, jnp.zeros((), x.dtype))
        return chosen.sum(tuple(range(first, x.ndim - 1)), keepdims=True)
    x = pad(x, g, 0)
    offset = switches - _add_leading_axes(first_cells(g), switches.ndim)
    terms = []
    for taps in np.ndindex(*g.kernel_shape):
        read = x
        for dimension, (t, axis) in enumerate(zip(taps, g.axes, strict=True), start=first):
            read = read_tap(read, dimension, t * axis.dilation, axis)
        here = offset == sum(t * step for t, step in zip(taps, tap_steps(g), strict=True))
        terms.append(jnp.where(here, read, jnp.zeros((), x.dtype)))
    return reduce(operator.add, terms)


def _cells(g: ConvGeometry, ndim: int) -> jax.Array:
    """Returns the number of every cell of the input, ``(1, ..., *input_shape, 1)``."""
    cells = jnp.arange(math.prod(g.input_shape), dtype=jnp.int32)
    return cells.reshape((1,) * (ndim - g.ndim - 1) + (*g.input_shape, 1))


class CellPhase:
    """The cells of an axis that have the same remainder by the stride, and the outputs that read them.

    Cell ``q stride + remainder`` is read by the outputs ``q + shift``, with one shift per tap that reads it.
    """

    def __init__(self, axis: AxisGeometry, remainder: int):
        """Finds the taps that read these cells."""
        starts = [remainder + axis.padding[0] - t * axis.dilation for t in range(axis.kernel)]
        self.shifts = [start // axis.stride for start in starts if start % axis.stride == 0]
        self.cells = np.arange(-(-axis.size // axis.stride)) * axis.stride + remainder


def cell_phases(axis: AxisGeometry) -> list[CellPhase]:
    """Returns the phases of an axis, one per remainder."""
    return [CellPhase(axis, remainder) for remainder in range(axis.stride)]


def _unselect(y: jax.Array, switches: jax.Array, geometry: ConvGeometry) -> jax.Array:
    g, first, dtype = geometry, y.ndim - geometry.ndim - 1, y.dtype
    if math.prod(g.output_shape) == 1:
        return jnp.where(_cells(g, y.ndim) == switches, y, jnp.zeros((), dtype))
    by_axis = [cell_phases(axis) for axis in g.axes]
    y = _pad_outputs(y.astype(accumulator(dtype)), by_axis, g, 0)  # windows may share a cell
    switches = _pad_outputs(switches, by_axis, g, -1)
    parts = [_add_chosen_outputs(y, switches, combined, g) for combined in product(*by_axis)]
    for dimension in reversed(range(g.ndim)):
        s = g.strides[dimension]
        parts = [_merge_phases(parts[i : i + s], first + dimension) for i in range(0, len(parts), s)]
    (x,) = parts
    for dimension, size in enumerate(g.input_shape, start=first):
        x = lax.slice_in_dim(x, 0, size, axis=dimension)
    return x.astype(dtype)


def _merge_phases(phases: list[jax.Array], dimension: int) -> jax.Array:
    """Merges the cells of all phases into one axis."""
    if len(phases) == 1:
        return phases[0]
    x = jnp.stack(phases, dimension + 1)
    cells = x.shape[dimension] * len(phases)
    return x.reshape(*x.shape[:dimension], cells, *x.shape[dimension + 2 :])


def _add_chosen_outputs(
    y: jax.Array, switches: jax.Array, combined: tuple[CellPhase, ...], g: ConvGeometry
) -> jax.Array:
    """Adds up, for the cells of one phase per axis, the outputs whose switch names them."""
    numbers = np.zeros((), np.int64)
    for phase, axis in zip(combined, g.axes, strict=True):
        numbers = numbers[..., None] * axis.size + phase.cells
    cells = _add_leading_axes(numbers[..., None].astype(np.int32), y.ndim)
    shape = (*y.shape[: y.ndim - g.ndim - 1], *(len(phase.cells) for phase in combined), y.shape[-1])
    total = jnp.zeros(shape, y.dtype)
    for corner in product(*(_corners(phase, axis) for phase, axis in zip(combined, g.axes, strict=True))):
        start = [0] * (y.ndim - g.ndim - 1) + list(corner) + [0]
        stop = [a + b for a, b in zip(start, shape, strict=True)]
        is_chosen = lax.slice(switches, start, stop) == cells
        total = total + jnp.where(is_chosen, lax.slice(y, start, stop), jnp.zeros((), y.dtype))
    return total


def _corners(phase: CellPhase, axis: AxisGeometry) -> Iterator[int]:
    """Yields where the outputs of each tap begin after `_pad_outputs`."""
    low, _ = _reach(cell_phases(axis), axis)
    return (low + shift for shift in phase.shifts)


def _reach(by_remainder: list[CellPhase], axis: AxisGeometry) -> tuple[int, int]:
    """Returns how many outputs the shifts need before the first and after the last."""
    shifts = [shift for phase in by_remainder for shift in phase.shifts]
    cells = len(by_remainder[0].cells)
    return max(0, -min(shifts)), max(0, max(shifts) + cells - axis.out_size)


def _pad_outputs(array: jax.Array, by_axis: list[list[CellPhase]], g: ConvGeometry, value: int) -> jax.Array:
    edges = [(*_reach(by_remainder, axis), 0) for by_remainder, axis in zip(by_axis, g.axes, strict=True)]
    config = [(0, 0, 0)] * (array.ndim - g.ndim - 1) + edges + [(0, 0, 0)]
    return lax.pad(array, jnp.asarray(value, array.dtype), config)


def _add_leading_axes(constant: np.ndarray, ndim: int) -> jax.Array:
    """Returns the constant with leading axes of size 1, so that nothing broadcasts by rank."""
    return jnp.asarray(constant.reshape((1,) * (ndim - constant.ndim) + constant.shape))


SELECT, UNSELECT = linear_with_transpose("jaxconv_select", _select, _unselect, lambda g: 0)
