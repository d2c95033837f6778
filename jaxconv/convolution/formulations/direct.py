"""XLA's own convolution."""

import jax
from jax import lax

from jaxconv.geometry import ConvGeometry


def channels_last(ndim: int) -> lax.ConvDimensionNumbers:
    """Returns lax's name of this library's layout: ``(N, *spatial, features)``, ``(*taps, in, out)``."""
    features, spatial = ndim + 1, tuple(range(1, ndim + 1))
    return lax.ConvDimensionNumbers(
        lhs_spec=(0, features, *spatial),
        rhs_spec=(features, ndim, *range(ndim)),
        out_spec=(0, features, *spatial),
    )


def conv(x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` and the kernel to ``(N, *output_shape, out)``."""
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=g.strides,
        padding=g.padding,
        lhs_dilation=g.input_dilation,
        rhs_dilation=g.kernel_dilation,
        dimension_numbers=channels_last(g.ndim),
        feature_group_count=g.feature_group_count,
        precision=precision,
    )
