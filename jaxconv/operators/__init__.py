"""The other spatial operators, each a convolution with its matrix C."""

from importlib import import_module
from typing import TYPE_CHECKING

from jaxconv.operators.correlation import convolve, correlate, filter_kernel
from jaxconv.operators.dense import conv_to_dense, dense_to_conv, sliding_windows
from jaxconv.operators.filters import (
    binomial_filter,
    box_filter,
    edge_filter,
    gaussian_filter,
    sharpen_filter,
    sobel_filter,
)
from jaxconv.operators.gradient_field import effective_receptive_field
from jaxconv.operators.pooling import avg_pool, lp_pool, max_pool, pool_geometry, pool_matrix, unpool
from jaxconv.operators.resizing import (
    bilinear_kernel,
    depth_to_space,
    resize,
    resize_geometry,
    resize_matrix,
    space_to_depth,
)
from jaxconv.operators.unfolding import fold, unfold, unfold_geometry, unfold_matrix

if TYPE_CHECKING:
    from jaxconv.operators.lineax import ConvMatrixOperator, ConvOperator
else:  # a type checker that saw this function would accept every name

    def __getattr__(name):
        if name in ("ConvMatrixOperator", "ConvOperator"):  # they need lineax, which is loaded on first use
            return getattr(import_module("jaxconv.operators.lineax"), name)
        raise AttributeError(f"module 'jaxconv.operators' has no attribute {name!r}")


__all__ = [
    "ConvMatrixOperator",
    "ConvOperator",
    "avg_pool",
    "bilinear_kernel",
    "binomial_filter",
    "box_filter",
    "conv_to_dense",
    "convolve",
    "correlate",
    "dense_to_conv",
    "depth_to_space",
    "edge_filter",
    "effective_receptive_field",
    "filter_kernel",
    "fold",
    "gaussian_filter",
    "lp_pool",
    "max_pool",
    "pool_geometry",
    "pool_matrix",
    "resize",
    "resize_geometry",
    "resize_matrix",
    "sharpen_filter",
    "sliding_windows",
    "sobel_filter",
    "space_to_depth",
    "unfold",
    "unfold_geometry",
    "unfold_matrix",
    "unpool",
]
