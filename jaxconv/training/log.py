"""The log of a training, one line per step and per evaluation: written, read back and resumed."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import jax

from jaxconv.errors import FailureError
from jaxconv.training.run_folder import RunError, json_value, write_atomically, write_errors

WAY_OUT = (
    "restore it from a copy, or start a new training with another --out; `jaxconv evaluate`, `predict` and "
    "`export` work without the log"
)
"""What to do without a log: its lines cannot be computed again, and the final scores and curves need them."""


def read_log(path: Path) -> list[dict[str, Any]]:
    """Reads the lines of a log. A last line that was cut off by a crash is left out.

    Args:
      path: The file ``log.jsonl`` of a run.

    Raises:
      RunError: The file is missing, or a line of it is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); {WAY_OUT}.") from None
    found = []
    for number, line in enumerate(lines):
        try:
            found.append(_log_line(line))
        except (ValueError, KeyError, TypeError):
            if number < len(lines) - 1:
                raise RunError(
                    f"{path} is damaged: line {number + 1} does not describe a step or an evaluation: "
                    f"{line[:80]!r}; {WAY_OUT}."
                ) from None
    return found


def _log_line(text: str) -> dict[str, Any]:
    """Parses a line, and raises a ValueError, KeyError or TypeError if something is missing."""
    line = json.loads(text)
    numbers = ("step", "seconds", "loss") if line["kind"] == "step" else ("step", "seconds")
    if not all(isinstance(line[name], int | float) for name in numbers):
        raise TypeError
    return line


def read_log_until(path: Path, step: int) -> list[dict[str, Any]]:
    """Reads the lines of a log up to a checkpoint.

    Args:
      path: The file ``log.jsonl`` of a run.
      step: Step of the checkpoint; 0 if the training starts from the beginning.

    Raises:
      RunError: The file is missing or damaged, or it lacks steps before the checkpoint.
    """
    if not step:
        return []
    lines = [line for line in read_log(path) if line["step"] <= step]
    found = [line["step"] for line in lines if line["kind"] == "step"]
    expected = range(1, step + 1)
    if found != list(expected):
        missing = sorted({*expected} - {*found})
        problem = f"{len(missing)} missing, first {missing[0]}" if missing else "some twice or out of order"
        raise RunError(
            f"{path} must hold every step from 1 to {step}, the step of the checkpoint, each once "
            f"({problem}); {WAY_OUT}."
        )
    return lines


class DivergenceError(FailureError, FloatingPointError):
    """The loss, the gradient or the new parameters of a training are not finite."""


class TrainingLog:
    """Training log, timing and early-stopping state: ``log.jsonl``, one line per step and per evaluation.

    A resumed training keeps the lines up to its checkpoint and drops the later ones, so that the file reads
    as if the training had never been interrupted.

    Args:
      path: The file to write; only the first of several processes writes it.
      lines: Lines of the training so far, as `read_log_until` returns them.
      batch_size: Examples per step.
      score: Key of an evaluation's score by which evaluations are compared.

    Attributes:
      evaluations: Lines of all evaluations so far.
    """

    def __init__(self, path: Path, lines: list[dict[str, Any]], batch_size: int, score: str) -> None:
        self.evaluations = [line for line in lines if line["kind"] == "evaluation"]
        self.score, self._batch_size = score, batch_size
        self._losses = [line["loss"] for line in lines if line["kind"] == "step"]
        self._path, self._file = path, None
        if jax.process_index() == 0:
            write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines))
            with write_errors(path):
                self._file = path.open("a", encoding="utf-8", buffering=1)
        self._began = time.perf_counter() - (lines[-1]["seconds"] if lines else 0.0)
        self.start_clock(0.0)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, without the time between an interruption and its resumption."""
        return time.perf_counter() - self._began

    def start_clock(self, waited: float) -> None:
        """Starts the time of the next step, so that an evaluation before it is not counted.

        Args:
          waited: Seconds spent waiting for data so far.
        """
        self._tick, self._waited = time.perf_counter(), waited

    def write_step(self, step: int, record: dict[str, jax.Array], waited: float) -> dict[str, Any]:
        """Writes the line of a step.

        Args:
          step: Number of steps taken, with this one.
          record: Numbers of the step, on the devices: reading them waits for the step.
          waited: Seconds spent waiting for data so far.

        Returns:
          The line.

        Raises:
          DivergenceError: The loss, the gradient or the new parameters are not finite.
        """
        numbers = {name: float(value.addressable_data(0)) for name, value in record.items()}
        wrong = [name for name, value in numbers.items() if not math.isfinite(value)]
        if wrong:
            name = "loss" if "loss" in wrong else wrong[0]
            losses = ", ".join(f"{loss:.6g}" for loss in self._losses[-3:]) or "none"
            raise DivergenceError(
                f"the {name.replace('_', ' ')} became {numbers[name]} at step {step}, previous losses: "
                f"{losses}; lower `schedule.learning_rate`, lengthen `schedule.warmup` or set "
                "`training.clip_norm`."
            )
        self._losses.append(numbers["loss"])
        duration = time.perf_counter() - self._tick
        line = {
            "kind": "step",
            "step": step,
            **numbers,
            "images_per_second": self._batch_size / duration,
            "data_wait": (waited - self._waited) / duration,
            "seconds": self.seconds,
        }
        self._write(line)
        self.start_clock(waited)
        return line

    def write_evaluation(self, step: int, scores: dict[str, Any]) -> float | None:
        """Writes the line of an evaluation.

        Args:
          step: Number of steps taken before the evaluation.
          scores: Scores on the validation split, as `jaxconv.training.evaluate` returns them.

        Returns:
          The score by which evaluations are compared; None if it is undefined.
        """
        line = {"kind": "evaluation", "step": step, **scores, "seconds": self.seconds}
        self.evaluations.append(json_value(line))
        self._write(line)
        return scores[self.score]

    @property
    def best(self) -> dict[str, Any]:
        """Line of the best evaluation; of equal ones the first."""
        return max(self.evaluations, key=self._value)

    @property
    def since_best(self) -> int:
        """Number of evaluations after the best one; 0 before the first evaluation."""
        if not self.evaluations:
            return 0
        return len(self.evaluations) - 1 - self.evaluations.index(self.best)

    def _value(self, line: dict[str, Any]) -> float:
        return -math.inf if line[self.score] is None else line[self.score]

    def _write(self, line: dict[str, Any]) -> None:
        if self._file:
            with write_errors(self._path):
                self._file.write(json.dumps(json_value(line)) + "\n")

    def sync(self) -> None:
        """Waits until all lines are on the disk, so that a checkpoint is never ahead of the log."""
        if self._file:
            with write_errors(self._path):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        if self._file:
            with write_errors(self._path):
                self._file.close()
