"""Shared parts of the experiments that train networks: every way with every seed, a table, a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import jax
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from jaxconv.figures import canvas
from jaxconv.training import Config, train

Tables = Mapping[str, Any]  # of a configuration
Metrics = Mapping[str, Any]  # of a run: the contents of its metrics.json


@dataclass(frozen=True)
class Score:
    """One score of one training, on the validation split."""

    way: str
    score: str
    seed: int
    value: float


def repeat(
    ways: Mapping[str, Tables],
    seeds: Iterable[int],
    scores: Mapping[str, Callable[[Metrics], float]],
    out: Path,
) -> list[Score]:
    """Trains every way once per seed, and computes the scores of each run.

    Finished runs in the folder are not repeated, and an unfinished one is continued.

    Args:
      ways: By name, the tables of a configuration without the seed.
      seeds: Seeds of the parameters and of the order of the examples; the data are the same for all.
      scores: By name, functions of the metrics of a run.
      out: Folder of the runs.

    Returns:
      The scores of all runs.
    """
    results: list[Score] = []
    for way, tables in ways.items():
        for seed in seeds:
            config, folder = Config.of({**tables, "seed": seed}), out / f"{way.replace(' ', '_')}-{seed}"
            resume = (folder / "config.toml").exists()
            metrics = train(config, folder, resume=resume, console=Console(quiet=True))
            if metrics is None:
                raise SystemExit("interrupted; repeat the command to go on")
            new = [Score(way, name, seed, of(metrics)) for name, of in scores.items()]
            line = ", ".join(f"{score.score} {score.value:.3f}" for score in new)
            print(f"{way}, seed {seed}: {line} ({metrics['seconds']:.0f} s)", flush=True)
            results += new
    return results


def values(results: Sequence[Score], way: str, score: str) -> list[float]:
    """Returns the values of one score of one way, one per seed."""
    return [result.value for result in results if (result.way, result.score) == (way, score)]


def table(results: Sequence[Score], title: str) -> Table:
    """Builds a table with one row per way and one column per score: mean over seeds, lowest and highest."""
    ways, scores = _names(results)
    printed = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    printed.add_column("", no_wrap=True)
    for score in scores:
        printed.add_column(score, justify="right", no_wrap=True)
    for way in ways:
        columns = [values(results, way, score) for score in scores]
        printed.add_row(way, *(f"{mean(v):.3f} ({min(v):.3f}-{max(v):.3f})" for v in columns))
    return printed


def picture(results: Sequence[Score]) -> Figure:
    """Draws one panel per score, with one point per seed and a line at the mean of each way."""
    ways, scores = _names(results)
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(1.6 + 2.3 * len(scores), 0.9 + 0.35 * len(ways))
        axes = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
        for ax, score in zip(axes, scores, strict=True):
            for y, way in enumerate(ways):
                points = values(results, way, score)
                ax.plot([mean(points)] * 2, [y - 0.3, y + 0.3], color=canvas.INK, linewidth=1.2)
                ax.plot(points, [y] * len(points), "o", color="#1f6f9f", alpha=0.7, markersize=5)
            ax.set(title=score, ylim=(len(ways) - 0.5, -0.5))
            ax.set_yticks(range(len(ways)), ways)
            ax.grid(axis="x", color="#e3e3df", linewidth=0.6)
            ax.set_axisbelow(True)
            ax.spines[["top", "right"]].set_visible(False)
    return figure


def report(results: Sequence[Score], title: str, out: Path) -> None:
    """Prints the table; writes the picture and the numbers."""
    console = Console()
    console.width = max(console.width, 110)
    console.print(table(results, title))
    canvas.save(picture(results), out / "scores.png")
    numbers = {"jax": jax.__version__, "scores": [asdict(result) for result in results]}
    (out / "scores.json").write_text(json.dumps(numbers))
    console.print(f"written to {out}")


def _names(results: Sequence[Score]) -> tuple[list[str], list[str]]:
    """Returns the names of ways and scores, in their order."""
    ways, scores = ([getattr(result, name) for result in results] for name in ("way", "score"))
    return list(dict.fromkeys(ways)), list(dict.fromkeys(scores))
