"""Checkpoints of a run: the last and the best, each with the configuration and the classes."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import jax

from jaxconv.training.devices import all_succeed, first_decides
from jaxconv.training.run_folder import RunError, json_value, write_errors, write_whole
from jaxconv.training.state import State
from jaxconv.training.storage import find_damage, read_state, reason_of, write_digests, write_state

Which = Literal["best", "last"]

METADATA, NEW, OLD = "about.json", ".new", ".old"


class Checkpoints:
    """The folder ``checkpoints/`` of a run, in which the last and the best checkpoint stay.

    A checkpoint is a folder named by its step: the arrays (``state/``), what must be known to use them
    (``about.json``) and the digests of all its files (``SHA256SUMS``). It is made under another name and
    gets its own when it is whole and on the disk, so a process that dies while it saves leaves the
    checkpoint before. Just before it gets its name the file ``saved`` is left in the folder of the run:
    whoever finds that and no checkpoint knows that they were lost.

    Nothing is written before `recover`, and only the first of several processes writes.

    Args:
      run: Folder of the run.
    """

    def __init__(self, run: Path):
        self.folder = Path(run).absolute() / "checkpoints"
        self.marker = self.folder.with_name("saved")

    @property
    def steps(self) -> list[int]:
        """The steps of all checkpoints, ascending."""
        if not self.folder.exists():
            return []
        names = [path.name for path in self.folder.iterdir() if path.is_dir()]
        return sorted(int(name) for name in names if name.isdecimal() and str(int(name)) == name)

    @property
    def lost(self) -> bool:
        """Whether there were checkpoints and are none."""
        return self.marker.exists() and not self.steps

    def step(self, which: Which = "last") -> int | None:
        """The step of the last or the best checkpoint; None when there is none.

        Of two checkpoints the earlier one is there for its score: where that cannot be read, it is the best.
        """
        steps, scores = self.steps, self._scores()
        if which == "last" or not steps:
            return steps[-1] if steps else None
        unknown = [step for step in steps[:-1] if step not in scores]
        return unknown[0] if unknown else _best(scores) if scores else steps[-1]

    def metadata(self, step: int) -> dict[str, Any]:
        """What was saved beside the state.

        Raises:
          RunError: It is damaged.
        """
        if problem := find_damage(self._path(step), METADATA):
            raise self._damage_error(step, problem)
        return self._read_metadata(step)

    def state(self, step: int, shapes: State, sharding: jax.sharding.Sharding) -> State:
        """The state of a checkpoint, of which every file is compared with its digest first.

        Args:
          step: Of the checkpoint.
          shapes: Shapes and dtypes of the state.
          sharding: Where all of it goes.

        Raises:
          RunError: A file is damaged, missing or additional; the message names it, and the way out.
        """
        all_succeed(lambda: self._check(step))
        try:
            return read_state(self._path(step) / "state", shapes, sharding)
        except OSError as error:
            raise self._damage_error(step, f"its state cannot be read ({reason_of(error)})") from None

    def check_earlier(self, step: int) -> None:
        """Compares the files of all checkpoints before one with their digests.

        Args:
          step: Of the checkpoint that the training goes on from.

        Raises:
          RunError: The best so far is damaged: a training that went on would end with it.
        """
        for earlier in self.steps:
            if earlier < step and (problem := find_damage(self._path(earlier))):
                raise RunError(
                    f"the checkpoint {self._path(earlier)}, the best so far, is damaged: {problem}; restore "
                    "it from a copy, or delete its folder to go on without it."
                )

    def recover(self) -> None:
        """Finishes a save that was interrupted when all was written; deletes what others left.

        Raises:
          RunError: The folder cannot be written.
        """
        with write_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.glob(f"*{NEW}"):
                if find_damage(path) is None and not path.with_suffix("").exists():
                    self._commit(path)
            for path in [*self.folder.glob(f"*{NEW}"), *self.folder.glob(f"*{OLD}")]:
                shutil.rmtree(path)

    def save(self, state: State, step: int, metadata: dict[str, Any], score: float | None) -> None:
        """Writes a checkpoint, and deletes those that are neither the last nor the best.

        Args:
          state: Of the training.
          step: How many steps it has taken.
          metadata: JSON that whoever reads the checkpoint needs.
          score: What the best is chosen by; None where it was not measured.

        Raises:
          RunError: It cannot be written; those before are as they were.
        """
        first_decides(lambda: self._save(state, step, {**metadata, "score": score}))

    def drop_after(self, step: int) -> None:
        """Deletes the checkpoints after the one that a training goes on from.

        Args:
          step: Of the checkpoint that the training goes on from.
        """
        first_decides(lambda: self._delete({later for later in self.steps if later > step}))

    def _save(self, state: State, step: int, metadata: dict[str, Any]) -> None:
        new = self.folder / f"{step}{NEW}"
        before = self.step()
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            write_state(new / "state", state)
            (new / METADATA).write_text(json.dumps(json_value(metadata), indent=2) + "\n", encoding="utf-8")
            write_digests(new)
            self._commit(new)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            goes_on = "begins anew" if before is None else f"goes on from step {before}, which is saved"
            raise RunError(
                f"the checkpoint of step {step} in {self.folder} cannot be written ({reason_of(error)}); "
                f"make room or make it writable, then --resume {goes_on}."
            ) from None
        scores = self._scores()
        self._delete(scores.keys() - {step, _best(scores) if scores else step})

    def _commit(self, new: Path) -> None:
        """Gives a checkpoint that is whole its name."""
        write_whole(self.marker, "This run has saved checkpoints. Without them it cannot be resumed.\n")
        new.rename(new.with_suffix(""))
        _sync(self.folder)

    def _delete(self, steps: set[int]) -> None:
        """Deletes checkpoints; half of one never stands under its name."""
        with write_errors(self.folder):
            for step in steps:
                old = self._path(step).with_suffix(OLD)
                self._path(step).rename(old)
                shutil.rmtree(old)

    def _check(self, step: int) -> None:
        if problem := find_damage(self._path(step)):
            raise self._damage_error(step, problem)

    def _damage_error(self, step: int, problem: str) -> RunError:
        """The error of a checkpoint that cannot be used, with the one to take in its place."""
        way_out = "restore it from a copy, or train anew into another folder"
        for which in ("last", "best"):
            other = self.step(which)
            if other not in (step, None) and find_damage(self._path(other)) is None:
                way_out = f"the {which} one, of step {other}, is whole: take it by --checkpoint {which}"
        return RunError(f"the checkpoint {self._path(step)} is damaged: {problem}; {way_out}.")

    def _scores(self) -> dict[int, float]:
        """Step to score, of the checkpoints that say it undamaged."""
        scores = {
            step: self._read_metadata(step)["score"]
            for step in self.steps
            if not find_damage(self._path(step), METADATA)
        }
        return {step: -math.inf if score is None else score for step, score in scores.items()}

    def _read_metadata(self, step: int) -> dict[str, Any]:
        return json.loads((self._path(step) / METADATA).read_text(encoding="utf-8"))

    def _path(self, step: int) -> Path:
        return self.folder / str(step)


def _best(scores: dict[int, float]) -> int:
    """Of equal scores the first is the best, as a training's patience counts."""
    return max(scores, key=lambda step: (scores[step], -step))


def _sync(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
