"""Reads the arguments of a resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from jaxconv.core.checks import check_option
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import flag, real, shape_of
from jaxconv.operators.resizing.weights import EDGES, METHODS, AxisResizing, Edges, Method


@dataclass(frozen=True)
class Resizing:
    """The resizing of all axes of a map."""

    axes: tuple[AxisResizing, ...]

    @property
    def ndim(self) -> int:
        """N, the number of spatial axes."""
        return len(self.axes)


def resizing(
    input_shape: tuple[int, ...],
    shape: Sequence[int],
    method: str,
    align_corners: bool,
    cubic_a: float,
    antialias: bool,
    edges: str | None,
) -> Resizing:
    """Checks and resolves the arguments of `resize`.

    Raises:
      GeometryError: They contradict each other, or a word is unknown.
      TypeError: A size is not an integer, `cubic_a` is not a number, or a flag is not a boolean.
    """
    shape = shape_of("shape", shape, len(input_shape))
    check_option("method", method, METHODS)
    align_corners, antialias = flag("align_corners", align_corners), flag("antialias", antialias)
    edges = ("renormalize" if antialias else "clamp") if edges is None else edges
    check_option("edges", edges, EDGES)
    for name, value in (("align_corners", align_corners), ("antialias", antialias)):
        if method == "nearest" and value:
            raise GeometryError(
                f"`{name}` must be False for method='nearest', which copies one cell; leave it out, or use "
                "'bilinear' or 'bicubic'."
            )
    cubic_a = real("cubic_a", cubic_a)
    if not math.isfinite(cubic_a):
        raise GeometryError(f"`cubic_a` must be finite, got {cubic_a!r}.")
    a = cubic_a if method == "bicubic" else 0.0  # other methods do not recompile for it
    return Resizing(
        tuple(
            AxisResizing(n, m, cast(Method, method), align_corners, a, antialias, cast(Edges, edges))
            for n, m in zip(input_shape, shape, strict=True)
        )
    )
