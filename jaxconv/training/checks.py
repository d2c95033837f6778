"""Checks before a training starts, the cheap ones first.

A module of its own beside `loop`: each check is used and tested without a training.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from rich.console import Console

from jaxconv.data import VOID, Batch, Dataset, check_dataset
from jaxconv.errors import ConfigError, DataError
from jaxconv.training.config import Config
from jaxconv.training.devices import AXIS, replicated_sharding
from jaxconv.training.losses import build_class_weights
from jaxconv.training.state import Step, abstract_state, build_optimizer

CROP_EXAMPLES = 16


def check_data(config: Config, train_set: Dataset, val_set: Dataset, *, files: bool) -> None:
    """Checks that configuration and data fit each other, and that every file can be used.

    Args:
      config: Configuration of the training.
      train_set: The training split.
      val_set: The validation split.
      files: Whether the data are read from files; if so, every file is read once.

    Raises:
      ConfigError: The crop is larger than the images, the number of class weights is not that of the
        classes, or the network does not fit the data.
      DataError: Some files cannot be used, or every pixel of the training split is void.
    """
    check_crop(config, train_set)
    if isinstance(weights := config.loss.options["class_weights"], tuple):
        build_class_weights(weights, train_set)
    if files:
        check_model(config, train_set)
        check_dataset(train_set, one_size=config.augmentation.crop is None, labelled=True)
        check_dataset(val_set)


def check_crop(config: Config, dataset: Dataset) -> None:
    """Checks that the crop is not larger than the images at scale 1, where a part of it would be void.

    Only the first images are read, until one of them is large enough.

    Args:
      config: Configuration of the training.
      dataset: The training split.

    Raises:
      ConfigError: None of the first images is as large as the crop.
    """
    crop = config.augmentation.crop
    if crop is None:
        return
    # The last cell of a shrunken image stands for fewer pixels; images that are all enlarged allow more.
    shrink, enlarged = config.training.shrink, max(config.augmentation.scale[0], 1.0)
    found = []
    for index in range(min(len(dataset), CROP_EXAMPLES)):
        try:
            example = dataset[index]
        except DataError:
            continue  # `check_dataset` reports what is wrong with the files
        rows, columns = example.image.shape[:2]
        limit = [round(-(-size // shrink) * enlarged) * shrink for size in (rows, columns)]
        if crop[0] <= limit[0] and crop[1] <= limit[1]:
            return
        found.append(f"{example.name} has {rows}x{columns}")
    if found:
        raise ConfigError(
            f"`augmentation.crop` is {crop[0]}x{crop[1]} pixels, but {found[0]} (rows x columns), so a part "
            "of every crop would be void; lower it to that size or less."
        )


def check_model(config: Config, dataset: Dataset) -> None:
    """Checks that the options of the network fit each other and the data.

    The step is traced on the shapes of one batch and nothing is computed, which takes a second; reading
    all files may take minutes.

    Args:
      config: Configuration of the training.
      dataset: The training split.

    Raises:
      JaxconvError: The network or its first step cannot be built.
    """
    shrink = config.training.shrink
    try:
        shape = config.augmentation.crop or dataset[0].image.shape[:2]
    except DataError:
        return  # `check_dataset` reports what is wrong with the files
    size = (config.training.batch_size, *(-(-cells // shrink) for cells in shape))
    # Views of one number, which take no memory.
    images = np.broadcast_to(np.float32(0), (*size, dataset.in_features))
    labels = np.broadcast_to(np.int32(0), size if dataset.task == "segmentation" else size[:1])
    optimizer, schedule = build_optimizer(config)
    graphs, state = abstract_state(config, optimizer, dataset.in_features, len(dataset.classes))
    loss = lambda logits, labels: logits.sum()  # noqa: E731
    one_device = Mesh(np.asarray(jax.local_devices()[:1]), (AXIS,))
    step = Step(config, graphs, optimizer, schedule, loss, replicated_sharding(one_device))
    jax.eval_shape(step.objective, state.parameters, state.rest, Batch(images, labels))


def warn_of_void(batch: Batch, console: Console) -> None:
    """Prints a warning if most pixels of a batch are void, which is rarely intended and lowers the scores."""
    share = float((batch.labels == VOID).mean())
    if share > 0.5:
        console.print(
            f"{share:.0%} of the first batch's pixels are void, and nothing is learned from them: is "
            "`augmentation.crop` too large, `augmentation.scale` too small, or are few pixels labelled?",
            style="yellow",
            highlight=False,
        )


def warn_of_other_rounding(rounding: dict[str, Any], saved: dict[str, Any], console: Console) -> None:
    """Warns if a training continues with other roundings than it started with.

    Args:
      rounding: What `jaxconv.training.device_choice.rounding` returns.
      saved: Metadata of the checkpoint, with the same keys; earlier versions of jaxconv did not write
        `onednn`.
      console: Console for the warnings.
    """
    onednn = lambda of: f"with oneDNN {of['onednn']}" if of.get("onednn") else "without oneDNN"  # noqa: E731
    devices = lambda of: f"on {of['devices']} device{'s' * (of['devices'] > 1)}"  # noqa: E731
    for words in (devices, onednn):
        if words(saved) != words(rounding):
            console.print(
                f"started {words(saved)}, continues {words(rounding)}: equal up to rounding",
                style="yellow",
                highlight=False,
            )
