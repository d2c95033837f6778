"""What the experiments that train networks share: every way with every seed, a table and a picture."""

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
Metrics = Mapping[str, Any]  # of a run: what stands in its metrics.json


@dataclass(frozen=True)
class Found:
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
) -> list[Found]:
    """Trains every way once a seed, and takes the scores of each run.

    Runs that a folder holds already are not repeated, and an unfinished one goes on where it stopped.

    Args:
      ways: By name, the tables of a configuration, without its seed.
      seeds: Of parameters and order; the data are the same for all.
      scores: By name, from a run's metrics.
      out: Folder of the runs.
    """
    found = []
    for way, tables in ways.items():
        for seed in seeds:
            config, folder = Config.of({**tables, "seed": seed}), out / f"{way.replace(' ', '_')}-{seed}"
            begun = (folder / "config.toml").exists()
            metrics = train(config, folder, resume=begun, console=Console(quiet=True))
            if metrics is None:
                raise SystemExit("asked to stop; the same command goes on")
            found += [Found(way, score, seed, of(metrics)) for score, of in scores.items()]
            said = ", ".join(f"{one.score} {one.value:.3f}" for one in found[-len(scores) :])
            print(f"{way}, seed {seed}: {said} ({metrics['seconds']:.0f} s)", flush=True)
    return found


def values(found: Sequence[Found], way: str, score: str) -> list[float]:
    """One for each seed."""
    return [one.value for one in found if (one.way, one.score) == (way, score)]


def table(found: Sequence[Found], title: str) -> Table:
    """A way a row, a score a column: its mean over the seeds, then its lowest and highest."""
    ways, scores = _names(found)
    printed = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    printed.add_column("", no_wrap=True)
    for score in scores:
        printed.add_column(score, justify="right", no_wrap=True)
    for way in ways:
        columns = [values(found, way, score) for score in scores]
        printed.add_row(way, *(f"{mean(v):.3f} ({min(v):.3f}-{max(v):.3f})" for v in columns))
    return printed


def picture(found: Sequence[Found]) -> Figure:
    """A panel a score: a point a seed, a line at the mean of each way."""
    ways, scores = _names(found)
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(1.6 + 2.3 * len(scores), 0.9 + 0.35 * len(ways))
        axes = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
        for ax, score in zip(axes, scores, strict=True):
            for y, way in enumerate(ways):
                points = values(found, way, score)
                ax.plot([mean(points)] * 2, [y - 0.3, y + 0.3], color=canvas.INK, linewidth=1.2)
                ax.plot(points, [y] * len(points), "o", color="#1f6f9f", alpha=0.7, markersize=5)
            ax.set(title=score, ylim=(len(ways) - 0.5, -0.5))
            ax.set_yticks(range(len(ways)), ways)
            ax.grid(axis="x", color="#e3e3df", linewidth=0.6)
            ax.set_axisbelow(True)
            ax.spines[["top", "right"]].set_visible(False)
    return figure


def report(found: Sequence[Found], title: str, out: Path) -> None:
    """Prints the table; writes the picture and the numbers."""
    console = Console()
    console.width = max(console.width, 110)
    console.print(table(found, title))
    canvas.save(picture(found), out / "scores.png")
    numbers = {"jax": jax.__version__, "scores": [asdict(one) for one in found]}
    (out / "scores.json").write_text(json.dumps(numbers))
    console.print(f"written to {out}")


def _names(found: Sequence[Found]) -> tuple[list[str], list[str]]:
    """Ways and scores, in the order in which they came."""
    return list(dict.fromkeys(one.way for one in found)), list(dict.fromkeys(one.score for one in found))
