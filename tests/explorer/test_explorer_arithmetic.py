"""The explorer's arithmetic in JavaScript equals the library's, on random geometries of every kind."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jaxconv
from jaxconv import ConvGeometry
from jaxconv.cli.convolution import GeometryOptions
from jaxconv.errors import GeometryError
from jaxconv.geometry.relationships import RELATIONSHIPS, relationship_of
from jaxconv.interop.calls import calls, transposed_calls
from jaxconv.matrix.coordinates import coordinates

HERE = Path(__file__).parent
RANDOM = 1200
MODES = ("zeros", "circular", "reflect", "replicate")
WORDS = ("VALID", "SAME", "SAME_LOWER", "HALF", "FULL", "CAUSAL")


def numbers_of_a_case(rng: np.random.Generator) -> dict[str, Any]:
    """One random case, in the explorer's names; some are refused."""
    n = int(rng.integers(1, 4))
    most = (9, 6, 4)[n - 1]

    def per_axis(low: int, high: int) -> list[int]:
        return rng.integers(low, high + 1, n).tolist()

    groups = int(rng.choice([1, 1, 2, 3]))
    padding = rng.integers(-2, 5, (n, 2)).tolist()
    kind = rng.random()
    case = {
        "input": per_axis(1, most),
        "kernel": per_axis(1, 4),
        "strides": per_axis(1, 3),
        "kernelDilation": per_axis(1, 3) if kind < 0.4 else [1] * n,
        "inputDilation": per_axis(1, 3) if kind > 0.7 else [1] * n,
        "padding": str(rng.choice(WORDS)) if rng.random() < 0.3 else padding,
        "mode": str(rng.choice(MODES)) if rng.random() < 0.6 else "zeros",
        "inFeatures": groups * int(rng.integers(1, 3)),
        "outFeatures": groups * int(rng.integers(1, 3)),
        "groups": groups,
    }
    if rng.random() < 0.3:  # what half, full and no padding with unit strides make: relationships 1 to 4
        case["kernel"], case["strides"] = per_axis(2, 3), [1] * n
        case["padding"], case["kernelDilation"] = str(rng.choice(["VALID", "HALF", "FULL"])), [1] * n
    return case


def bad_cases() -> Iterator[dict[str, Any]]:
    """Cases that every check refuses in turn."""
    good = {
        "input": [5], "kernel": [3], "strides": [1], "kernelDilation": [1], "inputDilation": [1],
        "padding": [[0, 0]], "mode": "zeros", "inFeatures": 1, "outFeatures": 1, "groups": 1,
    }  # fmt: skip
    for name in ("input", "kernel", "strides", "kernelDilation", "inputDilation"):
        yield {**good, name: [0]}
        yield {**good, name: [-1]}
    for name in ("inFeatures", "outFeatures", "groups"):
        yield {**good, name: 0}
    yield {**good, "inFeatures": 3, "outFeatures": 2, "groups": 2}
    yield {**good, "inFeatures": 2, "outFeatures": 3, "groups": 2}
    yield {**good, "mode": "sideways"}
    yield {**good, "kernel": [9]}
    yield {**good, "padding": [[-3, -2]]}
    yield {**good, "input": [1], "kernel": [1], "padding": [[1, 1]], "mode": "reflect"}


def geometry_of(case: dict[str, Any]) -> ConvGeometry:
    padding = case["padding"]
    return ConvGeometry(
        case["input"],
        case["kernel"],
        in_features=case["inFeatures"],
        out_features=case["outFeatures"],
        strides=case["strides"],
        padding=padding if isinstance(padding, str) else tuple(map(tuple, padding)),
        padding_mode=case["mode"],
        input_dilation=case["inputDilation"],
        kernel_dilation=case["kernelDilation"],
        feature_group_count=case["groups"],
    )


def in_node(cases: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    (folder / "cases.json").write_text(json.dumps(cases))
    command = ["node", HERE / "run_node.mjs", folder / "cases.json", folder / "results.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "results.json").read_text())


def in_browser(cases: list[dict[str, Any]]) -> dict[str, Any]:
    from explorer_browser import open_browser

    from jaxconv.explorer.document import joined

    with open_browser() as browser:
        script = joined("arithmetic", "calls") + joined(HERE / "compute.mjs")
        page = browser.new_page()
        page.add_script_tag(content=f"{{{script}\nwindow.compute = compute;}}")
        return page.evaluate("cases => window.compute(cases)", cases)


def compute(cases: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """In node, else in a browser; skips with a reason where there is neither."""
    return in_node(cases, folder) if shutil.which("node") else in_browser(cases)


CASES = [*bad_cases(), *(numbers_of_a_case(np.random.default_rng(seed)) for seed in range(RANDOM))]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return compute(CASES, tmp_path_factory.mktemp("explorer"))


@pytest.fixture(scope="module")
def pairs(results: dict[str, Any]) -> list[tuple[ConvGeometry, dict[str, Any], dict[str, Any]]]:
    """Geometry, case and result of everything that is not refused."""
    found = zip(CASES, results["cases"], strict=True)
    return [(geometry_of(case), case, result) for case, result in found if "refused" not in result]


def refusal_of(case: dict[str, Any]) -> str | None:
    try:
        geometry_of(case)
    except GeometryError as error:
        return str(error)
    return None


def test_both_refuse_the_same_cases(results):
    refused = [refusal_of(case) is not None for case in CASES]
    assert ["refused" in result for result in results["cases"]] == refused
    assert 40 < sum(refused) < len(CASES) / 2


def test_both_refuse_in_the_same_words(results):
    for case, result in zip(CASES, results["cases"], strict=True):
        assert result.get("refused") == refusal_of(case), case


def test_there_are_cases_of_every_kind(pairs):
    assert len(pairs) >= 800
    assert {g.ndim for g, *_ in pairs} == {1, 2, 3}
    assert {g.padding_mode for g, *_ in pairs} == set(MODES)
    assert any(min(map(min, g.padding)) < 0 for g, *_ in pairs)
    assert any(max(g.kernel_dilation) > 1 and max(g.strides) > 1 for g, *_ in pairs)
    assert any(max(g.input_dilation) > 1 and g.feature_group_count > 1 for g, *_ in pairs)


def test_sizes_and_counts(pairs):
    for g, _, result in pairs:
        assert result["text"] == repr(g)
        assert tuple(result["output"]) == g.output_shape, g
        assert tuple(result["outputPadding"]) == g.output_padding, g
        assert tuple(map(tuple, result["padding"])) == g.padding, g
        assert tuple(result["shape"]) == g.matrix_shape, g
        assert result["counts"] == [g.nnz, g.parameters, g.multiplications], g
        assert tuple(axis["unused"] for axis in result["axes"]) == g.unused, g


def test_input_sizes_that_share_the_output(pairs):
    for g, case, result in pairs:
        if case["padding"] in ("SAME", "SAME_LOWER"):
            continue  # the page solves for the word, the geometry for the cells that it has become
        for axis, found in zip(g.axes, result["axes"], strict=True):
            sizes = axis.input_sizes
            assert found["sizes"] == ([sizes[0], sizes[-1]] if sizes else []), g


def test_input_sizes_of_padding_words(pairs):
    """Every size that the page offers for SAME has the output, and its neighbours have not."""
    for g, case, result in pairs:
        if case["padding"] not in ("SAME", "SAME_LOWER") or g.padding_mode == "reflect" or g.ndim > 1:
            continue
        first, last = result["axes"][0]["sizes"]
        for size in range(max(first - 1, 1), last + 2):
            try:
                output = geometry_of({**case, "input": [size]}).output_shape
            except GeometryError:
                continue
            assert (output == g.output_shape) == (first <= size <= last), g


def test_entries_of_the_matrix(pairs):
    total = 0
    for g, _, result in pairs:
        at = coordinates(g, False, "channels_last")
        expected = np.stack([at.row, at.column], -1).tolist()
        assert [entry[:2] for entry in result["entries"]] == expected, g
        if at.target is None:  # else which of the taps comes first depends on how they are stored
            assert [entry[2] for entry in result["entries"]] == at.tap.tolist(), g
        total += g.nnz
    assert total > 40_000


def test_relationships(results, pairs):
    stated = [[r.number, r.section, r.condition, r.formula] for r in RELATIONSHIPS]
    assert results["relationships"] == stated
    assert not any("floor" in text for text in results["typesets"])
    met = set()
    for g, _, result in pairs:
        for axis, found in zip(g.axes, result["axes"], strict=True):
            for transposed, one in zip((False, True), found["relationships"], strict=True):
                met.add(one["number"])
                assert one["number"] == relationship_of(axis, transposed).number, g
                value = eval(one["numbers"], {"floor": lambda number: int(number // 1)})
                assert value == (axis.stretched if transposed else axis.out_size), (g, one)
    assert met == {*range(1, 7), *range(8, 16)}


def test_equivalent_direct_convolution(pairs):
    for g, _, result in pairs:
        found = [axis["equivalent"] for axis in result["axes"]]
        if g.padding_mode != "zeros":
            assert all("refused" in axis for axis in found), g
            continue
        direct = g.equivalent_direct()
        assert tuple(axis["size"] for axis in found) == direct.input_shape, g
        assert tuple(tuple(axis["padding"]) for axis in found) == direct.padding, g
        assert tuple(axis["stretched"] for axis in found) == tuple(a.stretched for a in direct.axes), g


def test_overlaps_are_the_column_counts_of_the_matrix(tmp_path):
    """Far from the border: counted in a matrix that is long enough to have such cells."""
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(40):
        k, s, d, f, low = (int(n) for n in rng.integers([1, 1, 1, 1, 0], [6, 5, 4, 4, 4]))
        case = numbers_of_a_case(rng)
        case |= {"input": [60], "kernel": [k], "strides": [s], "kernelDilation": [d], "inputDilation": [f]}
        case |= {"padding": [[low, 20]], "mode": "zeros"}
        cases.append(case | {"groups": 1, "inFeatures": 1, "outFeatures": 1})
    results = compute(cases, tmp_path)
    for case, result in zip(cases, results["cases"], strict=True):
        found = result["axes"][0]["overlaps"]
        counts = np.bincount([column for _, column, _ in result["entries"]], minlength=60)
        middle = range(20, 40)
        assert [found[cell % len(found)] for cell in middle] == counts[20:40].tolist(), case
        even = "holes" if min(found) == 0 else "even" if len(set(found)) == 1 else "uneven"
        assert result["axes"][0]["evenness"] == even


def test_code_for_other_libraries_is_that_of_the_library(pairs):
    for g, _, result in pairs:
        assert result["calls"] == calls(g), g
        assert result["transposedCalls"] == transposed_calls(g), g


def test_every_reason_is_met(results):
    """A reason that no case has would not be compared with the library's."""
    text = (Path(jaxconv.__file__).parent / "explorer" / "calls.mjs").read_text()
    reasons = re.findall(r'[`"](.+)[`"],$', text.partition("REASONS = {")[2].partition("\n};")[0], re.M)
    codes = [case.get(name, {}) for case in results["cases"] for name in ("calls", "transposedCalls")]
    met = {code for each in codes for code in each.values() if code.startswith("#")}
    assert len(reasons) == 13
    for reason in reasons:
        longest = max(re.split(r"\$\{[^}]*\}", reason), key=len)
        assert any(longest in code for code in met), reason


def evaluate(code: str, operand: Any, kernel: Any) -> Any:
    return eval(code, {"jaxconv": jaxconv, "x": operand, "y": operand, "kernel": kernel})


def test_own_calls_give_the_shapes(pairs):
    import jax

    for g, _, result in pairs[::8]:
        forward, transposed = result["own"]
        kernel = jax.ShapeDtypeStruct(g.kernel_array_shape, "float32")
        x = jax.ShapeDtypeStruct((*g.input_shape, g.in_features), "float32")
        y = jax.ShapeDtypeStruct((*g.output_shape, g.out_features), "float32")
        assert jax.eval_shape(partial(evaluate, forward), x, kernel).shape == y.shape, forward
        assert jax.eval_shape(partial(evaluate, transposed), y, kernel).shape == x.shape, transposed


def test_the_command_line_makes_the_geometry(pairs):
    import tyro

    for g, _, result in pairs[::40]:
        assert tyro.cli(GeometryOptions, args=result["command"].split()).geometry() == g
