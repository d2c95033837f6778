"""Slots of C on arrays: the cells that a slot reads, where it adds to, the kernel that it holds.

Maps here are ``(*spatial, groups, features, batch)``. Everything is pads, slices and broadcasts, so
that nothing gathers and no transpose scatters, but where input dilation makes many phases.
`pattern.slots` has the numbers of one axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.core.linear_primitives import linear_transpose, linear_with_transpose
from jaxconv.geometry import ConvGeometry, pattern
from jaxconv.geometry.axis import NUMPY_PAD_MODES

# Phases of an axis that are read by a slice each; more are gathered, which keeps programs small.
MAX_SLICED_PHASES = 4


def slot_count(g: ConvGeometry) -> int:
    """Slots of a position: over all axes, every combination."""
    return int(np.prod([pattern.slots(axis).width for axis in g.axes]))


def slot_numbers(g: ConvGeometry) -> np.ndarray:
    """The slot of every axis, ``(slots, N)``, row-major."""
    counts = [pattern.slots(axis).width for axis in g.axes]
    return np.indices(counts, np.int32).reshape(g.ndim, -1).T


def border(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """An input map with all that slots read outside of it."""
    rest = [(0, 0, 0)] * 3
    zero = jnp.zeros((), x.dtype)
    if g.padding_mode == "zeros":
        return lax.pad(x, zero, [(*_margins(axis), 0) for axis in g.axes] + rest)
    x = lax.pad(x, zero, [(0, 0, f - 1) for f in g.input_dilation] + rest)
    wide = [(max(low, 0), max(high, 0)) for low, high in g.padding] + [(0, 0)] * 3
    x = jnp.pad(x, wide, mode=NUMPY_PAD_MODES[g.padding_mode])
    return lax.pad(x, zero, [(min(low, 0), min(high, 0), 0) for low, high in g.padding] + rest)


def bordered_zeros(features: tuple[int, ...], dtype, g: ConvGeometry) -> jax.Array:
    """What `add` begins with."""
    x = jax.ShapeDtypeStruct((*g.input_shape, *features), dtype)
    return jnp.zeros(jax.eval_shape(lambda x: border(x, g), x).shape, dtype)


def without_border(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """The transpose of `border`."""
    return linear_transpose(lambda x: border(x, g), (*g.input_shape, *x.shape[g.ndim :]), x)


def read(bordered: jax.Array, slot, g: ConvGeometry) -> jax.Array:
    """For every output position, the cell that `slot` reads; 0 where it holds no tap."""
    for dimension, axis in enumerate(g.axes):
        bordered = _read_axis(bordered, dimension, slot[dimension], axis)
    return bordered


def add(bordered: jax.Array, y: jax.Array, slot, g: ConvGeometry) -> jax.Array:
    """`bordered` plus the transpose of `read`: every position of `y` added to the cell that it reads."""
    layout = [pattern.slots(axis) for axis in g.axes]
    if any(len(axis.cells) > 1 for axis in layout):
        return bordered + linear_transpose(lambda x: read(x, slot, g), bordered.shape, y)
    # One block of cells, which XLA updates in place.
    y = lax.pad(y, jnp.zeros((), y.dtype), [(0, 0, axis.row_step - 1) for axis in layout] + [(0, 0, 0)] * 3)
    start = [jnp.int32(_first(axis, 0, j)) for axis, j in zip(g.axes, slot, strict=True)]
    start += [jnp.int32(0)] * 3
    block = lax.dynamic_slice(bordered, start, y.shape)
    return lax.dynamic_update_slice(bordered, block + y, start)


def by_cell(values: jax.Array, y: jax.Array, g: ConvGeometry) -> Iterator[tuple[jax.Array, jax.Array]]:
    """For every slot, its values and the `y` that they multiply, at the bordered cells that they read.

    What `add` would add is the product of the two. Only for slots `in_step`.
    """
    zero, rest = jnp.zeros((), values.dtype), [(0, 0, 0)] * 3
    ends = [(layout.width - 1) * layout.cell_step for layout in map(pattern.slots, g.axes)]
    wide = lax.pad(y, jnp.zeros((), y.dtype), [(end, end, 0) for end in ends] + rest)
    for part, slot in zip(values, slot_numbers(g).tolist(), strict=True):
        starts = [_first(axis, 0, j) for axis, j in zip(g.axes, slot, strict=True)]
        remain = [end - start for start, end in zip(starts, ends, strict=True)]
        part = lax.pad(part, zero, [(*edge, 0) for edge in zip(starts, remain, strict=True)] + rest)
        yield part, lax.dynamic_slice(wide, (*remain, 0, 0, 0), (*part.shape[: g.ndim], *y.shape[g.ndim :]))


def in_step(g: ConvGeometry) -> bool:
    """Whether neighbouring positions read neighbouring cells."""
    layout = [pattern.slots(axis) for axis in g.axes]
    return all(len(axis.cells) == axis.row_step == 1 for axis in layout)


def spread_kernel(kernel: jax.Array, g: ConvGeometry) -> jax.Array:
    """The kernel at every position: ``(*kernel_shape, ...)`` to ``(slots, *output_shape, ...)``."""
    n = g.ndim
    for dimension, axis in enumerate(g.axes):  # (..., taps, ...) -> (..., slots, phases, ...)
        kernel = _taps_by_phase(kernel, 2 * dimension, axis)
    kernel = kernel.transpose(*range(0, 2 * n, 2), *range(1, 2 * n, 2), *range(2 * n, kernel.ndim))
    return SPREAD.bind(kernel.reshape(slot_count(g), *kernel.shape[n:]), geometry=g)


def _spread(taps, geometry: ConvGeometry):
    """``(slots, *phases, ...)`` to ``(slots, *output_shape, ...)``."""
    return jax.vmap(partial(_spread_slot, g=geometry))(taps, _filled(geometry))


def _collect(values, geometry: ConvGeometry):
    """The transpose, a slot at a time: XLA writes out what it masks before it sums over positions."""
    phases = [len(pattern.slots(axis).cells) for axis in geometry.axes]

    def collect_slot(slot):
        values, filled = slot
        shape = (*phases, *values.shape[geometry.ndim :])
        return linear_transpose(lambda taps: _spread_slot(taps, filled, geometry), shape, values)

    return lax.map(collect_slot, (values, _filled(geometry)))


SPREAD, COLLECT = linear_with_transpose("jaxconv_matrix_spread", _spread, _collect, lambda g: 1 + g.ndim)


def _spread_slot(taps, filled, g: ConvGeometry):
    """A slot's tap of every phase at all positions; 0 where it reads no cell."""
    for dimension, (axis, mask) in enumerate(zip(g.axes, filled, strict=True)):
        taps = _repeat(taps, dimension, axis.out_size)
        if not pattern.rows(axis).filled.all():
            mask = lax.broadcast_in_dim(mask, taps.shape, (dimension,))
            taps = jnp.where(mask, taps, jnp.zeros((), taps.dtype))
    return taps


def _filled(g: ConvGeometry) -> list[np.ndarray]:
    """For every axis, the positions at which each slot connects a tap and a cell: (slots, positions)."""
    return [pattern.rows(axis).filled.T[slot] for axis, slot in zip(g.axes, slot_numbers(g).T, strict=True)]


def _margins(axis) -> tuple[int, int]:
    """Cells that slots read before and after a zero-padded axis; negative where they begin inside."""
    layout = pattern.slots(axis)
    reach = (layout.width - 1) * layout.cell_step + _length(axis)
    return -min(layout.cells), max(layout.cells) + reach - axis.size


def _length(axis) -> int:
    """Cells from the first that a slot reads in one phase to the last."""
    layout = pattern.slots(axis)
    return (-(-axis.out_size // len(layout.cells)) - 1) * layout.row_step + 1


def _first(axis, phase: int, slot):
    """The first cell of the bordered axis that `slot` reads in `phase`."""
    layout = pattern.slots(axis)
    return layout.cells[phase] - min(layout.cells) + slot * layout.cell_step


def _read_axis(x, dimension, slot, axis):
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
    # The last slot of a phase with fewer taps reads a cell too; it must not count, not even a NaN.
    first_tap = np.resize(np.array(layout.taps, np.int32), axis.out_size)
    holds = first_tap + slot * layout.tap_step < axis.kernel
    return jnp.where(lax.broadcast_in_dim(holds, x.shape, (dimension,)), x, jnp.zeros((), x.dtype))


def _take(x, dimension, index: np.ndarray, offset=0):
    """Entries of one axis, by an index that reaches all of them within bounds."""
    index = index.astype(np.int32) + offset
    return x.at[(slice(None),) * dimension + (index,)].get(mode="promise_in_bounds")


def _taps_by_phase(kernel, dimension, axis):
    """(..., taps, ...) -> (..., slots, phases, ...)."""
    layout = pattern.slots(axis)
    edges = [(0, 0, 0)] * kernel.ndim
    edges[dimension] = (0, max(layout.taps) + layout.width * layout.tap_step - axis.kernel, 0)
    kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), edges)
    stop = layout.width * layout.tap_step
    if len(layout.taps) > MAX_SLICED_PHASES:
        return _take(kernel, dimension, np.add.outer(np.arange(0, stop, layout.tap_step), layout.taps))
    columns = [lax.slice_in_dim(kernel, tap, tap + stop, layout.tap_step, dimension) for tap in layout.taps]
    return jnp.stack(columns, dimension + 1)


def _repeat(array, dimension, size):
    """The phases of an axis, over and over until it has `size` positions."""
    before, phases, after = array.shape[:dimension], array.shape[dimension], array.shape[dimension + 1 :]
    if phases == 1:
        return jnp.broadcast_to(array, (*before, size, *after))
    rows = -(-size // phases)
    array = jnp.broadcast_to(jnp.expand_dims(array, dimension), (*before, rows, phases, *after))
    return lax.slice_in_dim(array.reshape(*before, rows * phases, *after), 0, size, axis=dimension)
