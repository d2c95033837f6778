"""The page in which every convolution can be explored."""

from jaxconv.explorer.document import Explorer, page

__all__ = ["Explorer", "page"]
