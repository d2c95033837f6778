"""Transposes of linear functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxconv.core.sharding import vary_alike


def linear_transpose(function: Callable, shape: tuple[int, ...], y: jax.Array) -> jax.Array:
    """The transpose, at `y`, of a function that is linear in an array of `shape` and of `y`'s dtype.

    >>> linear_transpose(lambda x: 3 * x[:2], (4,), jnp.array([1.0, 2.0])).tolist()
    [3.0, 6.0, 0.0, 0.0]
    """
    argument, y = vary_alike(jnp.zeros(shape, y.dtype), y)  # only its type is used
    (result,) = jax.linear_transpose(function, argument)(y)
    return result


def linear_with_transpose(
    name: str, function: Callable, transpose: Callable, batch_axis: Callable[[Any], int]
) -> tuple[Primitive, Primitive]:
    """A linear function and its transpose, both written out, as primitives that derive to each other.

    Each takes an array, in which it is linear, then any that it is not differentiated in, and the static
    keyword `geometry`. It keeps further axes of all of them at `batch_axis` as they are: there, vmap puts
    another.
    """
    pair = Primitive(name), Primitive(f"{name}_transpose")
    for member, other, code in zip(pair, pair[::-1], (function, transpose), strict=True):
        _register(member, other, jax.jit(code, static_argnames="geometry"), batch_axis)
    return pair


def _register(member: Primitive, other: Primitive, function: Callable, batch_axis: Callable) -> None:
    def bind(*arrays: Any, geometry: Any) -> Any:
        return member.bind(*vary_alike(*arrays), geometry=geometry)

    def jvp(arrays: Any, tangents: Any, *, geometry: Any) -> Any:
        y = bind(*arrays, geometry=geometry)
        if type(tangents[0]) is ad.Zero:
            return y, ad.Zero(jax.typeof(y).to_tangent_aval())  # of an integer map: float0
        return y, bind(tangents[0], *arrays[1:], geometry=geometry)

    def transposed(cotangent: Any, _: Any, *fixed: Any, geometry: Any) -> Any:
        if type(cotangent) is ad.Zero:
            return [None] * (1 + len(fixed))
        return [other.bind(*vary_alike(cotangent, *fixed), geometry=geometry), *[None] * len(fixed)]

    def batched(arrays: Any, dims: Any, *, geometry: Any) -> Any:
        axis = batch_axis(geometry)
        size = next(a.shape[dim] for a, dim in zip(arrays, dims, strict=True) if dim is not None)
        arrays = [_with_axis(a, dim, axis, size) for a, dim in zip(arrays, dims, strict=True)]
        return bind(*arrays, geometry=geometry), axis

    member.def_impl(function)
    member.def_abstract_eval(
        lambda *a, **static: jax.make_jaxpr(partial(function, **static))(*a).out_avals[0]
    )
    ad.primitive_jvps[member] = jvp
    ad.primitive_transposes[member] = transposed
    batching.primitive_batchers[member] = batched
    mlir.register_lowering(member, mlir.lower_fun(function, multiple_results=False))


def _with_axis(array: jax.Array, dim: int | None, axis: int, size: int) -> Any:
    """The array with its mapped axis at `axis`, repeated there if it has none."""
    if dim is not None:
        return jnp.moveaxis(array, dim, axis)
    array = jnp.expand_dims(array, axis)
    return jnp.broadcast_to(array, (*array.shape[:axis], size, *array.shape[axis + 1 :]))
