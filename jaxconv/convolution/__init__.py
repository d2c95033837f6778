"""Convolution, its transpose and the gradient in its kernel, without storing C."""

from jaxconv.convolution.functions import (
    CONV_KERNEL_VJP_METHODS,
    CONV_METHODS,
    CONV_TRANSPOSE_METHODS,
    conv,
    conv_kernel_vjp,
    conv_transpose,
)
from jaxconv.core.kernels import transposed_kernel

__all__ = [
    "CONV_KERNEL_VJP_METHODS",
    "CONV_METHODS",
    "CONV_TRANSPOSE_METHODS",
    "conv",
    "conv_kernel_vjp",
    "conv_transpose",
    "transposed_kernel",
]
