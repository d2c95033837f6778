"""What the impulses at one size cannot show, in words."""

from __future__ import annotations

from collections.abc import Iterator

from jaxconv.geometry.arguments import plural
from jaxconv.interop.identification.axis import AxisFit
from jaxconv.interop.identification.join import Fit

FEW = 4  # input cells of an axis on which most windows read padding


def notes(fit: Fit) -> tuple[str, ...]:
    """Returns what remains open about the geometry of a fit, axis by axis."""
    found = []
    for number, axis in enumerate(fit.axes):
        where = f"axis {number}: " if len(fit.axes) > 1 else ""
        open_ones = [*_unseen_steps(axis), *_unseen_taps(axis), *_dilation(axis)]
        if not open_ones and axis.shape[1] <= FEW:
            open_ones = [
                f"on {plural(axis.shape[1], 'cell')} larger windows and other padding modes may be the same "
                "function; a larger input tells them apart"
            ]
        found += [where + note for note in open_ones]
    return (*found, *_unseen_mode(fit))


def _unseen_steps(fit: AxisFit) -> Iterator[str]:
    outputs, inputs = fit.shape
    if outputs == 1 < inputs:
        yield "one output shows neither stride nor dependence on the position; a larger input may show both"
    elif inputs == 1:
        yield "one input cell shows neither strides nor dilation; two cells or more show them"
    elif not fit.tried:
        yield (
            "no two outputs read the same tap, so that a dependence on the position does not show; a larger "
            "input shows it"
        )


def _unseen_taps(fit: AxisFit) -> Iterator[str]:
    """Says when a further tap next to the kernel would only meet padding at this size."""
    g = fit.geometry
    if g.padding_mode != "zeros":
        return
    low = -g.padding[0] - g.dilation  # the places of the next taps: f * input - s * output
    high = -g.padding[0] + g.span - 1 + g.dilation
    sides = []
    if low < -g.stride * (g.out_size - 1):
        sides.append("before the first")
    if high > g.input_dilation * (g.size - 1):
        sides.append("after the last")
    if sides:
        yield (
            f"a further tap {' or '.join(sides)} would meet only padding, so the kernel may be larger; a "
            "larger input shows it"
        )


def _unseen_mode(fit: Fit) -> Iterator[str]:
    """Says when padding that no window reads at this size may have any mode."""
    axes = [axis.geometry for axis in fit.axes]
    unread = (g.padding[1] + g.stride - 1 - g.output_padding > 0 for g in axes if g.input_dilation == 1)
    if fit.padding_mode == "zeros" and not any(axis.pads for axis in fit.axes) and any(unread):
        yield (
            "no window reads padding, so that the mode of the high padding, which the stride leaves open, "
            "does not show; a larger input shows it"
        )


def _dilation(fit: AxisFit) -> Iterator[str]:
    """Says which dilations with zeros between the taps are the same at every size."""
    g = fit.geometry
    others = [d for d in range(g.dilation - 1, 0, -1) if g.dilation % d == 0]
    if g.kernel > 1 and others:
        same = " or ".join(f"{d} with {plural((g.span - 1) // d + 1, 'tap')}" for d in others)
        yield (
            f"kernel dilation {g.dilation} with {plural(g.kernel, 'tap')} is at every size the same as "
            f"dilation {same}, zeros between them"
        )
