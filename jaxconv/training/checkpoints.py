"""Checkpoints of a run: the last and the best, each with the configuration and the classes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from jaxconv.training.options import ConfigError
from jaxconv.training.state import State

Which = Literal["best", "last"]


class Checkpoints:
    """A folder of checkpoints, of which the last and the best are kept.

    A checkpoint appears under its name only when it is whole, so a process that dies while it saves
    leaves the one before.

    Args:
      folder: Of the run; the checkpoints are in ``checkpoints/`` there.
      read_only: Change nothing, not even what a save in progress has left so far.
    """

    def __init__(self, folder: Path, *, read_only: bool = False):
        self.folder = Path(folder).absolute() / "checkpoints"
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy(
                [policies.LatestN(1), policies.BestN(get_metric_fn=_score, reverse=False, n=1)]
            ),
            best_fn=_score,
            best_mode="max",
            create=not read_only,
            cleanup_tmp_directories=not read_only,
            enable_async_checkpointing=False,
        )
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_) -> None:
        self._manager.close()

    def save(self, state: State, step: int, about: dict[str, Any], score: float | None) -> None:
        """Writes a checkpoint, and deletes those that are neither the last nor the best.

        Args:
          state: Of the training.
          step: How many steps it has taken.
          about: JSON that whoever reads the checkpoint needs.
          score: What the best is chosen by; None where it was not measured.
        """
        parts = ocp.args.Composite(state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(about))
        score = -math.inf if score is None else score
        self._manager.save(step, args=parts, metrics={"score": score, "step": step}, force=True)
        self._manager.wait_until_finished()

    def step(self, which: Which = "last") -> int | None:
        """The step of the last or the best checkpoint; None when there is none."""
        return self._manager.latest_step() if which == "last" else self._manager.best_step()

    def about(self, step: int) -> dict[str, Any]:
        """What was saved beside the state."""
        return self._restored(step, about=ocp.args.JsonRestore())["about"]

    def state(self, step: int, shapes: State, sharding: jax.sharding.Sharding) -> State:
        """The state of a checkpoint.

        Args:
          step: Of the checkpoint.
          shapes: And dtypes.
          sharding: Where all of it goes.
        """
        like = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes
        )
        return self._restored(step, state=ocp.args.StandardRestore(like))["state"]

    def _restored(self, step: int, **parts):
        try:
            return self._manager.restore(step, args=ocp.args.Composite(**parts))
        except (ValueError, KeyError, OSError) as error:
            reason = str(error).splitlines()[0][:200]
            raise ConfigError(
                f"the checkpoint of step {step} in {self.folder} cannot be read ({reason}); restore it, or "
                "take the other one: --checkpoint last, or best."
            ) from error

    def reached_preemption(self, step: int) -> bool:
        """Whether the machine is about to be taken away, as all processes agree."""
        return self._manager.reached_preemption(step)


def _score(metrics: dict[str, float]) -> tuple[float, float]:
    """Of equal scores the first is the best, as a training's patience counts."""
    return metrics["score"], -metrics["step"]
