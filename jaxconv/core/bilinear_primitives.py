r"""Families of three bilinear primitives, each of which is a derivative of the other two.

With $y = C(w)\,x$ the three return $y$ from $x$ and $w$, $x$ from $y$ and $w$ (the transpose), and $w$
from $x$ and $y$ (the gradient of $\langle y, C(w)\,x \rangle$). Each is linear in both operands, and its
transpose in either operand is another of the three. So derivatives of any order, in forward and reverse mode,
stay in the family, and so does vmap, which makes one of the axes longer.

No other file of the library uses as much of JAX's internals.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.interpreters import ad, batching, mlir

from jaxconv.core.primitive import Primitive
from jaxconv.core.sharding import reshard_like, vary_alike

# The axis that two of x (N, I), w (I, O) and y (N, O) share: the batch, the input or the output features.
_SHARED = {frozenset("xy"): "N", frozenset("xw"): "I", frozenset("yw"): "O"}


class BilinearPrimitive:
    """A function of two of x, w and y that returns the third, linear in both.

    Args:
      name: Name of the primitive in profiles and compiled programs.
      operands: Two of ``"xwy"``, in the order of the function's arguments.
      function: A function of the two arrays and, by keyword, static arguments: `geometry`, `dtype` (of the
        result) and any others.
      off_cpu: The function for platforms other than CPUs; by default `function`.
      alone: The function for one CPU device, where XLA has nothing to partition; by default `function`. It
        may call what XLA can neither partition nor export. Its further keyword `devices` is the number of
        devices that run the same program at once, on the threads of one process.
      only_alone: Raises an error for static arguments that only `alone` can compute; called by the others.
    """

    def __init__(
        self,
        name: str,
        operands: str,
        function: Callable,
        *,
        off_cpu: Callable | None = None,
        alone: Callable | None = None,
        only_alone: Callable[..., None] | None = None,
    ):
        """Makes the primitive without its rules, which `register_family` adds."""
        self.primitive = Primitive(name)
        self.operands = operands
        (self.result,) = set("xwy") - set(operands)
        self.function = _jit(function, name)
        self.off_cpu = self.function if off_cpu is None else _jit(off_cpu, name)
        self.alone = None if alone is None else _jit(alone, name)
        self.only_alone = only_alone or (lambda **static: None)

    def bind(self, a: Any, b: Any, *, dtype: Any = None, **static: Any) -> Any:
        """Applies the primitive; the result has `dtype`, by default the dtype of `a`."""
        a, b = vary_alike(a, b)
        return self.primitive.bind(a, b, dtype=jnp.dtype(dtype or a.dtype), **static)


class Folding(NamedTuple):
    """The functions that make a mapped axis part of N, I, O or the groups G, each named by its letter."""

    fold: Callable  # (name of the operand, letter, array, mapped axis, geometry) -> array
    unfold: Callable  # (name of the result, letter, array, size, geometry) -> array, the mapped axis first
    widen: Callable  # (geometry, letter, size) -> the geometry with `size` times the features or groups


def register_family(
    *members: BilinearPrimitive, folding: Folding, in_derivatives: Mapping[str, Any] | None = None
) -> None:
    """Registers the rules of a family of three primitives: evaluation, derivatives, vmap and lowering.

    Args:
      *members: The three primitives.
      folding: How vmap folds a mapped axis into the others.
      in_derivatives: Static arguments that derivatives set, instead of inheriting them.
    """
    by_result = {member.result: member for member in members}
    for member in members:
        primitive, function = member.primitive, member.function
        primitive.def_impl(_outside_of_jit(member))
        primitive.def_abstract_eval(partial(_abstract_eval, function))
        rules = (_transpose_rule(member, linear, by_result, in_derivatives or {}) for linear in (0, 1))
        ad.defbilinear(primitive, *rules)
        batching.primitive_batchers[primitive] = _batching_rule(member, folding)
        mlir.register_lowering(primitive, _lowering(member, on_cpu=False))
        mlir.register_lowering(primitive, _lowering(member, on_cpu=True), platform="cpu")


def _jit(function: Callable, name: str) -> Callable:
    """Returns the function jitted under a name, with its keyword arguments static."""
    function.__name__ = function.__qualname__ = name  # messages of JAX quote the second
    parameters = inspect.signature(function).parameters.values()
    return jax.jit(function, static_argnames=[p.name for p in parameters if p.kind is p.KEYWORD_ONLY])


def _abstract_eval(function: Callable, a: Any, b: Any, **static: Any) -> Any:
    return jax.make_jaxpr(partial(function, **static))(a, b).out_avals[0]


def _lowering(member: BilinearPrimitive, on_cpu: bool) -> Callable:
    """Returns the rule by which a primitive becomes part of a program."""
    elsewhere = mlir.lower_fun(member.function if on_cpu else member.off_cpu, multiple_results=False)
    alone = member.alone and mlir.lower_fun(member.alone, multiple_results=False)

    def rule(ctx: Any, a: Any, b: Any, **static: Any) -> Any:
        devices = _devices_alone(ctx.module_context) if on_cpu else 0
        if alone and devices:
            return alone(ctx, a, b, devices=devices, **static)
        member.only_alone(**static)
        return elsewhere(ctx, a, b, **static)

    return rule


def _devices_alone(module: Any) -> int:
    """Counts the devices that each run a program, or this part of it (shard_map), alone and in this process.

    The count is 0 where XLA may partition the program, and in programs for export.
    """
    axes = module.axis_context
    mesh: Any = getattr(axes, "mesh", None)
    manual = getattr(axes, "manual_axes", None)
    if module.lowering_parameters.for_export:
        return 0
    if manual:
        local = jax.local_device_count("cpu")
        return min(mesh.size, local) if set(manual) == set(mesh.axis_names) else 0
    return int(getattr(axes, "num_devices", None) == 1 or getattr(mesh, "size", 0) == 1)


def _outside_of_jit(member: BilinearPrimitive) -> Callable:
    """Returns the function that runs a primitive outside of jit, chosen by where its operands are."""

    def run(a: Any, b: Any, **static: Any) -> Any:
        if _platform(a, b) != "cpu":
            member.only_alone(**static)
            return member.off_cpu(a, b, **static)
        if member.alone and all(len(x.devices()) == 1 for x in (a, b) if isinstance(x, jax.Array)):
            return member.alone(a, b, **static)
        member.only_alone(**static)
        return member.function(a, b, **static)

    return run


def _platform(*operands: Any) -> str:
    """Returns the platform that jit would run on: that of a committed operand, or of the default device."""
    for operand in operands:
        if getattr(operand, "committed", False):
            return next(iter(operand.sharding.device_set)).platform
    device = jax.config.jax_default_device  # type: ignore[attr-defined]
    return jax.default_backend() if device is None else getattr(device, "platform", device)


def _transpose_rule(
    member: BilinearPrimitive, linear: int, by_result: Mapping, in_derivatives: Mapping
) -> Callable:
    """Returns the rule of the transpose in operand `linear`: the member whose result is that operand."""
    other = by_result[member.operands[linear]]

    def rule(cotangent: Any, a: Any, b: Any, **static: Any) -> Any:
        operand, fixed = (a, b) if linear == 0 else (b, a)
        given = {member.result: cotangent, member.operands[1 - linear]: fixed}
        first, second = (given[name] for name in other.operands)
        static = {
            **static,
            **in_derivatives,
            "dtype": operand.aval.dtype,
        }  # a cotangent has the dtype of its primal
        return reshard_like(other.bind(first, second, **static), operand.aval)

    return rule


def _batching_rule(member: BilinearPrimitive, folding: Folding) -> Callable:
    """Returns the rule of vmap: it stays in the family and folds the mapped axis into N, I, O or the groups.

    An axis that two of x, w and y have is folded into the axis that those two share; an axis that all three
    have makes more groups.
    """

    def rule(operands: Any, dims: Any, *, geometry: Any, **static: Any) -> Any:
        mapped = [name for name, dim in zip(member.operands, dims, strict=True) if dim is not None]
        size = next(op.shape[dim] for op, dim in zip(operands, dims, strict=True) if dim is not None)
        where = "G" if len(mapped) == 2 else _SHARED[frozenset((mapped[0], member.result))]
        if size == 0:
            return _empty(member, operands, dims, geometry=geometry, **static), 0
        folded = [
            op if dim is None else folding.fold(name, where, op, dim, geometry)
            for name, op, dim in zip(member.operands, operands, dims, strict=True)
        ]
        result = member.bind(*folded, geometry=folding.widen(geometry, where, size), **static)
        return folding.unfold(member.result, where, result, size, geometry), 0

    return rule


def _empty(member: BilinearPrimitive, operands: Any, dims: Any, **static: Any) -> jax.Array:
    """Returns the result of a vmap over an axis of size 0."""
    shapes = [
        op.shape if dim is None else (*op.shape[:dim], *op.shape[dim + 1 :])
        for op, dim in zip(operands, dims, strict=True)
    ]
    single = [jax.ShapeDtypeStruct(s, op.dtype) for s, op in zip(shapes, operands, strict=True)]
    result = jax.eval_shape(partial(member.function, **static), *single)
    return jnp.zeros((0, *result.shape), result.dtype)
