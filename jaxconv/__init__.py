"""Convolutions as explicit sparse matrices, and everything that follows from it, in JAX."""

from jaxconv.axis import AxisGeometry
from jaxconv.convolution import CONV_METHODS, CONV_TRANSPOSE_METHODS, conv, conv_kernel_vjp, conv_transpose
from jaxconv.errors import GeometryError, SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.kernels import transposed_kernel
from jaxconv.matrix import ConvMatrix, conv_matrix

__version__ = "0.1.0"
