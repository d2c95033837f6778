"""Which formulation `method="auto"` takes, each rule with the measurement behind it.

A choice follows from static facts alone: the geometry and which member of the family it is.
"""

from __future__ import annotations

from jaxconv.geometry import ConvGeometry


def conv(g: ConvGeometry) -> str:
    """For ``conv``."""
    return "direct"


def conv_transpose(g: ConvGeometry) -> str:
    """For ``conv_transpose``."""
    return "direct"


def conv_kernel_vjp(g: ConvGeometry) -> str:
    """For ``conv_kernel_vjp``."""
    return "direct"
