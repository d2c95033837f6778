"""Resizing of feature maps: interpolation as convolutions, and blocks of cells as features."""

from jaxconv.operators.resizing.bilinear import bilinear_kernel
from jaxconv.operators.resizing.depth import depth_to_space, space_to_depth
from jaxconv.operators.resizing.functions import resize
from jaxconv.operators.resizing.matrix import resize_geometry, resize_matrix

__all__ = [
    "bilinear_kernel",
    "depth_to_space",
    "resize",
    "resize_geometry",
    "resize_matrix",
    "space_to_depth",
]
