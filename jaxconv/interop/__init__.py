"""Converts layers of lax, PyTorch, flax, Keras and Equinox to a `Convolution` and back.

Every reader (`from_torch`, ...) returns a `Convolution`: the arguments and the kernel of the forward
convolution, callable on channels-last maps. Every writer (`to_torch`, ...) takes one. A layer without an
equivalent on the other side is refused, with the reason. `identify` recovers a `Convolution` from any
function that computes one; `distance_from_transpose` compares it with the transpose of another. The other
libraries are loaded on first use.
"""

from jaxconv.interop.equinox import from_equinox, to_equinox
from jaxconv.interop.flax import from_flax, to_flax
from jaxconv.interop.identification.distance import distance_from_transpose
from jaxconv.interop.identification.function import identify
from jaxconv.interop.identification.result import IdentifiedConvolution
from jaxconv.interop.keras import from_keras, to_keras
from jaxconv.interop.lax import from_lax_conv, from_lax_conv_transpose, to_lax_conv, to_lax_conv_transpose
from jaxconv.interop.layer import Convolution
from jaxconv.interop.torch import from_torch, to_torch

__all__ = [
    "Convolution",
    "IdentifiedConvolution",
    "distance_from_transpose",
    "from_equinox",
    "from_flax",
    "from_keras",
    "from_lax_conv",
    "from_lax_conv_transpose",
    "from_torch",
    "identify",
    "to_equinox",
    "to_flax",
    "to_keras",
    "to_lax_conv",
    "to_lax_conv_transpose",
    "to_torch",
]
