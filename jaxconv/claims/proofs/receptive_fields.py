"""Receptive fields of two layers: their ends, their size and their jump."""

from __future__ import annotations

from typing import Any

from jaxconv.claims.proofs.statement import Condition, Number, Question, statement
from jaxconv.geometry import receptive_fields

DISTILL = "Araujo, Norris & Sim, Distill 2019"
DEFINITION = "definition of the receptive field"
SUBJECT = "receptive_field(...).interval"
SHOWN = "receptive_fields.ends_of((first, second), x)"


def two_layers(q: Question, **fixed: Number) -> tuple[Any, Any]:
    """Makes two axes, of which the second takes the output of the first."""
    options: list[dict[str, Number]] = [
        {name[:-1]: value for name, value in fixed.items() if name[-1] == number} for number in "12"
    ]
    first = q.axis("first", "1", **options[0])
    return first, q.axis("second", "2", i=first.out_size, **options[1])


def _read(layers: tuple[Any, Any], x: Number, t: Number, u: Number) -> tuple[Condition, Number]:
    """Returns whether output x sees a cell with tap u and, below, tap t; and the cell."""
    first, second = layers
    position = x * second.stride + u * second.dilation - second.padding[0]
    middle = position // second.input_dilation
    below = middle * first.stride + t * first.dilation - first.padding[0]
    cell = below // first.input_dilation
    whole = (middle * second.input_dilation == position) & (cell * first.input_dilation == below)
    return whole & (0 <= t) & (t < first.kernel) & (0 <= u) & (u < second.kernel), cell


def _ends(q: Question, layers: tuple[Any, Any]) -> None:
    x, t, u = q.integer("x"), q.integer("t"), q.integer("u")
    ends = receptive_fields.ends_of(layers, x)
    sees, cell = _read(layers, x, t, u)
    if ends is None:
        q.prove(sees == False, SHOWN)  # noqa: E712
        return
    q.prove((sees == False) | ((ends[0] <= cell) & (cell <= ends[1])), SHOWN)  # noqa: E712
    first, second = layers
    turn = first.input_dilation * second.input_dilation  # taps after which what they meet repeats
    low, high = False, False
    for one in range(turn):
        for other in range(turn):
            sees, cell = _read(layers, x, one, other)
            low = low | (sees & (cell == ends[0]))
            sees, cell = _read(layers, x, first.kernel - 1 - one, second.kernel - 1 - other)
            high = high | (sees & (cell == ends[1]))
    q.prove(low & high, SHOWN)


@statement(
    "receptive-field-ends",
    "an output of two layers sees the first and the last cell of its receptive field and none outside",
    DEFINITION,
    SUBJECT,
    fixed="d1 d2",
    largest=8,
)
def ends(q: Question) -> None:
    """Takes any two taps without input dilation."""
    _ends(q, two_layers(q, f1=1, f2=1))


@statement(
    "receptive-field-transposed",
    "an output of a convolution and then a transposed one sees the first and the last cell of its receptive "
    "field and none outside; if it sees only inserted zeros the field is empty",
    DEFINITION,
    SUBJECT,
    fixed="s1 d1 d2 f2",
    largest=3,
)
def ends_transposed(q: Question) -> None:
    """Takes any two taps, with an input dilation of the second layer."""
    _ends(q, two_layers(q, f1=1, s2=1))


@statement(
    "receptive-field-size",
    "two layers: size = span_1 + (span_2 - 1) s_1, jump = s_1 s_2, and the first cell is -p_1 - s_1 p_2",
    DISTILL,
    SUBJECT,
    fixed="d1 d2",
    largest=8,
)
def size(q: Question) -> None:
    """Compares the ends of the field of any output with the closed form."""
    first, second = two_layers(q, f1=1, f2=1)
    x = q.integer("x")
    low, high = receptive_fields.ends_of((first, second), x) or (0, 0)
    spans = [axis.dilation * (axis.kernel - 1) + 1 for axis in (first, second)]
    q.prove(high - low + 1 == spans[0] + (spans[1] - 1) * first.stride, SHOWN)
    start = -first.padding[0] - first.stride * second.padding[0]
    q.prove(low == start + x * first.stride * second.stride, SHOWN)


@statement(
    "pooling-field",
    "an output of a pooling of P cells after a convolution of K taps and stride 1 sees P + K - 1 cells",
    DISTILL,
    SUBJECT,
)
def pooling_field(q: Question) -> None:
    """Compares the length of the field with the closed form."""
    layers = two_layers(q, s1=1, d1=1, f1=1, pl1=0, ph1=0, d2=1, f2=1, pl2=0, ph2=0)
    low, high = receptive_fields.ends_of(layers, q.integer("x")) or (0, 0)
    q.prove(high - low + 1 == layers[0].kernel + layers[1].kernel - 1, SHOWN)
