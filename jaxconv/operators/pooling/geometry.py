"""The geometry of a pooling: that of a depthwise convolution, with the windows that ceil mode adds."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import jax
import numpy as np
from jax import lax

from jaxconv.errors import GeometryError, SizeError
from jaxconv.geometry import AxisGeometry, ConvGeometry, IntPerAxis, Padding
from jaxconv.geometry.arguments import (
    PaddingPairs,
    at_least_one,
    flag,
    padding_per_axis,
    per_axis,
    resolve_padding,
    shape_of,
)
from jaxconv.operators.arguments import check_window_fits, padding_in_cells


def pool_geometry(
    input_shape: Sequence[int],
    window: Sequence[int],
    *,
    strides: IntPerAxis | None = None,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    ceil_mode: bool = False,
    features: int = 1,
) -> ConvGeometry:
    r"""Returns the geometry of the depthwise convolution that has the windows of a pooling.

    The output size of an axis is $o = \lfloor (i + p_l + p_h - d(k-1) - 1) / s \rfloor + 1$. Ceil mode rounds
    up instead, so that a last window may reach over the high edge, and leaves out every window that begins
    in the high padding. The high padding of the geometry is what these windows need.

    Args:
      input_shape: Spatial shape of the input, a tuple of N ints.
      window: Spatial shape of the windows, a tuple of N ints.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis; by default the shape of the window.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells. What it holds depends on the pooling.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
      ceil_mode: Whether a last window that reaches over the high edge is added.
      features: Number of features of the maps, each of which is pooled separately.

    Returns:
      A `ConvGeometry` with ``feature_group_count=features``.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: A size is not an integer, or `ceil_mode` is not a boolean.

    References:
      Dumoulin & Visin, arXiv:1603.07285, relationship 7, and relationship 15 for padding and dilation.

    >>> pool_geometry((6,), (3,), strides=2).output_shape
    (2,)
    >>> pool_geometry((6,), (3,), strides=2, ceil_mode=True)
    ConvGeometry((6,), (3,), strides=(2,), padding=((0, 1),))
    """
    shape = shape_of("input_shape", input_shape)
    n = len(shape)
    taps, features = shape_of("window", window, n), at_least_one("features", features)
    s = taps if strides is None else per_axis("strides", strides, n)
    d = per_axis("dilation", dilation, n)
    refuse_padding_mode(padding)
    pads = padding_in_cells(padding, shape, taps, s, d)
    if flag("ceil_mode", ceil_mode):
        numbers = zip(shape, taps, s, d, pads, strict=True)
        pads = tuple(with_last_window(*axis) for axis in numbers)
    check_window_fits(shape, taps, d, pads)
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


# The words of `jnp.pad` for what convolutions have as `padding_mode`.
_MODES_OF_PAD = {"zeros": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge"}


def refuse_padding_mode(padding: Padding) -> None:
    """Checks that the padding of a pooling is not a padding mode, of convolutions or of `jnp.pad`.

    Raises:
      GeometryError: It is; the message has the `jnp.pad` that does it.
    """
    word = padding.lower() if isinstance(padding, str) else ""
    mode = _MODES_OF_PAD.get(word, word)
    if mode in _MODES_OF_PAD.values():
        raise GeometryError(
            f"`padding` says how many cells are added, not what they hold; got {padding!r}. Pooling has no "
            f"padding modes; pad first: jnp.pad(x, ..., mode={mode!r})."
        )


def with_last_window(
    size: int, taps: int, stride: int, dilation: int, padding: tuple[int, int]
) -> tuple[int, int]:
    """Returns the padding with which as many windows fit as ceil mode counts."""
    low, high = padding
    if min(padding) < 0:
        raise GeometryError(
            f"`padding` must not be negative with ceil_mode=True, got {padding}; crop `x` first."
        )
    slack = size + low + high - dilation * (taps - 1) - 1
    outputs = min(-(-slack // stride), (size + low - 1) // stride) + 1
    if outputs < 1 or outputs == slack // stride + 1:
        return padding
    return low, high + (outputs - 1) * stride - slack


def counted_padding(g: ConvGeometry, padding: Padding, include: bool) -> PaddingPairs:
    """Returns the padding whose cells count in a mean: none, or with `include` what ceil mode did not add."""
    if not include:
        return ((0, 0),) * g.ndim
    pads = zip(padding_per_axis(padding, g.ndim), g.axes, strict=True)
    return tuple(resolve_padding(pad, axis.size, axis.span, axis.stride) for pad, axis in pads)


def cell_counts(g: ConvGeometry, padding: PaddingPairs) -> np.ndarray:
    """Counts the cells of every window that lie in the input or in `padding` around it, ``output_shape``.

    Raises:
      GeometryError: A window has no such cell.

    >>> cell_counts(pool_geometry((6,), (3,), strides=2, padding=1), ((0, 0),)).tolist()
    [2, 3, 3]
    """
    counts = reduce(np.multiply.outer, axis_counts(g, padding))
    return np.broadcast_to(counts, g.output_shape)


def axis_counts(g: ConvGeometry, padding: PaddingPairs) -> list[np.ndarray]:
    """Counts the cells of every window along each axis, as factors of `cell_counts`.

    Returns:
      One array per axis: ``(out_size,)``, or ``(1,)`` if all windows have the same count.

    Raises:
      GeometryError: A window has no cell in the input or in `padding`.
    """
    refuse_empty_windows(g, padding)
    return [_axis_count(axis, *pad) for axis, pad in zip(g.axes, padding, strict=True)]


def _axis_count(axis: AxisGeometry, low: int, high: int) -> np.ndarray:
    beyond = axis.padding[0] - low  # cells of the first window, and of the last, that do not count
    if beyond <= 0 and (axis.out_size - 1) * axis.stride + axis.span <= axis.size + axis.padding[0] + high:
        return np.array([axis.kernel])
    start = np.arange(axis.out_size) * axis.stride - axis.padding[0]
    first = -((start + low) // axis.dilation)  # the first tap that counts, and the one after the last
    end = (axis.size + high - 1 - start) // axis.dilation + 1
    return end.clip(0, axis.kernel) - first.clip(0, axis.kernel)


def refuse_empty_windows(g: ConvGeometry, padding: PaddingPairs) -> None:
    """Checks that every window has a cell in the input or in `padding` around it.

    Raises:
      GeometryError: A window has none.
    """
    for number, (axis, pad) in enumerate(zip(g.axes, padding, strict=True)):
        output = _empty_window(axis, *pad)
        if output is not None:
            raise GeometryError(
                f"on axis {number} the window of output {output} holds only padding, which has no maximum or "
                f"mean; lower `padding`. Got {axis}."
            )


def _empty_window(axis: AxisGeometry, low: int, high: int) -> int | None:
    """Returns the first window without a cell from ``-low`` to ``size + high - 1``, or None."""
    # How many cells count, and how many lie before them.
    before, cells = axis.padding[0] - low, low + axis.size + high
    if axis.span <= before:
        return 0
    early = range(min(-(-before // axis.stride), axis.out_size))  # windows that begin before these cells
    if axis.dilation > cells:  # and may jump over them; remainders repeat
        period = axis.dilation // math.gcd(axis.dilation, axis.stride)
        for output in early[:period]:
            if (output * axis.stride - before) % axis.dilation >= cells:
                return output
    late = max((before + cells - 1) // axis.stride + 1, 0)
    return late if late < axis.out_size else None


def without_padding_taps(g: ConvGeometry) -> ConvGeometry:
    """Returns the geometry without the taps that lie in the padding in all windows.

    Such taps add nothing to a sum and are never a maximum, but there may be any number of them.

    Raises:
      SizeError: The windows reach over more cells than an axis of an array can have.

    >>> without_padding_taps(pool_geometry((5,), (1000,), strides=2, padding=((500, 501),)))
    ConvGeometry((5,), (11,), strides=(2,), padding=((6, 6),))
    """
    kernel_shape, padding = zip(*map(_without_padding_taps, g.axes), strict=True)
    smaller = replace(g, kernel_shape=kernel_shape, padding=padding)
    for number, axis in enumerate(smaller.axes):
        if axis.padded > np.iinfo(np.int32).max:
            raise SizeError(
                f"on axis {number} the windows reach over {axis.padded:,} cells including padding, more than "
                f"int32 counts; lower `padding` or `strides`. Got {g.axes[number]}."
            )
    return smaller


def _without_padding_taps(axis: AxisGeometry) -> tuple[int, tuple[int, int]]:
    """Returns the taps and the padding of one axis that are left."""
    low, d = axis.padding[0], axis.dilation
    last_start = (axis.out_size - 1) * axis.stride
    skipped = max(-(-(low - last_start) // d), 0)  # by the last window, and so by all
    end = min(-(-(axis.size + low) // d), axis.kernel)  # of the first window's taps in the input
    if skipped == 0 and end == axis.kernel:
        return axis.kernel, axis.padding
    taps, low = end - skipped, low - skipped * d
    return taps, (low, last_start + d * (taps - 1) + 1 - low - axis.size)


def only_window(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the cells of ``(*batch, *input_shape, features)`` in the first window, without padding.

    >>> g = pool_geometry((5,), (4,), padding=((1, 0),))
    >>> only_window(jax.numpy.arange(5.0)[:, None], g).ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    for dimension, axis in enumerate(g.axes, start=x.ndim - g.ndim - 1):
        taps = range(-axis.padding[0], axis.span - axis.padding[0], axis.dilation)
        first, last = (bisect_left(taps, cell) for cell in (0, axis.size))
        x = lax.slice_in_dim(x, taps[first], taps[last - 1] + 1, axis.dilation, dimension)
    return x
