"""In which dtype sums are kept."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def accumulator(dtype: Any) -> jnp.dtype:
    """Sums of 16-bit floats are kept in float32."""
    return jnp.dtype(jnp.float32) if dtype.itemsize == 2 else dtype
