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

# Not loaded later: the module has the name of its function, and would take its place.
from jaxconv.receptive_field import ReceptiveField, effective_receptive_field, receptive_field

__version__ = "0.1.0"

# Loaded when first used: they bring other libraries along.
_LAZY = {
    "ConvMatrixOperator": "jaxconv.operators",
    "ConvOperator": "jaxconv.operators",
    "Convolution": "jaxconv.interop",
    "RELATIONSHIPS": "jaxconv.relationships",
    "avg_pool": "jaxconv.pooling",
    "bilinear_kernel": "jaxconv.resizing",
    "binomial_filter": "jaxconv.filters",
    "box_filter": "jaxconv.filters",
    "conv_to_dense": "jaxconv.dense",
    "convolve": "jaxconv.filters",
    "correlate": "jaxconv.filters",
    "dense_to_conv": "jaxconv.dense",
    "depth_to_space": "jaxconv.resizing",
    "edge_filter": "jaxconv.filters",
    "filter_kernel": "jaxconv.filters",
    "fold": "jaxconv.unfolding",
    "from_equinox": "jaxconv.interop",
    "from_flax": "jaxconv.interop",
    "from_keras": "jaxconv.interop",
    "from_lax_conv": "jaxconv.interop",
    "from_lax_conv_transpose": "jaxconv.interop",
    "from_torch": "jaxconv.interop",
    "fully_convolutional": "jaxconv.nn",
    "gaussian_filter": "jaxconv.filters",
    "lp_pool": "jaxconv.pooling",
    "max_pool": "jaxconv.pooling",
    "pool_geometry": "jaxconv.pooling",
    "pool_matrix": "jaxconv.pooling",
    "resize": "jaxconv.resizing",
    "resize_geometry": "jaxconv.resizing",
    "resize_matrix": "jaxconv.resizing",
    "sharpen_filter": "jaxconv.filters",
    "sliding_windows": "jaxconv.dense",
    "sobel_filter": "jaxconv.filters",
    "space_to_depth": "jaxconv.resizing",
    "symbols": "jaxconv.symbolic",
    "to_equinox": "jaxconv.interop",
    "to_flax": "jaxconv.interop",
    "to_keras": "jaxconv.interop",
    "to_lax_conv": "jaxconv.interop",
    "to_lax_conv_transpose": "jaxconv.interop",
    "to_torch": "jaxconv.interop",
    "unfold": "jaxconv.unfolding",
    "unfold_geometry": "jaxconv.unfolding",
    "unfold_matrix": "jaxconv.unfolding",
    "unpool": "jaxconv.pooling",
    "verify": "jaxconv.claims",
}

_ROOMS = (
    "claims", "dense", "figures", "filters", "interop", "models", "nn", "operators", "pooling",
    "relationships", "resizing", "segmentation", "unfolding",
)  # fmt: skip

__all__ = [
    "CONV_KERNEL_VJP_METHODS",
    "CONV_METHODS",
    "CONV_TRANSPOSE_METHODS",
    "AxisGeometry",
    "ConvGeometry",
    "ConvMatrix",
    "GeometryError",
    "ReceptiveField",
    "SizeError",
    "conv",
    "conv_kernel_vjp",
    "conv_matrix",
    "conv_transpose",
    "effective_receptive_field",
    "receptive_field",
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
