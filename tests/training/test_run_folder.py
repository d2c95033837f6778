"""The folder of a run when something is wrong with it: one line that says so, and nothing is lost."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from test_checkpoints import files, no_file_above

from jaxconv import training
from jaxconv.cli import main
from jaxconv.training import Config, ConfigError, run_folder, train
from jaxconv.training.checkpoints import Checkpoints
from jaxconv.training.log import read_log
from jaxconv.training.run_folder import folder_lock
from jaxconv.training.state import build_optimizer, initial_state

pytestmark = pytest.mark.slow

QUIET = Console(quiet=True)
# At a rate that moves nothing the first evaluation stays the best.
CONFIG = Config.of(
    {
        "model": {"name": "reseg", "blocks": [[4, 2]], "layers": 0, "filters": 4},
        "data": {"name": "shapes", "canvas": [12, 16], "examples": 16, "held_out_examples": 8},
        "schedule": {"name": "constant", "learning_rate": 1e-30},
        "optimizer": {"name": "sgd"},
        "training": {"batch_size": 8, "steps": 4, "evaluate_every": 2},
    }
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Trains a run whose best checkpoint is that of step 2 and whose last is that of step 4.

    It is started by --resume in a folder that does not exist, like a job that may have been restarted.
    """
    out = tmp_path_factory.mktemp("parent") / "run"
    train(CONFIG, out, resume=True, console=QUIET)
    assert Checkpoints(out).steps == [2, 4]
    return out


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def refusal(capsys, status, *arguments):
    """Runs a command that must fail. Returns the one line that it prints."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    found = capsys.readouterr()
    assert stop.value.code == status, found
    assert (found.out, found.err.count("\n")) == ("", 1)
    return found.err


def contents(run):
    return {name: path.read_bytes() for name, path in files(run).items() if name != "lock"}


def flip(path):
    bits = bytearray(path.read_bytes())
    bits[len(bits) // 2] ^= 1
    path.write_bytes(bits)


@pytest.mark.parametrize("command", ["evaluate", "export", "predict", "train"])
def test_every_command_refuses_a_damaged_checkpoint(capsys, run, tmp_path, command):
    Image.fromarray(np.zeros((12, 16, 3), np.uint8)).save(tmp_path / "a.png")
    rest = {"predict": [tmp_path / "a.png", "--out", tmp_path / "out"], "train": ["--resume"]}
    step, other = (4, "best") if command == "train" else (2, "last")
    (path,) = (run / "checkpoints" / str(step) / "state" / "d").iterdir()
    flip(path)
    before = contents(run)
    text = refusal(capsys, 1, command, run, *rest.get(command, []))
    assert f"checkpoints/{step} is damaged: state/d/{path.name} has changed since it was written" in text
    assert f"use it with --checkpoint {other}" in text
    assert contents(run) == before


def test_a_damaged_best_is_refused_by_resume(capsys, run):
    flip(next((run / "checkpoints" / "2" / "state" / "d").iterdir()))
    before = contents(run)
    assert "checkpoints/2, the best so far, is damaged" in refusal(capsys, 1, "train", run, "--resume")
    assert contents(run) == before


def test_resuming_from_the_best_repeats_later_steps(run, whole):
    flip(next((run / "checkpoints" / "4" / "state" / "d").iterdir()))
    metrics = train(CONFIG, run, resume=True, checkpoint="best", console=QUIET)
    assert Checkpoints(run).steps == [2, 4]
    assert metrics["mean_iou"] == json.loads((whole / "metrics.json").read_text())["mean_iou"]
    again, before = (
        [line["loss"] for line in read_log(one / "log.jsonl") if line["kind"] == "step"]
        for one in (run, whole)
    )
    assert again == before
    assert len(again) == 4


def test_a_checkpoint_needs_resume(capsys, run):
    assert "give --resume too" in refusal(capsys, 2, "train", run, "--checkpoint", "best")


@pytest.mark.parametrize("resume", [True, False])
def test_lost_checkpoints_are_not_trained_over(capsys, run, resume):
    shutil.rmtree(run / "checkpoints")
    before = contents(run)
    text = refusal(capsys, 1, "train", run, *["--resume"][: int(resume)])
    assert re.search(
        r"the checkpoints of .*run are missing: some were saved, but none is left in .*; restore", text
    )
    assert contents(run) == before


@pytest.mark.parametrize("command", ["evaluate", "export", "predict"])
@pytest.mark.parametrize("folder", [True, False], ids=["an empty folder", "no folder"])
def test_lost_checkpoints_are_named_as_missing(capsys, run, tmp_path, command, folder):
    shutil.rmtree(run / "checkpoints")
    if folder:
        (run / "checkpoints").mkdir()
    rest = [run / "overlays.png", "--out", tmp_path / "out"] if command == "predict" else []
    text = refusal(capsys, 1, command, run, *rest)
    assert "run are missing: some were saved, but none is left in" in text
    assert "yet" not in text


def test_a_run_that_has_saved_nothing_yet(capsys, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    assert "has no checkpoint yet" in refusal(capsys, 2, "evaluate", tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "log.jsonl",
            Path.unlink,
            r"cannot be read \(No such file or directory\); restore .* or start .* another --out; .*evaluate",
        ),
        (
            "log.jsonl",
            lambda path: path.write_bytes(path.read_bytes()[:300]),
            r"every step from 1 to 4, .* each once \(3 missing, first 2\); restore",
        ),
        (
            "log.jsonl",
            lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
            r"damaged: line 1 does not",
        ),
        ("log.jsonl", lambda path: path.write_text("[]\n" + path.read_text()), r"damaged: line 1 does not"),
        (
            "config.toml",
            Path.unlink,
            r"config.toml is missing; give the configuration: jaxconv train CONFIG --out",
        ),
        (
            "environment.json",
            lambda path: path.write_bytes(b"\xff"),
            r"environment.json is damaged; .*--data",
        ),
        ("environment.json", lambda path: path.write_text("[]"), r"environment.json is damaged; .*--data"),
        (
            "checkpoints",
            lambda path: (shutil.rmtree(path), path.touch()),
            r"cannot be written \(File exists\)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_missing_or_damaged_files_are_named(capsys, run, name, change, message):
    change(run / name)
    assert re.search(message, refusal(capsys, 1, "train", run, "--resume"))


def test_a_folder_without_a_run(capsys, tmp_path):
    assert "is not the folder of a run" in refusal(capsys, 2, "train", tmp_path, "--resume")


def test_two_trainings_into_one_folder(capsys, run):
    before = contents(run)
    with folder_lock(run, QUIET):
        text = refusal(capsys, 2, "train", run, "--resume")
        assert f"is in use: process {os.getpid()} on " in text
    assert contents(run) == before


def test_a_lock_ends_with_its_process(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from rich.console import Console\n"
        "from jaxconv.training.run_folder import folder_lock\n"
        "with folder_lock(Path(sys.argv[1]), Console()): print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        with (
            pytest.raises(ConfigError, match=rf"is in use: process {holder.pid} on"),
            folder_lock(tmp_path, QUIET),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with folder_lock(tmp_path, QUIET):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")


def test_a_file_system_without_locks_prints_a_warning(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    for fcntl in (None, type("fcntl", (), {"flock": unsupported, "LOCK_EX": 2, "LOCK_NB": 4})):
        monkeypatch.setattr(run_folder, "fcntl", fcntl)
        console = Console(record=True, file=open(os.devnull, "w"), width=200)
        with console.file, folder_lock(tmp_path, console):
            assert "on a file system without locks" in console.export_text()


def test_a_disk_that_is_full_before_the_first_step(capsys, tmp_path):
    settings = tmp_path / "config.toml"
    settings.write_text(CONFIG.toml())
    with no_file_above(0):
        text = refusal(capsys, 1, "train", settings, "--out", tmp_path / "run")
    assert "config.toml cannot be written (File too large)" in text
    assert "--resume" in text


@pytest.mark.parametrize("name", ["seed", "data.seed"])
@pytest.mark.parametrize("seed", [-1, 2**32 - 1, 2**70])
def test_seeds_out_of_range_are_refused(capsys, name, seed):
    text = refusal(capsys, 2, "train", "digits_unet", "--set", f"{name}={seed}")
    assert f"`{name}` must be an integer from 0 to {2**32 - 2}, got {seed}" in text


def test_the_largest_seed_is_accepted():
    _, state = initial_state(replace(CONFIG, seed=2**32 - 2), build_optimizer(CONFIG)[0], 3, 4)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.parameters))


def test_an_interruption_is_one_line(capsys, run, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    assert refusal(capsys, 130, "train", run, "--resume") == "jaxconv: interrupted\n"


def test_a_full_disk_is_a_failure_not_a_mistake(capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "scores.json")

    monkeypatch.setattr(training, "load", full)
    assert "No space left on device: 'scores.json'" in refusal(capsys, 1, "evaluate", "run")
