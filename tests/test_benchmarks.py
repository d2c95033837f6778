"""The benchmarks run, at a tiny size, and refuse to time what is wrong. Times are never asserted."""

import dataclasses
import doctest
import importlib
import json

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import build, convolution, growth, linalg, network, operators, overhead, product, programs
from benchmarks.__main__ import TABLES, main
from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.cases import CASES, case
from benchmarks.machine import heading, machine, slug
from benchmarks.memory import ChildFailed, in_child
from benchmarks.operator_case import OperatorCase
from benchmarks.operator_cases import operator_cases
from benchmarks.programs import compile_way, first_names
from benchmarks.report import markdown, save
from benchmarks.table import geometric_mean, ratio
from benchmarks.timing import Timing, timings
from benchmarks.ways import ARGUMENTS, jaxconv_ways, lax_ways, operands, terms

pytestmark = pytest.mark.slow

TINY = (
    case(
        "strided, grouped",
        2,
        (7, 6),
        (3, 2),
        (4, 6),
        strides=(2, 1),
        kernel_dilation=2,
        feature_group_count=2,
    ),
    case("1-D", 1, (9,), (4,), (2, 3), padding=((1, 2),), strides=3),
)
QUICKLY = {"seconds": 1e-3}


@pytest.fixture(scope="module", autouse=True)
def short_rounds():
    """Makes one round of calls instead of ten."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.timing.ROUNDS", 1)
        yield


def tiny_tables():
    yield build.table(cases=TINY, **QUICKLY)
    yield product.table(cases=TINY[1:], **QUICKLY)
    yield convolution.table(cases=TINY, **QUICKLY)
    layers = (network.Layer(3, 2, 4), network.Layer(2, 4, 2, stride=2, up=True))
    yield network.table(networks=[network.Network("tiny", (1, 4, 4, 2), layers)], **QUICKLY)


def test_tables_are_complete(tmp_path):
    tables, info = list(tiny_tables()), machine()
    rows = {table.name: table.rows for table in tables}
    assert [row.cells["case"] for row in rows["build"]] == [one.name for one in TINY]
    assert len(rows["product"]) == 5 * len(product.BATCHES)
    named = [(row.cells["case"], row.cells["result"]) for row in rows["convolution"]]
    assert named == [(one.name, result) for one in TINY for result in ARGUMENTS]
    for table in tables:
        assert all(list(row.cells) == table.columns for row in table.rows)
        assert all(row.cells.get("lax / ours", 1) > 0 for row in table.rows)
    page, data = save(tables, info, tmp_path, slug(info))
    assert page.read_text() == markdown(tables, info)
    assert heading(info) in page.read_text()
    saved = json.loads(data.read_text())
    assert saved["machine"] == info
    assert "T" in saved["date"]
    assert [len(table["rows"]) for table in saved["tables"]] == [len(table.rows) for table in tables]
    timing = saved["tables"][2]["rows"][0]["cells"]["lax"]
    assert timing["low"] <= timing["median"] <= timing["high"]
    assert timing["calls"] > 0
    ways = saved["tables"][2]["rows"][2]["details"]["ways"]
    assert {"jaxconv: vjp of conv", "lax: roles swapped", "lax: roles swapped, groups as features"} <= set(
        ways
    )


@pytest.mark.parametrize("one", TINY, ids=lambda one: one.name)
def test_ways_are_the_definition(one):
    """Of every way, ours and lax's: <w, x, y> is one number, whichever of the three is taken out."""
    arrays = operands(one)
    for ways in (jaxconv_ways(one), lax_ways(one)):
        products = [
            np.vdot(arrays[result], function(*(jnp.asarray(arrays[name]) for name in ARGUMENTS[result])))
            for result, functions in ways.items()
            for function in functions.values()
        ]
        assert len(products) >= 6
        scale = np.prod([np.linalg.norm(array) for array in arrays.values()])
        assert np.ptp(products) <= 16 * np.finfo(np.float32).eps * np.sqrt(max(terms(one).values())) * scale


def test_a_wrong_result_is_refused(monkeypatch):
    def wrong(case):
        ways = lax_ways(case)
        right = ways["x"]["lhs_dilation"]
        ways["x"]["lhs_dilation"] = lambda y, w: 1.001 * right(y, w)
        return ways

    monkeypatch.setattr(convolution, "lax_ways", wrong)
    with pytest.raises(Disagreement, match="1-D: x by lax: lhs_dilation: differs by"):
        convolution.table(cases=TINY[1:], **QUICKLY)


def test_agreement():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(100, np.float32)
    check_agreement("the same", x, x, terms=1)
    for other in (x + np.float32(1e-3), np.full_like(x, np.nan), x[:99]):
        with pytest.raises(Disagreement, match=r"another: (differs by|shape)"):
            check_agreement("another", other, x, terms=9)


def test_growth(monkeypatch, tmp_path):
    """What the children do, here; the picture is drawn."""

    def here(module, side, *flags, devices=None):
        return growth.measure_sharded(int(side)) if flags else growth.measure(int(side))

    monkeypatch.setattr(growth, "in_child", here)
    monkeypatch.setattr(growth, "SHARDED_SIDE", 8)  # the tests' 8 devices divide its 64 positions
    table = growth.table(sides=(3, 4), folder=tmp_path)
    assert [row.cells["library"] for row in table.rows][:2] == ["jaxconv", "SciPy CSR"]
    assert len(table.rows) == 5
    assert table.rows[0].cells["entries"] == "6,272"
    assert (tmp_path / table.picture).stat().st_size > 0


def test_a_failed_child():
    """The message says how a child failed."""
    with pytest.raises(ChildFailed, match="no such case"):
        in_child("benchmarks.build", "no such case")


def test_overhead(monkeypatch):
    monkeypatch.setattr(overhead, "COMPILED", ())
    rows = overhead.table(repeats=1).rows
    assert [row.cells["case"].partition(",")[0] for row in rows] == [
        "import",
        "100 times call under jit",
        "100 times call without jit",
    ]


def test_every_case_builds():
    assert len({one.name for one in CASES}) == len(CASES) >= 30
    assert {one.geometry.ndim for one in CASES} == {1, 2, 3}
    for quick in (convolution.QUICK, overhead.COMPILED):
        assert set(quick) <= {one.name for one in CASES}
    for module in (build, product):
        assert set(module.QUICK) <= {one.name for one in module.CASES}


def test_every_table_is_there():
    assert all(hasattr(importlib.import_module(f"benchmarks.{name}"), "table") for name in TABLES)


def test_operators():
    """A row a result; peers agree, also where their features stand in another order."""
    small = (1, 6, 8, 4)
    chosen = {
        name: case for case in operator_cases() for name in [case.name.split()[0]] if "1-D" not in case.name
    }
    assert len({case.name for case in operator_cases()}) == len(operator_cases())
    assert {"max_pool", "avg_pool", "lp_pool", "resize", "unfold", "fold", "unpool"} <= set(chosen)
    reordered = next(case for case in operator_cases() if case.name.startswith("unfold 2x2"))
    cases = [
        OperatorCase("twice", small, lambda x: x + x, {"jnp: times": lambda x: 2 * x}),
        dataclasses.replace(reordered, shape=(1, 4, 6, 16), torch=None),
    ]
    rows = operators.table(cases=cases, **QUICKLY).rows
    assert [(row.cells["case"], row.cells["result"]) for row in rows[:2]] == [
        ("twice", "forward"),
        ("twice", "gradient"),
    ]
    assert len(rows) == 4
    wrong = OperatorCase("wrong", small, lambda x: x + x, {"jnp: thrice": lambda x: 3 * x})
    with pytest.raises(Disagreement, match="wrong, forward by jnp: thrice"):
        operators.table(cases=[wrong], **QUICKLY)


@pytest.mark.parametrize("arguments", [["speed"], ["convolution", "--case", "no such"]])
def test_unknown_names(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    message = capsys.readouterr().err
    assert arguments[-1] in message
    assert ("growth" if arguments == ["speed"] else "3x3 16 to 16") in message


def test_one_program_is_timed_once():
    assert doctest.testmod(programs).failed == 0
    x = jnp.ones((3, 4), jnp.float32)
    ways = {
        "sum": compile_way(lambda a, b: a + b, x, x),
        "the same": compile_way(lambda first, second: jnp.add(first, second), x, x),
        "another": compile_way(lambda a, b: a - b, x, x),
    }
    assert first_names(ways) == {"sum": "sum", "the same": "sum", "another": "another"}


def test_timings(monkeypatch):
    """Every result is checked, a slow function is called twice, and a peer that is absent has no ratio."""
    monkeypatch.setattr("benchmarks.timing.SLOW", 0.0)
    calls, checked = [], []
    times = timings({"f": lambda: calls.append(1)}, check=lambda name, _: checked.append(name))
    assert len(calls) == 2
    assert checked == ["f"]
    assert times["f"].calls == 1
    assert ratio(Timing(2, 1, 3, 1), Timing(8, 1, 9, 1), None, Timing(6, 1, 9, 1)) == 3
    assert ratio(Timing(2, 1, 3, 1), None) is None
    np.testing.assert_allclose(geometric_mean([1, 4]), 2)


def test_linear_algebra_is_compared(monkeypatch):
    questions = [
        linalg._norm(linalg.geometry(6, 2, "zeros")),
        linalg._deconvolution(linalg.geometry(6, 1), 0.1),
    ]
    rows = linalg.table(questions=questions, **QUICKLY).rows
    assert [row.cells["question"] for row in rows] == ["operator norm", "deconvolution, damping 0.1"]
    assert all(row.cells["best peer / ours"] > 0 for row in rows)
    wrong = questions[0]._replace(peers={"SciPy svds": lambda: 1.01 * questions[0].ours()})
    with pytest.raises(Disagreement, match="operator norm by SciPy svds: differs by"):
        linalg.table(questions=[wrong], **QUICKLY)
