"""What a training would only find out later, or never: looked at before it begins, cheap things first."""

from __future__ import annotations

import jax
import numpy as np
from rich.console import Console

from jaxconv.data import VOID, Batch, Dataset, check_dataset
from jaxconv.errors import ConfigError, DataError
from jaxconv.training.config import Config
from jaxconv.training.devices import local_mesh, replicated
from jaxconv.training.losses import build_class_weights
from jaxconv.training.optimizers import build_optimizer
from jaxconv.training.state import Step, abstract_state

CROP_EXAMPLES = 16


def check_data(config: Config, train_set: Dataset, val_set: Dataset, *, files: bool) -> None:
    """Refuses data that the configuration does not fit, and files that cannot be used.

    Args:
      config: The experiment.
      train_set: The training split.
      val_set: The validation split.
      files: Whether the data are read from files; then every file is read once.

    Raises:
      ConfigError: The crop is larger than the images, a class has no weight of its own, or the network
        is not one for these data.
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
    """Refuses a crop that is larger than the images are at scale 1: a part of each would be void.

    Only the first images are read, and one of them that is large enough will do.

    Raises:
      ConfigError: None of them is.
    """
    crop = config.augmentation.crop
    if crop is None:
        return
    # A cell of the shrunken image at the border stands for fewer pixels; and who enlarges all may crop more.
    shrink, enlarged = config.training.shrink, max(config.augmentation.scale[0], 1.0)
    found = []
    for index in range(min(len(dataset), CROP_EXAMPLES)):
        try:
            example = dataset[index]
        except DataError:
            continue  # `check_dataset` lists what is wrong with the files
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
    """Refuses a network whose options contradict each other or the data.

    It is traced on the shapes of one batch, and nothing is computed: a second, where files take minutes.

    Raises:
      JaxconvError: As the network and its first step would.
    """
    shrink = config.training.shrink
    try:
        shape = config.augmentation.crop or dataset[0].image.shape[:2]
    except DataError:
        return  # `check_dataset` lists what is wrong with the files
    size = (config.training.batch_size, *(-(-cells // shrink) for cells in shape))
    images = np.broadcast_to(np.float32(0), (*size, dataset.in_features))  # takes no memory
    labels = np.broadcast_to(np.int32(0), size if dataset.task == "segmentation" else size[:1])
    optimizer, schedule = build_optimizer(config)
    graphs, state = abstract_state(config, optimizer, dataset.in_features, len(dataset.classes))
    loss = lambda logits, labels: logits.sum()  # noqa: E731
    step = Step(config, graphs, optimizer, schedule, loss, replicated(local_mesh()))
    jax.eval_shape(step.objective, state.parameters, state.rest, Batch(images, labels))


def warn_of_void(batch: Batch, console: Console) -> None:
    """Says in one line that most of a batch is void: rarely meant, and the scores would not show why."""
    share = float((batch.labels == VOID).mean())
    if share > 0.5:
        console.print(
            f"{share:.0%} of the first batch's pixels are void, and nothing is learned from them: is "
            "`augmentation.crop` too large, `augmentation.scale` too small, or little labelled?",
            style="yellow",
            highlight=False,
        )
