"""`jaxconv.verify` in several dtypes: which claims apply to each, and that a fault fails in all of them."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from jaxconv import verify
from jaxconv.claims import ALL_DTYPES, CLAIMS, Report, Reports, Row, pooling, transposes
from jaxconv.claims.cases import normal
from jaxconv.cli import main
from jaxconv.errors import OptionError

FEW = ["counts", "matrix", "lp-pool"]  # integers, any numbers, real numbers


@pytest.fixture(scope="module")
def reports():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "SETTINGS", pooling.SETTINGS[:1])
        return verify(FEW, dtype="all", trials=2, seed=3)


def test_every_dtype_has_the_claims_that_apply_to_it(reports):
    assert reports.ok, reports.counterexamples()
    assert tuple(report.dtype for report in reports.reports) == ALL_DTYPES
    for report in reports.reports:
        assert [row.name for row in report.rows] == FEW[: 2 if report.dtype == "complex64" else 3]
    assert len({id(report.rows[0]) for report in reports.reports}) == 1  # tried once
    gaps = {report.dtype: report.rows[1].worst for report in reports.reports}
    assert all(0 <= gap <= 1 for gap in gaps.values())


def test_one_dtype_gives_the_same_as_all(reports):
    (row,) = verify("matrix", dtype="bfloat16", trials=2, seed=3).rows
    assert row.worst == reports.reports[ALL_DTYPES.index("bfloat16")].rows[1].worst


def test_rows_merge_all_dtypes(reports):
    assert [row.name for row in reports.rows] == FEW
    counts, matrix, norm = reports.rows
    each = [report.rows for report in reports.reports]
    assert counts.trials == each[0][0].trials
    assert matrix.trials == sum(rows[1].trials for rows in each)
    assert norm.worst == max(rows[2].worst for rows in each[:-1])


def test_which_claims_need_real_numbers():
    real = {name for name, claim in CLAIMS.items() if claim.numbers == "real"}
    linalg = {"four-transforms", "not-the-inverse", "orthogonal-families"}
    assert real == {"max-pool", "unpool", "lp-pool", "unrolled"} | linalg
    for name in ("conv", "conv_transpose", "avg-pool", "flax-layers", "bilinear", "figure-1.1"):
        assert CLAIMS[name].numbers == "any"
    with pytest.raises(OptionError, match=r"'max-pool' is about the order .* which complex64 does not have"):
        verify("max-pool", dtype="complex64")
    assert normal(np.random.default_rng(0), (3,), np.dtype("complex64")).imag.all()


def rendered(report, width):
    """Returns the table as the command prints it on a terminal of this width."""
    console = Console(width=width, file=io.StringIO())
    console.print(report.table(width >= 110))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits(reports, width):
    lines = rendered(reports, width).splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    header = next(line for line in lines if line.lstrip().startswith("claim "))
    assert header.split() == ["claim", *["statement"] * (width >= 110), *ALL_DTYPES]
    last = next(line for line in lines if line.strip().startswith("lp-pool"))
    assert last.split()[-1] == "-"  # the claim does not apply to complex numbers
    assert [line.split() for line in lines if line.strip().startswith("hold ")] == [
        ["hold", *"3 of 3".split() * 4, "2", "of", "2"]
    ]
    assert ("760 parameters" in "".join(lines)) == (width >= 110)


def test_the_longest_name_and_gap_fit_into_80_columns():
    name = max(CLAIMS, key=len)
    row = Row(name, "a statement", "a source", 88, 0.00012, True, "", 1.0)
    report = Reports(tuple(Report((row,) * 88, dtype, 0, "cpu", {"jax": "0"}) for dtype in ALL_DTYPES))
    lines = rendered(report, 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert ["claim", *ALL_DTYPES] in [line.split() for line in lines]
    assert [name, *["0.00012"] * 5] in [line.split() for line in lines]
    assert ["hold", *"88 of 88".split() * 5] in [line.split() for line in lines]


def test_a_fault_fails_in_every_dtype(monkeypatch):
    """A kernel that is not flipped exceeds the bound even of 16-bit numbers."""
    right = transposes.transposed_kernel
    monkeypatch.setattr(transposes, "transposed_kernel", lambda k, groups: right(k, groups)[::-1])
    report = verify("equivalent-direct", dtype="all", trials=1)
    assert not report.ok
    assert [one.ok for one in report.reports] == [False] * len(ALL_DTYPES)
    text = report.counterexamples()
    assert all(f"in {dtype}:\nequivalent-direct: " in text for dtype in ALL_DTYPES)
    assert "g = ConvGeometry(" in report.rows[0].counterexample
    assert rendered(report, 80).count("FAILS") == len(ALL_DTYPES)


def test_json_has_every_dtype(reports):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads(reports.to_json(), parse_constant=refuse)
    assert data["ok"] is True
    assert list(data["dtypes"]) == list(ALL_DTYPES)
    for report, written in zip(reports.reports, data["dtypes"].values(), strict=True):
        assert [row["worst"] for row in written["rows"]] == [row.worst for row in report.rows]


def test_the_command(capsys, tmp_path):
    file = tmp_path / "all.json"
    main(["verify", "--dtype", "all", "--claim", "counts", "--claim", "toeplitz", "--json", str(file)])
    text = capsys.readouterr().out
    assert "claims in 5 dtypes" in text
    assert text.count("2 of 2") == 5
    assert len(json.loads(file.read_text())["dtypes"]["float16"]["rows"]) == 2


def test_a_claim_about_real_numbers_holds_in_all_real_dtypes():
    assert verify("unrolled", dtype="all", trials=1).ok
    assert not verify([], dtype="all").ok  # no claim was tried
