"""Runs a training from its first step, or from where it was interrupted."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import optax
from jax.sharding import Mesh
from orbax.checkpoint import multihost
from rich.console import Console

from jaxconv.data import Batch, Dataset, Stream
from jaxconv.data.batches import prefetch_batches
from jaxconv.training.checkpoints import Checkpoints, WhichCheckpoint
from jaxconv.training.checks import check_data, warn_of_other_rounding, warn_of_void
from jaxconv.training.config import Config, open_data
from jaxconv.training.device_choice import choose_devices, print_choice, rounding
from jaxconv.training.devices import (
    Devices,
    all_succeed,
    batch_mesh,
    batch_share,
    first_decides,
    put_batch,
    put_replicated,
    replicated_sharding,
)
from jaxconv.training.evaluation import evaluate
from jaxconv.training.log import TrainingLog, read_log_until
from jaxconv.training.network import Trained, make_metadata
from jaxconv.training.options import ConfigError
from jaxconv.training.report import TrainingProgress, format_score, write_results
from jaxconv.training.run_folder import (
    environment,
    folder_lock,
    recorded_environment,
    write_atomically,
    write_json,
)
from jaxconv.training.state import (
    Graphs,
    State,
    Step,
    abstract_state,
    build_loss,
    build_optimizer,
    initial_state,
)

SCORES = {"segmentation": "mean_iou", "classification": "top1"}
"""The score on the validation split by which the best checkpoint is chosen, per task."""


@dataclass(frozen=True)
class _Run:
    """A training in progress: its step, its data, and where results are written.

    Attributes:
      step: The step, which `run_steps` compiles.
      stream: Batches of the training split.
      val_set: The validation split.
      metadata: What every checkpoint holds in addition to its state.
      checkpoints: Checkpoints in the folder of the run.
      log: Log in the folder of the run.
      console: Console for the progress.
    """

    step: Step
    stream: Stream
    val_set: Dataset
    metadata: dict[str, Any]
    checkpoints: Checkpoints
    log: TrainingLog
    console: Console

    def run_steps(self, state: State, steps: int) -> bool:
        """Runs the remaining steps. Returns False if interrupted."""
        training, run_step = self.step.config.training, self.step.compile()
        start = int(state.step.addressable_data(0))
        with (
            closing(prefetch_batches(self.stream, start, steps, part=batch_share())) as batches,
            TrainingProgress(self.console, steps, start) as progress,
            Interruption() as interruption,
        ):
            for number, batch in batches:
                if training.patience is not None and self.log.since_best >= training.patience:
                    progress.print_line(
                        f"stopped early: no better score in {self.log.since_best} evaluations"
                    )
                    return True
                state, record = run_step(state, put_batch(batch, self.step.mesh))
                done = number + 1
                progress.update(self.log.write_step(done, record, batches.waited))
                due = done % training.evaluate_every == 0 or done == steps
                if due:
                    score = self.evaluate(state, done)
                    self.save(state, done, score)
                    progress.print_line(
                        f"step {done}: {format_score(self.log.score, score)} on the validation split"
                    )
                    self.log.start_clock(batches.waited)
                if interruption.should_stop(done) and done < steps:
                    if not due:
                        self.save(state, done, None)
                    progress.print_line(f"interrupted: saved at step {done}; continue with --resume")
                    return False
        return True

    def evaluate(self, state: State, done: int) -> float | None:
        """Evaluates and logs the scores on the validation split. Returns the score that ranks checkpoints."""
        network = Trained.of(self.step.config, self.metadata, self.step.graphs, state)
        batch_size = self.step.config.training.batch_size
        return self.log.write_evaluation(done, evaluate(network, self.val_set, batch_size=batch_size))

    def save(self, state: State, done: int, score: float | None) -> None:
        """Saves a checkpoint, after the log up to its step is on the disk."""
        self.log.sync()
        self.checkpoints.save(state, done, self.metadata, score)


def train(
    config: Config,
    out: Path | str,
    *,
    data: Path | None = None,
    resume: bool = False,
    checkpoint: WhichCheckpoint = "last",
    one_batch: bool = False,
    dry_run: bool = False,
    devices: Devices = None,
    console: Console | None = None,
) -> dict[str, Any] | None:
    """Trains a network and writes everything about the training into a folder.

    Args:
      config: Configuration of the experiment.
      out: Folder of the run: ``config.toml``, ``environment.json``, ``log.jsonl``, ``checkpoints/``, and
        at the end ``metrics.json``, ``curves.png`` and ``overlays.png``.
      data: Folder of the data, for data sets that are read from files.
      resume: Continue from a checkpoint in `out`, bit for bit as if the training had not been
        interrupted; if nothing was saved yet, start from the beginning.
      checkpoint: Checkpoint to continue from. After ``"best"``, later steps are dropped and repeated.
      one_batch: Train on the first batch only, to see whether the network can learn at all.
      dry_run: Take two steps and evaluate, to see whether everything fits together.
      devices: Number of devices over which every batch is split, the first ones of jax; None for all.
        ``"fastest"``: as many as the run was started on. With oneDNN on the devices of a CPU, a new run takes
        a few steps on one and on all of them, and continues on one unless all are clearly faster;
        ``environment.json`` records the choice and the times.
      console: Console for the progress; the terminal by default.

    Returns:
      What was written to ``metrics.json``; None if the training was interrupted (SIGTERM, Ctrl-C) before
      its end, after it saved a checkpoint.

    Raises:
      ConfigError: The folder holds another run, another process trains there, or the configuration does
        not fit the data.
      RunError: A file of the run is damaged or missing, or cannot be written.
      DataError: The data are damaged; the message names the files.
      DivergenceError: The loss is not finite; the message names the step.
      TypeError: `devices` is neither an integer nor ``"fastest"``.
    """
    out, console = Path(out), console or Console()
    with ExitStack() as exits:
        lock = lambda: exits.enter_context(folder_lock(out, console))  # noqa: E731
        exists = first_decides(out.exists)
        if exists:  # a folder in use is refused before the data are read, which may take minutes
            first_decides(lock)
        train_set, val_set = (open_data(config, split, data) for split in ("train", "val"))
        check_data(config, train_set, val_set, files=data is not None)
        mesh = batch_mesh(config.training.batch_size, _count(devices, None))
        checkpoints, metadata = Checkpoints(out), make_metadata(config, train_set, one_batch=one_batch)
        if not exists:  # data that are refused leave no folder behind
            first_decides(lock)
        which = checkpoint if resume else None
        start = first_decides(lambda: _starting_step(out, checkpoints, metadata, which, console))
        saved = first_decides(lambda: checkpoints.read_metadata(start)) if start else None
        if saved:
            mesh = batch_mesh(config.training.batch_size, _count(devices, saved))
        optimizer, schedule = build_optimizer(config)
        loss = build_loss(config, train_set)
        graphs, state = _build_state(config, optimizer, train_set, mesh, checkpoints, start)
        lines = all_succeed(lambda: read_log_until(out / "log.jsonl", start))
        checkpoints.drop_after(start)
        step = Step(config, graphs, optimizer, schedule, loss, replicated_sharding(mesh))
        stream = _build_stream(config, train_set, one_batch)
        first_decides(lambda: write_atomically(out / "config.toml", config.toml()))  # before the long work
        seconds: dict[int, float] = {}
        steps = 2 if dry_run else config.training.steps
        if devices == "fastest" and not start:
            step, seconds = choose_devices(step, state, stream.batch(0), steps)
            state = put_replicated(state, step.mesh)
            print_choice(seconds, step.mesh.size, console)
        metadata |= rounding(step.mesh)
        if saved:
            warn_of_other_rounding(metadata, saved, console)
        parameters = sum(leaf.size for leaf in jax.tree.leaves(state.parameters))
        first_decides(lambda: _write_environment(out, data, parameters, step.mesh, seconds))
        _warn_of_frozen(config, console)
        console.print(
            f"{config.model.name}: {parameters:,} parameters; {len(train_set):,} training examples, "
            f"{len(val_set):,} validation examples; {step.mesh.size} x {jax.devices()[0].device_kind}"
            + (f"; continuing after step {start}" if start else ""),
            highlight=False,
        )
        score = SCORES[train_set.task]
        log = TrainingLog(out / "log.jsonl", lines, config.training.batch_size, score)
        exits.enter_context(closing(log))
        warn_of_void(stream.batch(start, batch_share()), console)
        run = _Run(step, stream, val_set, metadata, checkpoints, log, console)
        if run.run_steps(state, steps):
            return write_results(out, log, checkpoints, val_set, parameters, console)
    return None


def _starting_step(
    out: Path,
    checkpoints: Checkpoints,
    metadata: dict[str, Any],
    which: WhichCheckpoint | None,
    console: Console,
) -> int:
    """Returns the step of the checkpoint from which to start, 0 if there is none.

    Args:
      out: Folder of the run.
      checkpoints: Checkpoints in that folder.
      metadata: Metadata of this training, which must equal those of the checkpoint.
      which: Checkpoint to continue from; None for a new training.
      console: Console for remarks.

    Raises:
      ConfigError: The folder holds a run although `which` is None, or a run with other settings.
      RunError: The checkpoints were lost or are damaged.
    """
    checkpoints.recover()
    checkpoints.check_not_lost()
    step = checkpoints.find_step(which or "last")
    if step is None:
        if which is not None:
            console.print(f"nothing is saved in {out} yet: starting from the first step", highlight=False)
        return 0
    if which is None:
        raise ConfigError(
            f"{out} already contains a run; continue it with --resume, or choose another --out."
        )
    checkpoints.check_earlier(step)
    saved = checkpoints.read_metadata(step)
    differences = Config.of(metadata["config"]).differences(Config.of(saved["config"]))
    for key in sorted(metadata.keys() - {"config"}):
        if metadata[key] != saved.get(key):
            differences.append(f"`{key}` is {metadata[key]!r}, was {saved.get(key)!r}")
    if differences:
        raise ConfigError(
            f"{out} was started with other settings: {'; '.join(differences)}. Resume with the former "
            "ones, or choose another --out."
        )
    return step


def _write_environment(
    out: Path, data: Path | None, parameters: int, mesh: Mesh, seconds: dict[int, float]
) -> None:
    """Writes a record of the data and the machine of a run."""
    record = environment(data, parameters, list(mesh.devices.flat))
    record["onednn"] = rounding(mesh)["onednn"]
    record["step_seconds"] = seconds or recorded_environment(out).get("step_seconds")
    write_json(out / "environment.json", record)


def _count(devices: Devices, saved: dict[str, Any] | None) -> int | None:
    """Returns the number of devices of a training; None for all of them.

    Args:
      devices: The argument of `train`.
      saved: Metadata of the checkpoint from which it starts; None at the first step.
    """
    if devices != "fastest":
        return devices
    return saved["devices"] if saved and saved["devices"] <= jax.device_count() else None


def _warn_of_frozen(config: Config, console: Console) -> None:
    """Warns of frozen parameters without pretrained weights, which are rarely intended."""
    if config.training.frozen and config.model.options.get("weights", "") is None:
        console.print(
            f"{', '.join(config.training.frozen)} keeps its random initial values: `training.frozen` is set "
            "without `model.weights`",
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
    """Builds the network and the state at step `start`, new or from the checkpoint."""
    sizes = (train_set.in_features, len(train_set.classes.names))
    if not start:
        graphs, state = initial_state(config, optimizer, *sizes)
        return graphs, put_replicated(state, mesh)
    graphs, shapes = abstract_state(config, optimizer, *sizes)
    return graphs, checkpoints.read_state(start, shapes, replicated_sharding(mesh))


class _FirstBatch(Stream):
    """A stream that repeats its first batch."""

    def batch(self, step: int, part: tuple[int, int] = (0, 1)) -> Batch:
        return super().batch(0, part)


def _build_stream(config: Config, train_set: Dataset, one_batch: bool) -> Stream:
    """Builds the stream of augmented batches, or one that repeats the first batch."""
    return (_FirstBatch if one_batch else Stream)(
        train_set,
        config.training.batch_size,
        augmentation=config.augmentation,
        seed=config.seed,
        shrink=config.training.shrink,
    )


class Interruption:
    """A context in which SIGTERM and the first Ctrl-C request a stop; the second Ctrl-C interrupts at once.

    Signal handlers are not changed outside of the main thread, nor where several processes train together:
    those must stop at the same step, and jax's own handler makes them agree on it.

    Attributes:
      request: Name of the signal that requested a stop, or None.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.request: str | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread() and jax.process_count() == 1:
            self._previous = {number: signal.signal(number, self._handle) for number in self.SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def should_stop(self, step: int) -> bool:
        """Returns whether to stop after a step; all processes return the same."""
        return self.request is not None if jax.process_count() == 1 else multihost.reached_preemption(step)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.request and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.request = signal.Signals(number).name
