"""Convolutions as explicit sparse matrices, and everything that follows from it, in JAX."""

import importlib
import sys
from typing import TYPE_CHECKING

# Rooms that are there with `import jaxconv`, though the list of names below leaves them out.
from jaxconv import geometry as geometry
from jaxconv import interop as interop
from jaxconv import matrix as matrix
from jaxconv import operators as operators
from jaxconv.convolution import (
    CONV_KERNEL_VJP_METHODS,
    CONV_METHODS,
    CONV_TRANSPOSE_METHODS,
    conv,
    conv_kernel_vjp,
    conv_transpose,
    transposed_kernel,
)
from jaxconv.errors import ConfigError, DataError, GeometryError, JaxconvError, OptionError, SizeError
from jaxconv.geometry import (
    RELATIONSHIPS,
    AxisGeometry,
    ConvGeometry,
    ReceptiveField,
    receptive_field,
)
from jaxconv.geometry import relationships as relationships
from jaxconv.interop import (
    Convolution,
    from_equinox,
    from_flax,
    from_keras,
    from_lax_conv,
    from_lax_conv_transpose,
    from_torch,
    to_equinox,
    to_flax,
    to_keras,
    to_lax_conv,
    to_lax_conv_transpose,
    to_torch,
)
from jaxconv.matrix import ConvMatrix, conv_matrix
from jaxconv.matrix.symbols import symbols
from jaxconv.operators import (
    avg_pool,
    bilinear_kernel,
    binomial_filter,
    box_filter,
    conv_to_dense,
    convolve,
    correlate,
    dense_to_conv,
    depth_to_space,
    edge_filter,
    effective_receptive_field,
    filter_kernel,
    fold,
    gaussian_filter,
    lp_pool,
    max_pool,
    pool_geometry,
    pool_matrix,
    resize,
    resize_geometry,
    resize_matrix,
    sharpen_filter,
    sliding_windows,
    sobel_filter,
    space_to_depth,
    unfold,
    unfold_geometry,
    unfold_matrix,
    unpool,
)
from jaxconv.operators import dense as dense
from jaxconv.operators import filters as filters
from jaxconv.operators import pooling as pooling
from jaxconv.operators import resizing as resizing
from jaxconv.operators import unfolding as unfolding

if TYPE_CHECKING:  # what brings other libraries along, or is long, is loaded when it is first used
    from jaxconv import claims as claims
    from jaxconv import data as data
    from jaxconv import figures as figures
    from jaxconv import models as models
    from jaxconv import nn as nn
    from jaxconv import segmentation as segmentation
    from jaxconv import training as training
    from jaxconv.claims import verify
    from jaxconv.interop.lineax import ConvMatrixOperator, ConvOperator
    from jaxconv.nn import fully_convolutional

__version__ = "0.1.0"

__all__ = [
    "CONV_KERNEL_VJP_METHODS",
    "CONV_METHODS",
    "CONV_TRANSPOSE_METHODS",
    "RELATIONSHIPS",
    "AxisGeometry",
    "ConfigError",
    "ConvGeometry",
    "ConvMatrix",
    "ConvMatrixOperator",
    "ConvOperator",
    "Convolution",
    "DataError",
    "GeometryError",
    "JaxconvError",
    "OptionError",
    "ReceptiveField",
    "SizeError",
    "avg_pool",
    "bilinear_kernel",
    "binomial_filter",
    "box_filter",
    "conv",
    "conv_kernel_vjp",
    "conv_matrix",
    "conv_to_dense",
    "conv_transpose",
    "convolve",
    "correlate",
    "dense_to_conv",
    "depth_to_space",
    "edge_filter",
    "effective_receptive_field",
    "filter_kernel",
    "fold",
    "from_equinox",
    "from_flax",
    "from_keras",
    "from_lax_conv",
    "from_lax_conv_transpose",
    "from_torch",
    "fully_convolutional",
    "gaussian_filter",
    "lp_pool",
    "max_pool",
    "pool_geometry",
    "pool_matrix",
    "receptive_field",
    "resize",
    "resize_geometry",
    "resize_matrix",
    "sharpen_filter",
    "sliding_windows",
    "sobel_filter",
    "space_to_depth",
    "symbols",
    "to_equinox",
    "to_flax",
    "to_keras",
    "to_lax_conv",
    "to_lax_conv_transpose",
    "to_torch",
    "transposed_kernel",
    "unfold",
    "unfold_geometry",
    "unfold_matrix",
    "unpool",
    "verify",
]

# The operators have a room of their own; `import jaxconv.pooling` finds them there.
for _module in (dense, filters, pooling, resizing, unfolding):
    sys.modules[f"jaxconv.{_module.__name__.rpartition('.')[2]}"] = _module

_LATER = {
    "ConvMatrixOperator": "jaxconv.interop.lineax",
    "ConvOperator": "jaxconv.interop.lineax",
    "fully_convolutional": "jaxconv.nn",
    "verify": "jaxconv.claims",
}
_LATER_ROOMS = ("claims", "data", "figures", "models", "nn", "segmentation", "training")


if not TYPE_CHECKING:  # a type checker that saw this function would accept every name

    def __getattr__(name):
        if name in _LATER:
            return getattr(importlib.import_module(_LATER[name]), name)
        if name in _LATER_ROOMS:
            return importlib.import_module(f"jaxconv.{name}")
        raise AttributeError(f"module 'jaxconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*globals(), *_LATER, *_LATER_ROOMS))
