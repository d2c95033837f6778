"""The equivalent direct convolution of a transpose, and the geometry from the side of the outputs."""

from __future__ import annotations

from typing import Any

from jaxconv.claims.proofs.sizes import PAPER, fits, windows_of
from jaxconv.claims.proofs.statement import Condition, Number, Question, statement
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import PaddingWord
from jaxconv.geometry.output_side import OutputSide

RELATIONSHIPS = f"{PAPER}, relationships 8 to 14, extended"


@statement(
    "equivalent-pattern",
    "the equivalent direct convolution reads output o for cell j with tap k - 1 - t exactly where output o "
    "reads cell j with tap t",
    RELATIONSHIPS,
    "AxisGeometry.equivalent_direct",
)
def equivalent_pattern(q: Question) -> None:
    """Takes any output, tap and cell."""
    axis = q.axis()
    equivalent = axis.equivalent_direct()
    o, t, j = q.integer("x", 0), q.integer("t", 0), q.integer("j", 0)
    q.given(o < axis.out_size, t < axis.kernel, j < axis.size)
    flipped = equivalent.kernel - 1 - t
    forward = o * axis.stride + t * axis.dilation - axis.padding[0] - j * axis.input_dilation
    backward = (
        j * equivalent.stride
        + flipped * equivalent.dilation
        - equivalent.padding[0]
        - o * equivalent.input_dilation
    )
    q.prove(equivalent.size == axis.out_size, "axis.equivalent_direct()")
    q.prove((forward == 0) == (backward == 0), "axis.equivalent_direct()")


@statement(
    "equivalent-size",
    "the equivalent direct convolution has i outputs, and no cells after the last window",
    RELATIONSHIPS,
    "AxisGeometry.equivalent_direct",
)
def equivalent_size(q: Question) -> None:
    """Counts its windows."""
    axis = q.axis()
    equivalent = axis.equivalent_direct()
    i, k, s, d, f = axis.size, axis.kernel, axis.input_dilation, axis.dilation, axis.stride
    last = fits(i - 1, equivalent.size, k, s, equivalent.padding, d, f)
    q.prove(last & (fits(i, equivalent.size, k, s, equivalent.padding, d, f) == False),  # noqa: E712
            "axis.equivalent_direct().out_size")  # fmt: skip
    q.prove((equivalent.out_size == i) & (equivalent.output_padding == 0), "axis.equivalent_direct()")


@statement(
    "equivalent-crop",
    "the equivalent direct convolution has padding span - 1 - p low and span - 1 - p + a high, a crop where "
    "negative",
    RELATIONSHIPS,
    "AxisGeometry.equivalent_direct",
)
def equivalent_crop(q: Question) -> None:
    """Compares both sides of its padding with the formula."""
    axis = q.axis()
    o, (low, high) = windows_of(q, axis), axis.padding
    stretched = axis.input_dilation * (axis.size - 1) + 1
    span = axis.dilation * (axis.kernel - 1) + 1
    a = low + stretched + high - ((o - 1) * axis.stride + span)
    q.given(axis.out_size == o)
    before, after = axis.equivalent_direct().padding
    q.prove((before == span - 1 - low) & (after == span - 1 - high + a), "axis.equivalent_direct()")
    q.prove((before < 0) == (low > span - 1), "axis.equivalent_direct()")


@statement(
    "equivalent-twice",
    "the equivalent direct convolution of the equivalent one is the first one, less the a cells after its "
    "last window",
    RELATIONSHIPS,
    "AxisGeometry.equivalent_direct",
)
def equivalent_twice(q: Question) -> None:
    """Compares all numbers of the two axes."""
    axis = q.axis()
    twice = axis.equivalent_direct().equivalent_direct()
    (low, high), a = axis.padding, axis.output_padding
    sizes = (twice.size == axis.size) & (twice.kernel == axis.kernel) & (twice.out_size == axis.out_size)
    steps = (twice.stride == axis.stride) & (twice.dilation == axis.dilation)
    q.prove(sizes & steps & (twice.input_dilation == axis.input_dilation), "axis.equivalent_direct()")
    q.prove((twice.padding[0] == low) & (twice.padding[1] == high - a), "axis.equivalent_direct()")


def _side(q: Question, padding: tuple[Number, Number] | PaddingWord, mode: str = "zeros") -> Any:
    o, k = q.integer("o", 1), q.integer("k", 1)
    steps = q.step("s"), padding, q.step("d"), q.step("f")
    return q.make("side", OutputSide, o, k, *steps, mode)


def _shares(side: Any, size: Number) -> Condition:
    """Returns whether an input size has the outputs of a side, counted by the definition."""
    numbers = size, side.kernel, side.stride, side.padding, side.dilation, side.input_dilation
    return fits(side.out_size - 1, *numbers) & (fits(side.out_size, *numbers) == False)  # noqa: E712


@statement(
    "of-transposed",
    "the size for o outputs and output padding a has o windows and a cells after them; where it is refused "
    "no size has",
    f"{PAPER}, relationship 14",
    "ConvGeometry.of_transposed (OutputSide.input_size)",
    fixed="f",
)
def of_transposed(q: Question) -> None:
    """Compares the size, or any size where all are refused, with windows."""
    side, a = _side(q, (q.integer("pl"), q.integer("ph"))), q.integer("a", 0)

    def leaves(size: Number) -> Condition:
        cells = side.padding[0] + side.input_dilation * (size - 1) + 1 + side.padding[1]
        return cells == (side.out_size - 1) * side.stride + (side.kernel - 1) * side.dilation + 1 + a

    try:
        size = side.input_size(a)
    except GeometryError:
        size = q.integer("ij", 1)
        q.prove((_shares(side, size) & leaves(size)) == False, "side.input_sizes()")  # noqa: E712
        return
    q.prove((size >= 1) & _shares(side, size) & leaves(size), f"side.input_size({a})")


@statement(
    "of-transposed-default",
    "without output padding it is the smallest size with o outputs; where it is refused no size has",
    f"{PAPER}, relationship 14",
    "ConvGeometry.of_transposed (OutputSide.input_size)",
)
def of_transposed_default(q: Question) -> None:
    """Compares the size with any other one."""
    side, other = _side(q, (q.integer("pl"), q.integer("ph"))), q.integer("ij", 1)
    try:
        size = side.input_size(None)
    except GeometryError:
        q.prove(_shares(side, other) == False, "side.input_sizes()")  # noqa: E712
        return
    q.prove((size >= 1) & _shares(side, size), "side.input_size(None)")
    q.prove((_shares(side, other) == False) | (other >= size), "side.input_size(None)")  # noqa: E712


@statement(
    "of-transposed-inverse",
    "from the outputs and the output padding of a convolution comes its input size",
    f"{PAPER}, relationship 14",
    "ConvGeometry.of_transposed (OutputSide.input_size)",
    fixed="f",
)
def of_transposed_inverse(q: Question) -> None:
    """Goes from an axis to its outputs and back."""
    axis = q.axis()
    numbers = axis.out_size, axis.kernel, axis.stride, axis.padding, axis.dilation, axis.input_dilation
    side = q.make("side", OutputSide, *numbers, "zeros")
    try:
        size = side.input_size(axis.output_padding)
    except GeometryError:
        q.prove(False, "side.input_sizes()")
        return
    q.prove(size == axis.size, "side.input_size(axis.output_padding)")


def _same_side(word: PaddingWord) -> Any:
    def check(q: Question) -> None:
        side, other = _side(q, word), q.integer("ij", 1)
        s, f, o = side.stride, side.input_dilation, side.out_size
        try:
            size = side.input_size(None)
        except GeometryError:
            q.prove((f * (other - 1) + 1 == s * o) == False, "side.input_sizes()")  # noqa: E712
        else:
            q.prove(f * (size - 1) + 1 == s * o, "side.input_size(None)")
        first, stop = side.input_size_bounds()
        cells = f * (other - 1) + 1
        shares = (s * (o - 1) < cells) & (cells <= s * o)  # o = ceil(cells / s)
        q.prove(((first <= other) & (other < stop)) == shares, "side.input_sizes()")

    return check


for _word in ("SAME", "SAME_LOWER"):
    statement(
        f"of-transposed-{_word}",
        f"{_word}: the size has s o stretched cells or is refused; the sizes that give o outputs are those "
        "with ceil(stretched / s) = o",
        "definition",
        "ConvGeometry.of_transposed, from_shapes (OutputSide)",
        fixed="f",
    )(_same_side(_word))  # type: ignore[arg-type]
