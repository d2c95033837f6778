"""Two convolutions as one: its sizes and taps, and the rule for the borders."""

from __future__ import annotations

import math
from typing import Any

from jaxconv.claims.proofs.receptive_fields import two_layers
from jaxconv.claims.proofs.statement import Condition, Number, Question, statement
from jaxconv.geometry import composition

SOURCE = "Ding et al., arXiv:2103.13425, section 3.2, extended"
BORDERS = "composition.low_border_agrees(first, second)", "composition.high_border_agrees(first, second)"
RULE = "compose (low_border_agrees, high_border_agrees)"


def _pair(q: Question, **fixed: Number) -> tuple[Any, Any]:
    """Makes two axes whose composition has one kernel for all outputs."""
    first, second = two_layers(q, **fixed)
    q.given(math.gcd(first.stride, second.input_dilation) == 1)
    return first, second


def _taps(q: Question, first: Any, second: Any) -> tuple[Number, Number, Number]:
    """Returns any output of the second axis, a tap of it and a tap of the first."""
    x, u, t = q.integer("x", 0), q.integer("u", 0), q.integer("t", 0)
    q.given(x < second.out_size, u < second.kernel, t < first.kernel)
    return x, u, t


@statement(
    "composition-geometry",
    "without input dilation: stride s_1 s_2, span span_1 + s_1 (span_2 - 1), low padding p_1 + s_1 p_2: one "
    "tap of the composition reads where two taps read",
    SOURCE,
    "compose",
    fixed="s1 d1 s2 d2",
    largest=4,
)
def geometry(q: Question) -> None:
    """Takes any tap of any output, and the position that it reads through the first layer."""
    first, second = _pair(q, f1=1, f2=1)
    x, u, t = _taps(q, first, second)
    composed, (first_step, second_step) = composition.interior(first, second, "zeros")
    tap = t * first_step + u * second_step
    shown = "composition.interior(first, second, 'zeros')"
    through = (x * second.stride + u * second.dilation - second.padding[0]) * first.stride
    through += t * first.dilation - first.padding[0]
    q.prove(x * composed.stride + tap * composed.dilation - composed.padding[0] == through, shown)
    q.prove((0 <= tap) & (tap < composed.kernel), shown)
    q.prove(composed.out_size == second.out_size, shown)


@statement(
    "common-stride",
    "a common factor of stride and input dilation can be divided out: the taps that are left read the same "
    "cells, and the others read none",
    "definition",
    "compose (without_common_stride)",
    fixed="s d f",
    largest=8,
)
def common_stride(q: Question) -> None:
    """Takes any cell, any tap that is left and any tap at all."""
    axis = q.axis()
    reduced, taps = composition.without_common_stride(axis)
    start, step = taps.start or 0, taps.step or 1
    x, j, u, t = (q.integer(name, 0) for name in "xjut")
    q.given(x < axis.out_size, j < axis.size, u < reduced.kernel, t < axis.kernel)
    shown = "composition.without_common_stride(axis)"

    def reads(which: Any, tap: Number) -> Condition:
        position = x * which.stride + tap * which.dilation - which.padding[0]
        return position == which.input_dilation * j

    q.prove((start + u * step < axis.kernel) & (reduced.out_size == axis.out_size), shown)
    q.prove(reads(reduced, u) == reads(axis, start + u * step), shown)
    q.prove((reads(axis, t) == False) | ((t >= start) & ((t - start) % step == 0)), shown)  # noqa: E712


@statement(
    "composition-allowed",
    "where both borders agree, two zero-padded convolutions read an input cell exactly as the one does",
    SOURCE,
    RULE,
    fixed="s1 f2",
    largest=4,
)
def allowed(q: Question) -> None:
    """Takes any input cell that the one reads: the two read it through a window that exists."""
    first, second = _pair(q)
    q.given(composition.low_border_agrees(first, second), composition.high_border_agrees(first, second))
    x, u, t = _taps(q, first, second)
    f, j = second.input_dilation, q.integer("j", 0)
    position = x * second.stride + u * second.dilation - second.padding[0]
    below = first.stride * position + f * (t * first.dilation - first.padding[0])
    q.given(j < first.size, below == f * first.input_dilation * j)
    window = position // f
    exists = (f * window == position) & (0 <= window) & (window < first.out_size)
    q.prove(exists, *BORDERS)


@statement(
    "composition-refused",
    "with d_2 = 1, s_2 <= k_2, d_1 <= i, and if both read a cell: where a border does not agree, an output "
    "reads an input cell through a window that does not exist",
    SOURCE,
    RULE,
    fixed="s1 s2",
    largest=4,
)
def refused(q: Question) -> None:
    """Finds the cell, the window and the output."""
    first, second = _pair(q, f1=1, d2=1, f2=1)
    d, s, last_window = first.dilation, second.stride, second.out_size - 1
    q.given(s <= second.kernel, d <= first.size)
    for axis in (first, second):  # each reads a cell that is not padding
        end = (axis.out_size - 1) * axis.stride + axis.dilation * (axis.kernel - 1) + 1 - axis.padding[0]
        q.given(-axis.padding[0] < axis.size, 0 < end)
    low = composition.low_border_agrees(first, second)
    if low and composition.high_border_agrees(first, second):
        return
    window = first.out_size if low else -1
    x = min((window + second.padding[0]) // s, last_window)
    u = window + second.padding[0] - x * s
    start = window * first.stride - first.padding[0]
    t = -(min(start, 0) // d)
    read = (0 <= x) & (x <= last_window) & (0 <= u) & (u < second.kernel) & (0 <= t) & (t < first.kernel)
    q.prove(read & (0 <= start + t * d) & (start + t * d < first.size), *BORDERS)
