"""`jaxconv arithmetic`, with and without `--explain`."""

import pytest

from jaxconv import ConvGeometry
from jaxconv.cli import main
from jaxconv.interop.explanation import explain

COMMAND = "arithmetic --input 6 7 --kernel 3 --strides 2 --padding 1 --in-features 4 --out-features 2".split()
G = ConvGeometry((6, 7), (3, 3), strides=2, padding=1, in_features=4, out_features=2)


def lines(capsys, *arguments):
    main(arguments)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_explain_prints_what_the_function_returns(capsys, monkeypatch):
    monkeypatch.setattr("jaxconv.cli.screen.console.width", 120)
    assert lines(capsys, *COMMAND, "--explain", "--batch", "3") == str(explain(G, batch=3)).splitlines()


def test_without_explain_no_method_is_printed(capsys, monkeypatch):
    monkeypatch.setattr("jaxconv.cli.screen.console.width", 120)
    text = lines(capsys, *COMMAND)
    assert text == str(explain(G)).splitlines()[: len(text)]
    assert not any('method="auto"' in line for line in text)


def test_batch_below_one_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main([*COMMAND, "--explain", "--batch", "0"])
    assert stop.value.code == 2
    assert "`batch` must be at least 1" in capsys.readouterr().err
