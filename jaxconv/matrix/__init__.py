"""The explicit matrix C: what is stored, the products, the exports."""

from jaxconv.matrix.matrix import ConvMatrix, conv_matrix

__all__ = [
    "ConvMatrix",
    "conv_matrix",
]
