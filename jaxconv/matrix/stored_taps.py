"""The stored array of C, slot by slot: the cells that a slot reads, adds to, and the taps that it holds.

A slot has one block of features per output position. `pattern.slots` has the numbers of one axis. Maps here
are ``(*spatial, groups, features, batch)``. Everything is pads, slices and broadcasts, so that no product
gathers and no transpose scatters, except where input dilation makes many phases.

A worked example: a kernel of three taps with stride 2 and padding 1 on five cells. A row of C has the taps of
one output; in the first and the last row one tap is in the padding:

>>> from jaxconv import conv_matrix
>>> g = ConvGeometry((5,), (3,), strides=2, padding=1)
>>> C = conv_matrix(jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1), g)
>>> print(C.todense().astype(int))
[[2 3 0 0 0]
 [0 1 2 3 0]
 [0 0 0 1 2]]

The stored array is ``(slots, outputs, groups, out, in)``. Slot j holds tap j of every output, and 0 where
that tap is in the padding:

>>> print(C.values[:, :, 0, 0, 0].astype(int))
[[0 1 1]
 [2 2 2]
 [3 3 0]]

Slot 0 starts at cell -1 and reads every second cell; slot j starts j cells further:

>>> pattern.slots(g.axes[0])
Slots(width=3, taps=(0,), tap_step=1, cells=(-1,), cell_step=1, row_step=2)
>>> x = jnp.arange(10.0, 60, 10).reshape(5, 1, 1, 1)
>>> bordered = border(x, g)
>>> print(bordered.ravel().astype(int))
[ 0 10 20 30 40 50  0]
>>> for slot in slot_numbers(g).tolist():
...     print(read_slot(bordered, slot, g).ravel().astype(int))
[ 0 20 40]
[10 30 50]
[20 40  0]

C x is the sum over the slots of their values times the cells that they read:

>>> cells = jnp.stack([read_slot(bordered, slot, g).ravel() for slot in slot_numbers(g).tolist()])
>>> print((C.values[:, :, 0, 0, 0] * cells).sum(axis=0))
[ 80. 200. 140.]
>>> print(C @ x.ravel())
[ 80. 200. 140.]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.core.dtypes import accumulator
from jaxconv.core.linear_primitives import linear_transpose, linear_with_transpose
from jaxconv.geometry import AxisGeometry, ConvGeometry, pattern
from jaxconv.geometry.axis import NUMPY_PAD_MODES

# Up to so many phases per axis are read by one slice each; more are gathered, which keeps programs small.
MAX_SLICED_PHASES = 4

Slot = Sequence[int] | np.ndarray | jax.Array  # the number of a slot on each axis


def slot_count(g: ConvGeometry) -> int:
    """Returns the number of slots per output position: all combinations of the axes' slots."""
    return int(np.prod([pattern.slots(axis).width for axis in g.axes]))


def slot_numbers(g: ConvGeometry) -> np.ndarray:
    """Returns, for every slot, its number on each axis: ``(slots, N)``, row-major."""
    counts = [pattern.slots(axis).width for axis in g.axes]
    return np.indices(counts, np.int32).reshape(g.ndim, -1).T


def border(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns an input map with the cells around it that slots read: padding, and zeros for empty slots."""
    rest = [(0, 0, 0)] * 3
    zero = jnp.zeros((), x.dtype)
    if g.padding_mode == "zeros":
        return lax.pad(x, zero, [(*_margins(axis), 0) for axis in g.axes] + rest)
    x = lax.pad(x, zero, [(0, 0, f - 1) for f in g.input_dilation] + rest)
    wide = [(max(low, 0), max(high, 0)) for low, high in g.padding] + [(0, 0)] * 3
    x = jnp.pad(x, wide, mode=NUMPY_PAD_MODES[g.padding_mode])
    return lax.pad(x, zero, [(min(low, 0), min(high, 0), 0) for low, high in g.padding] + rest)


def bordered_zeros(features: tuple[int, ...], dtype: np.dtype, g: ConvGeometry) -> jax.Array:
    """Returns zeros of the shape of a bordered map, to which `add` adds."""
    x = jax.ShapeDtypeStruct((*g.input_shape, *features), dtype)
    return jnp.zeros(jax.eval_shape(lambda x: border(x, g), x).shape, dtype)


def without_border(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Applies the transpose of `border`: drops the border, or adds it to the cells it was copied from."""
    return linear_transpose(lambda x: border(x, g), (*g.input_shape, *x.shape[g.ndim :]), x)


def read_slot(bordered: jax.Array, slot: Slot, g: ConvGeometry) -> jax.Array:
    """Returns, for every output position, the cell that `slot` reads; 0 where the slot is empty."""
    for dimension, axis in enumerate(g.axes):
        bordered = _read_axis(bordered, dimension, slot[dimension], axis)
    return bordered


def add(bordered: jax.Array, y: jax.Array, slot: Slot, g: ConvGeometry) -> jax.Array:
    """Adds every position of `y` to the cell that it reads: `bordered` plus the transpose of `read`."""
    layout = [pattern.slots(axis) for axis in g.axes]
    if any(len(axis.cells) > 1 for axis in layout):
        return bordered + linear_transpose(lambda x: read_slot(x, slot, g), bordered.shape, y)
    # One block of cells, which XLA updates in place.
    y = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, axis.row_step - 1) for axis in layout] + [(0, 0, 0)] * 3)
    start = [jnp.int32(_first(axis, 0, j)) for axis, j in zip(g.axes, slot, strict=True)]
    start += [jnp.int32(0)] * 3
    block = lax.dynamic_slice(bordered, start, y.shape)
    return lax.dynamic_update_slice(bordered, block + y, start)


def factors_by_cell(
    values: jax.Array, y: jax.Array, g: ConvGeometry
) -> Iterator[tuple[jax.Array, jax.Array]]:
    """Yields, for every slot, its values and the `y` that they multiply, at the cells that they read.

    The product of the two is what `add` would add. Only for geometries with `adjacent_reads`.
    """
    zero, rest = jnp.zeros((), values.dtype), [(0, 0, 0)] * 3
    ends = [(layout.width - 1) * layout.cell_step for layout in map(pattern.slots, g.axes)]
    wide = lax.pad(y, jnp.zeros((), y.dtype), [(end, end, 0) for end in ends] + rest)
    for part, slot in zip(values, slot_numbers(g).tolist(), strict=True):
        starts = [int(_first(axis, 0, j)) for axis, j in zip(g.axes, slot, strict=True)]
        remain = [end - start for start, end in zip(starts, ends, strict=True)]
        part = lax.pad(part, zero, [(*edge, 0) for edge in zip(starts, remain, strict=True)] + rest)
        yield part, lax.dynamic_slice(wide, (*remain, 0, 0, 0), (*part.shape[: g.ndim], *y.shape[g.ndim :]))


def adjacent_reads(g: ConvGeometry) -> bool:
    """Returns whether a slot reads neighbouring cells at neighbouring positions, as it does with stride 1."""
    layout = [pattern.slots(axis) for axis in g.axes]
    return all(len(axis.cells) == axis.row_step == 1 for axis in layout)


@partial(jax.jit, static_argnames="geometry")
def values_of(kernel: jax.Array, geometry: ConvGeometry) -> jax.Array:
    """Returns the kernel's blocks at every position: one loop that writes; its gradient is one that sums."""
    g, dtype = geometry, kernel.dtype
    kernel = kernel.astype(accumulator(dtype))  # its gradient is a long sum
    kernel = kernel.reshape(*kernel.shape[:-1], g.feature_group_count, -1)
    values = spread_kernel(jnp.moveaxis(kernel, -3, -1), g)  # (..., groups, out, in)
    return values.astype(dtype)


def spread_kernel(kernel: jax.Array, g: ConvGeometry) -> jax.Array:
    """Repeats the kernel at every position: ``(*kernel_shape, ...)`` to ``(slots, *output_shape, ...)``."""
    n = g.ndim
    for dimension, axis in enumerate(g.axes):  # (..., taps, ...) -> (..., slots, phases, ...)
        kernel = _taps_by_phase(kernel, 2 * dimension, axis)
    kernel = kernel.transpose(*range(0, 2 * n, 2), *range(1, 2 * n, 2), *range(2 * n, kernel.ndim))
    return SPREAD.bind(kernel.reshape(slot_count(g), *kernel.shape[n:]), geometry=g)


def clear_empty_slots(values: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns stored values with 0 in the slots that connect no tap and cell."""
    first = values.ndim - g.ndim - 4  # a batch of matrices has axes before
    for dimension, (axis, mask) in enumerate(zip(g.axes, _filled(g), strict=True)):
        if not pattern.rows(axis).filled.all():
            filled = lax.broadcast_in_dim(mask, values.shape, (first, first + 1 + dimension))
            values = jnp.where(filled, values, jnp.zeros((), values.dtype))
    return values


def _spread(taps: jax.Array, geometry: ConvGeometry) -> jax.Array:
    """Repeats ``(slots, *phases, ...)`` to ``(slots, *output_shape, ...)``."""
    return jax.vmap(partial(_spread_slot, g=geometry))(taps, _filled(geometry))


def _collect_slots(values: jax.Array, geometry: ConvGeometry) -> jax.Array:
    """Applies the transpose of `_spread`, slot by slot: XLA stores masked values before it sums them."""
    phases = [len(pattern.slots(axis).cells) for axis in geometry.axes]

    def collect_one(slot: tuple[jax.Array, Sequence[jax.Array]]) -> jax.Array:
        values, filled = slot
        shape = (*phases, *values.shape[geometry.ndim :])
        return linear_transpose(lambda taps: _spread_slot(taps, filled, geometry), shape, values)

    return lax.map(collect_one, (values, _filled(geometry)))


SPREAD, COLLECT = linear_with_transpose(
    "jaxconv_matrix_spread", _spread, _collect_slots, lambda g: 1 + g.ndim
)


def _spread_slot(taps: jax.Array, filled: Sequence[np.ndarray | jax.Array], g: ConvGeometry) -> jax.Array:
    """Repeats a slot's tap of every phase at all positions, with 0 where it reads no cell."""
    for dimension, (axis, mask) in enumerate(zip(g.axes, filled, strict=True)):
        taps = _repeat(taps, dimension, axis.out_size)
        if not pattern.rows(axis).filled.all():
            mask = lax.broadcast_in_dim(mask, taps.shape, (dimension,))
            taps = jnp.where(mask, taps, jnp.zeros((), taps.dtype))
    return taps


def _filled(g: ConvGeometry) -> list[np.ndarray]:
    """Returns, for every axis, where each slot connects a tap and a cell: (slots, positions)."""
    return [pattern.rows(axis).filled.T[slot] for axis, slot in zip(g.axes, slot_numbers(g).T, strict=True)]


def _margins(axis: AxisGeometry) -> tuple[int, int]:
    """Returns the cells that slots read before and after a zero-padded axis; negative if they stay inside."""
    layout = pattern.slots(axis)
    reach = (layout.width - 1) * layout.cell_step + _length(axis)
    return -min(layout.cells), max(layout.cells) + reach - axis.size


def _length(axis: AxisGeometry) -> int:
    """Returns the number of cells from the first to the last that a slot reads in one phase."""
    layout = pattern.slots(axis)
    return (-(-axis.out_size // len(layout.cells)) - 1) * layout.row_step + 1


def _first(axis: AxisGeometry, phase: int, slot: int | jax.Array) -> int | jax.Array:
    """Returns the first cell of the bordered axis that `slot` reads in `phase`."""
    layout = pattern.slots(axis)
    return layout.cells[phase] - min(layout.cells) + slot * layout.cell_step


def _read_axis(x: jax.Array, dimension: int, slot: int | jax.Array, axis: AxisGeometry) -> jax.Array:
    layout, length = pattern.slots(axis), _length(axis)
    phases = len(layout.cells)
    if phases > MAX_SLICED_PHASES:
        position = np.arange(axis.out_size)
        cells = np.array(layout.cells)[position % phases] + position // phases * layout.row_step
        x = _take(x, dimension, cells - min(layout.cells), slot * layout.cell_step)
    else:
        runs = []
        for phase in range(phases):
            first = _first(axis, phase, slot)
            run = lax.dynamic_slice_in_dim(x, first, length, dimension)
            runs.append(lax.slice_in_dim(run, 0, length, layout.row_step, dimension))
        if phases == 1:
            return runs[0]
        x = jnp.stack(runs, dimension + 1)
        x = x.reshape(*x.shape[:dimension], -1, *x.shape[dimension + 2 :])
        x = lax.slice_in_dim(x, 0, axis.out_size, axis=dimension)
    # The last slot of a phase with fewer taps is empty but reads a cell, which must not count, even if NaN.
    first_tap = np.resize(np.array(layout.taps, np.int32), axis.out_size)
    holds = first_tap + slot * layout.tap_step < axis.kernel
    return jnp.where(lax.broadcast_in_dim(holds, x.shape, (dimension,)), x, jnp.zeros((), x.dtype))


def _take(x: jax.Array, dimension: int, index: np.ndarray, offset: int | jax.Array = 0) -> jax.Array:
    """Gathers entries of one axis, by an index that is known to lie within its bounds."""
    indices = index.astype(np.int32) + offset
    return x.at[(slice(None),) * dimension + (indices,)].get(mode="promise_in_bounds")


def _taps_by_phase(kernel: jax.Array, dimension: int, axis: AxisGeometry) -> jax.Array:
    """Sorts taps by slot and phase: (..., taps, ...) to (..., slots, phases, ...)."""
    layout = pattern.slots(axis)
    edges = [(0, 0, 0)] * kernel.ndim
    edges[dimension] = (0, max(layout.taps) + layout.width * layout.tap_step - axis.kernel, 0)
    kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), edges)
    stop = layout.width * layout.tap_step
    if len(layout.taps) > MAX_SLICED_PHASES:
        return _take(kernel, dimension, np.add.outer(np.arange(0, stop, layout.tap_step), layout.taps))
    columns = [lax.slice_in_dim(kernel, tap, tap + stop, layout.tap_step, dimension) for tap in layout.taps]
    return jnp.stack(columns, dimension + 1)


def _repeat(array: jax.Array, dimension: int, size: int) -> jax.Array:
    """Repeats the phases along one dimension until it has `size` positions."""
    before, phases, after = array.shape[:dimension], array.shape[dimension], array.shape[dimension + 1 :]
    if phases == 1:
        return jnp.broadcast_to(array, (*before, size, *after))
    rows = -(-size // phases)
    array = jnp.broadcast_to(jnp.expand_dims(array, dimension), (*before, rows, phases, *after))
    return lax.slice_in_dim(array.reshape(*before, rows * phases, *after), 0, size, axis=dimension)
