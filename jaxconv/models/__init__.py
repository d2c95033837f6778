"""Networks for labelling pixels, made of the library's layers."""

from jaxconv.models.fcn import FCN

__all__ = ["FCN"]
