r"""The products of C: three bilinear primitives, each a derivative of the others.

With $y = C x$, linear in the stored values $v$ of C and in $x$, the members are ``C x``,
``C-transposed y`` and the gradient of $\langle C x, y \rangle$ in $v$. So every derivative is a sum
of slices too, in both modes and to any order, and vmap folds into groups, features or the batch.

Maps are ``(*spatial, groups, features, batch)``, values ``(slots, *output_shape, groups, out, in)``.
"""

from __future__ import annotations

from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

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


FORWARD, BACK, OUTER = (Primitive(f"jaxconv_matrix_{name}") for name in ("product", "transpose", "outer"))
MEMBERS: dict = {
    FORWARD: (_forward, ("v", "x", "y")),
    BACK: (_back, ("v", "y", "x")),
    OUTER: (_outer, ("x", "y", "v")),
}  # operands, result
FEATURES = {"v": "GOI", "x": "GIN", "y": "GON"}  # the last axes of each
SHARED = {frozenset("xy"): "N", frozenset("xv"): "I", frozenset("yv"): "O"}


def bind(member: Primitive, a, b, *, geometry: ConvGeometry, precision=None, dtype=None):
    """Applies a member; the result has `dtype`, that of `a` by default."""
    a, b = vary_alike(a, b)
    return member.bind(a, b, geometry=geometry, precision=precision, dtype=jnp.dtype(dtype or a.dtype))


def _implementation(member: Primitive):
    function = MEMBERS[member][0]

    def product(a, b, *, geometry, precision, dtype):
        with jax.numpy_dtype_promotion("standard"):
            work = accumulator(jnp.result_type(a.dtype, b.dtype))
        b = b.astype(work)
        a = a if function is not _outer else a.astype(work)  # values are converted where they are read
        return function(a, b, geometry, precision).astype(dtype)

    product.__name__ = member.name
    return jax.jit(product, static_argnames=("geometry", "precision", "dtype"))


def _transpose_rule(member: Primitive, linear: int):
    """The transpose in operand `linear`: the member that returns what that operand is."""
    *operands, result = MEMBERS[member][1]
    other = next(p for p, (_, names) in MEMBERS.items() if names[2] == operands[linear])

    def rule(cotangent, a, b, *, geometry, precision, dtype):
        del dtype
        operand, fixed = (a, b) if linear == 0 else (b, a)
        given = {result: cotangent, operands[1 - linear]: fixed}
        first, second = (given[name] for name in MEMBERS[other][1][:2])
        return bind(other, first, second, geometry=geometry, precision=precision, dtype=operand.aval.dtype)

    return rule


def _batching_rule(member: Primitive):
    """A mapped axis that two share makes their common axis longer; one of all three, more groups."""
    *operands, result = MEMBERS[member][1]

    def rule(arrays, dims, **static):
        mapped = [name for name, dim in zip(operands, dims, strict=True) if dim is not None]
        where = "G" if len(mapped) == 2 else SHARED[frozenset((mapped[0], result))]
        size = next(array.shape[dim] for array, dim in zip(arrays, dims, strict=True) if dim is not None)
        folded = [
            array if dim is None else _fold(array, dim, FEATURES[name].index(where) - 3)
            for name, array, dim in zip(operands, arrays, dims, strict=True)
        ]
        return _unfold(bind(member, *folded, **static), size, FEATURES[result].index(where) - 3), 0

    return rule


def _fold(array, dim: int, axis: int):
    """Moves the mapped axis to stand before `axis`, and makes one of the two."""
    array = jnp.moveaxis(array, dim, axis - 1)
    merged = array.shape[axis - 1] * array.shape[axis]
    return array.reshape(*array.shape[: axis - 1], merged, *array.shape[array.ndim + axis + 1 :])


def _unfold(array, size: int, axis: int):
    """Inverse of `_fold`, the mapped axis first."""
    axis += array.ndim
    split = (size, array.shape[axis] // size if size else 0)
    return jnp.moveaxis(array.reshape(*array.shape[:axis], *split, *array.shape[axis + 1 :]), axis, 0)


def _register(member: Primitive) -> None:
    function = _implementation(member)
    member.def_impl(function)
    member.def_abstract_eval(
        lambda a, b, **static: jax.make_jaxpr(partial(function, **static))(a, b).out_avals[0]
    )
    ad.defbilinear(member, _transpose_rule(member, 0), _transpose_rule(member, 1))
    batching.primitive_batchers[member] = _batching_rule(member)
    mlir.register_lowering(member, mlir.lower_fun(function, multiple_results=False))


for _member in MEMBERS:
    _register(_member)
