"""The step from which a training starts, and the settings with which it refuses to continue."""

import pytest
from rich.console import Console

from jaxconv.training import Config, ConfigError
from jaxconv.training.checks import warn_of_other_rounding
from jaxconv.training.loop import _count, _starting_step

pytestmark = pytest.mark.slow

METADATA = {
    "config": Config.of({"model": {"name": "unet"}, "data": {"name": "shapes"}}).tables(),
    "classes": {"names": ["a", "b"], "colors": [[0, 0, 0], [1, 1, 1]]},
    "examples": 12,
    "one_batch": False,
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


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ({"devices": 1, "onednn": "3.2.0"}, ""),
        (
            {"devices": 2, "onednn": "3.2.0"},
            "started on 2 devices, continues on 1 device: equal up to rounding",
        ),
        ({"devices": 1, "onednn": None}, "started without oneDNN, continues with oneDNN 3.2.0: equal up to"),
        ({"devices": 1}, "started without oneDNN, continues with oneDNN 3.2.0: equal up to rounding"),
    ],
    ids=["the same", "devices", "oneDNN", "before oneDNN was recorded"],
)
def test_other_rounding_prints_a_warning(saved, words):
    console = Console(record=True, file=open("/dev/null", "w"), width=200)
    with console.file:
        warn_of_other_rounding({"devices": 1, "onednn": "3.2.0"}, saved, console)
        text = console.export_text()
    assert text.startswith(words)
    assert text.count("\n") == bool(words)


@pytest.mark.parametrize(
    ("given", "saved", "expected"),
    [
        (None, {"devices": 2}, None),
        (4, {"devices": 2}, 4),
        ("fastest", None, None),
        ("fastest", {"devices": 2}, 2),
    ],
)
def test_a_run_continues_on_as_many_devices(given, saved, expected):
    assert _count(given, saved) == expected


def test_as_many_devices_as_there_are():
    assert _count("fastest", {"devices": 1000}) is None
