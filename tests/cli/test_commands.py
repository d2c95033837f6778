"""Every documented command runs as printed: trainings are traced, other commands use a stand-in network.

A training is traced at its configured size and nothing is compiled, which finds a network that does not fit
its data, a crop that is too large, and a wrong schedule. `test_configs` runs two steps, at small sizes.
"""

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import networks
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import jaxconv.claims
import jaxconv.training
from jaxconv.cli import COMMANDS, main
from jaxconv.data import CAMVID, Stream
from jaxconv.data.camvid_files import CAMVID_VOID
from jaxconv.training import Config, open_data
from jaxconv.training.checks import check_data, check_model, warn_of_void
from jaxconv.training.config import shipped_configs
from jaxconv.training.run_folder import environment, write_json
from jaxconv.training.state import build_loss, build_optimizer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NAMES = {f"jaxconv {name}" for name in COMMANDS} - {"jaxconv verify", "jaxconv info"}


def commands(text):
    """Returns the commands of a text, indented or in backticks, in order, without comments."""
    found = re.findall(r"^    (jaxconv [^\n#]+)|`(jaxconv [^`]+)`", text, re.M)
    written = [one.strip() for pair in found for one in pair if one]
    return [one for one in written if one not in NAMES]  # `jaxconv train` alone names a command


def of_a_head(text):
    """Returns the command in the head of a configuration, and that of a recorded result with changes."""
    head = text.split("\n[")[0]
    (command,) = re.findall(r"^#   run +(jaxconv .+)$", head, re.M)
    changes = re.findall(r"--set \S+", head.split("#   result")[1])
    return [command, *([f"{command} {' '.join(changes)}"] if changes else [])]


PAGES = ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = {
    **{str(page.relative_to(ROOT)): found for page in PAGES if (found := commands(page.read_text()))},
    **{f"configs/{name}": of_a_head(path.read_text()) for name, path in shipped_configs().items()},
}
PLACEHOLDERS = {
    "DIR": "camvid", "DIR_OF_CAMVID": "camvid", "CONFIG": "digits_unet", "RUN": "runs/one",
    "HOST:PORT": "localhost:1234", "module:function": "upsample:up", "SHARED_FOLDER": "runs/shared",
}  # fmt: skip


@pytest.fixture(scope="module")
def camvid(tmp_path_factory):
    """Makes one random image and label per split at the size of CamVid."""
    folder, rng = tmp_path_factory.mktemp("camvid"), np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for kind, shape, top in (("", (360, 480, 3), 256), ("annot", (360, 480), CAMVID_VOID)):
            (folder / (split + kind)).mkdir()
            pixels = rng.integers(top, size=shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / (split + kind) / "0001.png", compress_level=1)
    return folder


def to_the_first_step(config, out, *, data, resume, console, **_):
    """Replaces `jaxconv.training.train`: does everything except compiling."""
    train_set, val_set = (open_data(config, split, data) for split in ("train", "val"))
    check_data(config, train_set, val_set, files=False)
    seen = config.model, config.data, config.augmentation.crop, replace(config.training, steps=1)
    if seen not in TRACED:
        check_model(config, train_set)
        TRACED.add(seen)
    _, schedule = build_optimizer(config)
    assert 0 < float(schedule(0)) <= config.schedule.options["learning_rate"]
    build_loss(config, train_set)
    stream = Stream(
        train_set, 2, augmentation=config.augmentation, seed=config.seed, shrink=config.training.shrink
    )
    output = Console(record=True, quiet=False, file=Path("/dev/null").open("w"))
    with output.file:
        warn_of_void(stream.batch(0), output)
        assert output.export_text() == ""
    assert not resume or (Path(out) / "config.toml").exists()
    Path(out).mkdir(parents=True, exist_ok=True)
    (Path(out) / "config.toml").write_text(config.toml())
    write_json(Path(out) / "environment.json", environment(data, 1))


UPSAMPLE = """
from jaxconv import conv, conv_transpose

kernel = [[[1.0]], [[2.0]], [[4.0]]]


def down(x):
    return conv(x, kernel, strides=2, padding=1)


def up(y):
    return conv_transpose(y, kernel, strides=2, padding=1)
"""
TRACED = set()
"""Configurations that were traced already: several commands share one."""


@dataclass(frozen=True)
class Run(networks.Network):
    """A stand-in for the network of a run on CamVid."""

    config: Any = None
    size: tuple[int, int] = (320, 448)


def stand_in(run, checkpoint):
    config = Config.read(Path(run) / "config.toml")
    assert config.data.name == "camvid"
    network = networks.convolutional(np.random.default_rng(0), shrink=2)
    kernels = {**network.parameters}
    rng = np.random.default_rng(1)
    kernels["up"] = rng.normal(size=(3, 3, len(CAMVID), 3)).astype(np.float32)
    kernels["near"] = rng.normal(size=(3, 3, 3, len(CAMVID))).astype(np.float32)
    return Run(network.function, kernels, CAMVID, shrink=2, config=config)


@pytest.fixture
def place(tmp_path, camvid, monkeypatch):
    """Makes a folder with the files of the documents, and replaces what trains."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "camvid").symlink_to(camvid)
    (tmp_path / "folder").mkdir()
    for name in ("photo.jpg", "folder/other.png"):
        Image.new("RGB", (22, 14), (90, 120, 30)).save(name)
    np.save("w.npy", np.ones((3, 3, 1, 1)))
    (tmp_path / "upsample.py").write_text(UPSAMPLE)
    monkeypatch.setattr(jaxconv.training, "train", to_the_first_step)
    monkeypatch.setattr(jaxconv.training, "load", stand_in)
    monkeypatch.setattr("jaxconv.training.devices.prepare_cpu", lambda batch_size, devices: None)
    monkeypatch.setattr(jax.distributed, "initialize", lambda *where: None)
    monkeypatch.setattr("webbrowser.open", lambda address: None)
    verify = jaxconv.claims.verify
    monkeypatch.setattr(
        jaxconv.claims, "verify", lambda names, **rest: verify("counts", **{**rest, "trials": 1})
    )
    prove = jaxconv.claims.prove
    monkeypatch.setattr(
        jaxconv.claims, "prove", lambda names, **rest: prove("windows", **{**rest, "largest": 2})
    )
    return tmp_path


def test_the_documents_have_commands():
    assert sum(map(len, DOCUMENTS.values())) >= 33
    assert len(DOCUMENTS["docs/training.md"]) >= 8
    assert len(DOCUMENTS["configs/camvid_unet"]) == 2
    words = " ".join(" ".join(found) for found in DOCUMENTS.values()).split()
    assert set(COMMANDS) - set(words) == {"demo"}  # which `make demo` calls


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documented_commands_run(document, place, capsys):
    for command in DOCUMENTS[document]:
        words = [PLACEHOLDERS.get(word, word) for word in shlex.split(command)[1:]]
        try:
            main(words)
        except SystemExit:
            pytest.fail(f"{command}\n{capsys.readouterr().err}")
