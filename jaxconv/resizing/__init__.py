"""Feature maps at other sizes: interpolation as convolutions, and blocks of cells as features."""

from jaxconv.resizing.bilinear import bilinear_kernel
from jaxconv.resizing.depth import depth_to_space, space_to_depth
from jaxconv.resizing.matrix import resize_geometry, resize_matrix
from jaxconv.resizing.resize import resize

__all__ = [
    "bilinear_kernel",
    "depth_to_space",
    "resize",
    "resize_geometry",
    "resize_matrix",
    "space_to_depth",
]
