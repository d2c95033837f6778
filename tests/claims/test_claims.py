"""`jaxconv.verify`: all claims hold, results are reproducible, and broken formulations fail."""

import itertools
import json
from functools import partial
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import jaxconv
from jaxconv import verify
from jaxconv.claims import CLAIMS, pooling, products, transposes
from jaxconv.claims.cases import KINDS, Cases
from jaxconv.convolution import native
from jaxconv.convolution import registry as formulations
from jaxconv.convolution.formulations.grouped import grouped_conv
from jaxconv.errors import OptionError

CHEAP = ["relationship-14", "equivalent-pattern", "stride-2-transpose", "counts"]


@pytest.fixture(scope="module")
def report():
    return verify(trials=3, seed=5)


@pytest.mark.slow
def test_every_claim_holds(report):
    assert report.ok, report.counterexamples()
    assert [row.name for row in report.rows] == list(CLAIMS)
    assert all(0 <= row.worst <= 1 and row.trials > 0 for row in report.rows)


@pytest.mark.slow
def test_gaps_are_positive_and_below_the_bound(report):
    """Gaps measure rounding; they are not zero by construction."""
    gaps = {row.name: row.worst for row in report.rows}
    assert 0 < gaps["conv"] < 1
    assert 0 < gaps["conv_transpose"] < 1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_other_dtypes(dtype):
    names = ["conv", "conv_transpose", "kernel-gradient", "product"]
    report = verify(names, dtype=dtype, trials=2)
    assert report.ok, report.counterexamples()


def test_the_enumeration_is_large():
    rows = verify(["relationship-14", "relationship-15", "equivalent-pattern"]).rows
    assert all(row.trials >= 100_000 for row in rows)


def test_every_relationship_is_a_claim():
    assert [f"relationship-{n}" in CLAIMS for n in range(1, 16)] == [True] * 15


def test_cases_cover_every_kind():
    geometries = [case.geometry for case in Cases("float64", len(KINDS), 0)]
    assert {g.ndim for g in geometries} == {1, 2, 3}
    assert {g.padding_mode for g in geometries} == {"zeros", "circular", "reflect", "replicate"}
    for name in ("strides", "input_dilation", "kernel_dilation"):
        assert any(max(getattr(g, name)) > 1 for g in geometries)
    assert any(g.feature_group_count == g.in_features > 1 for g in geometries)
    assert any(min(min(pair) for pair in g.padding) < 0 for g in geometries)
    assert any(max(g.output_padding) > 0 for g in geometries)


def test_a_seed_makes_the_same_cases():
    first, again, other = ([case.x for case in Cases("float32", 3, seed)] for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(first, other, strict=True))


@pytest.fixture
def verify_mutant(monkeypatch):
    """Verifies a claim with a wrong formulation as the only method.

    The method has a name of its own, so that no cached compilation of a right one is used for it.
    """

    def verify_with(claim, wrong, trials=3):
        topic, methods, table = {
            "conv": (products, "CONV_METHODS", formulations.CONV),
            "conv_transpose": (transposes, "CONV_TRANSPOSE_METHODS", formulations.CONV_TRANSPOSE),
            "kernel-gradient": (transposes, "CONV_KERNEL_VJP_METHODS", formulations.CONV_KERNEL_VJP),
        }[claim]
        name = f"mutant {next(numbers)}"
        monkeypatch.setitem(table, name, wrong)
        for module in (topic, jaxconv.convolution.functions):
            monkeypatch.setattr(module, methods, (name,))
        return verify([claim], trials=trials), name

    return verify_with


numbers = itertools.count()


def flipped(right):
    return lambda x, kernel, g, precision: right(x, kernel[::-1], g, precision)


def test_a_right_formulation_under_another_name_holds(verify_mutant):
    """The fixture changes nothing but the formulation."""
    for claim, table in (("conv", formulations.CONV), ("conv_transpose", formulations.CONV_TRANSPOSE)):
        report, _ = verify_mutant(claim, partial(table["im2col"]))
        assert report.ok, report.counterexamples()


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("conv", flipped(formulations.CONV["matrix"])),
        ("conv", grouped_conv(flipped(formulations.CONV["taps"]))),  # after a rewriting
        ("conv_transpose", flipped(formulations.CONV_TRANSPOSE["subpixel"])),
        ("conv_transpose", flipped(formulations.CONV_TRANSPOSE["zero_insertion"])),
    ],
    ids=["matrix", "grouped", "subpixel", "zero_insertion"],
)
def test_a_flipped_kernel_fails(verify_mutant, claim, wrong):
    report, name = verify_mutant(claim, wrong)
    (row,) = report.rows
    assert not report.ok
    assert row.worst > 1
    assert f"method={name!r}" in row.counterexample
    scope = {"ConvGeometry": jaxconv.ConvGeometry}
    exec(row.counterexample, scope)
    assert isinstance(scope["g"], jaxconv.ConvGeometry)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_a_wrong_onednn_fails_in_every_dtype(monkeypatch, dtype):
    """It is tried in float32, to which float64 operands are rounded."""
    if not native.available():
        pytest.skip(f"no oneDNN to try: {native.state().reason}")
    right = formulations.CONV["onednn"]
    assert verify(["conv"], dtype=dtype, trials=3, seed=7).ok
    monkeypatch.setitem(
        formulations.CONV, "onednn", lambda x, w, g, precision: right(x, w, g, precision) * 1.01
    )
    (row,) = verify(["conv"], dtype=dtype, trials=3, seed=8).rows  # other geometries: nothing is cached
    assert row.worst > 1
    assert "method='onednn'" in row.counterexample


def test_a_wrong_kernel_gradient_and_a_nan_fail(verify_mutant):
    right = formulations.CONV_KERNEL_VJP["im2col"]
    wrong = lambda x, y, g, precision: right(x, y * 1.001, g, precision)  # noqa: E731
    assert not verify_mutant("kernel-gradient", wrong, trials=1)[0].ok
    direct = formulations.CONV["direct"]
    nan = lambda x, k, g, precision: direct(x, k * np.nan, g, precision)  # noqa: E731
    assert not verify_mutant("conv", nan, trials=1)[0].ok


@pytest.mark.parametrize(
    ("claim", "name", "wrong"),
    [
        ("pool-size", "pool_geometry", lambda right: lambda *a, **o: right(*a, **o | {"ceil_mode": False})),
        ("max-pool", "max_pool", lambda right: lambda x, *a, **o: right(-x, *a, **o)),
        ("unpool", "unpool", lambda right: lambda y, switches, shape: right(y, switches[::-1], shape)),
        ("avg-pool", "avg_pool", lambda right: lambda *a, **o: right(*a, **o | {"count_include_pad": True})),
        ("lp-pool", "lp_pool", lambda right: lambda *a, **o: right(*a, **o | {"p": 2})),
    ],
)
def test_a_wrong_pooling_fails(monkeypatch, claim, name, wrong):
    monkeypatch.setattr(pooling, name, wrong(getattr(pooling, name)))
    assert not verify([claim], trials=3).ok


def test_a_formulation_that_raises_fails(verify_mutant):
    def wrong(x, kernel, g, precision):
        raise ZeroDivisionError("of all things")

    report, _ = verify_mutant("conv", wrong, trials=2)
    assert not report.ok
    assert "raised ZeroDivisionError: of all things" in report.counterexamples()
    assert "g = ConvGeometry(" in report.counterexamples()

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    (row,) = json.loads(report.to_json(), parse_constant=refuse)["rows"]
    assert row["worst"] is None


def test_single_precision_in_place_of_double_fails(verify_mutant):
    """The bound is tight enough to notice a formulation that computes with half of the digits."""
    right = formulations.CONV["im2col"]

    def single(x, kernel, g, precision):
        return right(x.astype("float32"), kernel.astype("float32"), g, precision).astype(x.dtype)

    assert not verify_mutant("conv", single, trials=1)[0].ok


def broken_claims():
    """Yields claims, with a function that they use and a wrong version of it."""
    from jaxconv.claims import dense, receptive_field

    to_conv, to_dense, field = dense.dense_to_conv, dense.conv_to_dense, receptive_field.receptive_field
    yield "dense", dense, "dense_to_conv", lambda w, shape, order: to_conv(w, shape)  # one order for both
    yield "dense", dense, "conv_to_dense", lambda k, order: to_dense(k[::-1], order=order)
    yield "pointwise", dense, "dense_to_conv", lambda w, shape: to_conv(w[::-1], shape)
    yield "unrolled", dense, "dense_to_conv", lambda w, shape: to_conv(w, shape, order="channels_first")
    yield "unrolled", dense, "sliding_windows", lambda f, x, window, strides: f(x[:, : window[0]])

    def less(stack):
        right = field(stack)
        cells = lambda output, clip: (right.cells(output, clip=clip)[0][1:],)  # noqa: E731
        sizes = tuple(n - 1 for n in right.size)
        return SimpleNamespace(size=sizes, jump=right.jump, offset=right.offset, cells=cells)

    for claim in ("receptive-field", "receptive-field-size", "pooling-field"):
        yield claim, receptive_field, "receptive_field", less


@pytest.mark.parametrize(("claim", "topic", "name", "wrong"), list(broken_claims()))
def test_wrong_dense_layers_and_fields_fail(monkeypatch, claim, topic, name, wrong):
    monkeypatch.setattr(topic, name, wrong)
    assert not verify([claim], trials=6).ok


@pytest.mark.slow
def test_the_report_as_json_and_table(report):
    data = json.loads(report.to_json())
    assert data["ok"] is True
    assert len(data["rows"]) == len(report.rows)
    assert {"name", "source", "trials", "worst", "ok"} <= set(data["rows"][0])
    assert report.table().row_count == len(report.rows)


def test_bad_arguments():
    with pytest.raises(OptionError, match="conv_transpose"):
        verify(["conv_transposed"])
    with pytest.raises(OptionError, match="float64"):
        verify(CHEAP, dtype="int32")
    with pytest.raises(OptionError, match="at least 1"):
        verify(CHEAP, trials=0)
    with pytest.raises(TypeError, match="seed"):
        verify(CHEAP, seed=1.5)
    with pytest.raises(TypeError, match="trials"):
        verify(CHEAP, trials=1.5)
    with pytest.raises(OptionError, match="seed"):
        verify(CHEAP, seed=-1)
    assert verify("counts", dtype=np.float32).dtype == "float32"
    assert not verify([]).ok  # no claim was tried


def test_the_configuration_of_jax_stays_unchanged():
    before = jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision
    verify(CHEAP)
    assert (jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision) == before


@pytest.mark.parametrize(
    ("claim", "reader"),
    [
        ("lax-conv-transpose", "from_lax_conv_transpose"),
        ("lax-layouts", "from_lax_conv"),
        ("flax-layers", "from_flax"),
    ],
)
def test_a_reader_that_flips_the_kernel_fails(claim, reader, monkeypatch):
    from jaxconv.claims import conventions

    right = getattr(conventions, reader)

    def flipped(*args, **kwargs):
        return jax.tree.map(lambda kernel: kernel[::-1], right(*args, **kwargs))

    monkeypatch.setattr(conventions, reader, flipped)
    report = verify([claim], trials=3)
    assert not report.ok
    assert "padding" in report.counterexamples()
