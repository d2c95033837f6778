"""The command that shows everything once: demo."""

from __future__ import annotations

from pathlib import Path


def demo(out: Path = Path("runs/demo"), steps: int | None = None, seed: int = 0) -> None:
    """Verifies the claims, filters a photograph and trains a small network on real digits.

    Args:
      out: Folder for pictures, metrics.json and summary.md.
      steps: Of the training; the demo's own number by default.
      seed: Of everything random.
    """
    from jaxconv.demo import run

    run(out, seed=seed, **({} if steps is None else {"steps": steps}))
