"""The circular convolutions that fit one axis of a linear map.

What an output reads is a cyclic shift of what the output before it reads, whether or not a window lies in the
interior. So the strides are found first, and the kernel is a shortest arithmetic progression modulo the
number of cells that has all cells of one output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jaxconv.interop.identification.axis import AxisFit, high_paddings


def circular_fits(responses: np.ndarray, tolerance: float, transposed: bool = False) -> list[AxisFit]:
    """Returns the circular convolutions with the fewest taps whose window is not larger than the input.

    Args:
      responses: Vectors ``(outputs, inputs, V)``.
      tolerance: Largest magnitude that counts as zero.
      transposed: Whether to return convolutions whose transpose fits.
    """
    if transposed:
        responses = responses.swapaxes(0, 1)
    outputs, inputs, _ = responses.shape
    if min(outputs, inputs) < 2:
        return []
    cells = np.flatnonzero(abs(responses[0]).max(-1) > tolerance).tolist()
    fits = []
    for s in range(1, inputs) if cells else ():
        if _turns(responses, s, tolerance):
            for k, start, d in _shortest_windows(cells, inputs):
                both = s * (outputs - 1) + d * (k - 1) + 1 - inputs  # least padding of both sides
                lows = -start % inputs, -start % inputs - inputs
                low = min(lows, key=lambda low: abs(both - 2 * low))
                found = list(high_paddings((outputs, inputs), k, s, low, d, mode="circular"))
                backwards = 2 * s > inputs and max(low, both - low) > inputs  # as the steps of a flip are
                fits += found if found[0].pads and not backwards else []
    return [replace(fit, transposed=True) for fit in fits] if transposed else fits


def _turns(responses: np.ndarray, s: int, tolerance: float) -> bool:
    """Returns whether each output reads what the one before it reads, `s` cells further."""
    for count in (2, len(responses)):  # two outputs refuse nearly all strides
        moved = np.roll(responses[: count - 1], s, axis=1)
        if abs(responses[1:count] - moved).max() > 2 * tolerance:
            return False
    return True


def _shortest_windows(cells: list[int], size: int) -> Iterator[tuple[int, int, int]]:
    """Yields ``(taps, first cell, dilation)`` of the windows with the fewest taps that have all cells."""
    most_steps = 1 if len(cells) == 1 else (size - 1) // (len(cells) - 1)
    windows = []
    least = size
    for d in range(1, most_steps + 1):
        longest = min((size - 1) // d + 1, least)
        for start in cells:
            places = {(start + d * t) % size: t for t in range(longest)}
            if all(cell in places for cell in cells):
                least = longest = max(places[cell] for cell in cells) + 1
                windows.append((least, start, d))
    return (window for window in windows if window[0] == least)
