"""lineax's linear operators of a convolution, which stand in `jaxconv.operators`."""

from jaxconv.operators.lineax import ConvMatrixOperator, ConvOperator

__all__ = ["ConvMatrixOperator", "ConvOperator"]
