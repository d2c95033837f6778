"""Curves of a training log: the loss, the learning rate, the score, and the wait for data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from jaxconv.figures import canvas

BLUE, FAINT, RED, GREEN = "#1f4e8c", "#9db7d5", "#b5432a", "#3d7a52"


def draw_curves(
    path: str | Path, records: Sequence[Mapping[str, Any]], *, title: str = "", score: str = "mean_iou"
) -> Path:
    """Draws loss, score, learning rate and wait for data over the steps.

    A curve for which the log has no numbers is replaced by the words "nothing logged".

    Args:
      path: File to write; its suffix is the format.
      records: Lines of the log, each with ``"step"`` and any of ``"loss"``, ``"learning_rate"``,
        ``"data_wait"`` (the share of the time that was spent waiting for data, 0 to 1) and `score`.
      title: Title of the figure.
      score: Key of the validation score, such as ``"mean_iou"`` or ``"top1"``.

    Returns:
      `path`.
    """
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(9.0, 5.6)
        (loss, validation), (rate, wait) = figure.subplots(2, 2, sharex=True)
        _loss(loss, *_series(records, "loss"))
        _score(validation, *_series(records, score), score)
        _line(rate, *_series(records, "learning_rate"), GREEN)
        rate.set(title="learning rate", ylabel="learning rate", xlabel="step")
        rate.set_ylim(0, 1.02 * rate.get_ylim()[1])
        _line(wait, *_series(records, "data_wait"), BLUE, linewidth=0.9)
        wait.set(title="waiting for data", ylabel="share of the time", xlabel="step")
        wait.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        wait.set_ylim(0, max(0.1, *wait.get_ylim()))
        for ax in (loss, validation, rate, wait):
            ax.tick_params(labelbottom=True)
            ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=True))
            ax.grid(color="#e3e3df", linewidth=0.6)
            ax.set_axisbelow(True)
            ax.spines[["top", "right"]].set_visible(False)
        figure.suptitle(title, fontsize=11)
    return canvas.save(figure, path)


def _series(records: Sequence[Mapping[str, Any]], key: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns steps and numbers of the lines that have the key; if a step was repeated, its last number."""
    numbers = {record["step"]: record[key] for record in records if record.get(key) is not None}
    steps = sorted(numbers)
    return np.array(steps, float), np.array([numbers[step] for step in steps], float)


def _loss(ax: Axes, steps: np.ndarray, values: np.ndarray) -> None:
    _line(ax, steps, values, FAINT, linewidth=0.7, label="as logged")
    window = max(len(values) // 40, 1)
    if window > 1:
        smooth = np.convolve(values, np.full(window, 1 / window), mode="valid")
        ax.plot(steps[window - 1 :], smooth, color=BLUE, label=f"mean of {window}")
        ax.legend(frameon=False)
    if len(values) and 0 < 3 * values.min() < values.max():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set(title="training loss", ylabel="loss", xlabel="step")


def _score(ax: Axes, steps: np.ndarray, values: np.ndarray, score: str) -> None:
    name = {"mean_iou": "mean IoU", "top1": "top-1 accuracy"}.get(score, score)
    _line(ax, steps, values, RED, marker="o", markersize=3.5)
    if len(values):
        best = int(np.nanargmax(values)) if np.isfinite(values).any() else -1
        offset = (0, 7) if values[best] < 0.85 else (0, -14)
        ax.annotate(
            f"{values[best]:.3f}",
            (steps[best], values[best]),
            offset,
            textcoords="offset points",
            ha="center",
        )
    ax.set(title=f"{name} on the validation split", ylabel=name, xlabel="step", ylim=(0, 1))


def _line(ax: Axes, steps: np.ndarray, values: np.ndarray, color: str, **options: Any) -> None:
    if len(steps):
        ax.plot(steps, values, color=color, **options)
    else:
        ax.text(0.5, 0.5, "nothing logged", ha="center", va="center", transform=ax.transAxes)
