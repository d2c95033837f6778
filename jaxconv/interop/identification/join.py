"""The convolutions of all axes together: one padding mode, and forward or transposed, for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product

from jaxconv.geometry.arguments import PADDING_MODES, PaddingMode
from jaxconv.interop.identification.axis import AxisFit, zero_padded_fits
from jaxconv.interop.identification.circular import circular_fits
from jaxconv.interop.identification.modes import mode_fits
from jaxconv.interop.identification.responses import Responses
from jaxconv.interop.identification.small import small_fits


@dataclass(frozen=True)
class Fit:
    """A convolution that fits a linear function.

    With zero padding, `axes` are those of the direct convolution, whose input dilation makes it a transposed
    one. In the other modes they are those of the forward convolution, also where its transpose is meant.

    Attributes:
      axes: What fits each axis.
      padding_mode: What the padding holds, on all axes.
    """

    axes: tuple[AxisFit, ...]
    padding_mode: PaddingMode

    @property
    def transposed(self) -> bool:
        """Whether the transpose of the convolution that `axes` describe is meant."""
        return self.axes[0].transposed

    @property
    def size(self) -> tuple[int, ...]:
        """What makes one fit simpler than another: few taps, then small steps."""
        taps = math.prod(axis.geometry.kernel for axis in self.axes)
        steps = sum(axis.geometry.stride + axis.geometry.input_dilation for axis in self.axes)
        return taps, PADDING_MODES.index(self.padding_mode), self.transposed, steps


def axis_fits(responses: Responses) -> list[AxisFit]:
    """Returns what fits one axis, in all modes and both directions.

    Args:
      responses: Responses of the axis.
    """
    found = responses.vectors, responses.tolerance
    padded = [fits(*found, transposed) for fits in (circular_fits, mode_fits) for transposed in (False, True)]
    return [*zero_padded_fits(*found), *chain(*padded)]


def more_axis_fits(responses: Responses) -> list[AxisFit]:
    """Returns what fits one axis whose kernel no window shows, in both directions.

    Args:
      responses: Responses of the axis.
    """
    found = responses.vectors, responses.tolerance
    return [*small_fits(*found), *small_fits(*found, transposed=True)]


def joint_fits(fits: Sequence[Sequence[AxisFit]]) -> list[Fit]:
    """Returns the convolutions that fit on all axes, the simplest first.

    The first is the answer. Of the others there are those that differ from it on one axis, and the simplest
    one for every other padding mode and direction.

    Args:
      fits: What fits each axis.
    """
    best = sorted(_simplest(fits), key=lambda fit: fit.size)
    if not best:
        return []
    return [best[0], *_neighbours(best[0], fits), *best[1:]]


def _simplest(fits: Sequence[Sequence[AxisFit]]) -> Iterator[Fit]:
    """Yields the simplest fit for each padding mode and direction."""
    for mode, transposed in product(PADDING_MODES, (False, True)):
        if mode == "zeros" and transposed:
            continue  # is a zero-padded convolution with input dilation
        found = [list(_with(mode, transposed, axis)) for axis in fits]
        if all(found):
            axes = tuple(min(axis, key=_axis_size) for axis in found)
            if mode == "zeros" or any(axis.geometry.padding_mode == mode for axis in axes):
                yield Fit(axes, mode)


def _neighbours(best: Fit, fits: Sequence[Sequence[AxisFit]]) -> Iterator[Fit]:
    """Yields the fits that differ from the best one on one axis."""
    for number, axis in enumerate(fits):
        for other in sorted(_with(best.padding_mode, best.transposed, axis), key=_axis_size):
            if other != best.axes[number]:
                yield Fit((*best.axes[:number], other, *best.axes[number + 1 :]), best.padding_mode)


def _with(mode: PaddingMode, transposed: bool, fits: Sequence[AxisFit]) -> Iterator[AxisFit]:
    """Yields the fits of one axis that a padding mode and a direction allow; the mode may pad nothing."""
    for fit in fits:
        g = fit.geometry
        if (g.padding_mode, fit.transposed) == (mode, transposed):
            yield fit
        elif g.padding_mode == "zeros" and mode != "zeros":
            other = AxisFit(g.equivalent_direct(), True) if transposed else fit
            if not other.pads and other.geometry.input_dilation == 1:
                yield other


def _axis_size(fit: AxisFit) -> tuple[int, ...]:
    g = fit.geometry
    return g.kernel, g.stride + g.input_dilation, abs(g.padding[0] - g.padding[1])
