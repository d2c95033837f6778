"""The padding modes that fit an axis so small, or so stretched, that no window shows the whole kernel.

There are few geometries of a small axis, so all with small steps are tried. The taps of each solve a linear
system with one equation for every output and input, and many more equations than taps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from jaxconv.geometry import AxisGeometry
from jaxconv.geometry.arguments import PADDING_MODES
from jaxconv.geometry.pattern import reads
from jaxconv.interop.identification.axis import AxisFit, high_paddings

MOST_ENTRIES = 200  # outputs times inputs
STEPS = ((1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 3))  # of the input's dilation and the stride


def small_fits(responses: np.ndarray, tolerance: float, transposed: bool = False) -> list[AxisFit]:
    """Returns the convolutions with the fewest taps and a padding mode other than zeros.

    Args:
      responses: Vectors ``(outputs, inputs, V)``.
      tolerance: Largest magnitude that counts as zero.
      transposed: Whether to return convolutions whose transpose fits.
    """
    if transposed:
        responses = responses.swapaxes(0, 1)
    outputs, inputs, _ = responses.shape
    if outputs * inputs > MOST_ENTRIES or min(outputs, inputs) < 2:
        return []
    filled = abs(responses).max(-1) > tolerance
    fits: list[AxisFit] = []
    for axis in _geometries(outputs, inputs):
        if fits and axis.kernel > fits[0].geometry.kernel:
            break
        if 2 * axis.kernel <= filled.sum() and _solves(axis, responses, filled, tolerance):
            fits += high_paddings(
                (outputs, inputs), axis.kernel, axis.stride, axis.padding[0], axis.dilation,
                axis.input_dilation, axis.padding_mode,
            )  # fmt: skip
    return [replace(fit, transposed=True) for fit in fits] if transposed else fits


def _geometries(outputs: int, inputs: int) -> Iterator[AxisGeometry]:
    """Yields the axes with these numbers of cells, fewer taps first, whose kernel fits into the input."""
    for k in range(1, 2 * inputs):
        for f, s in STEPS:
            stretched = f * (inputs - 1) + 1
            for d in range(1, 2 if k == 1 else (stretched - 1) // (k - 1) + 1):
                span = d * (k - 1) + 1
                for low in range(-1, span):
                    high = s * (outputs - 1) + span - stretched - low
                    if max(low, high) > 0 and max(low, high) < max(span + s, 2):
                        for mode in PADDING_MODES[1:]:
                            yield AxisGeometry(inputs, k, s, (low, high), d, f, mode)


def _solves(axis: AxisGeometry, responses: np.ndarray, filled: np.ndarray, tolerance: float) -> bool:
    """Returns whether some taps make the responses: entries that no tap makes must be zero."""
    out, tap, cell = reads.__wrapped__(axis)  # too many to be worth caching
    read = np.zeros(filled.shape, bool)
    read[out, cell] = True
    if (filled & ~read).any():
        return False
    system = np.zeros((*filled.shape, axis.kernel))
    np.add.at(system, (out, cell, tap), 1)
    system = system.reshape(-1, axis.kernel)
    if np.linalg.matrix_rank(system) < axis.kernel:
        return False
    flat = responses.reshape(len(system), -1)
    taps = np.linalg.lstsq(system, flat, rcond=None)[0]
    if min(abs(taps[0]).max(), abs(taps[-1]).max()) <= tolerance:  # a smaller kernel, far outside of the map
        return False
    return bool(abs(system @ taps - flat).max() <= 2 * axis.kernel * tolerance)
