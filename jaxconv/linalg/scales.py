"""Powers of two that keep squares of very large and very small numbers within the range of their dtype."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def unit_scale(array: jax.Array, least: float = 0.0) -> tuple[jax.Array, jax.Array]:
    """Divides an array by a power of two, which does not round, to a largest magnitude of about 1.

    Args:
      array: The array.
      least: Least magnitude that the power stands for, beside those of the array.

    Returns:
      The array divided, and the power. The power is a constant to derivatives.
    """
    dtype = jnp.finfo(array.dtype).dtype
    largest = jnp.maximum(abs(jax.lax.stop_gradient(array)).max(initial=0), jnp.asarray(least, dtype))
    most = jnp.finfo(dtype).maxexp - 3
    exponent = jnp.clip(jnp.frexp(largest)[1], -most, most)
    one = jnp.ones((), dtype)
    return array * jnp.ldexp(one, -exponent).astype(array.dtype), jnp.ldexp(one, exponent)
