"""A line on the screen that tells how a training goes."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


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
