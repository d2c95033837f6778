"""The padding words: how many outputs each gives, and what its first and last windows read."""

from __future__ import annotations

from collections.abc import Callable

from jaxconv.claims.proofs.sizes import windows_of
from jaxconv.claims.proofs.statement import Number, Question, statement
from jaxconv.geometry.arguments import PaddingWord, resolve_padding

SUBJECT = "padding={!r} (resolve_padding)"


def _padded(q: Question, word: PaddingWord, **fixed: Number) -> tuple[Number, ...]:
    """Returns an axis that a word pads, its stretched cells, span and windows, and code that pads it."""
    numbers = {name: fixed.get(name) or q.integer(name, 1) for name in ("i", "k", "s", "d", "f")}
    stretched = numbers["i"] + (numbers["i"] - 1) * (numbers["f"] - 1)
    span = numbers["k"] + (numbers["k"] - 1) * (numbers["d"] - 1)
    low, high = resolve_padding(word, stretched, span, numbers["s"])
    axis = q.axis(pl=low, ph=high, **numbers)
    shown = f"resolve_padding({word!r}, {stretched}, {span}, {numbers['s']})"
    return axis, stretched, span, windows_of(q, axis), shown


def _same(word: PaddingWord) -> Callable[[Question], None]:
    def check(q: Question) -> None:
        axis, stretched, span, o, shown = _padded(q, word)
        s, (low, high) = axis.stride, axis.padding
        q.prove((s * (o - 1) < stretched) & (stretched <= s * o), shown)
        few, many = (low, high) if word == "SAME" else (high, low)
        q.prove((0 <= few) & (few <= many) & (many <= few + 1), shown)
        one_less = low + high - 1  # no longer has as many windows
        q.prove((low + high == 0) | ((o - 1) * s + span > stretched + one_less), shown)

    return check


for _word, _side in (("SAME", "high"), ("SAME_LOWER", "low")):
    statement(
        f"padding-{_word}",
        f"{_word} gives ceil(stretched / s) outputs with the fewest cells that do, an odd one {_side}",
        "definition",
        SUBJECT.format(_word),
        fixed="s",
    )(_same(_word))  # type: ignore[arg-type]


@statement(
    "padding-VALID", "VALID: every tap of every window reads a cell of the stretched input", "definition",
    SUBJECT.format("VALID"),
)  # fmt: skip
def valid(q: Question) -> None:
    """Takes any tap of any window."""
    axis, stretched, _, o, shown = _padded(q, "VALID")
    n, t = q.integer("n", 0), q.integer("t", 0)
    q.given(n < o, t < axis.kernel)
    position = n * axis.stride + t * axis.dilation - axis.padding[0]
    q.prove((0 <= position) & (position < stretched), shown)


@statement(
    "padding-HALF",
    "HALF pads span // 2 on both sides: with s = 1 an odd span keeps the size, an even one adds a cell",
    "arXiv:1603.07285, section 2.2.1",
    SUBJECT.format("HALF"),
)
def half(q: Question) -> None:
    """Compares the number of windows with the number of stretched cells."""
    axis, stretched, span, o, shown = _padded(q, "HALF", s=1)
    low, high = axis.padding
    q.prove((low == high) & ((2 * low == span) | (2 * low + 1 == span)), shown)
    q.prove(o == stretched + (span + 1) % 2, shown)


@statement(
    "padding-FULL",
    "FULL: the windows are all those that overlap the stretched input, the first by one cell",
    "arXiv:1603.07285, section 2.2.2",
    SUBJECT.format("FULL"),
)
def full(q: Question) -> None:
    """Takes any window that does not begin after the input."""
    axis, stretched, span, o, shown = _padded(q, "FULL")
    n, low = q.integer("n", 0), axis.padding[0]
    q.prove(span - 1 - low == 0, shown)  # the last tap of window 0
    q.prove((n < o) == (n * axis.stride - low < stretched), shown)


@statement(
    "padding-CAUSAL",
    "CAUSAL: the last tap of window n reads stretched cell n s, and every such cell has a window",
    "van den Oord et al., arXiv:1609.03499, section 2.1",
    SUBJECT.format("CAUSAL"),
)
def causal(q: Question) -> None:
    """Takes any window, and compares its last tap with the cells of the input."""
    axis, stretched, _, o, shown = _padded(q, "CAUSAL")
    n, last = q.integer("n", 0), axis.kernel - 1
    q.prove(n * axis.stride + last * axis.dilation - axis.padding[0] == n * axis.stride, shown)
    q.prove((n < o) == (n * axis.stride < stretched), shown)
