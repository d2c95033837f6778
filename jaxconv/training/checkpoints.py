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
from jaxconv.training.run_folder import RunError, json_value, write_atomically, write_errors
from jaxconv.training.state import State
from jaxconv.training.storage import describe_error, find_damage, read_state, write_digests, write_state

WhichCheckpoint = Literal["best", "last"]
"""The best checkpoint by its score on the validation split, or the last."""

METADATA, NEW, OLD = "about.json", ".new", ".old"


class Checkpoints:
    """The folder ``checkpoints/`` of a run, which keeps the last and the best checkpoint.

    A checkpoint is a folder named by its step: the arrays (``state/``), what must be known to use them
    (``about.json``) and the digests of all its files (``SHA256SUMS``). It is written under a temporary
    name and renamed when it is complete and on the disk, so a process that dies while it saves leaves the
    previous checkpoint intact. Just before the renaming, the file ``saved`` is written into the folder of
    the run: where that file exists and no checkpoint does, the checkpoints were lost.

    Nothing is written before `recover`, and only the first of several processes writes.

    Args:
      run: Folder of the run.
    """

    def __init__(self, run: Path) -> None:
        self.folder = Path(run).absolute() / "checkpoints"
        self.marker = self.folder.with_name("saved")

    @property
    def steps(self) -> list[int]:
        """Steps of all checkpoints, in ascending order."""
        if not self.folder.exists():
            return []
        names = [path.name for path in self.folder.iterdir() if path.is_dir()]
        return sorted(int(name) for name in names if name.isdecimal() and str(int(name)) == name)

    @property
    def has_lost_all(self) -> bool:
        """Whether checkpoints were saved and none is left."""
        return self.marker.exists() and not self.steps

    def find_step(self, which: WhichCheckpoint = "last") -> int | None:
        """Returns the step of the last or the best checkpoint, or None without checkpoints.

        Of two checkpoints, the earlier one is kept because of its score: if the score cannot be read, the
        earlier one counts as the best.

        Args:
          which: ``"last"`` or ``"best"``.
        """
        steps, scores = self.steps, self._scores()
        if which == "last" or not steps:
            return steps[-1] if steps else None
        unknown = [step for step in steps[:-1] if step not in scores]
        return unknown[0] if unknown else _best(scores) if scores else steps[-1]

    def read_metadata(self, step: int) -> dict[str, Any]:
        """Returns the metadata that were saved with the state.

        Args:
          step: Step of the checkpoint.

        Raises:
          RunError: The file is damaged or missing.
        """
        if problem := find_damage(self._path(step), METADATA):
            raise self._damage_error(step, problem)
        return self._parse_metadata(step)

    def read_state(self, step: int, shapes: State, sharding: jax.sharding.Sharding) -> State:
        """Reads the state of a checkpoint, after comparing every file with its digest.

        Args:
          step: Step of the checkpoint.
          shapes: Shapes and dtypes of the state.
          sharding: Sharding of every array of the state.

        Raises:
          RunError: A file is damaged, missing or additional; the message names it and says what to do.
        """
        all_succeed(lambda: self._check(step))
        try:
            return read_state(self._path(step) / "state", shapes, sharding)
        except OSError as error:
            raise self._damage_error(step, f"its state cannot be read ({describe_error(error)})") from None

    def check_earlier(self, step: int) -> None:
        """Compares the files of all earlier checkpoints with their digests.

        Args:
          step: Step of the checkpoint from which the training continues.

        Raises:
          RunError: The best checkpoint so far is damaged: a training that continued could end with it.
        """
        for earlier in self.steps:
            if earlier < step and (problem := find_damage(self._path(earlier))):
                raise RunError(
                    f"the checkpoint {self._path(earlier)}, the best so far, is damaged: {problem}; restore "
                    "it from a copy, or delete its folder to continue without it."
                )

    def check_not_lost(self) -> None:
        """Checks that there is a checkpoint if one was ever saved.

        Raises:
          RunError: Checkpoints were saved and none is left.
        """
        if self.has_lost_all:
            raise RunError(
                f"the checkpoints of {self.folder.parent} are missing: some were saved, but none is left in "
                f"{self.folder}; restore that folder from a copy, or start a new training with another --out."
            )

    def recover(self) -> None:
        """Finishes a save that was interrupted after everything was written; deletes incomplete saves.

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
          state: State of the training.
          step: Number of steps that the training has taken.
          metadata: What is needed to use the checkpoint, as values that JSON can hold.
          score: Score by which the best checkpoint is chosen; None if it was not measured.

        Raises:
          RunError: The checkpoint cannot be written; earlier checkpoints are unchanged.
        """
        first_decides(lambda: self._save(state, step, {**metadata, "score": score}))

    def drop_after(self, step: int) -> None:
        """Deletes all later checkpoints.

        Args:
          step: Step of the checkpoint from which the training continues.
        """
        first_decides(lambda: self._delete({later for later in self.steps if later > step}))

    def _save(self, state: State, step: int, metadata: dict[str, Any]) -> None:
        new = self.folder / f"{step}{NEW}"
        before = self.find_step()
        try:
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            write_state(new / "state", state)
            (new / METADATA).write_text(json.dumps(json_value(metadata), indent=2) + "\n", encoding="utf-8")
            write_digests(new)
            self._commit(new)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            effect = (
                "starts from step 0" if before is None else f"continues from step {before}, which is saved"
            )
            reason = describe_error(error)
            raise RunError(
                f"the checkpoint of step {step} cannot be written to {self.folder} ({reason}); "
                f"free space on the disk or make the folder writable, then --resume {effect}."
            ) from None
        scores = self._scores()
        self._delete(scores.keys() - {step, _best(scores) if scores else step})

    def _commit(self, new: Path) -> None:
        """Renames a complete checkpoint to its final name."""
        write_atomically(self.marker, "This run has saved checkpoints. Without them it cannot be resumed.\n")
        new.rename(new.with_suffix(""))
        _sync(self.folder)

    def _delete(self, steps: set[int]) -> None:
        """Deletes checkpoints, renaming each first, so that no incomplete one has a final name."""
        with write_errors(self.folder):
            for step in steps:
                old = self._path(step).with_suffix(OLD)
                self._path(step).rename(old)
                shutil.rmtree(old)

    def _check(self, step: int) -> None:
        if problem := find_damage(self._path(step)):
            raise self._damage_error(step, problem)

    def _damage_error(self, step: int, problem: str) -> RunError:
        """Returns the error of a damaged checkpoint, which names another checkpoint if that is intact."""
        way_out = "restore it from a copy, or start a new training with another --out"
        for which in ("last", "best"):
            other = self.find_step(which)
            if other not in (step, None) and find_damage(self._path(other)) is None:
                way_out = (
                    f"the {which} checkpoint, of step {other}, is intact: use it with --checkpoint {which}"
                )
        return RunError(f"the checkpoint {self._path(step)} is damaged: {problem}; {way_out}.")

    def _scores(self) -> dict[int, float]:
        """Returns step to score, for the checkpoints whose metadata are intact."""
        scores = {
            step: self._parse_metadata(step)["score"]
            for step in self.steps
            if not find_damage(self._path(step), METADATA)
        }
        return {step: -math.inf if score is None else score for step, score in scores.items()}

    def _parse_metadata(self, step: int) -> dict[str, Any]:
        return json.loads((self._path(step) / METADATA).read_text(encoding="utf-8"))

    def _path(self, step: int) -> Path:
        return self.folder / str(step)


def _best(scores: dict[int, float]) -> int:
    """Returns the step of the best score; of equal scores the earliest, as `training.patience` counts."""
    return max(scores, key=lambda step: (scores[step], -step))


def _sync(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, on systems where folders can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
