"""Convolutions as explicit sparse matrices, and everything that follows from it, in JAX."""

import importlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

# `__all__` lists what most programs need; the other names of `geometry`, `interop` and `operators` can be
# imported from here as well.
from jaxconv import convolution as convolution
from jaxconv import errors as errors
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
from jaxconv.core.adjoint_check import dot_test
from jaxconv.errors import ConfigError, DataError, GeometryError, JaxconvError, OptionError, SizeError
from jaxconv.geometry import *  # noqa: F403
from jaxconv.geometry import ConvGeometry, receptive_field
from jaxconv.geometry import relationships as relationships
from jaxconv.interop import *  # noqa: F403
from jaxconv.interop import Convolution
from jaxconv.matrix import ConvMatrix, conv_matrix
from jaxconv.matrix.symbols import symbols
from jaxconv.operators import *  # noqa: F403
from jaxconv.operators import avg_pool, fold, max_pool, resize, unfold, unpool
from jaxconv.operators import dense as dense
from jaxconv.operators import filters as filters
from jaxconv.operators import pooling as pooling
from jaxconv.operators import resizing as resizing
from jaxconv.operators import unfolding as unfolding

if TYPE_CHECKING:  # loaded when first used, because they import other libraries or many modules
    from jaxconv import claims as claims
    from jaxconv import data as data
    from jaxconv import explorer as explorer
    from jaxconv import figures as figures
    from jaxconv import linalg as linalg
    from jaxconv import models as models
    from jaxconv import nn as nn
    from jaxconv import segmentation as segmentation
    from jaxconv import training as training
    from jaxconv.claims import verify
    from jaxconv.interop.explanation import explain
    from jaxconv.nn import fully_convolutional as fully_convolutional
    from jaxconv.operators.lineax import ConvMatrixOperator as ConvMatrixOperator
    from jaxconv.operators.lineax import ConvOperator as ConvOperator

__version__ = "0.1.0"

__all__ = [  # without `ConvOperator` and `ConvMatrixOperator`, which need an extra
    "CONV_KERNEL_VJP_METHODS",
    "CONV_METHODS",
    "CONV_TRANSPOSE_METHODS",
    "ConfigError",
    "ConvGeometry",
    "ConvMatrix",
    "Convolution",
    "DataError",
    "GeometryError",
    "JaxconvError",
    "OptionError",
    "SizeError",
    "avg_pool",
    "conv",
    "conv_kernel_vjp",
    "conv_matrix",
    "conv_transpose",
    "dot_test",
    "explain",
    "fold",
    "max_pool",
    "receptive_field",
    "resize",
    "symbols",
    "transposed_kernel",
    "unfold",
    "unpool",
    "verify",
]

# `import jaxconv.pooling` finds `jaxconv.operators.pooling`.
for _module in (dense, filters, pooling, resizing, unfolding):
    sys.modules[f"jaxconv.{_module.__name__.rpartition('.')[2]}"] = _module

_LAZY_NAMES = {
    "ConvMatrixOperator": "jaxconv.operators.lineax",
    "ConvOperator": "jaxconv.operators.lineax",
    "explain": "jaxconv.interop.explanation",
    "fully_convolutional": "jaxconv.nn",
    "verify": "jaxconv.claims",
}
# Subpackages that are loaded when first used, with the package of an extra that they need.
_LAZY_SUBPACKAGES = {
    **dict.fromkeys(("claims", "data", "explorer", "linalg", "models", "nn", "segmentation")),
    "figures": "matplotlib",
    "training": "tomli_w",
}


if not TYPE_CHECKING:  # a type checker that saw this function would accept every name

    def __getattr__(name):
        if name in _LAZY_NAMES:
            return getattr(importlib.import_module(_LAZY_NAMES[name]), name)
        if name in _LAZY_SUBPACKAGES:
            return importlib.import_module(f"jaxconv.{name}")
        raise AttributeError(f"module 'jaxconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names for completion: the public list, and the subpackages that can be loaded."""
    loaded = ("convolution", "errors", "geometry", "interop", "matrix", "operators")
    lazy = [room for room, needed in _LAZY_SUBPACKAGES.items() if not needed or find_spec(needed)]
    return sorted((*__all__, *loaded, *lazy, "__doc__", "__file__", "__name__", "__path__", "__version__"))
