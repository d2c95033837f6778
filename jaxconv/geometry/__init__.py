"""A convolution in integers: sizes, patterns and relationships, without jax."""

from jaxconv.geometry.arguments import IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.conv_geometry import ConvGeometry
from jaxconv.geometry.receptive_fields import ReceptiveField, receptive_field
from jaxconv.geometry.relationships import RELATIONSHIPS

__all__ = [
    "RELATIONSHIPS",
    "AxisGeometry",
    "ConvGeometry",
    "IntPerAxis",
    "Padding",
    "PaddingMode",
    "ReceptiveField",
    "receptive_field",
]
