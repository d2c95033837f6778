"""A small FCN-8s learns to label every pixel of mosaics of handwritten digits, and is put to the test."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from jaxconv.data import SPLITS, digits
from jaxconv.errors import FailureError
from jaxconv.training import Config, Trained, evaluate, load, open_data, predict, train
from jaxconv.training.config import shipped_config

CONFIG = "digits_fcn8s"
SHOWN = 4


def train_and_test(
    out: Path, console: Console, *, seed: int = 0, steps: int | None = None, changes: Sequence[str] = ()
) -> dict:
    """Trains by the configuration that comes with the library, and scores on the test split.

    Args:
      out: Folder; the run goes into ``training/`` there, ``predictions.png`` and ``curves.png`` beside it.
      console: Where progress is shown.
      seed: Of parameters and batches.
      steps: Instead of the configuration's own.
      changes: Others, as `Config.read` takes them.

    Returns:
      What happened, in numbers.

    Raises:
      DivergenceError: The loss is no longer finite; the message names the step.
    """
    config = demo_config(seed, steps, changes)
    run = out / "training"
    shutil.rmtree(run, ignore_errors=True)  # of the demo before
    metrics = train(config, run, console=console)
    if metrics is None:
        raise FailureError("the training was asked to stop before its end, and the demo with it.")
    shutil.copy(run / "curves.png", out / "curves.png")
    network, test = load(run), open_data(config, "test")
    scores = evaluate(network, test, batch_size=64)
    draw(out / "predictions.png", network, test, scores)
    return {
        "mean_iou": scores["mean_iou"],
        "global_accuracy": scores["global_accuracy"],
        "per_class_iou": scores["per_class_iou"],
        "mosaics": scores["examples"],
        "canvas": scores["resolution"],
        "samples": {split: len(digits(split).samples) for split in SPLITS},
        "model": config.model.name,
        "parameters": network.count,
        "steps": metrics["steps"],
        "batch": config.training.batch_size,
        "seconds": metrics["seconds"],
        "data_wait": metrics["data_wait"],
    }


def demo_config(seed: int, steps: int | None, changes: Sequence[str] = ()) -> Config:
    """The demo's configuration. A given number of steps has a warm-up of a twentieth of it."""
    shorter = [] if steps is None else [f"training.steps={steps}", "schedule.warmup=0.05"]
    return Config.read(shipped_config(CONFIG), [f"seed={seed}", *shorter, *changes])


def draw(path: Path, network: Trained, test, scores: dict) -> None:
    """The first mosaics of the test split, with what the network says of them."""
    from jaxconv.figures.segmentation import draw_predictions

    examples = [test[index] for index in range(SHOWN)]
    draw_predictions(
        path,
        [example.image for example in examples],
        [example.label for example in examples],
        [predict(network, example.image) for example in examples],
        network.classes.names,
        network.classes.colors,
        class_iou=scores["per_class_iou"],
        title="Mosaics of the test split: no digit in them was trained on",
    )
