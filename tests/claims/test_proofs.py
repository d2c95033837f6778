"""Proofs by z3: every statement is proved at small strides, and refuted once its formula is broken."""

import functools
import json
from contextlib import nullcontext
from dataclasses import replace

import pytest

from jaxconv import AxisGeometry, ConvGeometry, GeometryError
from jaxconv.claims import STATEMENTS, prove
from jaxconv.claims.proofs import composition, overlap, receptive_fields, sizes, words
from jaxconv.claims.proofs.statement import Statement, Undecided
from jaxconv.geometry import RELATIONSHIPS, counting, output_side
from jaxconv.geometry import axis as axis_module

pytest.importorskip("z3")

PROVED = [name for name, statement in STATEMENTS.items() if not statement.unproved]


@pytest.mark.parametrize("name", PROVED)
def test_every_statement_is_proved(name):
    report = prove(name, largest=2, trials=1)
    (row,) = report.rows
    assert report.ok, report.counterexamples()
    assert row.verdict == "proved"
    assert row.tried > 0
    assert row.domain.startswith("every")


def formula(function):
    return property(function)


def swapped(pair):
    return pair[1], pair[0]


def words_broken(change):
    """Breaks the padding words by a change of the pair that each gives."""
    right = words.resolve_padding
    return lambda padding, stretched, span, stride: change(right(padding, stretched, span, stride))


def direct(low, high):
    """An equivalent direct convolution with other padding: functions of the axis and the right padding."""
    right = AxisGeometry.equivalent_direct

    def equivalent_direct(self):
        equivalent = right(self)
        return replace(equivalent, padding=(low(self, equivalent.padding), high(self, equivalent.padding)))

    return equivalent_direct


def without_bound(size, taps, stride, dilation, padding):
    """Ceil mode that counts a window in the high padding too."""
    low, high = padding
    slack = size + low + high - dilation * (taps - 1) - 1
    outputs = -(-slack // stride) + 1
    return padding if outputs < 1 else (low, high + (outputs - 1) * stride - slack)


def input_size_plus(cells):
    right = output_side.OutputSide.input_size
    return lambda self, a, where="": right(self, a, where) + cells


def ends(low, high):
    right = receptive_fields.receptive_fields.ends_of

    def ends_of(layers, output):
        found = right(layers, output)
        return found and (found[0] + low, found[1] + high)

    return ends_of


def interior(change):
    right = composition.composition.interior

    def changed(first, second, mode):
        composed, steps = right(first, second, mode)
        return replace(composed, **change(first, second, composed)), steps

    return changed


def divided(change):
    right = composition.composition.without_common_stride

    def without_common_stride(axis):
        reduced, taps = right(axis)
        return replace(reduced, **change(reduced)), taps

    return without_common_stride


fields, rules = receptive_fields.receptive_fields, composition.composition
# Statement, what is broken, where, and the broken formula.
BROKEN = [
    ("windows", "a ceiling", AxisGeometry, "out_size", formula(lambda a: -(-a.slack // a.stride) + 1)),
    ("windows", "slack: off by one", AxisGeometry, "slack", formula(lambda a: a.padded - a.span + 1)),
    ("windows", "padded: twice the low side", AxisGeometry, "padded",
     formula(lambda a: a.stretched + 2 * a.padding[0])),
    ("output-padding", "one more", AxisGeometry, "output_padding", formula(lambda a: a.slack % a.stride + 1)),
    ("output-padding", "up to s", AxisGeometry, "output_padding", formula(lambda a: -a.slack % a.stride)),
    ("input-sizes", "the last left out", axis_module, "size_bounds",
     lambda c, s, f, least=1: (max(-(-(c - 1) // f) + 1, least), max((c + s - 2) // f + 1, least))),
    ("input-sizes", "one more", axis_module, "size_bounds",
     lambda c, s, f, least=1: (max(-(-(c - 1) // f) + 1, least), max((c + s - 2) // f + 3, least))),
    ("input-sizes-stretched", "a floor for the ceiling", axis_module, "size_bounds",
     lambda c, s, f, least=1: (max((c - 1) // f + 1, least), max((c + s - 2) // f + 2, least))),
    ("input-sizes-number", "one more", axis_module, "size_bounds",
     lambda c, s, f, least=1: (max(c, least), max(c + s + 1, least))),
    ("input-sizes-reflect", "size 1", axis_module, "least_size", lambda mode, padding: 1),
    ("negative-padding", "cropping pads", AxisGeometry, "padded",
     formula(lambda a: a.stretched + abs(a.padding[0]) + a.padding[1])),
    ("pool-size", "windows in the padding", sizes, "with_last_window", without_bound),
    ("pool-size", "no ceil mode", sizes, "with_last_window", lambda i, k, s, d, padding: padding),
    ("padding-SAME", "low for high", words, "resolve_padding", words_broken(swapped)),
    ("padding-SAME_LOWER", "low for high", words, "resolve_padding", words_broken(swapped)),
    ("padding-SAME", "one more", words, "resolve_padding", words_broken(lambda p: (p[0], p[1] + 1))),
    ("padding-VALID", "one cell", words, "resolve_padding", words_broken(lambda p: (0, 1))),
    ("padding-HALF", "one less", words, "resolve_padding", words_broken(lambda p: (p[0], p[1] - 1))),
    ("padding-FULL", "one less", words, "resolve_padding", words_broken(lambda p: (p[0] - 1, p[1]))),
    ("padding-CAUSAL", "low for high", words, "resolve_padding", words_broken(swapped)),
    ("equivalent-pattern", "high for low", AxisGeometry, "equivalent_direct",
     direct(lambda a, p: p[1], lambda a, p: p[0])),
    ("equivalent-pattern", "p' = p", AxisGeometry, "equivalent_direct",
     direct(lambda a, p: a.padding[0], lambda a, p: p[1])),
    ("equivalent-size", "without a", AxisGeometry, "equivalent_direct",
     direct(lambda a, p: p[0], lambda a, p: p[1] - a.output_padding)),
    ("equivalent-crop", "padding where it crops", AxisGeometry, "equivalent_direct",
     direct(lambda a, p: max(p[0], 0), lambda a, p: p[1])),
    ("equivalent-crop", "a at the low side", AxisGeometry, "equivalent_direct",
     direct(lambda a, p: p[0] + a.output_padding, lambda a, p: p[1] - a.output_padding)),
    ("equivalent-twice", "off by one", AxisGeometry, "equivalent_direct",
     direct(lambda a, p: p[0] + 1, lambda a, p: p[1])),
    ("of-transposed", "one more", output_side.OutputSide, "input_size", input_size_plus(1)),
    ("of-transposed", "span without its last cell", output_side.OutputSide, "span",
     formula(lambda side: side.dilation * (side.kernel - 1))),
    ("of-transposed-default", "one more", output_side.OutputSide, "input_size", input_size_plus(1)),
    ("of-transposed-inverse", "one less", output_side.OutputSide, "input_size", input_size_plus(-1)),
    ("of-transposed-SAME", "one more", output_side.OutputSide, "input_size", input_size_plus(1)),
    ("of-transposed-SAME_LOWER", "one size less", output_side, "size_bounds",
     lambda c, s, f, least=1: (max(c + 1, least), max(c + s, least))),
    ("reads-counted", "the last cell left out", counting, "inside",
     lambda a: (0, a.stretched - 2, 0, a.input_dilation)),
    ("reads-counted", "inserted zeros", counting, "inside", lambda a: (0, a.stretched - 1, 0, 1)),
    ("reads-repeated", "taps for outputs", counting.Windows, "repeat",
     formula(lambda w: (w.stride, w.dilation))),
    ("unused-band", "off by one", AxisGeometry, "output_padding", formula(lambda a: a.slack % a.stride + 1)),
    ("receptive-field-ends", "too narrow", fields, "ends_of", ends(1, 0)),
    ("receptive-field-ends", "too wide", fields, "ends_of", ends(0, 1)),
    ("receptive-field-transposed", "too wide", fields, "ends_of", ends(-1, 0)),
    ("receptive-field-size", "off by one", fields, "ends_of", ends(0, 1)),
    ("receptive-field-size", "shifted", fields, "ends_of", ends(1, 1)),
    ("pooling-field", "off by one", fields, "ends_of", ends(-1, 0)),
    ("composition-geometry", "high for low", rules, "interior",
     interior(lambda first, second, composed: {"padding": swapped(composed.padding)})),
    ("composition-geometry", "the first stride", rules, "interior",
     interior(lambda first, second, composed: {"stride": first.stride})),
    ("common-stride", "a tap less", rules, "without_common_stride",
     divided(lambda axis: {"kernel": axis.kernel - 1})),
    ("common-stride", "a cell further", rules, "without_common_stride",
     divided(lambda axis: {"padding": (axis.padding[0] + 1, axis.padding[1])})),
    ("composition-allowed", "the low border: off by one", rules, "low_border_agrees",
     lambda one, two: two.padding[0] < two.input_dilation or one.padding[0] >= one.span - one.stride - 1),
    ("composition-allowed", "the high border: always", rules, "high_border_agrees", lambda one, two: True),
    ("composition-refused", "refuses one cell more", rules, "low_border_agrees",
     lambda one, two: two.padding[0] < two.input_dilation or one.padding[0] >= one.span - one.stride + 1),
    ("even-overlap", "without the dilation", overlap, "is_even_axis", lambda a: a.kernel % a.stride == 0),
    ("even-overlap", "without the stride", overlap, "is_even_axis", lambda a: a.kernel >= a.stride),
]  # fmt: skip


def refuted(name):
    """Proves a statement whose formula is broken, and returns the code that shows it."""
    report = prove(name, largest=3, trials=1)
    (row,) = report.rows
    assert (row.verdict, row.ok, report.ok) == ("FAILS", False, False)
    assert row.queries > 0
    assert row.tried == 0  # the proof found it before the trials
    refusal = (
        pytest.raises(GeometryError, match="spans") if "# is refused" in row.counterexample else nullcontext()
    )
    with refusal:
        exec(compile(row.counterexample, name, "exec"), {})  # as if pasted
    return row.counterexample


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case[0]}: {case[1]}")
def test_a_broken_formula_is_refuted(case, monkeypatch):
    name, _, place, attribute, broken = case
    monkeypatch.setattr(place, attribute, broken)
    refuted(name)


def test_every_statement_has_a_broken_formula():
    assert {name for name, *_ in BROKEN} >= {name for name in PROVED if "relationship" not in name}


@pytest.mark.parametrize("index", range(15))
def test_a_broken_relationship_is_refuted(index, monkeypatch):
    right = RELATIONSHIPS[index]
    broken = {index: replace(right, _size=plus_one(right._size))}
    monkeypatch.setattr(sizes, "RELATIONSHIPS", broken)
    assert f"RELATIONSHIPS[{index}].size" in refuted(f"relationship-{right.number}")


def plus_one(function):
    """Returns a function of the same parameters whose result is one more."""
    return functools.wraps(function)(lambda **letters: function(**letters) + 1)


def test_a_relationship_outside_of_its_condition_is_refuted(monkeypatch):
    """Relationship 13 holds where nothing is left over; without the condition it does not."""
    right = next(one for one in RELATIONSHIPS if one.number == 13)
    index = RELATIONSHIPS.index(right)
    monkeypatch.setattr(sizes, "RELATIONSHIPS", {index: replace(right, _applies=lambda d: d == 1)})
    code = refuted("relationship-13")
    assert "'s': 2" in code


def test_a_counterexample_is_small_and_true(monkeypatch):
    monkeypatch.setattr(AxisGeometry, "out_size", formula(lambda a: -(-a.slack // a.stride) + 1))
    code = refuted("windows")
    names = {}
    exec(code, names)
    monkeypatch.undo()
    axis = names["axis"]
    starts = [n for n in range(30) if n * axis.stride + axis.span <= axis.padded]
    assert axis.slack % axis.stride  # else the ceiling is the floor
    assert names["n"] == len(starts)  # the window that only the ceiling counts
    assert max(axis.size, axis.kernel, axis.stride, *map(abs, axis.padding)) <= 4


def never_decided(q):
    """Is about products of two integers, which z3 cannot decide; s decides nothing."""
    a, b, c, s = (q.integer(name, 1) for name in ("a", "b", "c", "s"))
    q.prove((a * a * a + b * b * b == c * c * c * s * s * s) == False)  # noqa: E712


def test_what_z3_cannot_decide_is_not_proved(monkeypatch):
    from jaxconv.claims.proofs import symbols

    monkeypatch.setattr(symbols, "RESOURCES", 20_000)
    monkeypatch.setitem(STATEMENTS, "fermat", Statement("fermat", "", "", "", never_decided, ()))
    report = prove("fermat", largest=2, trials=1)
    assert report.rows[0].verdict == "not decided"
    assert not report.ok
    assert "fermat" in report.counterexamples()


def test_what_z3_cannot_decide_is_split(monkeypatch):
    """A product of two symbols that becomes linear once the stride has a value."""
    from jaxconv.claims.proofs import symbols

    def check(q):
        s, n = q.integer("s", 1), q.integer("n", 0)
        if not isinstance(s, int):
            raise Undecided("a stride without a value")
        q.prove((n * s) % s == 0)

    monkeypatch.setitem(STATEMENTS, "split", Statement("split", "", "", "", check, ("s",)))
    assert prove("split", largest=3, trials=1).rows[0].domain == "s <= 3"
    monkeypatch.setattr(symbols.Path, "integer", named(symbols.Path.integer))
    monkeypatch.setitem(STATEMENTS, "split", Statement("split", "", "", "", check, ()))
    assert prove("split", largest=3, trials=1).rows[0].domain == "s <= 3"


def named(function):
    return lambda self, name, least=None: function(self, name, least)


def test_the_report_says_what_is_not_proved():
    report = prove(["windows", "unused", "toeplitz"], largest=2, trials=1)
    assert [row.verdict for row in report.rows] == ["proved", "not proved", "not proved"]
    assert report.ok
    data = json.loads(report.to_json())
    assert data["rows"][0]["domain"] == "every i, k, p, s, d, f"
    assert "Euclid" in data["rows"][1]["reason"]
    assert all(row["tried"] > 0 and row["ok"] for row in data["rows"])
    assert [column.header for column in report.table().columns][-2:] == ["tried on", "verdict"]
    assert len(report.table(sources=False).columns) == len(report.table().columns) - 1


def test_progress_is_reported_and_proofs_repeat():
    rows = []
    first = prove(["padding-SAME", "reads-repeated"], largest=3, trials=1, progress=rows.append)
    assert rows == list(first.rows)
    second = prove(["padding-SAME", "reads-repeated"], largest=3, trials=1)
    assert [replace(row, seconds=0) for row in first.rows] == [replace(row, seconds=0) for row in second.rows]
    assert "s <= 3" in rows[0].domain


def test_symbols_agree_with_integers():
    """Rounding, remainders, comparisons and choices, at every small integer of both signs."""
    from jaxconv.claims.proofs.symbols import Path

    for a in range(-5, 6):
        for b in range(1, 4):
            path = Path({})
            x, y = path.integer("x"), path.integer("y")
            path.given(x == a, y == b)
            pairs = [
                (x // b, a // b), (x % b, a % b), (a // y, a // b), (a % y, a % b), (x // y, a // b),
                (-(-x // b), -(-a // b)), (abs(x), abs(a)), (max(x, y), max(a, b)), (min(x, 0), min(a, 0)),
                (3 - x, 3 - a), (x * y, a * b), (2 + x, 2 + a), ((x > y) * 3, (a > b) * 3),
            ]  # fmt: skip
            assert [symbol.__index__() for symbol, _ in pairs] == [number for _, number in pairs]
            assert bool(x) == bool(a)
            assert bool(x <= y) == (a <= b)
            assert bool((x >= 0) & (y != 2)) == (a >= 0 and b != 2)
    with pytest.raises(TypeError, match="positive"):
        path.integer("z") // -2
    with pytest.raises(TypeError, match="integers"):
        path.integer("w") + 0.5


def test_geometry_of_a_counterexample_of_of_transposed(monkeypatch):
    """The smallest broken case is what a user would call."""
    monkeypatch.setattr(output_side.OutputSide, "input_size", input_size_plus(1))
    names = {}
    exec(refuted("of-transposed"), names)
    monkeypatch.undo()
    side = names["side"]
    options = {"strides": side.stride, "padding": (side.padding,), "kernel_dilation": side.dilation}
    g = ConvGeometry.of_transposed((side.out_size,), (side.kernel,), output_padding=names["a"], **options)
    assert g.output_shape == (side.out_size,)
