"""Transposes of linear functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import ad, batching, mlir

from jaxconv.core.primitive import Primitive
from jaxconv.core.sharding import vary_alike


def linear_transpose(function: Callable, shape: tuple[int, ...], y: jax.Array) -> jax.Array:
    """Applies the transpose of a linear function to `y`.

    Args:
      function: A linear function of one array.
      shape: Shape of its argument, which has the dtype of `y`.
      y: The argument of the transpose, of the shape that `function` returns.

    >>> linear_transpose(lambda x: 3 * x[:2], (4,), jnp.array([1.0, 2.0])).tolist()
    [3.0, 6.0, 0.0, 0.0]
    """
    argument, y = vary_alike(jnp.zeros(shape, y.dtype), y)  # only its type is used
    (result,) = jax.linear_transpose(function, argument)(y)
    return result


def linear_with_transpose(
    name: str, function: Callable, transpose: Callable, batch_axis: Callable[[Any], int]
) -> tuple[Primitive, Primitive]:
    """Makes primitives of a linear function and its transpose, each of which is the transpose of the other.

    Both functions take an array in which they are linear, then arrays in which they are not differentiated,
    and the static keyword `geometry`. They must pass on further axes of all arrays from `batch_axis` on
    unchanged: vmap puts its axis there.

    Args:
      name: Name of the function's primitive; that of the transpose ends in ``_transpose``.
      function: The linear function.
      transpose: Its transpose.
      batch_axis: Returns, for a geometry, where vmap puts its axis.
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
    """Returns the array with its mapped axis at `axis`; an array without one is repeated."""
    if dim is not None:
        return jnp.moveaxis(array, dim, axis)
    array = jnp.expand_dims(array, axis)
    return jnp.broadcast_to(array, (*array.shape[:axis], size, *array.shape[axis + 1 :]))
