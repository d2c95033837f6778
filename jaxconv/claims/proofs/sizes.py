"""Sizes on one axis: relationships 1 to 15, windows, input sizes, negative padding, pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxconv.claims.proofs.statement import Condition, Number, Question, statement
from jaxconv.geometry import RELATIONSHIPS
from jaxconv.operators.pooling.geometry import with_last_window

PAPER = "arXiv:1603.07285"


def fits(
    n: Number, i: Number, k: Number, s: Number, padding: tuple[Number, Number], d: Number, f: Number = 1
) -> Condition:
    """Returns whether the last tap of window n reads a padded cell, counted by the definition."""
    low, high = padding
    cells = low + (i + (i - 1) * (f - 1)) + high
    return n * s + (k - 1) * d < cells


def windows_of(q: Question, axis: Any, name: str = "o", size: Number = None) -> Number:
    """Counts the windows of an axis, of another size if one is given."""
    i = axis.size if size is None else size
    numbers = i, axis.kernel, axis.stride, axis.padding, axis.dilation, axis.input_dilation
    return q.count(name, lambda n: fits(n, *numbers))


def _relationship(index: int) -> Callable[[Question], None]:
    """Returns the check of a relationship for all letters that it applies to."""

    def check(q: Question) -> None:
        relationship = RELATIONSHIPS[index]
        i, k, s, d = (q.integer(name, 1) for name in ("i", "k", "s", "d"))
        low, high = q.integer("pl"), q.integer("ph")
        q.given(fits(0, i, k, s, (low, high), d))
        o = q.count("o", lambda n: fits(n, i, k, s, (low, high), d))
        a = low + i + high - ((o - 1) * s + (k - 1) * d + 1)  # cells after the last window
        letters = {"i": i, "k": k, "s": s, "d": d, "f": 1, "p2": low + high, "same_sides": low == high}
        letters |= {"o": o, "i_": o, "a": a}
        q.given(relationship.applies(letters))
        size = relationship.size(letters)
        shown = f"RELATIONSHIPS[{index}].size({letters})"
        q.prove(size == (i if relationship.transposed else o), shown)

    return check


for _index, _one in enumerate(RELATIONSHIPS):
    _unit = "section" if "." in _one.section else "chapter"
    statement(
        f"relationship-{_one.number}",
        f"{_one.formula}   ({_one.condition}; {_one.name})",
        f"{PAPER}, {_unit} {_one.section}, relationship {_one.number}",
        "jaxconv.RELATIONSHIPS",
    )(_relationship(_index))


@statement(
    "windows",
    "windows 0 to o - 1 and no others lie in the stretched and padded input",
    f"{PAPER}, relationships 6 and 15",
    "AxisGeometry.out_size, slack",
)
def windows(q: Question) -> None:
    """Takes any window and compares its number with the output size."""
    axis, n = q.axis(), q.integer("n", 0)
    numbers = axis.size, axis.kernel, axis.stride, axis.padding, axis.dilation, axis.input_dilation
    q.prove(axis.slack >= 0, "axis.slack")
    q.prove((n < axis.out_size) == fits(n, *numbers), "axis.out_size")


@statement(
    "output-padding",
    "a is the number of padded cells after the last window, and 0 <= a < s",
    f"{PAPER}, section 4.6",
    "AxisGeometry.output_padding",
    fixed="s",
)
def output_padding(q: Question) -> None:
    """Compares the output padding with the end of the last window."""
    axis = q.axis()
    o, (low, high) = windows_of(q, axis), axis.padding
    cells = low + axis.input_dilation * (axis.size - 1) + 1 + high
    end = (o - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
    a = axis.output_padding
    q.prove((a == cells - end) & (0 <= a) & (a < axis.stride), "axis.output_padding")


def _input_sizes(q: Question, axis: Any) -> None:
    """Takes any other size, and compares its windows with those of the axis."""
    j = q.integer("ij", 1)
    o, (first, stop) = windows_of(q, axis), axis.input_size_bounds
    numbers = j, axis.kernel, axis.stride, axis.padding, axis.dilation, axis.input_dilation
    shares = fits(o - 1, *numbers) & (fits(o, *numbers) == False)  # noqa: E712
    if axis.padding_mode == "reflect":
        shares = shares & ((j >= 2) | ((axis.padding[0] <= 0) & (axis.padding[1] <= 0)))
    q.prove(((first <= j) & (j < stop)) == shares, "axis.input_sizes")


@statement(
    "input-sizes",
    "the sizes in input_sizes and no others have the same output size",
    f"{PAPER}, section 4.6",
    "AxisGeometry.input_sizes",
    fixed="s",
)
def input_sizes(q: Question) -> None:
    """Compares the sizes of an axis without input dilation."""
    _input_sizes(q, q.axis(f=1))


@statement(
    "input-sizes-number",
    "without input dilation s sizes have the same output size, fewer only where the padding leaves fewer",
    f"{PAPER}, section 4.6",
    "AxisGeometry.input_sizes",
)
def input_sizes_number(q: Question) -> None:
    """Counts the sizes of an axis."""
    axis = q.axis(f=1)
    first, stop = axis.input_size_bounds
    number = stop - first
    q.prove((number == axis.stride) | ((first == 1) & (1 <= number) & (number < axis.stride)),
            "axis.input_sizes")  # fmt: skip


@statement(
    "input-sizes-stretched",
    "with input dilation too, the sizes in input_sizes and no others have the same output size",
    "definition",
    "AxisGeometry.input_sizes",
    fixed="s f",
    largest=8,
)
def input_sizes_stretched(q: Question) -> None:
    """Compares the sizes of any axis."""
    _input_sizes(q, q.axis())


@statement(
    "input-sizes-reflect",
    "in the padding mode reflect the same sizes share an output, without size 1 where a side is padded",
    "definition",
    "AxisGeometry.input_sizes",
    fixed="s",
)
def input_sizes_reflect(q: Question) -> None:
    """Compares the sizes of an axis whose padding mirrors it."""
    _input_sizes(q, q.axis(f=1, padding_mode="reflect"))


@statement(
    "negative-padding",
    "padding of -f c cells crops: the windows are those over c fewer input cells, on both sides",
    "definition",
    "AxisGeometry.out_size, output_padding",
)
def negative_padding(q: Question) -> None:
    """Compares an axis that is cropped on both sides with one that has fewer cells."""
    f, before, after = q.step("f"), q.integer("c", 0), q.integer("e", 0)
    cropped = q.axis(pl=-f * before, ph=-f * after, f=f)
    k, s, d = cropped.kernel, cropped.stride, cropped.dilation
    shorter = q.axis("shorter", i=cropped.size - before - after, k=k, s=s, pl=0, ph=0, d=d, f=f)
    q.prove(cropped.out_size == shorter.out_size, "axis.out_size", "shorter.out_size")
    q.prove(cropped.output_padding == shorter.output_padding, "axis.output_padding")


@statement(
    "pool-size",
    "ceil mode adds the windows that start before the high padding and after which cells would be left",
    f"{PAPER}, relationship 7, extended",
    "jaxconv.pool_geometry",
)
def pool_size(q: Question) -> None:
    """Takes any window and compares its number with the output size."""
    i, k, s, d = (q.integer(name, 1) for name in ("i", "k", "s", "d"))
    low, high, n = q.integer("pl", 0), q.integer("ph", 0), q.integer("n", 0)
    padding = with_last_window(i, k, s, d, (low, high))
    axis = q.axis(i=i, k=k, s=s, pl=padding[0], ph=padding[1], d=d, f=1)
    start, cells = n * s - low, i + high
    whole = start + d * (k - 1) < cells
    unfinished = start - s + d * (k - 1) < cells - 1  # the window before leaves cells
    options = f"strides={s}, dilation={d}, padding=(({low}, {high}),), ceil_mode=True"
    shown = "axis.out_size", f"pool_geometry(({i},), ({k},), {options}).padding"
    q.prove((n < axis.out_size) == ((whole | unfinished) & (start < i)), *shown)
    q.prove((padding[0] == low) & ((padding[1] <= high) | (axis.output_padding == 0)), *shown)
