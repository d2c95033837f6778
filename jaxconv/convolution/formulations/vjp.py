"""The transpose by reverse-mode differentiation: the vjp of XLA's convolution."""

import jax
import jax.numpy as jnp

from jaxconv.convolution.formulations import direct
from jaxconv.core.sharding import vary_alike
from jaxconv.geometry import ConvGeometry


def conv_transpose(
    y: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
) -> jax.Array:
    """Maps ``(N, *output_shape, out)`` and the forward kernel to ``(N, *input_shape, in)``."""
    x, y = vary_alike(jnp.zeros((y.shape[0], *g.input_shape, g.in_features), y.dtype), y)
    _, pullback = jax.vjp(lambda x: direct.conv(x, kernel, g, precision), x)
    return pullback(y)[0]
