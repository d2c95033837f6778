"""The equivalent direct convolution: zeros between the inputs, a border, the flipped kernel."""

import jax

from jaxconv.convolution.formulations import direct
from jaxconv.core.kernels import transposed_kernel
from jaxconv.geometry import ConvGeometry


def conv_transpose(
    y: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
) -> jax.Array:
    """Maps ``(N, *output_shape, out)`` and the forward kernel to ``(N, *input_shape, in)``.

    References:
      Dumoulin & Visin, arXiv:1603.07285, relationships 8 to 14.
    """
    equivalent = g.equivalent_direct()
    kernel = transposed_kernel(kernel, g.feature_group_count)
    return direct.conv(y, kernel, equivalent, precision)
