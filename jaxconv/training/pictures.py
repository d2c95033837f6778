"""What a run looks like: the curves of its log, and its network's labels beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxconv.data import Dataset
from jaxconv.training.tiling import predict


def draw_run(
    out: Path, lines: Sequence[Mapping[str, Any]], trained, dataset: Dataset, *, count: int = 4
) -> list[Path]:
    """Draws ``curves.png``, and for segmentation ``overlays.png``.

    Args:
      out: Folder of the run.
      lines: Of its log, as `jaxconv.figures.curves.draw_curves` takes them.
      trained: A `jaxconv.training.Trained`.
      dataset: Examples from all over it are drawn.
      count: How many of them.

    Returns:
      What was written.
    """
    from jaxconv.figures.curves import draw_curves
    from jaxconv.figures.segmentation import draw_predictions

    if trained.task == "classification":
        return [draw_curves(out / "curves.png", lines, title=out.name, score="top1")]
    places = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int)
    examples = [dataset[int(place)] for place in places]
    found = [line for line in lines if line["step"] == trained.step and line.get("per_class_iou")]
    score = found[-1]["mean_iou"] if found else None
    title = f"{out.name}, step {trained.step}"
    overlays = draw_predictions(
        out / "overlays.png",
        [example.image for example in examples],
        [example.label for example in examples],
        [predict(trained, example.image) for example in examples],
        trained.classes.names,
        trained.classes.colors,
        class_iou=found[-1]["per_class_iou"] if found else None,
        title=title if score is None else f"{title}: mean IoU {score:.3f} over the split",
    )
    return [draw_curves(out / "curves.png", lines, title=out.name), overlays]
