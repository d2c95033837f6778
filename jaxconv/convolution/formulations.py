"""The formulations by name: one function for each member of the family.

All take zero-padded geometries only (`padded` turns the other padding modes into one) and operands
of one dtype, ``x: (N, *input_shape, in)``, ``kernel: (*kernel_shape, in // groups, out)``,
``y: (N, *output_shape, out)``.
"""

from __future__ import annotations

from jaxconv.convolution import direct, fft, im2col, matrix, subpixel, taps, vjp, zero_insertion
from jaxconv.linear import linear_transpose


def _transpose_in_x(conv):
    """The transpose of a convolution that is linear in x, by jax's own rules for its steps."""

    def conv_transpose(y, kernel, g, precision):
        shape = (y.shape[0], *g.input_shape, g.in_features)
        return linear_transpose(lambda x: conv(x, kernel, g, precision), shape, y)

    return conv_transpose


def _transpose_in_kernel(conv):
    """The gradient in the kernel of a convolution that is linear in it."""

    def conv_kernel_vjp(x, y, g, precision):
        return linear_transpose(lambda kernel: conv(x, kernel, g, precision), g.kernel_array_shape, y)

    return conv_kernel_vjp


CONV = {
    "direct": direct.conv,
    "matrix": matrix.conv,
    "im2col": im2col.conv,
    "taps": taps.conv,
    "fft": fft.conv,
}
CONV_TRANSPOSE = {
    "direct": _transpose_in_x(direct.conv),
    "matrix": matrix.conv_transpose,
    "im2col": _transpose_in_x(im2col.conv),
    "taps": _transpose_in_x(taps.conv),
    "fft": _transpose_in_x(fft.conv),
    "zero_insertion": zero_insertion.conv_transpose,
    "subpixel": subpixel.conv_transpose,
    "vjp": vjp.conv_transpose,
}
CONV_KERNEL_VJP = {name: _transpose_in_kernel(conv) for name, conv in CONV.items()}
