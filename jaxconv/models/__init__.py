"""Networks for segmentation and classification, made of the library's layers."""

from collections.abc import Callable

from flax import nnx

from jaxconv.models.deconvnet import DeconvNet
from jaxconv.models.fcn import FCN8s, FCN16s, FCN32s
from jaxconv.models.renet import ReNetClassifier
from jaxconv.models.reseg import ReSeg
from jaxconv.models.unet import UNet
from jaxconv.models.vgg import VGG, VGG_BLOCKS, VGGFeatures

# Networks by name, as used in configurations; their options are checked against the signatures.
MODELS: dict[str, Callable[..., nnx.Module]] = {
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
