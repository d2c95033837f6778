"""Convolutions as explicit sparse matrices, and everything that follows from it, in JAX."""

from importlib import import_module

from jaxconv.axis import AxisGeometry
from jaxconv.convolution import (
    CONV_KERNEL_VJP_METHODS,
    CONV_METHODS,
    CONV_TRANSPOSE_METHODS,
    conv,
    conv_kernel_vjp,
    conv_transpose,
)
from jaxconv.errors import GeometryError, SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.kernels import transposed_kernel
from jaxconv.matrix import ConvMatrix, conv_matrix

__version__ = "0.1.0"

# Loaded when first used: they bring other libraries along.
_LAZY = {
    "ConvMatrixOperator": "jaxconv.operators",
    "ConvOperator": "jaxconv.operators",
    "RELATIONSHIPS": "jaxconv.relationships",
    "bilinear_kernel": "jaxconv.resizing",
    "depth_to_space": "jaxconv.resizing",
    "resize": "jaxconv.resizing",
    "resize_geometry": "jaxconv.resizing",
    "resize_matrix": "jaxconv.resizing",
    "space_to_depth": "jaxconv.resizing",
    "symbols": "jaxconv.symbolic",
    "verify": "jaxconv.claims",
}

_ROOMS = ("claims", "figures", "models", "nn", "operators", "relationships", "resizing", "segmentation")

__all__ = [
    "CONV_KERNEL_VJP_METHODS",
    "CONV_METHODS",
    "CONV_TRANSPOSE_METHODS",
    "AxisGeometry",
    "ConvGeometry",
    "ConvMatrix",
    "GeometryError",
    "SizeError",
    "conv",
    "conv_kernel_vjp",
    "conv_matrix",
    "conv_transpose",
    "transposed_kernel",
    *_LAZY,
]


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _ROOMS:
        return import_module(f"jaxconv.{name}")
    raise AttributeError(f"module 'jaxconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*__all__, *_ROOMS))
