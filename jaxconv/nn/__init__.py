"""flax.nnx layers on the library's functions."""

from jaxconv.nn.conv import Conv, ConvTranspose
from jaxconv.nn.initializers import (
    bilinear,
    block_orthogonal,
    conv_lecun_normal,
    conv_transpose_lecun_normal,
    delta_orthogonal,
    even_transposed,
)
from jaxconv.nn.normalization import Norm, Normalization
from jaxconv.nn.pooling import AvgPool, MaxPool, Unpool
from jaxconv.nn.recurrent import BidirectionalSweep, Sweep, sweep
from jaxconv.nn.renet import ReNet
from jaxconv.nn.spectral_norm import SpectralNorm
from jaxconv.nn.unrolling import FullyConvolutional, fully_convolutional

__all__ = [
    "AvgPool",
    "BidirectionalSweep",
    "Conv",
    "ConvTranspose",
    "FullyConvolutional",
    "MaxPool",
    "Norm",
    "Normalization",
    "ReNet",
    "SpectralNorm",
    "Sweep",
    "Unpool",
    "bilinear",
    "block_orthogonal",
    "conv_lecun_normal",
    "conv_transpose_lecun_normal",
    "delta_orthogonal",
    "even_transposed",
    "fully_convolutional",
    "sweep",
]
