"""The explicit matrix C, built from the kernel at every call."""

import jax

from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import conv_matrix


def conv(x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` and the kernel to ``(N, *output_shape, out)``."""
    return conv_matrix(kernel, g)(x, precision=precision)


def conv_transpose(
    y: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
) -> jax.Array:
    """Maps ``(N, *output_shape, out)`` and the forward kernel to ``(N, *input_shape, in)``."""
    return conv_matrix(kernel, g).T(y, precision=precision)
