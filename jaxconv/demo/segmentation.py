"""Trains a small FCN-8s to label every pixel of mosaics of handwritten digits, and tests it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxconv.data import SPLITS, Dataset, digits
from jaxconv.errors import FailureError
from jaxconv.training import Config, Trained, evaluate, load, open_data, predict, train
from jaxconv.training.config import shipped_config

CONFIG = "digits_fcn8s"
SHOWN = 4


def train_and_test(
    out: Path, console: Console, *, seed: int = 0, steps: int | None = None, changes: Sequence[str] = ()
) -> dict[str, Any]:
    """Trains with a configuration that comes with the library, and computes the scores on the test split.

    Args:
      out: Folder for ``training/`` (the run), ``predictions.png`` and ``curves.png``.
      console: Console for the progress.
      seed: Seed of parameters and batches.
      steps: Steps of the training; by default those of the configuration.
      changes: Other changes of the configuration, such as ``"training.batch_size=8"``.

    Returns:
      Scores, sizes and times, for ``metrics.json``.

    Raises:
      FailureError: The training was interrupted.
      DivergenceError: The loss is not finite; the message names the step.
    """
    config = demo_config(seed, steps, changes)
    run = out / "training"
    shutil.rmtree(run, ignore_errors=True)  # of an earlier demo
    metrics = train(config, run, console=console)
    if metrics is None:
        raise FailureError("the training was interrupted, so the demo ends without results; run it again.")
    shutil.copy(run / "curves.png", out / "curves.png")
    network, test = load(run), open_data(config, "test")
    scores = evaluate(network, test, batch_size=64)
    draw_mosaics(out / "predictions.png", network, test, scores)
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
    """Reads the configuration of the demo.

    Args:
      seed: Seed of parameters and batches.
      steps: Steps of the training, a twentieth of them for the warm-up; by default the configuration's.
      changes: Other changes of the configuration, such as ``"training.batch_size=8"``.
    """
    shorter = [] if steps is None else [f"training.steps={steps}", "schedule.warmup=0.05"]
    return Config.read(shipped_config(CONFIG), [f"seed={seed}", *shorter, *changes])


def draw_mosaics(path: Path, network: Trained, test: Dataset, scores: Mapping[str, Any]) -> None:
    """Draws the first mosaics of the test split, their labels and the labels that the network predicts."""
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
        title="Mosaics of the test split, whose digits were not used in training",
    )
