"""Poolings to test with, and their windows by loops."""

import itertools
import math

import numpy as np

# input shape, window, and the arguments of a pooling
CASES = [
    ((7,), (3,), {}),
    ((7,), (2,), {"strides": 3, "padding": ((1, 0),)}),
    ((9,), (3,), {"strides": 2, "dilation": 2, "padding": ((3, 1),), "ceil_mode": True}),
    ((40,), (21,), {"strides": 2, "dilation": 1}),  # more taps than are read by one slice each
    ((23,), (18,), {"strides": 3, "padding": ((4, 9),), "ceil_mode": True}),
    ((6, 5), (2, 2), {}),
    ((6, 7), (3, 2), {"strides": (1, 2)}),
    ((6, 7), (3, 3), {"strides": 2, "padding": 1, "ceil_mode": True}),
    ((5, 6), (2, 3), {"strides": (3, 1), "padding": "SAME", "dilation": (2, 1)}),
    ((5, 6), (2, 3), {"strides": (1, 2), "padding": "SAME_LOWER", "dilation": (1, 2)}),
    ((7, 6), (3, 2), {"padding": ((-1, 1), (0, -2)), "strides": 1}),  # crops
    (
        (3, 2),
        (2, 5),
        {"padding": ((0, 1), (2, 3)), "strides": 1},
    ),  # wider than a row, so that cell numbers wrap
    ((9, 10), (9, 8), {"strides": 1}),  # more taps than S has slices
    ((4, 5), (4, 5), {}),  # global
    ((4, 3, 5), (2, 2, 3), {"strides": (2, 1, 2), "padding": ((0, 1), (1, 0), (1, 1))}),
    ((3, 2, 3, 2), (2, 1, 2, 2), {"strides": 1}),
    ((5,), (2,), {"strides": 3, "padding": ((0, 1),), "ceil_mode": True}),  # one would begin in the padding
    ((2,), (3,), {"strides": 2, "ceil_mode": True}),  # no window fits; one hangs over
    ((6,), (2,), {"padding": ((0, 2),), "ceil_mode": True}),  # one fits, in the padding
    ((3,), (9,), {"strides": 2, "padding": ((5, 7),)}),  # the first taps, and the last, are always in padding
]
IDS = [f"{shape}-{window}-{options}" for shape, window, options in CASES]


def axis_windows(size, taps, stride, low, high, dilation, ceil_mode):
    """Lists the cells of every window of one axis, each with whether it counts; padding is None."""
    span, windows = (taps - 1) * dilation + 1, []
    for start in range(0, low + size + high, stride):
        fits = start + span <= size + low + high
        started = start - stride + span < size + low + high  # the window before leaves cells over
        if not fits and not (ceil_mode and started):
            break
        if ceil_mode and start >= size + low:  # begins in the high padding
            break
        cells = range(start - low, start - low + span, dilation)
        windows.append([(c if 0 <= c < size else None, -low <= c < size + high) for c in cells])
    return windows


def windows(shape, window, *, strides=None, padding="VALID", dilation=1, ceil_mode=False):
    """Returns, for every output, the input cells in its window, and how many cells count with padding."""
    per_axis = lambda value: (value,) * len(shape) if isinstance(value, int) else value  # noqa: E731
    axes = []
    for axis, (size, taps, stride, dil) in enumerate(
        zip(shape, window, per_axis(strides or window), per_axis(dilation), strict=True)
    ):
        if isinstance(padding, str):
            span = (taps - 1) * dil + 1
            total = max((math.ceil(size / stride) - 1) * stride + span - size, 0) if "SAME" in padding else 0
            pair = (total // 2, total - total // 2)
            low, high = pair[::-1] if padding == "SAME_LOWER" else pair
        else:
            low, high = (padding,) * 2 if isinstance(padding, int) else padding[axis]
        crop = slice(max(-low, 0), size - max(-high, 0))
        cells = list(range(size))[crop]
        found = axis_windows(len(cells), taps, stride, max(low, 0), max(high, 0), dil, ceil_mode)
        axes.append([[(None if c is None else cells[c], counts) for c, counts in w] for w in found])
    out_shape = tuple(map(len, axes))
    seen, counted = np.empty(out_shape, object), np.zeros(out_shape, int)
    for out in np.ndindex(out_shape):
        places = list(itertools.product(*(axis[o] for axis, o in zip(axes, out, strict=True))))
        cells = [tuple(c for c, _ in place) for place in places]
        seen[out] = [cell for cell in cells if None not in cell]
        counted[out] = sum(all(counts for _, counts in place) for place in places)
    return seen, counted
