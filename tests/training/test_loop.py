"""What a training refuses to go on with, and what it holds still: without training."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from jaxconv.training import Config, ConfigError
from jaxconv.training.log import TrainingLog
from jaxconv.training.loop import _starting_step
from jaxconv.training.state import restore_frozen

pytestmark = pytest.mark.slow

METADATA = {
    "config": Config.of({"model": {"name": "unet"}, "data": {"name": "shapes"}}).tables(),
    "classes": {"names": ["a", "b"], "colors": [[0, 0, 0], [1, 1, 1]]},
    "examples": 12,
    "one_batch": False,
    "devices": 1,
}


class Saved:
    """Checkpoints of which one was written at step 3."""

    def __init__(self, **other):
        self.saved = METADATA | other

    def recover(self):
        pass

    def check_not_lost(self):
        pass

    def check_earlier(self, step):
        assert step == 3

    def find_step(self, which):
        return 3

    def read_metadata(self, step):
        return self.saved


def begun(tmp_path, saved):
    console = Console(record=True, file=open("/dev/null", "w"))
    with console.file:
        return _starting_step(tmp_path, saved, METADATA, "last", console), console.export_text()


def test_the_same_goes_on(tmp_path):
    assert begun(tmp_path, Saved()) == (3, "")


@pytest.mark.parametrize(
    ("key", "value"),
    [("examples", 13), ("one_batch", True), ("classes", {**METADATA["classes"], "names": ["b", "a"]})],
)
def test_other_data_do_not(tmp_path, key, value):
    with pytest.raises(ConfigError, match=f"started with other settings: `{key}` is"):
        begun(tmp_path, Saved(**{key: value}))


def test_other_devices_are_said(tmp_path):
    step, said = begun(tmp_path, Saved(devices=2))
    assert step == 3
    assert "started on 2 devices, continues on 1" in said


@pytest.mark.parametrize("name", ["loss", "gradient_norm", "parameter_norm"])
def test_what_is_not_finite_stops_and_names_the_step(tmp_path, name):
    log = TrainingLog(tmp_path / "log.jsonl", [], 4, "mean_iou")
    record = {"loss": 1.0, "gradient_norm": 2.0, "parameter_norm": 3.0}
    log.write_step(1, {key: jnp.float32(value) for key, value in record.items()}, 0.0)
    with pytest.raises(FloatingPointError, match=rf"the {name.replace('_', ' ')} became nan at step 2"):
        log.write_step(2, {key: jnp.float32(np.nan if key == name else 1) for key in record}, 0.0)
    log.close()
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1]


def test_frozen_statistics_stay():
    old = {"front_end": {"mean": 0}, "front": {"mean": 1}, "head": {"mean": 2}}
    new = {"front_end": {"mean": 10}, "front": {"mean": 11}, "head": {"mean": 12}}
    expected = {"front_end": {"mean": 0}, "front": {"mean": 11}, "head": {"mean": 12}}
    assert restore_frozen(new, old, ("front_end",)) == expected
