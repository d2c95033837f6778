"""The command that trains a network."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxconv.cli.screen import console
from jaxconv.errors import ConfigError, OptionError


@dataclass(frozen=True)
class Processes:
    """Several processes that train one network together, each with its own devices."""

    distributed: bool = False
    """Join the other processes. Options that are left out are read from the variables of the cluster."""
    coordinator: str | None = None
    """HOST:PORT of the first process."""
    processes: int | None = None
    """Number of processes."""
    process: int | None = None
    """Number of this process, from 0."""

    def join(self) -> None:
        """Waits until all processes have joined; must be called before jax is used.

        Raises:
          OptionError: Only some of the options were given, or some without `distributed`.
        """
        import jax

        options = (self.coordinator, self.processes, self.process)
        if self.distributed:
            if None in options and options != (None, None, None):
                raise OptionError(
                    "--coordinator, --processes and --process must be given together or not at all."
                )
            jax.distributed.initialize(self.coordinator, self.processes, self.process)
        elif options != (None, None, None):
            raise OptionError("--coordinator, --processes and --process need --distributed.")


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
    devices: int | None = None,
    processes: Annotated[Processes, tyro.conf.arg(name="")] = Processes(),
) -> None:
    """Trains a network by a configuration file, and writes log, checkpoints, scores and pictures to a folder.

    Args:
      config: A TOML file, such as configs/digits_unet.toml; or the name of a configuration that comes
        with the library, such as digits_unet; or, with --resume, the folder of a run.
      data: Folder of the data, for data sets that are read from files.
      out: Folder of the run; by default runs/NAME, or runs/NAME-one-batch with --overfit-one-batch.
      set: Change of an option, such as --set training.steps=100; may be given several times.
      resume: Continue from the last checkpoint in the folder of the run, or start if nothing is saved yet.
      checkpoint: With --resume, the checkpoint to continue from. After the best, later steps are repeated.
      dry_run: Take two steps and evaluate once, in a temporary folder that is deleted.
      overfit_one_batch: Train on the first batch only, to see whether the network can learn at all.
      devices: Number of devices over which every batch is split; on a CPU these are virtual. By default all
        devices of a GPU or TPU; on a CPU one per core, or a single one if oneDNN is available and makes that
        faster; with --resume, as many as before.
      processes: Options for training in several processes.
    """
    if devices is not None and processes.distributed:
        raise OptionError("--devices is for one process: with --distributed, each one uses all its devices.")
    processes.join()
    import jax

    from jaxconv.training import Config, train
    from jaxconv.training.devices import Devices, prepare_cpu
    from jaxconv.training.run_folder import recorded_data, recorded_devices

    if dry_run and processes.distributed:
        raise OptionError(
            "--dry-run works in one process only: it writes to a temporary folder. Leave out --distributed."
        )
    if checkpoint != "last" and not resume:
        raise OptionError(f"--checkpoint {checkpoint} is for continuing a run: give --resume too.")
    path = config_file(config)
    if config.is_dir():
        out = out or config
        data = data or recorded_data(config)
    settings = Config.read(path, set)
    name = f"{path.stem}-one-batch" if overfit_one_batch else path.stem
    out = out or Path("runs") / name
    chosen: Devices = None  # in several processes, each has its own devices
    if not processes.distributed:
        if devices is None and resume:
            devices = recorded_devices(out)
        chosen = prepare_cpu(settings.training.batch_size, devices)
    console.quiet = jax.process_index() > 0  # only the first process prints
    with tempfile.TemporaryDirectory() as temporary:
        train(
            settings,
            temporary if dry_run else out,
            data=data,
            resume=resume,
            checkpoint=checkpoint,
            one_batch=overfit_one_batch,
            dry_run=dry_run,
            devices=chosen,
            console=console,
        )


def config_file(name: Path) -> Path:
    """Returns the configuration file that a command means.

    Args:
      name: A file, the folder of a run, or the name of a configuration that comes with the library.

    Raises:
      ConfigError: A folder is not that of a run, or the library has no configuration of that name.
      OSError: The file does not exist.
    """
    from jaxconv.training.config import shipped_config

    if name.is_dir():
        return run_config(name)
    if name.exists():
        return name
    if name.parent in (Path("."), Path("configs")) and name.suffix in ("", ".toml"):
        try:
            return shipped_config(name.stem)
        except ConfigError as error:
            raise ConfigError(f"the file {name} does not exist, and {error}") from None
    raise FileNotFoundError(f"the configuration {name} does not exist.")


def run_config(run: Path) -> Path:
    """Returns the configuration file in the folder of a run.

    Raises:
      ConfigError: The folder is not that of a run.
      RunError: The run has lost its configuration.
    """
    from jaxconv.training.run_folder import RunError

    path = run / "config.toml"
    if not path.exists():
        if (run / "checkpoints").is_dir():
            raise RunError(
                f"{path} is missing; give the configuration: jaxconv train CONFIG --out {run} --resume."
            )
        raise ConfigError(f"{run} is not the folder of a run: it has no file `config.toml`.")
    return path
