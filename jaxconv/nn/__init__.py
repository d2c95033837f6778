"""flax.nnx layers on the library's functions."""

from jaxconv.nn.conv import Conv, ConvTranspose
from jaxconv.nn.initializers import bilinear, conv_lecun_normal, conv_transpose_lecun_normal
from jaxconv.nn.normalization import Norm, Normalization
from jaxconv.nn.pooling import AvgPool, MaxPool, Unpool
from jaxconv.nn.recurrent import BidirectionalSweep, Sweep, sweep
from jaxconv.nn.renet import ReNet
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
    "Sweep",
    "Unpool",
    "bilinear",
    "conv_lecun_normal",
    "conv_transpose_lecun_normal",
    "fully_convolutional",
    "sweep",
]
