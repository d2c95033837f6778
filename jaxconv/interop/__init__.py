"""The conventions of lax, PyTorch, flax, Keras and Equinox: their layers in this library's terms, and back.

Every reader (`from_torch`, ...) returns a `Convolution`: the forward convolution's arguments and kernel,
callable on channels-last maps. Every writer (`to_torch`, ...) takes one. What the other side has no
equivalent for is refused, with the reason. The other libraries are loaded when they are asked for.
"""

from jaxconv.interop.equinox import from_equinox, to_equinox
from jaxconv.interop.flax import from_flax, to_flax
from jaxconv.interop.keras import from_keras, to_keras
from jaxconv.interop.lax import from_lax_conv, from_lax_conv_transpose, to_lax_conv, to_lax_conv_transpose
from jaxconv.interop.layer import Convolution
from jaxconv.interop.torch import from_torch, to_torch

__all__ = [
    "Convolution",
    "from_equinox",
    "from_flax",
    "from_keras",
    "from_lax_conv",
    "from_lax_conv_transpose",
    "from_torch",
    "to_equinox",
    "to_flax",
    "to_keras",
    "to_lax_conv",
    "to_lax_conv_transpose",
    "to_torch",
]
