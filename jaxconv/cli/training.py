"""The command that trains a network."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxconv.cli.screen import console
from jaxconv.errors import OptionError


@dataclass(frozen=True)
class Processes:
    """Several processes that train one network together, each with its own devices."""

    distributed: bool = False
    """Join the other processes. What is not said below is taken from the cluster's own variables."""
    coordinator: str | None = None
    """HOST:PORT of the first process."""
    processes: int | None = None
    """How many there are."""
    process: int | None = None
    """Which of them this is, from 0."""

    def join(self) -> None:
        """Before jax is used: waits until all processes are there."""
        import jax

        given = (self.coordinator, self.processes, self.process)
        if self.distributed:
            if None in given and given != (None, None, None):
                raise OptionError("--coordinator, --processes and --process go together: give all or none.")
            jax.distributed.initialize(self.coordinator, self.processes, self.process)
        elif given != (None, None, None):
            raise OptionError("--coordinator, --processes and --process belong to --distributed.")


def train(
    config: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CONFIG")],
    /,
    data: Path | None = None,
    out: Path | None = None,
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    resume: bool = False,
    checkpoint: Literal["best", "last"] = "last",
    dry_run: bool = False,
    overfit_one_batch: bool = False,
    processes: Annotated[Processes, tyro.conf.arg(name="")] = Processes(),
) -> None:
    """Trains the network of a configuration: one folder with its log, checkpoints, scores and pictures.

    Args:
      config: A TOML file, such as configs/digits_unet.toml; or the name of one that comes with the
        library, such as digits_unet; or with --resume the folder of a run.
      data: Folder of the data, for data sets of files.
      out: Folder of the run; runs/NAME by default, runs/NAME-one-batch with --overfit-one-batch.
      set: A change, such as --set training.steps=100; may be given several times.
      resume: Go on from the last checkpoint in the folder of the run; begin where nothing is saved yet.
      checkpoint: With --resume: the checkpoint to go on from. After the best, all is done again.
      dry_run: Two steps and one evaluation into a folder that is thrown away.
      overfit_one_batch: Learn the first batch by heart, to see whether the network can learn at all.
      processes: For training in several processes.
    """
    processes.join()
    import jax

    from jaxconv.training import Config, train
    from jaxconv.training.devices import prepare_cpu
    from jaxconv.training.run_folder import recorded_data

    if dry_run and processes.distributed:
        raise OptionError("--dry-run is for one process: its folder is its own and thrown away.")
    if checkpoint != "last" and not resume:
        raise OptionError(f"--checkpoint {checkpoint} is of a run to go on with: give --resume too.")
    path = config_file(config)
    if config.is_dir():
        out = out or config
        data = data or recorded_data(config)
    settings = Config.read(path, set)
    if not processes.distributed:  # there every process is a device
        prepare_cpu(settings.training.batch_size)
    console.quiet = jax.process_index() > 0  # the first process tells it for all
    name = f"{path.stem}-one-batch" if overfit_one_batch else path.stem
    with tempfile.TemporaryDirectory() as thrown_away:
        train(
            settings,
            thrown_away if dry_run else out or Path("runs") / name,
            data=data,
            resume=resume,
            checkpoint=checkpoint,
            one_batch=overfit_one_batch,
            dry_run=dry_run,
            console=console,
        )


def config_file(named: Path) -> Path:
    """The file that was meant: itself, that of a run, or one that comes with the library."""
    from jaxconv.training.config import shipped_config

    if named.is_dir():
        return run_config(named)
    if named.exists():
        return named
    if named.parent in (Path("."), Path("configs")) and named.suffix in ("", ".toml"):
        return shipped_config(named.stem)
    raise FileNotFoundError(f"there is no configuration {named}.")


def run_config(run: Path) -> Path:
    """The configuration in the folder of a run."""
    from jaxconv.training import ConfigError
    from jaxconv.training.run_folder import RunError

    path = run / "config.toml"
    if not path.exists():
        if (run / "checkpoints").is_dir():
            raise RunError(f"{path} is missing; name the configuration: train CONFIG --out {run} --resume.")
        raise ConfigError(f"{run} is not the folder of a run: there is no `config.toml` in it.")
    return path
