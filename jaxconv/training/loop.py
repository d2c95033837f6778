"""A training from beginning to end, or from wherever it was interrupted."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import optax
from jax.sharding import Mesh
from orbax.checkpoint import multihost
from rich.console import Console

from jaxconv.data import Batch, Dataset, Stream
from jaxconv.data.batches import prefetch_batches
from jaxconv.training.checkpoints import Checkpoints, Which
from jaxconv.training.checks import check_data, warn_of_void
from jaxconv.training.config import Config, open_data
from jaxconv.training.devices import (
    all_succeed,
    batch_mesh,
    batch_share,
    first_decides,
    put_batch,
    put_replicated,
    replicated,
)
from jaxconv.training.evaluation import evaluate
from jaxconv.training.log import TrainingLog, read_log_until
from jaxconv.training.losses import build_loss
from jaxconv.training.network import Trained, make_metadata
from jaxconv.training.optimizers import build_optimizer
from jaxconv.training.options import ConfigError
from jaxconv.training.report import TrainingProgress, format_score, write_results
from jaxconv.training.run_folder import RunError, environment, folder_lock, write_json, write_whole
from jaxconv.training.state import Graphs, State, Step, abstract_state, initial_state

SCORES = {"segmentation": "mean_iou", "classification": "top1"}
"""What the best checkpoint is chosen by, on the validation split."""


@dataclass(frozen=True)
class _Run:
    """A training in progress: what it learns from, what it is scored on, and where both are written.

    Attributes:
      step: The compiled step's definition.
      stream: Batches to learn from.
      val_set: The validation split.
      metadata: What every checkpoint holds beside its state.
      mesh: Devices that share a batch.
      checkpoints: Of the run's folder.
      log: Of the run's folder.
      console: Where progress is shown.
    """

    step: Step
    stream: Stream
    val_set: Dataset
    metadata: dict[str, Any]
    mesh: Mesh
    checkpoints: Checkpoints
    log: TrainingLog
    console: Console

    def learn(self, state: State, steps: int) -> bool:
        """Runs the remaining steps. Returns False if interrupted."""
        training, take = self.step.config.training, self.step.compile()
        start = int(state.step.addressable_data(0))
        with (
            closing(prefetch_batches(self.stream, start, steps, part=batch_share())) as batches,
            TrainingProgress(self.console, steps, start) as progress,
            Interruption() as interruption,
        ):
            for number, batch in batches:
                if training.patience is not None and self.log.since_best >= training.patience:
                    progress.say(f"stopped early: no better in {self.log.since_best} evaluations")
                    return True
                state, record = take(state, put_batch(batch, self.mesh))
                done = number + 1
                progress.update(self.log.step(done, record, batches.waited))
                due = done % training.evaluate_every == 0 or done == steps
                if due:
                    score = self.evaluate(state, done)
                    self.save(state, done, score)
                    progress.say(
                        f"step {done}: {format_score(self.log.score, score)} on the validation split"
                    )
                    self.log.start_clock(batches.waited)
                if interruption.should_stop(done) and done < steps:
                    if not due:
                        self.save(state, done, None)
                    progress.say(f"asked to stop: saved at step {done}; go on with --resume")
                    return False
        return True

    def evaluate(self, state: State, done: int) -> float | None:
        """Writes the scores on the validation split to the log. Returns the one that ranks checkpoints."""
        network = Trained.of(self.step.config, self.metadata, self.step.graphs, state)
        batch_size = self.step.config.training.batch_size
        return self.log.evaluation(done, evaluate(network, self.val_set, batch_size=batch_size))

    def save(self, state: State, done: int, score: float | None) -> None:
        """Saves a checkpoint, after the lines of the log that it knows of."""
        self.log.sync()
        self.checkpoints.save(state, done, self.metadata, score)


def train(
    config: Config,
    out: Path | str,
    *,
    data: Path | None = None,
    resume: bool = False,
    checkpoint: Which = "last",
    one_batch: bool = False,
    dry_run: bool = False,
    console: Console | None = None,
) -> dict[str, Any] | None:
    """Trains a network and leaves everything about it in a folder.

    Args:
      config: The experiment.
      out: The run's folder: ``config.toml``, ``environment.json``, ``log.jsonl``, ``checkpoints/``, and
        at the end ``metrics.json``, ``curves.png`` and ``overlays.png``.
      data: Folder of the data, for data sets of files.
      resume: Go on from a checkpoint in `out`, bit for bit as if nothing had happened; where nothing
        was saved yet, begin.
      checkpoint: The one to go on from. From the best, all that came after it is dropped and done again.
      one_batch: Learn the first batch by heart: whether the network can learn at all.
      dry_run: Two steps and an evaluation: whether everything fits together.
      console: Where it is told; the terminal by default.

    Returns:
      What stands in ``metrics.json``; None when the training was asked to stop (SIGTERM, Ctrl-C) before
      its end, after a checkpoint.

    Raises:
      ConfigError: The folder holds another run, another process trains there, or the configuration does
        not fit the data.
      RunError: A file of the run is damaged or missing, or cannot be written.
      DataError: The data are damaged; the message names the files.
      DivergenceError: The loss is no longer finite; the message names the step.
    """
    out, console = Path(out), console or Console()
    train_set, val_set = (open_data(config, split, data) for split in ("train", "val"))
    check_data(config, train_set, val_set, files=data is not None)
    mesh = batch_mesh(config.training.batch_size)
    optimizer, schedule = build_optimizer(config)
    loss = build_loss(config, train_set)
    checkpoints, metadata = Checkpoints(out), make_metadata(config, train_set, one_batch=one_batch)
    with ExitStack() as exits:
        first_decides(lambda: exits.enter_context(folder_lock(out, console)))
        which = checkpoint if resume else None
        start = first_decides(lambda: _starting_step(out, checkpoints, metadata, which, console))
        graphs, state = _build_state(config, optimizer, train_set, mesh, checkpoints, start)
        lines = all_succeed(lambda: read_log_until(out / "log.jsonl", start))
        checkpoints.drop_after(start)
        step = Step(config, graphs, optimizer, schedule, loss, replicated(mesh))
        parameters = sum(leaf.size for leaf in jax.tree.leaves(state.parameters))
        first_decides(lambda: _write_description(out, config, data, parameters))
        _warn_of_frozen(config, console)
        console.print(
            f"{config.model.name}: {parameters:,} parameters; {len(train_set):,} examples to learn from, "
            f"{len(val_set):,} to be judged on; {jax.device_count()} x {jax.devices()[0].device_kind}"
            + (f"; going on after step {start}" if start else ""),
            highlight=False,
        )
        score = SCORES[train_set.task]
        log = TrainingLog(out / "log.jsonl", lines, config.training.batch_size, score)
        exits.enter_context(closing(log))
        stream = _build_stream(config, train_set, one_batch)
        warn_of_void(stream.batch(start, batch_share()), console)
        steps = 2 if dry_run else config.training.steps
        run = _Run(step, stream, val_set, metadata, mesh, checkpoints, log, console)
        if run.learn(state, steps):
            return write_results(out, log, checkpoints, val_set, parameters, console)
    return None


def _starting_step(
    out: Path, checkpoints: Checkpoints, metadata: dict[str, Any], which: Which | None, console: Console
) -> int:
    """How many steps the folder's run has taken; what its checkpoint says must be what this one will."""
    checkpoints.recover()
    if checkpoints.lost:
        raise RunError(
            f"{out} has saved checkpoints, but {checkpoints.folder} holds none any more; restore that "
            "folder from a copy, or begin anew in another --out."
        )
    step = checkpoints.step(which or "last")
    if step is None:
        if which is not None:
            console.print(f"nothing is saved in {out} yet: begins at the first step", highlight=False)
        return 0
    if which is None:
        raise ConfigError(f"{out} holds a run already; go on with it by --resume, or name another --out.")
    checkpoints.check_earlier(step)
    saved = checkpoints.metadata(step)
    differences = Config.of(metadata["config"]).differences(Config.of(saved["config"]))
    for key in sorted(metadata.keys() - {"config", "devices"}):
        if metadata[key] != saved.get(key):
            differences.append(f"`{key}` is {metadata[key]!r}, was {saved.get(key)!r}")
    if differences:
        raise ConfigError(f"{out} was begun with other settings: {'; '.join(differences)}.")
    if metadata["devices"] != saved["devices"]:
        console.print(
            f"begun on {saved['devices']} devices, goes on with {metadata['devices']}: equal up to rounding",
            style="yellow",
            highlight=False,
        )
    return step


def _write_description(out: Path, config: Config, data: Path | None, parameters: int) -> None:
    """Writes what the run is, and where it is made."""
    write_whole(out / "config.toml", config.toml())
    write_json(out / "environment.json", environment(data, parameters))


def _warn_of_frozen(config: Config, console: Console) -> None:
    """Frozen parameters that nobody has trained are rarely meant."""
    if config.training.frozen and config.model.options.get("weights", "") is None:
        console.print(
            f"{', '.join(config.training.frozen)} stays as drawn at random: `training.frozen` without "
            "`model.weights`",
            style="yellow",
            highlight=False,
        )


def _build_state(
    config: Config,
    optimizer: optax.GradientTransformation,
    train_set: Dataset,
    mesh: Mesh,
    checkpoints: Checkpoints,
    start: int,
) -> tuple[Graphs, State]:
    """The network and the state to go on from."""
    sizes = (train_set.in_features, len(train_set.classes.names))
    if not start:
        graphs, state = initial_state(config, optimizer, *sizes)
        return graphs, put_replicated(state, mesh)
    graphs, shapes = abstract_state(config, optimizer, *sizes)
    return graphs, checkpoints.state(start, shapes, replicated(mesh))


class _FirstBatch(Stream):
    """A stream that never gets beyond its first batch."""

    def batch(self, step: int, part: tuple[int, int] = (0, 1)) -> Batch:
        return super().batch(0, part)


def _build_stream(config: Config, train_set: Dataset, one_batch: bool) -> Stream:
    return (_FirstBatch if one_batch else Stream)(
        train_set,
        config.training.batch_size,
        augmentation=config.augmentation,
        seed=config.seed,
        shrink=config.training.shrink,
    )


class Interruption:
    """Within this context SIGTERM and the first Ctrl-C only ask; the second Ctrl-C interrupts.

    Outside of the main thread signals are not ours to take, and where several processes train together
    they must stop at the same step, on which jax's own handler agrees: nothing changes there.

    Attributes:
      asked: The name of the signal that came, or None.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.asked: str | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread() and jax.process_count() == 1:
            self._before = {number: signal.signal(number, self._ask) for number in self.SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def should_stop(self, step: int) -> bool:
        """Whether to stop after a step, on which all processes agree."""
        return self.asked is not None if jax.process_count() == 1 else multihost.reached_preemption(step)

    def _ask(self, number: int, frame) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name
