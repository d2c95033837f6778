"""What a finished training leaves to be looked at: its final numbers and its pictures."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import jax
from rich.console import Console

from jaxconv.data import Dataset
from jaxconv.training.checkpoints import Checkpoints
from jaxconv.training.history import History
from jaxconv.training.pictures import draw_run
from jaxconv.training.record import read_log, write_json, writing
from jaxconv.training.runs import trained


def write_results(
    out: Path, history: History, checkpoints: Checkpoints, judged: Dataset, parameters: int, console: Console
) -> dict[str, Any]:
    """Writes ``metrics.json``, ``curves.png`` and ``overlays.png``.

    Args:
      out: The run's folder.
      history: Of the run.
      checkpoints: Of the run.
      judged: The validation split; its first examples are drawn.
      parameters: Of the network.
      console: Where the result is told.

    Returns:
      What stands in ``metrics.json``: the scores of the best checkpoint on the validation split, and
      how the training went.
    """
    lines = read_log(out / "log.jsonl")
    steps = [line for line in lines if line["kind"] == "step"]
    network = trained(checkpoints, "best")  # by all processes: they read a checkpoint together
    (line,) = (line for line in history.evaluations if line["step"] == network.step)
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
        with writing(out):
            draw_run(out, lines, network, judged)
    console.print(
        f"best at step {best['step']}: {said(history.score, best[history.score])} on the validation split; "
        f"{metrics['seconds']:.0f} s, {100 * metrics['data_wait']:.1f}% of the steps' time waiting for data; "
        f"written to {out}",
        highlight=False,
    )
    return metrics


def said(name: str, score: float | None) -> str:
    """A score for the screen.

    >>> said("mean_iou", 0.5), said("mean_iou", None)
    ('mean_iou 0.5000', 'mean_iou undefined')
    """
    return f"{name} undefined" if score is None else f"{name} {score:.4f}"
