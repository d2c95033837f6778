"""The command that shows every part of the library once: demo."""

from __future__ import annotations

from pathlib import Path

from jaxconv.cli.screen import console


def demo(out: Path = Path("runs/demo"), steps: int | None = None, seed: int = 0) -> None:
    """Verifies the claims, filters a photograph and trains a small network on real digits.

    Args:
      out: Folder for report.html, its pictures, metrics.json and the run.
      steps: Steps of the training; by default those of its configuration.
      seed: Seed of all random numbers.
    """
    from jaxconv.demo import run

    run(out, seed=seed, console=console, **({} if steps is None else {"steps": steps}))
