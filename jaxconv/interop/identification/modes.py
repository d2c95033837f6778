"""The convolutions whose padding mirrors or repeats cells at the border that fit one axis of a linear map.

A window in the interior shows the whole kernel. What the padding holds follows from the windows at the
border, so every mode is tried there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jaxconv.geometry.arguments import PaddingMode
from jaxconv.interop.identification.axis import AxisFit, high_paddings

MODES: tuple[PaddingMode, ...] = ("reflect", "replicate")
FEW = 4  # outputs among which no two neighbours may lie in the interior


def mode_fits(responses: np.ndarray, tolerance: float, transposed: bool = False) -> list[AxisFit]:
    """Returns the convolutions with the smallest kernel for the padding modes reflect and replicate.

    Args:
      responses: Vectors ``(outputs, inputs, V)``.
      tolerance: Largest magnitude that counts as zero.
      transposed: Whether to return convolutions whose transpose fits.
    """
    if transposed:
        responses = responses.swapaxes(0, 1)
    if min(responses.shape[:2]) < 2 or not _sums_agree(responses, tolerance):
        return []
    smallest: dict[str, int] = {}
    fits = []
    for k, s, low, d, row in sorted(set(_kernels(abs(responses).max(-1) > tolerance))):
        first = s * row - low
        taps = responses[row, first : first + d * (k - 1) + 1 : d]
        for mode in MODES:
            if smallest.get(mode, k) < k:
                continue
            found = high_paddings(responses.shape[:2], k, s, low, d, mode=mode)
            fit = next(found)
            if fit.pads and _same(fit.responses(taps), responses, k * tolerance):
                smallest[mode] = k
                fits += [fit, *found]
    unique = list(dict.fromkeys(fits))
    return [replace(fit, transposed=True) for fit in unique] if transposed else unique


def _sums_agree(responses: np.ndarray, tolerance: float) -> bool:
    """Returns whether all windows have the same sum: none of them reads a zero from the padding."""
    sums = responses.sum(1)
    return bool(abs(sums - sums[0]).max() <= 2 * responses.shape[1] * tolerance)


def _kernels(filled: np.ndarray) -> Iterator[tuple[int, int, int, int, int]]:
    """Yields ``(taps, stride, low padding, dilation, output)`` for outputs that may lie in the interior."""
    outputs, inputs = filled.shape
    cells = [np.flatnonzero(row) for row in filled]
    if not all(map(len, cells)):
        return
    starts = [int(row[0]) for row in cells]
    for output, row in enumerate(cells):
        d = int(np.gcd.reduce(np.diff(row))) if len(row) > 1 else 1
        k = int(row[-1] - row[0]) // d + 1
        steps = {starts[o + 1] - starts[o] for o in (output - 1, output) if 0 <= o < outputs - 1}
        for s in range(1, inputs) if outputs <= FEW else steps:
            if 0 < s:
                yield k, s, s * output - starts[output], d, output


def _same(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    return bool(abs(one - other).max() <= 2 * tolerance)
