"""The dtype in which sums are computed."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def accumulator(dtype: Any) -> jnp.dtype:
    """Returns the dtype in which numbers of `dtype` are summed: float32 for 16-bit floats, else `dtype`.

    >>> accumulator(jnp.dtype("bfloat16")).name, accumulator(jnp.dtype("int16")).name
    ('float32', 'int16')
    """
    small = dtype.itemsize == 2 and jnp.issubdtype(dtype, jnp.floating)
    return jnp.dtype(jnp.float32) if small else dtype
