"""`jaxconv verify --prove`: the table, the file, the exit status, and bad calls."""

import json
import sys

import pytest

from jaxconv import AxisGeometry
from jaxconv.claims import STATEMENTS
from jaxconv.cli import main


def run(capsys, *arguments):
    main(["verify", "--prove", *arguments])
    return capsys.readouterr().out


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(["verify", *arguments])
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_prints_a_table_and_writes_a_file(capsys, tmp_path):
    pytest.importorskip("z3")
    file = tmp_path / "new" / "proofs.json"
    text = run(capsys, *f"--claim windows --claim unused --largest 2 --trials 1 --json {file}".split())
    for part in ("1 of 2 proved", "every i, k, p, s, d, f", "tried on", "not proved", "Euclid"):
        assert part in text
    data = json.loads(file.read_text())
    assert data["ok"]
    assert data["largest"] == 2
    assert [row["verdict"] for row in data["rows"]] == ["proved", "not proved"]


def test_a_failure_prints_code_and_exits_with_1(capsys, monkeypatch):
    pytest.importorskip("z3")
    monkeypatch.setattr(AxisGeometry, "output_padding", property(lambda self: self.slack % self.stride + 1))
    with pytest.raises(SystemExit) as stop:
        run(capsys, *"--claim output-padding --largest 2 --trials 1".split())
    assert stop.value.code == 1
    text = capsys.readouterr().out
    assert "FAILS" in text
    assert "axis = AxisGeometry(size=1, kernel=1, stride=" in text


def test_lists_without_z3(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "z3", None)
    text = run(capsys, "--list")
    assert all(name in text for name in STATEMENTS)


def test_without_z3_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "z3", None)
    monkeypatch.delitem(sys.modules, "jaxconv.claims.proofs.symbols", raising=False)
    assert "pip install 'jaxconv[prove]'" in refusal(capsys, "--prove", "--claim", "windows")


def test_options_that_contradict_each_other(capsys):
    assert "--prove is about integers" in refusal(capsys, "--prove", "--dtype", "float32")
    assert "--largest needs --prove" in refusal(capsys, "--largest", "4")
    assert "'windows'?" in refusal(capsys, "--prove", "--claim", "window")
