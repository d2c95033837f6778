"""Transposes of linear functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxconv.geometry import ConvGeometry
from jaxconv.meshes import vary_alike


def linear_transpose(function: Callable, shape: tuple[int, ...], y: jax.Array) -> jax.Array:
    """The transpose, at `y`, of a function that is linear in an array of `shape` and of `y`'s dtype.

    >>> linear_transpose(lambda x: 3 * x[:2], (4,), jnp.array([1.0, 2.0])).tolist()
    [3.0, 6.0, 0.0, 0.0]
    """
    argument, y = vary_alike(jnp.zeros(shape, y.dtype), y)  # only its type is used
    (result,) = jax.linear_transpose(function, argument)(y)
    return result


def linear_pair(
    name: str, function: Callable, transpose: Callable, batch_axis: Callable[[ConvGeometry], int]
) -> tuple[Primitive, Primitive]:
    """A linear function and its transpose, both written out, as primitives that derive to each other.

    Each takes one array and the static keyword `geometry`, and any number of axes from `batch_axis`
    on, which it keeps as they are: there, vmap puts another.
    """
    pair = Primitive(name), Primitive(f"{name}_transpose")
    for member, other, code in zip(pair, pair[::-1], (function, transpose), strict=True):
        _register(member, other, jax.jit(code, static_argnames="geometry"), batch_axis)
    return pair


def _register(member: Primitive, other: Primitive, function: Callable, batch_axis: Callable) -> None:
    def batched(arrays, dims, *, geometry):
        axis = batch_axis(geometry)
        return member.bind(jnp.moveaxis(arrays[0], dims[0], axis), geometry=geometry), axis

    member.def_impl(function)
    member.def_abstract_eval(lambda a, **static: jax.make_jaxpr(partial(function, **static))(a).out_avals[0])
    ad.deflinear2(member, lambda cotangent, _, **static: [other.bind(cotangent, **static)])
    batching.primitive_batchers[member] = batched
    mlir.register_lowering(member, mlir.lower_fun(function, multiple_results=False))
