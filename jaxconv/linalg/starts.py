"""Vectors with a part in every direction, to begin an iteration."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


def start_vector(seed: int | jax.Array, size: int, dtype: np.dtype) -> jax.Array:
    """Returns numbers without a pattern, between -1 and 1 and the same at every call.

    They are hashes of their places, by the finalizer of MurmurHash3: jax.random compiles a second long.

    Args:
      seed: Integer that picks one of several vectors.
      size: Number of entries.
      dtype: Floating or complex dtype; complex numbers have both parts random.
    """
    real = jnp.finfo(dtype).dtype
    if jnp.issubdtype(dtype, jnp.complexfloating):
        parts = start_vector(seed, 2 * size, real).reshape(2, size)
        return jax.lax.complex(parts[0], parts[1])
    bits = jax.lax.iota(np.uint32, size) + jnp.asarray(seed).astype(np.uint32) * np.uint32(0x9E3779B9)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    return bits.astype(real) * 2.0**-31 - 1
