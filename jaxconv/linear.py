"""Transposes of linear functions."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxconv.meshes import vary_alike


def linear_transpose(function: Callable, shape: tuple[int, ...], y: jax.Array) -> jax.Array:
    """The transpose, at `y`, of a function that is linear in an array of `shape` and of `y`'s dtype.

    >>> linear_transpose(lambda x: 3 * x[:2], (4,), jnp.array([1.0, 2.0])).tolist()
    [3.0, 6.0, 0.0, 0.0]
    """
    argument, y = vary_alike(jnp.zeros(shape, y.dtype), y)  # only its type is used
    (result,) = jax.linear_transpose(function, argument)(y)
    return result
