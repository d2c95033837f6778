r"""The closed family: three bilinear primitives, each a derivative of the others.

With $y = C(w)\,x$, the members are ``conv(x, w)``, ``conv_transpose(y, w)`` and
``conv_kernel_vjp(x, y)``. Each is linear in both operands, and its transpose in either is another
member; so derivatives of any order, in both modes, stay inside and are computed by a formulation
chosen for them.

This file is as close to the inside of jax as the library goes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import PartitionSpec

from jaxconv.convolution import auto
from jaxconv.convolution.registry import CONV, CONV_KERNEL_VJP, CONV_TRANSPOSE, batch_of
from jaxconv.core.sharding import batch_spec, partitioned_automatically, reshard_like, vary_alike
from jaxconv.geometry import ConvGeometry

STATIC = ("geometry", "method", "precision", "dtype")


class BilinearPrimitive(NamedTuple):
    """One of the three, with all that the rules below need to know about it."""

    primitive: Primitive
    formulations: dict[Any, Callable[..., jax.Array]]
    method_for: Callable[[ConvGeometry, int], str]
    operands: str  # two of x, w, y
    result: str  # the third


CONV_PRIMITIVE = BilinearPrimitive(Primitive("jaxconv_conv"), CONV, auto.method_for_conv, "xw", "y")
CONV_TRANSPOSE_PRIMITIVE = BilinearPrimitive(
    Primitive("jaxconv_conv_transpose"), CONV_TRANSPOSE, auto.method_for_conv_transpose, "yw", "x"
)
CONV_KERNEL_VJP_PRIMITIVE = BilinearPrimitive(
    Primitive("jaxconv_conv_kernel_vjp"), CONV_KERNEL_VJP, auto.method_for_conv_kernel_vjp, "xy", "w"
)
BY_RESULT = {
    member.result: member for member in (CONV_PRIMITIVE, CONV_TRANSPOSE_PRIMITIVE, CONV_KERNEL_VJP_PRIMITIVE)
}


def bind(
    member: BilinearPrimitive, a, b, *, geometry: ConvGeometry, method="auto", precision=None, dtype=None
):
    """Applies a member; ``method="auto"`` stays open until the platform is known."""
    a, b = vary_alike(a, b)
    return member.primitive.bind(
        a, b, geometry=geometry, method=method, precision=precision, dtype=jnp.dtype(dtype or a.dtype)
    )


def _formulation(member: BilinearPrimitive, method_for: Callable[[ConvGeometry, int], str]):
    """The jitted function that computes a member on a platform, in programs and called by itself."""

    def formulation(a, b, *, geometry, method, precision, dtype):
        if method == "auto":
            method = method_for(geometry, batch_of(a))
        work = _working_dtype(method, a.dtype, b.dtype, dtype)
        multiply = partial(member.formulations[method], g=geometry, precision=precision)
        spec = PartitionSpec() if member.result == "w" else batch_spec(a)
        result = partitioned_automatically(multiply, spec, a.astype(work), b.astype(work))
        if jnp.iscomplexobj(result) and not jnp.issubdtype(dtype, jnp.complexfloating):
            result = result.real  # the gradient in a real operand of a result preferred complex
        return result.astype(dtype)

    formulation.__name__ = member.primitive.name  # what profiles and programs show
    return jax.jit(formulation, static_argnames=STATIC)


def _platform(*operands) -> str:
    """The platform that jit would run on: that of a committed operand, else the default device's."""
    for operand in operands:
        if getattr(operand, "committed", False):
            return next(iter(operand.sharding.device_set)).platform
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    return jax.default_backend() if device is None else getattr(device, "platform", device)


def _working_dtype(method: str, *dtypes):
    """One dtype for both operands: a cotangent may be wider than what it meets."""
    with jax.numpy_dtype_promotion("standard"):
        work = jnp.result_type(*dtypes)
    if work.itemsize == 2 and method not in ("direct", "zero_insertion", "vjp"):
        return jnp.dtype(jnp.float32)  # XLA's convolution does this by itself for 16-bit floats
    return work


def _transpose_rule(member: BilinearPrimitive, linear: int):
    """The transpose in operand `linear`: the member that returns what that operand is."""
    target = member.operands[linear]
    other = BY_RESULT[target]

    def rule(cotangent, a, b, *, geometry, method, precision, dtype):
        del method, dtype  # derivatives choose for themselves, in the dtype of their argument
        operand, fixed = (a, b) if linear == 0 else (b, a)
        given = {member.result: cotangent, member.operands[1 - linear]: fixed}
        first, second = (given[name] for name in other.operands)
        aval = operand.aval
        result = bind(other, first, second, geometry=geometry, precision=precision, dtype=aval.dtype)
        return reshard_like(result, aval)

    return rule


def _batching_rule(member: BilinearPrimitive):
    """Keeps vmap in the family: the mapped axis is folded into N, I, O or the groups.

    An axis that two of x (N, I), w (I, O) and y (N, O) share goes where both have room; one that
    all three share makes more groups.
    """

    def rule(operands, dims, *, geometry, **static):
        mapped = [name for name, dim in zip(member.operands, dims, strict=True) if dim is not None]
        size = next(op.shape[dim] for op, dim in zip(operands, dims, strict=True) if dim is not None)
        where = "G" if len(mapped) == 2 else _SHARED[frozenset((mapped[0], member.result))]
        if size == 0:
            return _empty(member, operands, dims, geometry, static["dtype"]), 0
        folded = [
            op if dim is None else _fold(name, where, jnp.moveaxis(op, dim, 0), geometry)
            for name, op, dim in zip(member.operands, operands, dims, strict=True)
        ]
        result = bind(member, *folded, geometry=_widened(geometry, where, size), **static)
        return _unfold(member.result, where, result, size, geometry), 0

    return rule


_SHARED = {frozenset("xy"): "N", frozenset("xw"): "I", frozenset("yw"): "O"}


def _widened(g: ConvGeometry, where: str, size: int) -> ConvGeometry:
    """The geometry with room for `size` times as many input features, output features or groups."""
    wide_in = size if where in "IG" else 1
    wide_out = size if where in "OG" else 1
    groups = g.feature_group_count * (size if where == "G" else 1)
    return g.with_features(g.in_features * wide_in, g.out_features * wide_out, groups)


def _fold(name: str, where: str, array, g: ConvGeometry):
    """Moves the leading, mapped axis of x, w or y into its batch or feature axis."""
    size, groups = array.shape[0], g.feature_group_count
    if where == "N":
        return array.reshape(size * array.shape[1], *array.shape[2:])
    axis = array.ndim - 2 if name == "w" and where == "I" else array.ndim - 1
    split = groups if where != "G" and not (name == "w" and where == "I") else 1
    # (size, ..., split * rest, ...) -> (..., split * size * rest, ...)
    rest = array.shape[axis] // split
    array = array.reshape(*array.shape[:axis], split, rest, *array.shape[axis + 1 :])
    array = jnp.moveaxis(array, 0, axis)
    return array.reshape(*array.shape[: axis - 1], split * size * rest, *array.shape[axis + 2 :])


def _unfold(name: str, where: str, array, size: int, g: ConvGeometry):
    """Inverse of `_fold`."""
    if where == "N":
        return array.reshape(size, array.shape[0] // size, *array.shape[1:])
    axis = array.ndim - 2 if name == "w" and where == "I" else array.ndim - 1
    split = g.feature_group_count if where != "G" and not (name == "w" and where == "I") else 1
    rest = array.shape[axis] // (split * size)
    array = array.reshape(*array.shape[:axis], split, size, rest, *array.shape[axis + 1 :])
    array = jnp.moveaxis(array, axis + 1, 0)
    return array.reshape(*array.shape[: axis + 1], split * rest, *array.shape[axis + 3 :])


def _empty(member: BilinearPrimitive, operands, dims, g: ConvGeometry, dtype):
    """The result of a vmap over no elements."""
    n = operands[0].shape[1 if dims[0] == 0 else 0]  # the first operand is always a feature map
    shape = {
        "x": (n, *g.input_shape, g.in_features),
        "y": (n, *g.output_shape, g.out_features),
        "w": g.kernel_array_shape,
    }[member.result]
    return jnp.zeros((0, *shape), dtype)


def _register(member: BilinearPrimitive) -> None:
    primitive = member.primitive
    on_cpu, off_cpu = _formulation(member, member.method_for), _formulation(member, auto.method_off_cpu)

    def abstract_eval(a, b, **static):
        return jax.make_jaxpr(partial(on_cpu, **static))(a, b).out_avals[0]

    # Without jit a formulation runs operation by operation; the primitive in jit would be itself again.
    def impl(a, b, **static):
        return (on_cpu if _platform(a, b) == "cpu" else off_cpu)(a, b, **static)

    primitive.def_impl(impl)
    primitive.def_abstract_eval(abstract_eval)
    ad.defbilinear(primitive, _transpose_rule(member, 0), _transpose_rule(member, 1))
    batching.primitive_batchers[primitive] = _batching_rule(member)
    mlir.register_lowering(primitive, mlir.lower_fun(off_cpu, multiple_results=False))
    mlir.register_lowering(primitive, mlir.lower_fun(on_cpu, multiple_results=False), platform="cpu")


for _member in BY_RESULT.values():
    _register(_member)
