r"""The products of C: three bilinear primitives, each a derivative of the others.

With $y = C x$, linear in the stored values $w$ of C and in $x$, they are ``C x``, ``C-transposed y``
and the gradient of $\langle C x, y \rangle$ in $w$. So every derivative is a sum of
slices too, in both modes and to any order, and vmap folds into groups, features or the batch.

Maps are ``(*spatial, groups, features, batch)``, values ``(slots, *output_shape, groups, out, in)``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax

from jaxconv.core.bilinear_primitives import BilinearPrimitive, Folding, register_family
from jaxconv.core.dtypes import accumulator
from jaxconv.core.sharding import vary_alike
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import stored_taps

MAX_UNROLLED_TERMS = 128  # terms of a sum in one program; beyond, a loop over slots keeps compilation short
# Sums over so many features are written out, one fused loop; longer ones are matrix products.
MAX_WRITTEN_OUT_ADJACENT = 16  # of values that lie side by side
MAX_WRITTEN_OUT = 64  # of others


def _forward(values, x, g: ConvGeometry, precision):
    """C x."""
    bordered = stored_taps.border(x, g)

    def term(total, values, slot):
        return total + _contract(
            values.astype(x.dtype),
            stored_taps.read(bordered, slot, g),
            -1,
            -2,
            precision,
            MAX_WRITTEN_OUT_ADJACENT,
        )

    y = jnp.zeros((*g.output_shape, *values.shape[-3:-1], x.shape[-1]), x.dtype)
    return _over_slots(term, y, values, g, values.shape[-1])


def _back(values, y, g: ConvGeometry, precision):
    """C-transposed y."""
    columns = y.shape[-1] if isinstance(y.shape[-1], int) else 2**31  # exported for any number of them
    of_a_cell = values.shape[-3] * values.shape[-1] * columns
    if of_a_cell > 1 == values.shape[-2] and len(values) <= MAX_UNROLLED_TERMS and stored_taps.in_step(g):
        # One loop that writes x once. A sum over more features would write out the padded values, and
        # with one number a cell the running sum below is faster: 11x11 on 64x64, 0.17 ms against 0.37.
        terms = (part.astype(y.dtype).mT * there for part, there in stored_taps.by_cell(values, y, g))
        return stored_taps.without_border(reduce(jnp.add, terms), g)

    def term(total, part, slot):
        return stored_taps.add(total, part if made else cells(part, y), slot, g)

    def cells(values, y):
        return _contract(values.astype(y.dtype), y, -2, -2, precision)

    # All products at once where they take less room than the values: one loop that reads those in step.
    made = columns < values.shape[-2] <= MAX_WRITTEN_OUT
    zeros = stored_taps.bordered_zeros((*values.shape[-3::2], y.shape[-1]), y.dtype, g)
    parts = cells(values, y[None]) if made else values
    width = 1 if values.shape[-2] <= MAX_WRITTEN_OUT else values.shape[-2]
    return stored_taps.without_border(_over_slots(term, zeros, parts, g, width), g)


def _outer(x, y, g: ConvGeometry, precision):
    """What the values collect in the gradient of the product: every y times the cells that it reads."""
    bordered = stored_taps.border(x, g)

    def block(slot):
        return _contract(y, stored_taps.read(bordered, slot, g), -1, -1, precision)

    return lax.map(block, stored_taps.slot_numbers(g))


def _over_slots(term, total, parts, g: ConvGeometry, width: int):
    """Adds the term of every slot, itself a sum of `width`."""
    total, parts = vary_alike(total, parts)
    each = stored_taps.slot_numbers(g)
    if len(each) * width <= MAX_UNROLLED_TERMS:
        for part, slot in zip(parts, each.tolist(), strict=True):
            total = term(total, part, slot)
        return total
    total, _ = lax.scan(lambda total, part: (term(total, *part), None), total, (parts, each))
    return total


def _contract(a, b, axis: int, other: int, precision, limit=MAX_WRITTEN_OUT):
    """The sum over `axis` of the last two of `a` and `other` of `b`: (..., rows, columns)."""
    size = a.shape[axis]
    if 0 < size <= limit:
        pick = partial(lax.index_in_dim, keepdims=False)
        return sum(pick(a, k, axis)[..., :, None] * pick(b, k, other)[..., None, :] for k in range(size))
    b = b if other == -2 else b.mT
    if axis == -1:
        return jnp.matmul(a, b, precision=precision)
    return jnp.matmul(b.mT, a, precision=precision).mT  # `a` as it is stored: a transpose would copy it


_AXES = {"w": "GOI", "x": "GIN", "y": "GON"}  # the last axes of each


def _fold(name: str, where: str, array, dim: int, _):
    """Moves the mapped axis to stand before its letter's, and makes one of the two."""
    axis = _AXES[name].index(where) - 3
    array = jnp.moveaxis(array, dim, axis - 1)
    merged = array.shape[axis - 1] * array.shape[axis]
    return array.reshape(*array.shape[: axis - 1], merged, *array.shape[array.ndim + axis + 1 :])


def _unfold(name: str, where: str, array, size: int, _):
    """Inverse of `_fold`, the mapped axis first."""
    axis = _AXES[name].index(where) - 3 + array.ndim
    split = (size, array.shape[axis] // size)
    return jnp.moveaxis(array.reshape(*array.shape[:axis], *split, *array.shape[axis + 1 :]), axis, 0)


def _in_working_dtype(function: Callable) -> Callable:
    """A product with its sums in the dtype in which they are kept."""

    def product(a, b, *, geometry, precision, dtype):
        with jax.numpy_dtype_promotion("standard"):
            work = accumulator(jnp.result_type(a.dtype, b.dtype))
        b = b.astype(work)
        a = a if function is not _outer else a.astype(work)  # values are converted where they are read
        return function(a, b, geometry, precision).astype(dtype)

    return product


FORWARD = BilinearPrimitive("jaxconv_matrix_product", "wx", _in_working_dtype(_forward))
BACK = BilinearPrimitive("jaxconv_matrix_transpose", "wy", _in_working_dtype(_back))
OUTER = BilinearPrimitive("jaxconv_matrix_outer", "xy", _in_working_dtype(_outer))
# The products read features from the arrays, so that the geometry needs no more of them.
register_family(FORWARD, BACK, OUTER, folding=Folding(_fold, _unfold, lambda geometry, where, size: geometry))
