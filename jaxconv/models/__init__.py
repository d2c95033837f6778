"""Networks for labelling pixels, made of the library's layers."""

from jaxconv.models.fcn import FCN
from jaxconv.models.vgg import VGG, VGG_BLOCKS, VGGFeatures

__all__ = ["FCN", "VGG", "VGG_BLOCKS", "VGGFeatures"]
