"""A training from beginning to end, or from wherever it was interrupted."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh
from rich.console import Console

from jaxconv.data import Batch, Dataset, Stream
from jaxconv.data.batches import prefetch
from jaxconv.errors import ConfigError
from jaxconv.training.agreement import all_succeed, first_decides
from jaxconv.training.checkpoints import Checkpoints, Which
from jaxconv.training.checks import check_data, warn_of_void
from jaxconv.training.config import Config
from jaxconv.training.devices import batch_mesh, part, put_batch, put_replicated, replicated
from jaxconv.training.evaluation import evaluate
from jaxconv.training.history import History, lines_until
from jaxconv.training.interruption import Interruption
from jaxconv.training.lock import locked
from jaxconv.training.losses import build_loss
from jaxconv.training.optimizers import build_optimizer
from jaxconv.training.progress import TrainingProgress
from jaxconv.training.record import RunError, environment, write_json, write_whole
from jaxconv.training.results import said, write_results
from jaxconv.training.runs import about, open_data
from jaxconv.training.state import Graphs, State, Step, abstract_state, initial_state
from jaxconv.training.trained import Trained

SCORES = {"segmentation": "mean_iou", "classification": "top1"}
"""What the best checkpoint is chosen by, on the validation split."""


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
    learned, judged = (open_data(config, split, data) for split in ("train", "val"))
    check_data(config, learned, judged, files=data is not None)
    mesh = batch_mesh(config.training.batch_size)
    optimizer, schedule = build_optimizer(config)
    loss = build_loss(config, learned)
    checkpoints, saying = Checkpoints(out), about(config, learned, one_batch=one_batch)
    with ExitStack() as exits:
        first_decides(lambda: exits.enter_context(locked(out, console)))
        which = checkpoint if resume else None
        begun = first_decides(lambda: _begun(out, checkpoints, saying, which, console))
        graphs, state = _state(config, optimizer, learned, mesh, checkpoints, begun)
        lines = all_succeed(lambda: lines_until(out / "log.jsonl", begun))
        checkpoints.drop_after(begun)
        step = Step(config, graphs, optimizer, schedule, loss, replicated(mesh))
        parameters = sum(leaf.size for leaf in jax.tree.leaves(state.parameters))
        first_decides(lambda: _describe(out, config, data, parameters))
        _warn(config, console)
        console.print(
            f"{config.model.name}: {parameters:,} parameters; {len(learned):,} examples to learn from, "
            f"{len(judged):,} to be judged on; {jax.device_count()} x {jax.devices()[0].device_kind}"
            + (f"; going on after step {begun}" if begun else ""),
            highlight=False,
        )
        score = SCORES[learned.task]
        history = History(out / "log.jsonl", lines, config.training.batch_size, score)
        exits.enter_context(closing(history))
        stream = _stream(config, learned, one_batch)
        warn_of_void(stream.batch(begun, part()), console)
        steps = 2 if dry_run else config.training.steps
        if _learn(step, state, stream, steps, judged, saying, mesh, checkpoints, history, console):
            return write_results(out, history, checkpoints, judged, parameters, console)
    return None


def _begun(
    out: Path, checkpoints: Checkpoints, saying: dict[str, Any], which: Which | None, console: Console
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
    saved = checkpoints.about(step)
    differences = Config.of(saying["config"]).differences(Config.of(saved["config"]))
    for key in sorted(saying.keys() - {"config", "devices"}):
        if saying[key] != saved.get(key):
            differences.append(f"`{key}` is {saying[key]!r}, was {saved.get(key)!r}")
    if differences:
        raise ConfigError(f"{out} was begun with other settings: {'; '.join(differences)}.")
    if saying["devices"] != saved["devices"]:
        console.print(
            f"begun on {saved['devices']} devices, goes on with {saying['devices']}: equal up to rounding",
            style="yellow",
            highlight=False,
        )
    return step


def _describe(out: Path, config: Config, data: Path | None, parameters: int) -> None:
    """Writes what the run is, and where it is made."""
    write_whole(out / "config.toml", config.toml())
    write_json(out / "environment.json", environment(data, parameters))


def _warn(config: Config, console: Console) -> None:
    """Frozen parameters that nobody has trained are rarely meant."""
    if config.training.frozen and config.model.options.get("weights", "") is None:
        console.print(
            f"{', '.join(config.training.frozen)} stays as drawn at random: `training.frozen` without "
            "`model.weights`",
            style="yellow",
            highlight=False,
        )


def _state(
    config: Config, optimizer, learned: Dataset, mesh: Mesh, checkpoints: Checkpoints, begun: int
) -> tuple[Graphs, State]:
    """The network and the state to go on from."""
    sizes = (learned.in_features, len(learned.classes.names))
    if not begun:
        graphs, state = initial_state(config, optimizer, *sizes)
        return graphs, put_replicated(state, mesh)
    graphs, shapes = abstract_state(config, optimizer, *sizes)
    return graphs, checkpoints.state(begun, shapes, replicated(mesh))


class _FirstBatch(Stream):
    """A stream that never gets beyond its first batch."""

    def batch(self, step: int, part: tuple[int, int] = (0, 1)) -> Batch:
        return super().batch(0, part)


def _stream(config: Config, learned: Dataset, one_batch: bool) -> Stream:
    return (_FirstBatch if one_batch else Stream)(
        learned,
        config.training.batch_size,
        augmentation=config.augmentation,
        seed=config.seed,
        shrink=config.training.shrink,
    )


def _learn(
    step: Step,
    state: State,
    stream: Stream,
    steps: int,
    judged: Dataset,
    saying: dict[str, Any],
    mesh: Mesh,
    checkpoints: Checkpoints,
    history: History,
    console: Console,
) -> bool:
    """Takes the steps that are left; False when it was asked to stop before their end."""
    training, take, begun = step.config.training, step.compiled(), int(state.step.addressable_data(0))
    with (
        closing(prefetch(stream, begun, steps, part=part())) as batches,
        TrainingProgress(console, steps, begun) as progress,
        Interruption() as interruption,
    ):
        for number, batch in batches:
            if training.patience is not None and history.since_best >= training.patience:
                progress.say(f"stopped early: no better in {history.since_best} evaluations")
                return True
            state, record = take(state, put_batch(batch, mesh))
            done = number + 1
            progress.update(history.step(done, record, batches.waited))
            due = done % training.evaluate_every == 0 or done == steps
            if due:
                network = Trained.of(step.config, saying, step.graphs, state)
                score = history.evaluation(done, evaluate(network, judged, batch_size=training.batch_size))
                _save(checkpoints, history, state, done, saying, score)
                progress.say(f"step {done}: {said(history.score, score)} on the validation split")
                history.start_clock(batches.waited)
            if interruption.came(done) and done < steps:
                if not due:
                    _save(checkpoints, history, state, done, saying, None)
                progress.say(f"asked to stop: saved at step {done}; go on with --resume")
                return False
    return True


def _save(
    checkpoints: Checkpoints,
    history: History,
    state: State,
    done: int,
    saying: dict[str, Any],
    score: float | None,
) -> None:
    """Saves a checkpoint, after the lines of the log that it knows of."""
    history.sync()
    checkpoints.save(state, done, saying, score)
