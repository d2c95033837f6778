"""The convolutions that fit one axis of a linear map.

An axis of the map is an array ``responses[output, input]`` of vectors: the weights with which the outputs at
one position read the inputs at another. It is a zero-padded convolution if that vector depends only on
``f * input - s * output``, which is the place of a tap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from jaxconv.geometry import AxisGeometry
from jaxconv.geometry.pattern import reads

TINY = 8  # cells of an axis on which a large stride may leave every tap to one output


@dataclass(frozen=True)
class AxisFit:
    """A convolution, or the transpose of one, that one axis of a linear map may be.

    Attributes:
      geometry: Axis of the convolution.
      transposed: Whether the map is the transpose of that convolution.
    """

    geometry: AxisGeometry
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of outputs and inputs of the map."""
        shape = self.geometry.out_size, self.geometry.size
        return shape[::-1] if self.transposed else shape

    @cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Outputs, inputs and taps that meet; several taps may join one output to one input."""
        out, tap, cell = reads(self.geometry)
        return (cell, out, tap) if self.transposed else (out, cell, tap)

    def responses(self, taps: np.ndarray) -> np.ndarray:
        """Returns the vectors ``(outputs, inputs, V)`` of the map with the given vectors ``(kernel, V)``."""
        out, cell, tap = self.entries
        result = np.zeros((*self.shape, taps.shape[1]), taps.dtype)
        np.add.at(result, (out, cell), taps[tap])
        return result

    def resized(self, inputs: int) -> AxisFit:
        """Returns the same convolution for another number of inputs.

        Raises:
          GeometryError: The kernel does not fit into them.
        """
        g = self.geometry
        size = inputs
        if self.transposed:
            size = g.stride * (inputs - 1) + g.span - sum(g.padding) + g.output_padding
        return replace(self, geometry=replace(g, size=size))

    @property
    def tried(self) -> bool:
        """Whether some tap is read by two outputs, so that a dependence on the position would show."""
        _, _, tap = self.entries
        return len(tap) > len(np.unique(tap))

    @property
    def pads(self) -> bool:
        """Whether a window of the convolution reads padding."""
        g = self.geometry
        last = g.stride * (g.out_size - 1) + g.span - g.padding[0]  # the first cell after the last window
        return g.padding[0] > 0 or last > g.stretched


def zero_padded_fits(responses: np.ndarray, tolerance: float) -> list[AxisFit]:
    """Returns the zero-padded convolutions with the smallest kernel for each pair of stride and dilation.

    Large strides on a small axis explain anything, with a tap for every entry. So the window must fit into
    the axis, or every tap must make two entries on average.

    Args:
      responses: Vectors ``(outputs, inputs, V)``.
      tolerance: Largest magnitude that counts as zero.
    """
    filled = abs(responses).max(-1) > tolerance
    outputs, inputs = filled.shape
    if not filled.any():
        return []
    if min(outputs, inputs) == 1:
        return list(_smallest(filled, 1, 1))
    steps = [
        (s, f)
        for s, f in product(range(1, inputs), range(1, outputs))
        if math.gcd(s, f) == 1
        and _repeats(filled, s, f)
        and (_fits_inside(filled, s, f) or 2 * len(_places(filled, s, f)) <= filled.sum())
        and not _disagreements(responses, s, f, tolerance).any()
    ]
    return [fit for s, f in steps for fit in _smallest(filled, s, f)] or _untried(filled)


def _untried(filled: np.ndarray) -> list[AxisFit]:
    """Returns what fits an axis so small that no tap is read twice, if the window fits into it."""
    outputs, inputs = filled.shape
    if max(outputs, inputs) > TINY:
        return []
    steps = [*((s, 1) for s in range(1, 2 * inputs)), *((1, f) for f in range(2, 2 * outputs))]
    free = [step for step in steps if not _repeats(filled, *step) and _fits_inside(filled, *step)]
    return [fit for s, f in free for fit in _smallest(filled, s, f)]


def _places(filled: np.ndarray, s: int, f: int) -> np.ndarray:
    """Returns the places of the taps for a stride and an input dilation, in increasing order."""
    out, cell = np.nonzero(filled)
    return np.unique(f * cell - s * out)


def _fits_inside(filled: np.ndarray, s: int, f: int) -> bool:
    """Returns whether the window, or that of the forward convolution, is not larger than its input."""
    places, (outputs, inputs) = _places(filled, s, f), filled.shape
    span = places[-1] - places[0] + 1
    return bool((f == 1 and span <= inputs) or (s == 1 and span <= outputs))


def _repeats(filled: np.ndarray, s: int, f: int) -> bool:
    """Returns whether one tap makes two entries; otherwise the stride and the dilation are not tried."""
    return bool(filled[f:, s:].any() or filled[: len(filled) - f, : filled.shape[1] - s].any())


def _disagreements(responses: np.ndarray, s: int, f: int, tolerance: float) -> np.ndarray:
    """Returns where entries ``(o, i)`` and ``(o + f, i + s)``, which one tap would make, differ."""
    outputs, inputs, _ = responses.shape
    return abs(responses[: outputs - f, : inputs - s] - responses[f:, s:]).max(-1) > 2 * tolerance


def _smallest(filled: np.ndarray, s: int, f: int) -> Iterator[AxisFit]:
    """Yields the smallest kernel for a stride and an input dilation, with every high padding that fits."""
    places = _places(filled, s, f)
    d = int(np.gcd.reduce(np.diff(places))) if len(places) > 1 else 1
    k = int(places[-1] - places[0]) // d + 1
    yield from high_paddings(filled.shape, k, s, -int(places[0]), d, f)


def high_paddings(
    shape: tuple[int, int], k: int, s: int, low: int, d: int, f: int = 1, mode: str = "zeros"
) -> Iterator[AxisFit]:
    """Yields the axes that differ only in the padding on the high side."""
    outputs, inputs = shape
    least = s * (outputs - 1) + d * (k - 1) + 1 - (f * (inputs - 1) + 1) - low
    for high in range(least, least + s):
        yield AxisFit(AxisGeometry(inputs, k, s, (low, high), d, f, mode))  # type: ignore[arg-type]


def nearest_disagreement(
    responses: np.ndarray, tolerance: float
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Returns where a map that is not a convolution differs from the stride that explains most of it.

    Returns:
      ``(s, f), (output, input), (output, input)``: the first two entries, in the order of the outputs, that
      one tap would make and that differ.
    """
    filled = abs(responses).max(-1) > tolerance
    outputs, inputs = filled.shape
    best = None
    for s, f in product(range(1, inputs), range(1, outputs)):
        if math.gcd(s, f) > 1 or not _repeats(filled, s, f):
            continue
        wrong = _disagreements(responses, s, f, tolerance)
        equal = (filled[f:, s:] & filled[: outputs - f, : inputs - s] & ~wrong).sum()
        score = -int(equal), s + f
        if wrong.any() and (best is None or score < best[0]):
            best = score, (s, f), wrong
    if best is None:
        return (1, 1), (0, 0), (0, 0)
    _, (s, f), wrong = best
    out, cell = (int(index) for index in np.argwhere(wrong)[0])
    return (s, f), (out, cell), (out + f, cell + s)
