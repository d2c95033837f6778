"""From the name of a run, or of a split, to the thing itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax

from jaxconv.data import DATASETS, Dataset
from jaxconv.errors import ConfigError
from jaxconv.training.agreement import first_decides
from jaxconv.training.checkpoints import Checkpoints, Which
from jaxconv.training.config import Config
from jaxconv.training.devices import local_mesh, replicated
from jaxconv.training.optimizers import build_optimizer
from jaxconv.training.record import RunError, plain
from jaxconv.training.state import abstract_state
from jaxconv.training.trained import Trained


def open_data(config: Config, split: str, folder: Path | None = None) -> Dataset:
    """A split of the data set of a configuration.

    Args:
      config: The configuration.
      split: ``"train"``, ``"val"`` or ``"test"``.
      folder: Where the files are; None for data that are made.

    Raises:
      DataError: The folder is missing, or not laid out as the data set expects.
    """
    return DATASETS[config.data.name](split, folder, **config.data.options)


def recorded_data(run: Path) -> Path | None:
    """The folder of data that a run was made with."""
    path = run / "environment.json"
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_bytes())["data"]
        return None if data is None else Path(data)
    except (ValueError, KeyError, TypeError, OSError):
        raise RunError(f"{path} is damaged; restore it from a copy, or name the data by --data.") from None


def about(config: Config, dataset: Dataset, *, one_batch: bool = False) -> dict[str, Any]:
    """What a checkpoint says of itself: all that is needed to use it without the data, or to go on.

    Args:
      config: The configuration.
      dataset: That is learned.
      one_batch: Whether only its first batch is.
    """
    rows, columns = config.augmentation.crop or dataset[0].image.shape[:2]
    return plain(
        {
            "config": config.tables(),
            "classes": asdict(dataset.classes),
            "in_features": dataset.in_features,
            "task": dataset.task,
            "size": (rows, columns),
            "examples": len(dataset),
            "one_batch": one_batch,
            "devices": jax.device_count(),
        }
    )


def load(run: Path | str, checkpoint: Which = "best") -> Trained:
    """The network of a run.

    Args:
      run: The folder that a training wrote.
      checkpoint: The best on the validation split, or the last.

    Raises:
      ConfigError: The folder holds no checkpoint.
      RunError: The checkpoint is damaged; the message names the file, and the way out.
    """
    run = Path(run)
    if not (run / "checkpoints").is_dir():
        found = "it does not exist" if not run.exists() else "there is no `checkpoints` in it"
        raise ConfigError(f"{run} is not the folder of a run: {found}; `jaxconv train` writes one.")
    return trained(Checkpoints(run), checkpoint)


def trained(checkpoints: Checkpoints, which: Which) -> Trained:
    """The network of a run's best or last checkpoint, on the devices of this process."""
    step = first_decides(lambda: checkpoints.step(which))
    if step is None:
        raise ConfigError(f"there is no checkpoint in {checkpoints.folder} yet.")
    saved = checkpoints.about(step)
    config, classes = Config.of(saved["config"]), len(saved["classes"]["names"])
    optimizer, _ = build_optimizer(config)
    graphs, shapes = abstract_state(config, optimizer, saved["in_features"], classes)
    state = checkpoints.state(step, shapes, replicated(local_mesh()))
    return Trained.of(config, saved, graphs, state)
