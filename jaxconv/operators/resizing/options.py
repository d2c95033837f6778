"""Reading the arguments of a resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from jaxconv.core.checks import check_option
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import real, shape_of
from jaxconv.operators.resizing.weights import EDGES, METHODS, AxisResizing, Edges, Method


@dataclass(frozen=True)
class Resizing:
    """All axes of a map that is resized."""

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
    """The arguments of `resize`, checked and resolved.

    Raises:
      GeometryError: They contradict each other, or are none of those that exist.
      TypeError: A size is not an integer, or `cubic_a` not a number.
    """
    shape = shape_of("shape", shape, len(input_shape))
    check_option("method", method, METHODS)
    edges = ("renormalize" if antialias else "clamp") if edges is None else edges
    check_option("edges", edges, EDGES)
    for name, value in (("align_corners", align_corners), ("antialias", antialias)):
        if value and method == "nearest":
            raise GeometryError(
                f"method='nearest' copies one cell and takes no `{name}`, got {name}={value!r}; leave it "
                "out, or take 'bilinear' or 'bicubic'."
            )
    cubic_a = real("cubic_a", cubic_a)
    if not math.isfinite(cubic_a):
        raise GeometryError(f"`cubic_a` must be finite, got {cubic_a!r}.")
    a = cubic_a if method == "bicubic" else 0.0  # others do not read it, nor compile anew for it
    return Resizing(
        tuple(
            AxisResizing(
                n, m, cast(Method, method), bool(align_corners), a, bool(antialias), cast(Edges, edges)
            )
            for n, m in zip(input_shape, shape, strict=True)
        )
    )
