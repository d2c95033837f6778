"""Shows the progress of a training, and writes its results: final scores and pictures."""

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
    """Progress bar: steps, time left, loss, images per second, and share of the time spent waiting for data.

    Args:
      console: Console on which it is drawn.
      steps: Total number of steps.
      done: Steps taken before this process started.
    """

    def __init__(self, console: Console, steps: int, done: int = 0) -> None:
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

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, line: Mapping[str, Any]) -> None:
        """Shows a step, given its line of the log."""
        # A running mean, because the losses of single batches vary.
        self._loss = line["loss"] if self._loss is None else 0.95 * self._loss + 0.05 * line["loss"]
        text = (
            f"loss {self._loss:.4f} | {line['images_per_second']:.0f} images/s | "
            f"data wait {100 * line['data_wait']:.1f}%"
        )
        self._bar.update(self._task, completed=line["step"], loss=text)
        if not self._bar.console.is_terminal and line["step"] % max(self._steps // 20, 1) == 0:
            # In place of the bar, which does not move in a file.
            self.print_line(f"step {line['step']} of {self._steps} | {text}")

    def print_line(self, text: str) -> None:
        """Prints a line above the bar."""
        self._bar.console.print(text, highlight=False, markup=False)


def draw_run(
    out: Path, lines: Sequence[Mapping[str, Any]], network: Network, dataset: Dataset, *, count: int = 4
) -> list[Path]:
    """Draws ``curves.png``, and for segmentation ``overlays.png``.

    Args:
      out: Folder of the run.
      lines: Lines of its log, as `jaxconv.figures.curves.draw_curves` takes them.
      network: A trained network, such as `load` returns.
      dataset: Data set of which examples at regular distances are drawn.
      count: Number of examples to draw.

    Returns:
      Paths of the pictures.
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
      out: Folder of the run.
      log: Log of the run.
      checkpoints: Checkpoints of the run.
      val_set: The validation split; some of its examples are drawn.
      parameters: Number of parameters of the network.
      console: Console for the summary line.

    Returns:
      What is written to ``metrics.json``: the scores of the best checkpoint on the validation split, the
      number of steps, and the speed of the training.
    """
    lines = read_log(out / "log.jsonl")
    steps = [line for line in lines if line["kind"] == "step"]
    network = load_network(checkpoints, "best")  # in all processes, which read a checkpoint together
    (line,) = (line for line in log.evaluations if line["step"] == network.step)
    best = {key: value for key, value in line.items() if key not in ("kind", "seconds")}
    durations = [1 / line["images_per_second"] for line in steps]
    metrics = {
        **best,
        "split": "val",
        "parameters": parameters,
        "steps": steps[-1]["step"],
        "seconds": lines[-1]["seconds"],
        "images_per_second": median(line["images_per_second"] for line in steps),
        "data_wait": sum(t * line["data_wait"] for t, line in zip(durations, steps, strict=True))
        / sum(durations),
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
