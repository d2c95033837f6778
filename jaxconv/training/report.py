"""How a training goes and what it came to: a line on the screen, final numbers, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxconv.data import Dataset
from jaxconv.training.checkpoints import Checkpoints
from jaxconv.training.inference import predict
from jaxconv.training.log import TrainingLog, read_log
from jaxconv.training.network import Network, load_network
from jaxconv.training.run_folder import write_errors, write_json


class TrainingProgress:
    """Steps done, time left, loss, images per second and the share of time spent waiting for data.

    Args:
      console: Where it is drawn.
      steps: In all.
      done: Before this process.
    """

    def __init__(self, console: Console, steps: int, done: int = 0):
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[loss]}"),
            console=console,
        )
        self._task = self._bar.add_task("training", total=steps, completed=done, loss="")
        self._loss: float | None = None
        self._steps = steps

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def update(self, line: dict) -> None:
        """Shows a step of the log."""
        # A running mean: single batches jump.
        self._loss = line["loss"] if self._loss is None else 0.95 * self._loss + 0.05 * line["loss"]
        told = (
            f"loss {self._loss:.4f} | {line['images_per_second']:.0f} images/s | "
            f"data wait {100 * line['data_wait']:.1f}%"
        )
        self._bar.update(self._task, completed=line["step"], loss=told)
        if not self._bar.console.is_terminal and line["step"] % max(self._steps // 20, 1) == 0:
            self.say(f"step {line['step']} of {self._steps} | {told}")  # a file shows no bar that moves

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._bar.console.print(text, highlight=False, markup=False)


def draw_run(
    out: Path, lines: Sequence[Mapping[str, Any]], network: Network, dataset: Dataset, *, count: int = 4
) -> list[Path]:
    """Draws ``curves.png``, and for segmentation ``overlays.png``.

    Args:
      out: Folder of the run.
      lines: Of its log, as `jaxconv.figures.curves.draw_curves` takes them.
      network: A trained network, such as `load` returns.
      dataset: Examples from all over it are drawn.
      count: How many of them.

    Returns:
      What was written.
    """
    from jaxconv.figures.curves import draw_curves
    from jaxconv.figures.segmentation import draw_predictions

    if network.task == "classification":
        return [draw_curves(out / "curves.png", lines, title=out.name, score="top1")]
    places = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int)
    examples = [dataset[int(place)] for place in places]
    found = [line for line in lines if line["step"] == network.step and line.get("per_class_iou")]
    score = found[-1]["mean_iou"] if found else None
    title = f"{out.name}, step {network.step}"
    overlays = draw_predictions(
        out / "overlays.png",
        [example.image for example in examples],
        [example.label for example in examples],
        [predict(network, example.image) for example in examples],
        network.classes.names,
        network.classes.colors,
        class_iou=found[-1]["per_class_iou"] if found else None,
        title=title if score is None else f"{title}: mean IoU {score:.3f} over the split",
    )
    return [draw_curves(out / "curves.png", lines, title=out.name), overlays]


def write_results(
    out: Path, log: TrainingLog, checkpoints: Checkpoints, val_set: Dataset, parameters: int, console: Console
) -> dict[str, Any]:
    """Writes ``metrics.json``, ``curves.png`` and ``overlays.png``.

    Args:
      out: The run's folder.
      log: Of the run.
      checkpoints: Of the run.
      val_set: The validation split; its first examples are drawn.
      parameters: Of the network.
      console: Where the result is told.

    Returns:
      What stands in ``metrics.json``: the scores of the best checkpoint on the validation split, and
      how the training went.
    """
    lines = read_log(out / "log.jsonl")
    steps = [line for line in lines if line["kind"] == "step"]
    network = load_network(checkpoints, "best")  # by all processes: they read a checkpoint together
    (line,) = (line for line in log.evaluations if line["step"] == network.step)
    best = {key: value for key, value in line.items() if key not in ("kind", "seconds")}
    took = [1 / line["images_per_second"] for line in steps]
    metrics = {
        **best,
        "split": "val",
        "parameters": parameters,
        "steps": steps[-1]["step"],
        "seconds": lines[-1]["seconds"],
        "images_per_second": median(line["images_per_second"] for line in steps),
        "data_wait": sum(t * line["data_wait"] for t, line in zip(took, steps, strict=True)) / sum(took),
    }
    if jax.process_index() == 0:
        write_json(out / "metrics.json", metrics)
        with write_errors(out):
            draw_run(out, lines, network, val_set)
    console.print(
        f"best at step {best['step']}: {format_score(log.score, best[log.score])} on the validation split; "
        f"{metrics['seconds']:.0f} s, {100 * metrics['data_wait']:.1f}% of the steps' time waiting for data; "
        f"written to {out}",
        highlight=False,
    )
    return metrics


def format_score(name: str, score: float | None) -> str:
    """Formats a score for the screen.

    >>> format_score("mean_iou", 0.5), format_score("mean_iou", None)
    ('mean_iou 0.5000', 'mean_iou undefined')
    """
    return f"{name} undefined" if score is None else f"{name} {score:.4f}"
