"""Checks of the arguments that the networks share."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import TypeGuard

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import ArrayLike

from jaxconv.core.checks import check_dtypes
from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry.arguments import at_least_one


def check_network(in_features: int, n_classes: int, rngs: nnx.Rngs) -> None:
    """Checks the arguments that every network takes.

    Raises:
      OptionError: `in_features` or `n_classes` is below 1.
      TypeError: They are not integers, or `rngs` is not an `nnx.Rngs`.
    """
    at_least_one("in_features", in_features, error=OptionError)
    at_least_one("n_classes", n_classes, error=OptionError)
    if not isinstance(rngs, nnx.Rngs):
        raise TypeError(f"`rngs` must be a flax.nnx.Rngs, such as nnx.Rngs(0), got {type(rngs).__name__}.")


def check_images(x: ArrayLike, in_features: int) -> jax.Array:
    """Returns a network's input as an array, once its shape and dtype have been checked.

    Raises:
      GeometryError: `x` is not ``(*batch, rows, columns, in_features)``.
      TypeError: `x` is not floating.

    >>> check_images(jnp.zeros((2, 3, 8, 10), jnp.float32), 3)
    Traceback (most recent call last):
    jaxconv.errors.GeometryError: `x` must be (*batch, rows, columns, 3), got (2, 3, 8, 10); if it is \
channels-first, take jnp.moveaxis(x, -3, -1).
    """
    x = jnp.asarray(x)
    if x.ndim < 3 or x.shape[-1] != in_features:
        if x.ndim >= 3 and x.shape[-3] == in_features:
            hint = "; if it is channels-first, take jnp.moveaxis(x, -3, -1)"
        elif x.ndim == 2 and in_features == 1:
            hint = "; add an axis of one feature, x[..., None]"
        else:
            hint = f"; the network was built with in_features={in_features}"
        raise GeometryError(f"`x` must be (*batch, rows, columns, {in_features}), got {x.shape}{hint}.")
    if jnp.issubdtype(x.dtype, jnp.integer):
        raise TypeError(
            f"`x` must be floating, got {x.dtype}; scale it to 0 to 1, for example with "
            "x.astype(jnp.float32) / 255."
        )
    check_dtypes(x=x)
    return x


def check_blocks(blocks: object, *, least: int = 1) -> None:
    """Checks the ``(features, convolutions)`` pairs of a network.

    Raises:
      OptionError: They are not pairs of integers of at least 1, or fewer than `least` pairs.
    """
    if not (
        isinstance(blocks, Sequence)
        and len(blocks) >= least
        and all(_is_pair_of_ints(block) and min(block) >= 1 for block in blocks)
    ):
        number = "at least one block" if least else "blocks"
        raise OptionError(
            f"`blocks` must be {number} of (features, convolutions), both at least 1, such as "
            f"((16, 1), (32, 2)); got {blocks!r}."
        )


def check_window(name: str, value: object) -> None:
    """Checks ``(rows, columns)`` of a patch or window.

    Raises:
      OptionError: It is not a pair of integers of at least 1.
    """
    if not (_is_pair_of_ints(value) and min(value) >= 1):
        raise OptionError(
            f"`{name}` must be (rows, columns), each at least 1, such as (2, 2); got {value!r}."
        )


def check_fraction(name: str, value: object) -> None:
    """Checks a probability.

    Raises:
      OptionError: It is not a number of at least 0 and below 1.
    """
    if not (isinstance(value, Real) and 0 <= float(value) < 1):
        raise OptionError(f"`{name}` must be a probability, at least 0 and below 1; got {value!r}.")


def _is_pair_of_ints(value: object) -> TypeGuard[Sequence[int]]:
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(v, Integral) for v in value)
