"""The commands that use a trained network, on a small run."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from jaxconv.cli import main
from jaxconv.training import Config, train

CONFIG = """
[model]
name = "unet"
features = [4]
depth = 1
[data]
name = "shapes"
examples = 8
held_out_examples = 3
canvas = [20, 26]
radii = [3.0, 6.0]
[augmentation]
scale = [0.5, 0.5]
crop = [20, 26]
[training]
steps = 1
batch_size = 8
evaluate_every = 1
shrink = 2
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "config.toml").write_text(CONFIG)
    with (folder / "output.txt").open("w") as output:
        train(Config.read(folder / "config.toml"), folder / "run", console=Console(file=output, width=300))
    return folder / "run"


def call(capsys, *arguments):
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def refusal(capsys, status, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == status
    found = capsys.readouterr()
    return found.err + found.out


def test_a_training_warns_of_void(run):
    """Its crops hold examples at half their size."""
    (line,) = [one for one in (run.parent / "output.txt").read_text().splitlines() if "void" in one]
    assert re.match(r"7\d% of the first batch's pixels are void", line)


def test_evaluate(capsys, run, tmp_path):
    file = tmp_path / "deep" / "scores.json"
    text = call(capsys, "evaluate", run, "--split", "test", "--json", file, "--batch-size", "2")
    found = json.loads(file.read_text())
    assert f"mean IoU                {found['mean_iou']:.4f}" in text
    for name, value in found["per_class_iou"].items():
        line = next(line for line in text.splitlines() if name in line)
        assert "undefined" in line if value is None else f"{value:.4f}" in line
    assert "3 examples of test, step 1, labels of 20 x 26" in text
    assert (found["split"], found["step"], found["resolution"]) == ("test", 1, [20, 26])
    assert "void counted" in call(capsys, "evaluate", run, "--void-as-false-positive")
    # The scores that the training itself logged, of the same checkpoint and split.
    call(capsys, "evaluate", run, "--json", file)
    logged = json.loads((run / "metrics.json").read_text())
    assert json.loads(file.read_text())["per_class_iou"] == logged["per_class_iou"]


def test_predict(capsys, run, tmp_path, rng):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    pixels = rng.integers(0, 256, (23, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    assert "1 of 1 images labelled" in call(capsys, "predict", run, folder, "--out", out)
    assert np.asarray(Image.open(out / "labels" / "a.png")).shape == (23, 30)
    (folder / "b.png").write_text("no image")
    text = refusal(capsys, 1, "predict", run, folder, "--out", out)
    assert f"skipped: {folder / 'b.png'}" in text
    assert "1 of 2 images labelled" in text
    # Every option that the message names is there.
    text = refusal(capsys, 2, "predict", run, folder, "--out", out, "--max-pixels", 100)
    assert "`max_pixels` (--max-pixels) must be at least 82944" in text
    assert "`halo` (--halo) of 128" in text
    assert text.count("--max-pixels") == 1  # not once per image
    smaller = ("--max-pixels", 1024, "--halo", 0)
    call(capsys, "predict", run, folder / "a.png", "--out", out, *smaller)
    assert "no images were given" in refusal(capsys, 2, "predict", run, "--out", out)
    assert "none.png" in refusal(capsys, 2, "predict", run, tmp_path / "none.png", "--out", out)


def test_class_weights(capsys, run):
    text = call(capsys, "class-weights", run / "config.toml")
    line = next(line for line in text.splitlines() if line.startswith("class_weights = ["))
    assert len(line.split(",")) == 4
    assert "triangle" in text
    assert call(capsys, "class-weights", "--dataset", "shapes").count("│") == 16
    assert "did you mean `shapes`" in refusal(capsys, 2, "class-weights", "--dataset", "shaps")


def test_export(capsys, run, tmp_path):
    text = call(capsys, "export", run, "--out", tmp_path / "net.bin", "--platforms", "cpu")
    assert str(tmp_path / "net.bin.json") in text
    description = json.loads((tmp_path / "net.bin.json").read_text())
    assert description["input"]["shape"] == ["b", 20, 26, 3]
    assert description["platforms"] == ["cpu"]
    call(capsys, "export", run, "--out", tmp_path / "net.bin", "--size", "8", "12", "--platforms", "cpu")
    assert json.loads((tmp_path / "net.bin.json").read_text())["output"]["shape"] == ["b", 8, 12]


@pytest.mark.parametrize("command", ["evaluate", "export", "predict"])
def test_folders_that_hold_no_run(capsys, command, tmp_path):
    rest = {
        "evaluate": [],
        "export": ["--out", tmp_path / "x"],
        "predict": [tmp_path, "--out", tmp_path / "x"],
    }
    text = refusal(capsys, 2, command, tmp_path, *rest[command])
    assert "is not the folder of a run" in text
