"""The log of a training: a line per step and per evaluation, written, read back and resumed."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import jax

from jaxconv.errors import FailureError
from jaxconv.training.run_folder import RunError, json_value, write_errors, write_whole


def read_log(path: Path) -> list[dict[str, Any]]:
    """Reads the lines of a log. A last line that was cut off by a crash is left out.

    Raises:
      RunError: The file is missing, or a line of it is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); restore it from a copy.") from None
    found = []
    for number, line in enumerate(lines):
        try:
            found.append(_log_line(line))
        except (ValueError, KeyError, TypeError):
            if number < len(lines) - 1:
                raise RunError(
                    f"{path} is damaged: line {number + 1} is not that of a step or an evaluation, "
                    f"{line[:80]!r}; restore it from a copy."
                ) from None
    return found


def _log_line(text: str) -> dict[str, Any]:
    line = json.loads(text)
    numbers = ("step", "seconds", "loss") if line["kind"] == "step" else ("step", "seconds")
    if not all(isinstance(line[name], int | float) for name in numbers):
        raise TypeError
    return line


def read_log_until(path: Path, step: int) -> list[dict[str, Any]]:
    """Reads the lines of a log up to a checkpoint.

    Args:
      path: The file.
      step: Of the checkpoint; 0 where the training begins.

    Raises:
      RunError: The file is missing or damaged, or steps are missing in it.
    """
    if not step:
        return []
    lines = [line for line in read_log(path) if line["step"] <= step]
    found = [line["step"] for line in lines if line["kind"] == "step"]
    if found != list(range(1, step + 1)):
        raise RunError(
            f"{path} must hold the steps from 1 to {step}, that of the checkpoint, one by one; it holds "
            f"{len(found)} that do not match; restore it from a copy."
        )
    return lines


class DivergenceError(FailureError, FloatingPointError):
    """The loss, the gradient or the new parameters of a training are not finite."""


class TrainingLog:
    """Training log, timing and early-stopping state: ``log.jsonl``, a line per step and per evaluation.

    A training that goes on after an interruption begins with the lines that its checkpoint knows of and
    drops the others, so that the file reads as if nothing had happened.

    Args:
      path: The file; only the first of several processes writes it.
      lines: Those to begin with, as `read_log_until` returns them.
      batch_size: Examples of a step.
      score: The key of an evaluation that says how good it is.
    """

    def __init__(self, path: Path, lines: list[dict[str, Any]], batch_size: int, score: str):
        self.evaluations = [line for line in lines if line["kind"] == "evaluation"]
        self.score, self._batch_size = score, batch_size
        self._losses = [line["loss"] for line in lines if line["kind"] == "step"]
        self._path, self._file = path, None
        if jax.process_index() == 0:
            write_whole(path, "".join(json.dumps(line) + "\n" for line in lines))
            with write_errors(path):
                self._file = path.open("a", encoding="utf-8", buffering=1)
        self._began = time.perf_counter() - (lines[-1]["seconds"] if lines else 0.0)
        self.start_clock(0.0)

    @property
    def seconds(self) -> float:
        """Since the training began, without the time between interruption and resumption."""
        return time.perf_counter() - self._began

    def start_clock(self, waited: float) -> None:
        """The next step is measured from now: what came in between is not its time."""
        self._tick, self._waited = time.perf_counter(), waited

    def step(self, step: int, record: dict[str, jax.Array], waited: float) -> dict[str, Any]:
        """Writes the line of a step.

        Args:
          step: How many steps have been taken.
          record: Its numbers, still on the devices: reading them waits for the step.
          waited: Seconds spent waiting for data so far.

        Raises:
          DivergenceError: The loss, the gradient or the new parameters are not finite.
        """
        numbers = {name: float(value.addressable_data(0)) for name, value in record.items()}
        wrong = [name for name, value in numbers.items() if not math.isfinite(value)]
        if wrong:
            name = "loss" if "loss" in wrong else wrong[0]
            raise DivergenceError(
                f"the {name.replace('_', ' ')} became {numbers[name]} at step {step}, after losses of "
                f"{self._losses[-3:]}; lower `schedule.learning_rate`, lengthen `schedule.warmup` or "
                "set `training.clip_norm`."
            )
        self._losses.append(numbers["loss"])
        took = time.perf_counter() - self._tick
        line = {
            "kind": "step",
            "step": step,
            **numbers,
            "images_per_second": self._batch_size / took,
            "data_wait": (waited - self._waited) / took,
            "seconds": self.seconds,
        }
        self._write(line)
        self.start_clock(waited)
        return line

    def evaluation(self, step: int, scores: dict[str, Any]) -> float | None:
        """Writes the line of an evaluation and returns its score; None where nothing was labelled."""
        line = {"kind": "evaluation", "step": step, **scores, "seconds": self.seconds}
        self.evaluations.append(json_value(line))
        self._write(line)
        return scores[self.score]

    @property
    def best(self) -> dict[str, Any]:
        """The line of the best evaluation, the first of equal ones."""
        return max(self.evaluations, key=self._value)

    @property
    def since_best(self) -> int:
        """How many evaluations came after the best; 0 before the first."""
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
        """Waits until all lines are on the disk: those that a checkpoint knows of are not to be lost."""
        if self._file:
            with write_errors(self._path):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        if self._file:
            with write_errors(self._path):
                self._file.close()
