"""A training that is interrupted and resumed, or runs on several devices or processes, is the same."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from rich.console import Console

from jaxconv.training.checkpoints import Checkpoints
from jaxconv.training.log import read_log
from jaxconv.training.run_folder import folder_lock

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CONFIG = """
seed = 3
[model]
name = "unet"
features = [4, 8]
[data]
name = "shapes"
canvas = [16, 24]
examples = 20
held_out_examples = 8
[augmentation]
flip = 0.5
scale = [0.8, 1.2]
crop = [16, 24]
brightness = 0.1
[schedule]
learning_rate = 3e-3
warmup = 0.17
[training]
steps = 12
batch_size = 8
evaluate_every = 3
ema = 0.9
clip_norm = 1.0
"""
# Dies by SIGKILL after the line of step 5 is written; then within the save of step 9.
KILLED_AT_A_STEP = """
from jaxconv.training import log
step = log.TrainingLog.write_step
def until(self, number, *rest):
    line = step(self, number, *rest)
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return line
log.TrainingLog.write_step = until
"""
KILLED_IN_A_SAVE = """
import threading
from jaxconv.training import checkpoints
save = checkpoints.Checkpoints.save
def until(self, state, number, *rest):
    if number == 9:
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGKILL)).start()
    save(self, state, number, *rest)
    if number == 9:
        threading.Event().wait()
checkpoints.Checkpoints.save = until
"""
ASKED_AT_A_STEP = KILLED_AT_A_STEP.replace("SIGKILL", "SIGTERM")


def start(config, out, *arguments, first="", devices=1):
    """Starts ``jaxconv train`` in a new process, after a few lines of Python."""
    code = f"import os, signal\n{first}\nfrom jaxconv.cli import main\nmain()"
    flags = f"--xla_force_host_platform_device_count={devices}"
    # The processes compile the same programs: each is compiled once.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(config.parent / "cache")}
    cache |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    return subprocess.Popen(
        [sys.executable, "-c", code, "train", str(config), "--out", str(out), *arguments],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"} | cache,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process, status=0):
    output, _ = process.communicate(timeout=120)
    assert process.returncode == status, output
    return output


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    """Trains without an interruption, on one device."""
    out = tmp_path_factory.mktemp("whole")
    finish(start(config, out))
    return out


def losses(out):
    return [line["loss"] for line in read_log(out / "log.jsonl") if line["kind"] == "step"]


def numbers(out):
    """Returns every array of the last checkpoint."""
    with ocp.StandardCheckpointer() as reader:
        state = reader.restore(
            out.absolute() / "checkpoints" / str(Checkpoints(out).find_step("last")) / "state"
        )
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def assert_the_same_run(out, whole):
    assert losses(out) == losses(whole)
    mine, its = numbers(out), numbers(whole)
    assert len(mine) == len(its) > 10
    for a, b in zip(mine, its, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    timing = {"seconds", "images_per_second", "data_wait"}
    a, b = (json.loads((folder / "metrics.json").read_text()) for folder in (out, whole))
    assert {key: a[key] for key in a.keys() - timing} == {key: b[key] for key in b.keys() - timing}


def test_the_files_of_a_run(whole):
    assert {path.name for path in whole.iterdir()} == {
        "checkpoints", "config.toml", "curves.png", "environment.json", "lock", "log.jsonl", "metrics.json",
        "overlays.png", "saved",
    }  # fmt: skip
    assert len(losses(whole)) == 12
    evaluations = [line["step"] for line in read_log(whole / "log.jsonl") if line["kind"] == "evaluation"]
    assert evaluations == [3, 6, 9, 12]


def test_resuming_after_two_kills_is_bit_exact(config, whole, tmp_path):
    # With --resume from the first start, like a job that may be restarted.
    finish(start(config, tmp_path, "--resume", first=KILLED_AT_A_STEP), -signal.SIGKILL)
    assert len(losses(tmp_path)) == 5
    finish(start(config, tmp_path, "--resume", first=KILLED_IN_A_SAVE), -signal.SIGKILL)
    assert len(losses(tmp_path)) == 9
    output = finish(start(config, tmp_path, "--resume"))
    assert "continuing after step" in output
    assert_the_same_run(tmp_path, whole)


def test_sigterm_saves_and_exits_cleanly(config, whole, tmp_path):
    output = finish(start(config, tmp_path, first=ASKED_AT_A_STEP))
    assert "saved at step 5" in output
    assert not (tmp_path / "metrics.json").exists()
    finish(start(tmp_path, tmp_path, "--resume"))
    assert_the_same_run(tmp_path, whole)


def test_eight_devices_give_the_same_losses(config, whole, tmp_path):
    finish(start(config, tmp_path, devices=8))
    np.testing.assert_allclose(losses(tmp_path)[:10], losses(whole)[:10], rtol=1e-5)


def start_two(config, out, *arguments):
    """Starts two processes that train together."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    together = ("--distributed", "--coordinator", address, "--processes", "2", "--process")
    return [start(config, out, *arguments, *together, str(number)) for number in range(2)]


def test_two_processes_give_the_same_losses(config, whole, tmp_path):
    for process in start_two(config, tmp_path):
        finish(process)
    np.testing.assert_allclose(losses(tmp_path)[:10], losses(whole)[:10], rtol=1e-5)


def test_if_the_first_process_fails_the_other_stops_too(config, tmp_path):
    with folder_lock(tmp_path, Console(quiet=True)):
        for process in start_two(config, tmp_path):
            assert f"jaxconv: {tmp_path} is in use: process {os.getpid()} on " in finish(process, 2)
