"""The geometry of a pooling: a depthwise convolution's, with the windows that ceil mode adds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxconv.arguments import Ints, Padding, padding_per_axis, per_axis, resolve_padding, shape_of
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry


def pool_geometry(
    input_shape: Sequence[int],
    window: Sequence[int],
    *,
    strides: Ints | None = None,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    features: int = 1,
) -> ConvGeometry:
    r"""The depthwise convolution whose windows a pooling has.

    Relationship 7 has neither padding nor dilation; with them a pooling has relationship 15's size,
    $o = \lfloor (i + p_l + p_h - d(k-1) - 1) / s \rfloor + 1$. Ceil mode rounds up instead: the last
    window may hang over the high edge, but must begin before the input ends. Those cells beyond are
    high padding of the geometry.

    Args:
      input_shape: Spatial shape of the input.
      window: Spatial shape of the windows.
      strides: Cells between windows, an int or one an axis; the window by default.
      padding: As in `ConvGeometry`; what it holds belongs to the pooling.
      dilation: Cells between the cells of a window, an int or one an axis.
      ceil_mode: Whether a last window that does not fit counts.
      features: Of the maps; each is pooled alone.

    Raises:
      GeometryError: No pooling has these numbers.
      TypeError: A size is not an integer.

    References:
      Dumoulin & Visin, arXiv:1603.07285, relationship 7, extended.

    >>> pool_geometry((6,), (3,), strides=2).output_shape
    (2,)
    >>> pool_geometry((6,), (3,), strides=2, ceil_mode=True)
    ConvGeometry((6,), (3,), strides=(2,), padding=((0, 1),))
    """
    shape = shape_of("input_shape", input_shape)
    n = len(shape)
    taps = shape_of("window", window, n)
    s = taps if strides is None else per_axis("strides", strides, n)
    d = per_axis("dilation", dilation, n)
    pads = [
        resolve_padding(pad, i, d * (k - 1) + 1, s)
        for pad, i, k, s, d in zip(padding_per_axis(padding, n), shape, taps, s, d, strict=True)
    ]
    if ceil_mode:
        numbers = zip(shape, taps, s, d, pads, strict=True)
        pads = [_with_last_window(*axis) for axis in numbers]
    return ConvGeometry(
        shape,
        taps,
        in_features=features,
        out_features=features,
        strides=s,
        padding=pads,
        kernel_dilation=d,
        feature_group_count=features,
    )


def _with_last_window(size: int, taps: int, stride: int, dilation: int, padding: tuple[int, int]):
    """The padding with which every window that ceil mode counts fits."""
    low, high = padding
    if min(padding) < 0:
        raise GeometryError(f"ceil_mode and a padding that crops, {padding}, contradict: crop `x` first.")
    slack = size + low + high - dilation * (taps - 1) - 1
    outputs = -(-slack // stride) + 1
    if (outputs - 1) * stride >= size + low:
        outputs -= 1
    return low, high + max((outputs - 1) * stride - slack, 0)


def counted_padding(g: ConvGeometry, padding: Padding, include: bool) -> tuple[tuple[int, int], ...]:
    """The padding whose cells count in a mean: never what ceil mode added, the rest if asked for."""
    if not include:
        return ((0, 0),) * g.ndim
    pads = zip(padding_per_axis(padding, g.ndim), g.axes, strict=True)
    return tuple(resolve_padding(pad, axis.size, axis.span, axis.stride) for pad, axis in pads)


def cell_counts(g: ConvGeometry, padding: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Cells of every window that lie in the input or in `padding` around it, ``output_shape``.

    Raises:
      GeometryError: A window has none.

    >>> cell_counts(pool_geometry((6,), (3,), strides=2, padding=1), ((0, 0),)).tolist()
    [2, 3, 3]
    """
    counts = np.ones((), np.int64)
    for number, (axis, (low, high)) in enumerate(zip(g.axes, padding, strict=True)):
        start = np.arange(axis.out_size)[:, None] * axis.stride - axis.padding[0]
        cell = start + np.arange(axis.kernel) * axis.dilation
        inside = ((cell >= -low) & (cell < axis.size + high)).sum(1)
        if not inside.all():
            raise GeometryError(
                f"on axis {number} the window of output {int(inside.argmin())} holds only padding, of which "
                f"there is no maximum or mean; lower `padding`. Got {axis}."
            )
        counts = counts[..., None] * inside
    return counts
