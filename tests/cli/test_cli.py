"""The commands arithmetic, matrix and verify, and the errors of all commands."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from jaxconv import ConvGeometry, __version__, conv_matrix
from jaxconv.cli import main
from jaxconv.errors import FailureError

ROOT = Path(__file__).parents[2]


def run(capsys, *arguments):
    main(arguments)
    return capsys.readouterr().out


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_arithmetic_prints_sizes_relationships_and_calls(capsys, monkeypatch):
    monkeypatch.setattr("jaxconv.cli.screen.console.width", 140)
    text = run(capsys, "arithmetic", *"--input 6 --kernel 3 --strides 2 --padding 1".split())
    for part in (
        "relationship 6: o = floor((i + 2p - k) / s) + 1",
        "relationship 14",
        "5, 6",
        "stretched to 5 (1 zero between neighbours)",
        "pad 1 low, pad 2 high",
        "lax.conv_general_dilated",
        "nnx.ConvTranspose(1, 1, (3,), (2,), padding=((1, 2),), transpose_kernel=True",
        "output_padding=(1,)",
        "3 x 6 with 8 entries",
    ):
        assert part in text


def test_arithmetic_of_huge_sizes(capsys, monkeypatch):
    monkeypatch.setattr("jaxconv.cli.screen.console.width", 140)
    text = run(capsys, *"arithmetic --input 1000000000000 --kernel 100000000001 --strides 10".split())
    for part in (
        "90,000,000,000 x 1,000,000,000,000 with 9,000,000,000,090,000,000,000 entries",
        "999999999991 to 1000000000000",
        "unused input cells  9",
    ):
        assert part in text


def test_padding_options(capsys, monkeypatch):
    monkeypatch.setattr("jaxconv.cli.screen.console.width", 140)
    two = ["arithmetic", "--input", "6", "7", "--kernel", "3"]
    assert "padding=((1, 1), (1, 1))" in run(capsys, *two, "--padding", "same")
    assert "padding=((1, 1), (2, 2))" in run(capsys, *two, "--padding", "1", "2")
    assert "padding=((1, 0), (2, 3))" in run(capsys, *two, "--padding", "1,0", "2,3")
    assert "--padding must be one of VALID" in refusal(capsys, *two, "--padding", "SMAE")
    assert "for each of the 2 spatial axes" in refusal(capsys, *two, "--padding", "1", "2", "3")
    assert "for each of the 2 spatial axes, got 1,2." in refusal(capsys, *two, "--padding", "1,2")
    assert "for each of the 2 spatial axes" in refusal(capsys, *two, "--padding", "1,2,3", "1")
    one = ["arithmetic", "--input", "6", "--kernel", "3"]
    assert "got 1 2. Write --padding 1,2 for low and high." in refusal(capsys, *one, "--padding", "1", "2")
    assert "padding=((1, 2),)" in run(capsys, *one, "--padding", "1,2")
    assert "spans 9 cells" in refusal(capsys, "arithmetic", "--input", "6", "--kernel", "9")


def test_matrix_prints_symbols_or_numbers(capsys, tmp_path):
    assert run(capsys, *"matrix --input 4 --kernel 2".split()) == "w0 w1  0  0\n 0 w0 w1  0\n 0  0 w0 w1\n"
    np.save(tmp_path / "w.npy", np.array([0.5, -2.0]))
    text = run(
        capsys, *"matrix --input 3 --kernel 2 --transposed --kernel-file".split(), str(tmp_path / "w.npy")
    )
    assert text == "0.5   0\n -2 0.5\n  0  -2\n"
    assert "too large to print" in refusal(capsys, *"matrix --input 99 99 --kernel 3".split())


def test_matrix_files_hold_the_matrix(capsys, tmp_path, rng):
    g = ConvGeometry((5, 4), (3, 2), in_features=2, out_features=3, strides=(2, 1), padding=1)
    kernel = rng.normal(size=g.kernel_array_shape)
    np.save(tmp_path / "w.npy", kernel)
    options = "--input 5 4 --kernel 3 2 --in-features 2 --out-features 3 --strides 2 1 --padding 1".split()
    options += ["--kernel-file", str(tmp_path / "w.npy"), "--out"]
    C = conv_matrix(kernel, g)
    assert "entries" in run(capsys, "matrix", *options, str(tmp_path / "new" / "C.npz"))
    stored = scipy.sparse.load_npz(tmp_path / "new" / "C.npz")
    assert stored.nnz == C.nnz
    np.testing.assert_array_equal(stored.toarray(), C.todense())
    run(capsys, "matrix", *options, str(tmp_path / "C.mtx"), "--order", "channels_first", "--transposed")
    stored = scipy.io.mmread(tmp_path / "C.mtx", spmatrix=False)
    np.testing.assert_allclose(stored.toarray(), C.T.todense("channels_first"), rtol=1e-14)
    run(capsys, "matrix", *options, str(tmp_path / "C.png"))
    assert (tmp_path / "C.png").read_bytes().startswith(b"\x89PNG")


def test_matrix_refuses_bad_files(capsys, tmp_path):
    options = "matrix --input 4 --kernel 3 --kernel-file".split()
    bad = tmp_path / "w.npy"
    bad.write_text("not numbers")
    assert "is not a .npy file" in refusal(capsys, *options, str(bad))
    np.save(bad, np.ones(4))
    assert "(3, 1, 1)" in refusal(capsys, *options, str(bad))
    np.save(bad, np.array([{}], dtype=object), allow_pickle=True)
    assert "is not a .npy file" in refusal(capsys, *options, str(bad))
    assert "No such file" in refusal(capsys, *options, str(tmp_path / "none.npy"))
    assert ".npz, .mtx, .png" in refusal(capsys, *"matrix --input 4 --kernel 3 --out C.csv".split())


def test_verify_writes_json_and_exits_1_on_failure(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxconv.cli.screen.console.width", 140)
    file = tmp_path / "deep" / "report.json"
    text = run(capsys, "verify", "--claim", "counts", "--claim", "relationship-14", "--json", str(file))
    assert "holds" in text
    assert [row["name"] for row in json.loads(file.read_text())["rows"]] == ["counts", "relationship-14"]
    assert "kernel-gradient" in run(capsys, "verify", "--list")
    assert "did you mean" in refusal(capsys, "verify", "--claim", "count")
    monkeypatch.setattr("jaxconv.claims.structure.symbols", lambda *_, **__: "x")
    with pytest.raises(SystemExit) as stop:
        main(["verify", "--claim", "toeplitz"])
    assert stop.value.code == 1
    text = capsys.readouterr().out
    assert "FAILS" in text
    assert "g = ConvGeometry((6,), (3,))" in text


def test_version_and_module_entry():
    done = subprocess.run(
        [sys.executable, "-m", "jaxconv", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"jaxconv {__version__}\n"


def test_lines_on_a_pipe_are_not_wrapped():
    """Nor the lines of tables, whatever the width of the shell."""
    command = "arithmetic --input 6 7 --kernel 3 --padding 1 --in-features 1234 --out-features 5678"
    done = subprocess.run(
        [sys.executable, "-m", "jaxconv", *command.split()],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "40"},
    )
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert repr(ConvGeometry((6, 7), (3, 3), in_features=1234, out_features=5678, padding=1)) in lines
    (call,) = [line for line in lines if "lax.conv_general_dilated" in line]
    assert call.count("(") == call.count(")")
    assert max(map(len, lines)) < 1000


def test_refusals_on_a_pipe_are_one_line(capsys):
    text = refusal(capsys, "verify", "--claim", "c" * 300)
    assert text.count("\n") == 1
    assert "c" * 300 in text


@pytest.mark.parametrize("error", [TypeError, ValueError, RuntimeError, ImportError])
def test_mistakes_of_the_library_keep_their_traceback(monkeypatch, error):
    def broken(*_):
        raise error("a mistake in the library")

    monkeypatch.setattr("jaxconv.cli.matrix_files.show", broken)
    with pytest.raises(error, match="a mistake in the library"):
        main("matrix --input 4 --kernel 2".split())


def test_failures_have_another_exit_status_than_mistakes(capsys, monkeypatch):
    def failing(*_):
        raise FailureError("it does not hold")

    monkeypatch.setattr("jaxconv.cli.matrix_files.show", failing)
    with pytest.raises(SystemExit) as stop:
        main("matrix --input 4 --kernel 2".split())
    assert stop.value.code == 1
    assert capsys.readouterr().err == "jaxconv: it does not hold\n"


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("seconds", [0.2, 0.5])
def test_an_interruption_while_the_command_loads_is_one_line(seconds):
    """At the entry point of the console script."""
    code = (  # prints a line when the signal is handled
        "import signal, _jaxconv_command as command; mind = signal.signal\n"
        "signal.signal = lambda *given: (mind(*given), print('now', flush=True))[0]\n"
        "command.main()"
    )
    command = [sys.executable, "-c", code, "verify"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as run:
        run.stdout.readline()
        time.sleep(seconds)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    assert (run.returncode, errors) == (130, "jaxconv: interrupted\n")
