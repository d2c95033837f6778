"""Checks of what every function of the room takes: a kernel and its geometry."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes, check_geometry, check_kernel
from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry


def checked_kernel(kernel: ArrayOrList, geometry: ConvGeometry) -> jax.Array:
    """Returns the kernel of a geometry as an array of 32 bits or more.

    Raises:
      GeometryError: Its shape contradicts the geometry, or it holds NaN or infinities. These can be seen
        only outside of `jax.jit`; inside, the results are NaN.
      TypeError: It is not a floating or complex array, or `geometry` is not a `ConvGeometry`.
    """
    check_geometry(geometry)
    kernel = as_array("kernel", kernel)
    check_dtypes(kernel=kernel)
    check_kernel(kernel.shape, geometry)
    check_finite("kernel", kernel)
    return kernel.astype(accumulator(kernel.dtype))


def check_finite(name: str, array: jax.Array) -> None:
    """Checks that an array has neither NaN nor infinities, if its numbers are known.

    Raises:
      GeometryError: It has some.
    """
    if not is_traced(array) and not bool(jnp.isfinite(array).all()):
        raise GeometryError(
            f"`{name}` must be finite, got an array of shape {array.shape} with NaN or infinities; look for "
            "the step that made them, for example by jax.config.update('jax_debug_nans', True)."
        )


def is_traced(array: Any) -> bool:
    """Returns whether the numbers of an array are unknown because JAX traces the program."""
    return isinstance(array, jax.core.Tracer)
