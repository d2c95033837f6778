"""The step from which a training starts, and the settings with which it refuses to continue."""

import pytest
from rich.console import Console

from jaxconv.training import Config, ConfigError
from jaxconv.training.loop import _starting_step

pytestmark = pytest.mark.slow

METADATA = {
    "config": Config.of({"model": {"name": "unet"}, "data": {"name": "shapes"}}).tables(),
    "classes": {"names": ["a", "b"], "colors": [[0, 0, 0], [1, 1, 1]]},
    "examples": 12,
    "one_batch": False,
    "devices": 1,
}


class Saved:
    """Checkpoints of a run that was saved at step 3."""

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


def find_start(tmp_path, saved):
    console = Console(record=True, file=open("/dev/null", "w"))
    with console.file:
        return _starting_step(tmp_path, saved, METADATA, "last", console), console.export_text()


def test_equal_settings_continue(tmp_path):
    assert find_start(tmp_path, Saved()) == (3, "")


@pytest.mark.parametrize(
    ("key", "value"),
    [("examples", 13), ("one_batch", True), ("classes", {**METADATA["classes"], "names": ["b", "a"]})],
)
def test_other_data_are_refused(tmp_path, key, value):
    with pytest.raises(ConfigError, match=f"started with other settings: `{key}` is"):
        find_start(tmp_path, Saved(**{key: value}))


def test_other_devices_print_a_warning(tmp_path):
    step, text = find_start(tmp_path, Saved(devices=2))
    assert step == 3
    assert "started on 2 devices, continues on 1" in text
