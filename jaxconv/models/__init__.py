"""Networks for labelling pixels, made of the library's layers."""

from collections.abc import Callable

from jaxconv.models.deconvnet import DeconvNet
from jaxconv.models.fcn import FCN8s, FCN16s, FCN32s
from jaxconv.models.renet import ReNetClassifier
from jaxconv.models.reseg import ReSeg
from jaxconv.models.unet import UNet
from jaxconv.models.vgg import VGG, VGG_BLOCKS, VGGFeatures

# What a configuration names; options are checked against the signature.
MODELS: dict[str, Callable] = {
    "deconvnet": DeconvNet,
    "fcn8s": FCN8s,
    "fcn16s": FCN16s,
    "fcn32s": FCN32s,
    "renet": ReNetClassifier,
    "reseg": ReSeg,
    "unet": UNet,
    "vgg16": VGG,
}

__all__ = [
    "MODELS",
    "VGG",
    "VGG_BLOCKS",
    "DeconvNet",
    "FCN8s",
    "FCN16s",
    "FCN32s",
    "ReNetClassifier",
    "ReSeg",
    "UNet",
    "VGGFeatures",
]
