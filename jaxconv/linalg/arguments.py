"""Checks of what every function of the room takes: a kernel and its geometry."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes, check_geometry, check_kernel
from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import real


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
    if not is_traced(array) and not np.isfinite(np.asarray(array)).all():  # jnp would be traced in jax.jit
        raise GeometryError(
            f"`{name}` must be finite, got an array of shape {array.shape} with NaN or infinities; look for "
            "the step that made them, for example by jax.config.update('jax_debug_nans', True)."
        )


def is_traced(array: Any) -> bool:
    """Returns whether the numbers of an array are unknown because JAX traces the program."""
    return isinstance(array, jax.core.Tracer)


def checked_tolerance(rtol: Any) -> float | None:
    """Returns a relative tolerance, or None where it is left out.

    Raises:
      GeometryError: It is negative.
      TypeError: It is not a number.
    """
    return None if rtol is None else checked_nonnegative("rtol", rtol)


def checked_nonnegative(name: str, value: Any) -> float:
    """Returns a number of 0 or more.

    Raises:
      GeometryError: It is negative, or not finite.
      TypeError: It is not a number.
    """
    number = real(name, value)
    if not 0 <= number < math.inf:
        raise GeometryError(f"`{name}` must be 0 or more, got {number}.")
    return number


def check_known(function: str, kernel: jax.Array) -> None:
    """Checks that the numbers of a kernel are known, for a result whose shape depends on them.

    Raises:
      TypeError: JAX traces the kernel.
    """
    if is_traced(kernel):
        raise TypeError(
            f"`kernel` must be known in {function}, because the shape of the result depends on its numbers; "
            "call it outside of jax.jit, jax.vmap and jax.grad."
        )
