r"""The products of C: three bilinear primitives, each of which is a derivative of the others.

$y = C x$ is linear in the stored values $w$ of C and in $x$. The primitives are ``C x``, ``C-transposed y``
and the gradient of $\langle C x, y \rangle$ in $w$. So every derivative is a sum of slices too, in forward
and reverse mode and to any order, and vmap becomes a part of the groups, features or batch.

Maps are ``(*spatial, groups, features, batch)``, values ``(slots, *output_shape, groups, out, in)``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.core.bilinear_primitives import BilinearPrimitive, Folding, register_family
from jaxconv.core.dtypes import accumulator
from jaxconv.core.sharding import vary_alike
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import stored_taps
from jaxconv.matrix.stored_taps import Slot

MAX_UNROLLED_TERMS = 128  # longer sums over slots are a loop, which keeps compilation short
# Sums over up to so many features are unrolled into one fused loop; longer ones are matrix products.
MAX_UNROLLED_ADJACENT_FEATURES = 16  # where the values lie side by side
MAX_UNROLLED_FEATURES = 64  # elsewhere


def _forward(values: jax.Array, x: jax.Array, g: ConvGeometry, precision: lax.PrecisionLike) -> jax.Array:
    """Computes C x."""
    bordered = stored_taps.border(x, g)

    def term(total: jax.Array, values: jax.Array, slot: Slot) -> jax.Array:
        return total + _contract(
            values.astype(x.dtype),
            stored_taps.read_slot(bordered, slot, g),
            -1,
            -2,
            precision,
            MAX_UNROLLED_ADJACENT_FEATURES,
        )

    y = jnp.zeros((*g.output_shape, *values.shape[-3:-1], x.shape[-1]), x.dtype)
    return _over_slots(term, y, values, g, values.shape[-1])


def _back(values: jax.Array, y: jax.Array, g: ConvGeometry, precision: lax.PrecisionLike) -> jax.Array:
    """Computes C-transposed y."""
    columns = y.shape[-1] if isinstance(y.shape[-1], int) else 2**31  # exported for any number of columns
    numbers_per_cell = values.shape[-3] * values.shape[-1] * columns
    if (
        numbers_per_cell > 1 == values.shape[-2]
        and len(values) <= MAX_UNROLLED_TERMS
        and stored_taps.adjacent_reads(g)
    ):
        # One loop that writes x once. A sum over more features would store the padded values, and with one
        # number per cell the running sum below is faster: 11x11 on 64x64, 0.17 ms against 0.37 ms.
        factors = stored_taps.factors_by_cell(values, y, g)
        terms = (part.astype(y.dtype).mT * at_cells for part, at_cells in factors)
        return stored_taps.without_border(reduce(jnp.add, terms), g)

    def term(total: jax.Array, part: jax.Array, slot: Slot) -> jax.Array:
        return stored_taps.add(total, part if at_once else cells(part, y), slot, g)

    def cells(values: jax.Array, y: jax.Array) -> jax.Array:
        return _contract(values.astype(y.dtype), y, -2, -2, precision)

    # All products at once, in one loop over the values, where they take less room than the values.
    at_once = columns < values.shape[-2] <= MAX_UNROLLED_FEATURES
    zeros = stored_taps.bordered_zeros((*values.shape[-3::2], y.shape[-1]), y.dtype, g)
    parts = cells(values, y[None]) if at_once else values
    width = 1 if values.shape[-2] <= MAX_UNROLLED_FEATURES else values.shape[-2]
    return stored_taps.without_border(_over_slots(term, zeros, parts, g, width), g)


def _gradient_in_values(
    x: jax.Array, y: jax.Array, g: ConvGeometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Computes the gradient of the product in the values: every y times the cells that it reads."""
    bordered = stored_taps.border(x, g)

    def block(slot: jax.Array) -> jax.Array:
        return _contract(y, stored_taps.read_slot(bordered, slot, g), -1, -1, precision)

    return lax.map(block, stored_taps.slot_numbers(g))


def _over_slots(
    term: Callable[[jax.Array, jax.Array, Slot], jax.Array],
    total: jax.Array,
    parts: jax.Array,
    g: ConvGeometry,
    width: int,
) -> jax.Array:
    """Adds the terms of all slots to `total`, where each term is a sum of `width` products."""
    total, parts = vary_alike(total, parts)
    each = stored_taps.slot_numbers(g)
    if len(each) * width <= MAX_UNROLLED_TERMS:
        for part, slot in zip(parts, each.tolist(), strict=True):
            total = term(total, part, slot)
        return total
    total, _ = lax.scan(lambda total, part: (term(total, *part), None), total, (parts, each))
    return total


def _contract(
    a: jax.Array,
    b: jax.Array,
    axis: int,
    other: int,
    precision: lax.PrecisionLike,
    limit: int = MAX_UNROLLED_FEATURES,
) -> jax.Array:
    """Sums products over `axis` of `a` and `other` of `b`, each of their last two: (..., rows, columns)."""
    size = a.shape[axis]
    if 0 < size <= limit:
        pick = partial(lax.index_in_dim, keepdims=False)
        terms = (pick(a, k, axis)[..., :, None] * pick(b, k, other)[..., None, :] for k in range(size))
        return reduce(jnp.add, terms)
    b = b if other == -2 else b.mT
    if axis == -1:
        return jnp.matmul(a, b, precision=precision)
    return jnp.matmul(b.mT, a, precision=precision).mT  # `a` as it is stored: a transpose would copy it


_AXES = {"w": "GOI", "x": "GIN", "y": "GON"}  # the last axes of each


def _fold(name: str, where: str, array: jax.Array, dim: int, _: ConvGeometry) -> jax.Array:
    """Merges the mapped axis with the axis of its letter."""
    axis = _AXES[name].index(where) - 3
    array = jnp.moveaxis(array, dim, axis - 1)
    merged = array.shape[axis - 1] * array.shape[axis]
    return array.reshape(*array.shape[: axis - 1], merged, *array.shape[array.ndim + axis + 1 :])


def _unfold(name: str, where: str, array: jax.Array, size: int, _: ConvGeometry) -> jax.Array:
    """Inverts `_fold`; the mapped axis is then the first."""
    axis = _AXES[name].index(where) - 3 + array.ndim
    split = (size, array.shape[axis] // size)
    return jnp.moveaxis(array.reshape(*array.shape[:axis], *split, *array.shape[axis + 1 :]), axis, 0)


def _in_working_dtype(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Returns a product that computes its sums in the accumulator's dtype."""

    def product(
        a: jax.Array,
        b: jax.Array,
        *,
        geometry: ConvGeometry,
        precision: lax.PrecisionLike,
        dtype: np.dtype,
    ) -> jax.Array:
        with jax.numpy_dtype_promotion("standard"):
            work = accumulator(jnp.result_type(a.dtype, b.dtype))
        b = b.astype(work)
        a = (
            a if function is not _gradient_in_values else a.astype(work)
        )  # `function` converts values as it reads them
        return function(a, b, geometry, precision).astype(dtype)

    return product


FORWARD = BilinearPrimitive("jaxconv_matrix_product", "wx", _in_working_dtype(_forward))
BACK = BilinearPrimitive("jaxconv_matrix_transpose", "wy", _in_working_dtype(_back))
OUTER = BilinearPrimitive("jaxconv_matrix_outer", "xy", _in_working_dtype(_gradient_in_values))
# The products read the number of features from the arrays, so a folded axis leaves the geometry as it is.
register_family(FORWARD, BACK, OUTER, folding=Folding(_fold, _unfold, lambda geometry, where, size: geometry))
