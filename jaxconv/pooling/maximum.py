"""The maximum of every window, and which cell holds it: the first in row-major order."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.axis import AxisGeometry
from jaxconv.geometry import ConvGeometry
from jaxconv.pooling.selection import first_cells, padded, select, steps, tap

SLICED = 16  # taps of an axis that get a slice each; beyond, windows of twice the size are made of two
FEW = 4  # taps that are compared with care for NaN; more cost less where there is none


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def maximum(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """``(*batch, *input_shape, features)`` to ``(*batch, *output_shape, features)``."""
    x = padded(x, g, -jnp.inf)
    for dimension, axis in enumerate(g.axes, start=x.ndim - g.ndim - 1):
        (x,) = _reduced((x,), dimension, axis, 0, lambda a, b: (jnp.maximum(a[0], b[0]),))
    return x


@maximum.defjvp
def _maximum_jvp(g, primals, tangents):
    y, switches = maximum_and_switches(primals[0], g)
    return y, select(tangents[0], switches, g)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def maximum_and_switches(x: jax.Array, g: ConvGeometry) -> tuple[jax.Array, jax.Array]:
    """The same, with the cell that each window took, in row-major order of the unpadded input, int32.

    A window that holds nothing but minus infinity took its first cell.
    """
    if np.prod(g.kernel_shape) <= FEW:
        y, offset = _first_maximum(x, g, _later_is_larger_or_nan)
    else:  # NaN costs a second comparison everywhere; one sum tells whether there can be any
        may_hold_nan = jnp.isnan(x.sum(tuple(range(x.ndim - 1)))).any()
        y, offset = lax.cond(
            may_hold_nan,
            lambda x: _first_maximum(x, g, _later_is_larger_or_nan),
            lambda x: _first_maximum(x, g, _later_is_larger),
            x,
        )
    lead = (1,) * (y.ndim - g.ndim - 1)
    switches = offset + jnp.asarray(first_cells(g).reshape(*lead, *g.output_shape, 1))
    if any(low > 0 for low, _ in g.padding):  # only then may a window begin outside of the input
        first = jnp.asarray(_first_inside(g).reshape(*lead, *g.output_shape, 1))
        switches = jnp.where(y == -jnp.inf, first, switches)
    return y, switches


@maximum_and_switches.defjvp
def _maximum_and_switches_jvp(g, primals, tangents):
    y, switches = maximum_and_switches(primals[0], g)
    return (y, switches), (select(tangents[0], switches, g), np.zeros(switches.shape, jax.dtypes.float0))


def _first_maximum(x, g: ConvGeometry, later_wins):
    """The maximum, and how many cells of the input it stands beyond where its window begins.

    Axes are reduced one after the other, the last first: of equal numbers the first row wins, and in
    it the first cell.
    """
    x = padded(x, g, -jnp.inf)
    found = x, jnp.zeros(x.shape, jnp.int32)
    axes = list(enumerate(zip(g.axes, steps(g), strict=True), start=x.ndim - g.ndim - 1))

    def first(a, b):
        later = later_wins(a[0], b[0])
        return jnp.where(later, b[0], a[0]), jnp.where(later, b[1], a[1])

    for dimension, (axis, step) in reversed(axes):
        found = _reduced(found, dimension, axis, step, first)
    return found


def _later_is_larger(a, b):
    return b > a


def _later_is_larger_or_nan(a, b):
    """The first NaN stays."""
    return ~(a >= b) & (a == a)


def _reduced(found, dimension: int, axis: AxisGeometry, step: int, combine):
    """Combines what each tap of an axis reads, the first with the second and so on.

    `found` is a tuple: numbers and, where they are asked for, how far they stand beyond the window's
    beginning, `step` a tap.
    """

    def read(found, taps: int, axis: AxisGeometry):
        parts = [tap(part, dimension, taps * axis.dilation, axis) for part in found]
        return (parts[0], *(offset + jnp.int32(taps * step) for offset in parts[1:]))

    if axis.kernel <= SLICED:
        result = read(found, 0, axis)
        for t in range(1, axis.kernel):
            result = combine(result, read(found, t, axis))
        return result
    width = 1
    while 2 * width <= axis.kernel:
        found = combine(*(read(found, t, _pair(found[0].shape[dimension], width, axis)) for t in (0, width)))
        width *= 2
    rest = axis.kernel - width  # two windows of `width` that overlap cover the last ones
    cover = AxisGeometry(found[0].shape[dimension], rest + 1, axis.stride, dilation=axis.dilation)
    return combine(read(found, 0, cover), read(found, rest, cover))


def _pair(size: int, width: int, axis: AxisGeometry) -> AxisGeometry:
    """Two windows side by side, at every cell."""
    return AxisGeometry(size, width + 1, dilation=axis.dilation)


def _first_inside(g: ConvGeometry) -> np.ndarray:
    """The first cell of every window that lies in the input, ``(*output_shape,)``."""
    cells = np.zeros((), np.int64)
    for axis in g.axes:
        start = np.arange(axis.out_size) * axis.stride - axis.padding[0]
        start += -(np.minimum(start, 0) // axis.dilation) * axis.dilation
        cells = cells[..., None] * axis.size + start
    return cells.astype(np.int32)
