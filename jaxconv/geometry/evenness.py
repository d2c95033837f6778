"""Whether the windows of one axis read all cells equally often, in integers."""

from __future__ import annotations

import math

from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.composition import without_common_stride


def is_even_axis(axis: AxisGeometry) -> bool:
    """Returns whether as many taps read each cell, away from the border.

    The taps with phase r are those with ``t d = r`` modulo s: equally many for all r exactly if s divides k
    and ``gcd(d, s) = 1``.

    >>> is_even_axis(AxisGeometry(9, 4, stride=2)), is_even_axis(AxisGeometry(9, 4, stride=2, dilation=2))
    (True, False)
    """
    axis, _ = without_common_stride(axis)
    return axis.kernel % axis.stride == 0 and math.gcd(axis.dilation, axis.stride) == 1
