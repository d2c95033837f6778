"""The dtypes in which sums are computed."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def accumulator(dtype: Any) -> jnp.dtype:
    """Returns the dtype in which sums are computed: float32 for 16-bit floats, else `dtype` itself."""
    return jnp.dtype(jnp.float32) if dtype.itemsize == 2 else dtype
