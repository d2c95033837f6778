"""The choice between one device and all of them."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest
import trainings

from jaxconv.convolution import native
from jaxconv.data import Stream
from jaxconv.training import Config, device_choice, open_data, train
from jaxconv.training.device_choice import choose_devices
from jaxconv.training.run_folder import recorded_devices, recorded_environment

CONFIG = Config.of(
    {
        "model": {"name": "reseg", "blocks": [[4, 2]], "layers": 0, "filters": 4},
        "data": {"name": "shapes", "canvas": [12, 16], "examples": 16, "held_out_examples": 8},
        "training": {"batch_size": 8, "steps": 3, "evaluate_every": 3},
    }
)


@pytest.fixture
def onednn(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: True)


@pytest.fixture
def step():
    train_set = open_data(CONFIG, "train")
    step, state = trainings.build_step(CONFIG, train_set, trainings.EVERY_DEVICE)
    return step, state, Stream(train_set, 8).batch(0)


@pytest.mark.parametrize(
    ("one", "every", "steps", "expected"),
    [
        (2.0, 1.0, 100, 8),
        (1.0, 2.0, 100, 1),
        (1.0, 0.9, 100, 1),
        (1.0, 0.8, 100, 8),
        (2.0, 1.0, 29, 1),
    ],
    ids=["all are faster", "one is faster", "within the margin", "beyond the margin", "a short training"],
)
def test_the_choice(one, every, steps, expected, onednn, step, monkeypatch):
    times, tried = {1: one, 8: every}, []

    def timed(step, state, batch):
        tried.append(step.mesh.size)
        return SimpleNamespace(step=step, seconds=times[step.mesh.size], advance=lambda: None)

    monkeypatch.setattr(device_choice, "_Timed", timed)
    chosen, seconds = choose_devices(*step, steps)
    assert chosen.mesh.size == expected
    assert seconds == (times if one * steps > 60 else {})
    assert tried == ([1, 8] if one * steps > 60 else [1])


@pytest.mark.parametrize("case", ["no oneDNN", "a GPU", "several processes"])
def test_nothing_is_measured(case, onednn, step, monkeypatch):
    monkeypatch.setattr(device_choice, "_Timed", None)
    if case == "no oneDNN":
        monkeypatch.setattr(native, "available", lambda: False)
    elif case == "a GPU":
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    else:
        monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert choose_devices(*step, 10**6) == (step[0], {})


def test_a_run_records_its_devices(onednn, monkeypatch, tmp_path, capsys):
    """The measured steps leave the state as it was, and the run continues on what was chosen."""
    monkeypatch.setattr(device_choice, "SHORT", 0.0)
    monkeypatch.setattr(device_choice, "GAIN", np.inf)  # one device, whatever the times
    chosen, plain = tmp_path / "chosen", tmp_path / "plain"
    metrics = train(CONFIG, chosen, devices="fastest")
    assert "on 8 devices: trains on 1" in capsys.readouterr().out
    record = recorded_environment(chosen)
    assert record["devices"] == ["cpu"]
    assert recorded_devices(chosen) == 1
    state = native.state()
    assert record["onednn"] == (state.version if state.available else None)
    assert sorted(record["step_seconds"]) == ["1", "8"]
    assert all(seconds > 0 for seconds in record["step_seconds"].values())
    again = train(CONFIG, chosen, devices="fastest", resume=True)  # on one device, without measuring
    assert recorded_environment(chosen) == record
    expected = train(CONFIG, plain, devices=1)
    assert recorded_environment(plain)["step_seconds"] is None
    for key in ("mean_iou", "step", "loss"):
        assert metrics.get(key) == again.get(key) == expected.get(key)
    lines = [(folder / "log.jsonl").read_text().splitlines()[0] for folder in (chosen, plain)]
    losses = [line.split('"loss"')[1].split(",")[0] for line in lines]
    assert losses[0] == losses[1]


def test_a_run_that_is_killed_while_it_measures_can_be_resumed(onednn, monkeypatch, tmp_path):
    """Its configuration is in its folder before the long compilation."""

    def killed(*arguments):
        assert Config.read(tmp_path / "run" / "config.toml") == CONFIG
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxconv.training.loop.choose_devices", killed)
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path / "run", devices="fastest")
    assert recorded_devices(tmp_path / "run") is None  # it measures again


@pytest.mark.parametrize("text", [None, "", "[1]", "{}", '{"devices": ["NVIDIA H100 80GB HBM3"]}'])
def test_devices_that_are_not_recorded(text, tmp_path):
    if text is not None:
        (tmp_path / "environment.json").write_text(text)
    assert recorded_devices(tmp_path) is None
