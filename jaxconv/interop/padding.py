"""Padding of a layer in cells, where it does not depend on the size of the input."""

from __future__ import annotations

from collections.abc import Sequence

from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding
from jaxconv.geometry.arguments import (
    PaddingPairs,
    check_output_padding,
    padding_per_axis,
    per_axis,
    resolve_padding,
)

_SAME = ("SAME", "SAME_LOWER")


def spans(kernel_shape: Sequence[int], kernel_dilation: Sequence[int]) -> tuple[int, ...]:
    """Returns the number of cells from the first tap to the last, for every axis.

    >>> spans((3, 2), (1, 4))
    (3, 5)
    """
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel_shape, kernel_dilation, strict=True))


def in_cells(
    g: ConvGeometry, padding: Padding, output_padding: IntPerAxis | None
) -> tuple[PaddingPairs | str, None]:
    """Returns the padding of a forward layer: in cells, or a word where it depends on the input's size."""
    if output_padding is not None:
        raise GeometryError(
            f"`output_padding` must be None unless transposed=True, got {output_padding!r}: only a "
            "transposed layer has several possible output sizes."
        )
    pads = padding_per_axis(padding, g.ndim)
    if pads[0] in _SAME and max(g.strides) > 1:
        return pads[0], None
    # Where every stride is 1, SAME adds span - 1 to an input of any size.
    return tuple(resolve_padding(pad, 1, axis.span, 1) for pad, axis in zip(pads, g.axes, strict=True)), None


def transposed_in_cells(
    g: ConvGeometry, padding: Padding, output_padding: IntPerAxis | None
) -> tuple[PaddingPairs, tuple[int, ...] | None]:
    """Returns the padding and output padding of a transposed layer, which do not depend on its input."""
    pads, a = padding_per_axis(padding, g.ndim), None
    if output_padding is not None:
        a = per_axis("output_padding", output_padding, g.ndim, least=0)
        for axis, (cells, stride) in enumerate(zip(a, g.strides, strict=True)):
            check_output_padding(cells, stride, f"on axis {axis}, " if g.ndim > 1 else "")
    if pads[0] in _SAME:  # strides x the size of y
        if any(a or ()):
            raise GeometryError(
                f"`output_padding` must be 0 or None: padding {pads[0]!r} fixes the size already; got {a}."
            )
        a = tuple(max(axis.stride - axis.span, 0) for axis in g.axes)
    return tuple(
        resolve_padding(pad, axis.stride, axis.span, axis.stride)
        for pad, axis in zip(pads, g.axes, strict=True)
    ), a
