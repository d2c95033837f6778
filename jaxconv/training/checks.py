"""What a training would only find out later, or never: looked at before it begins, cheap things first."""

from __future__ import annotations

from rich.console import Console

from jaxconv.errors import GeometryError
from jaxconv.segmentation import VOID, Batch, Dataset, check
from jaxconv.training.config import Config
from jaxconv.training.losses import class_weights
from jaxconv.training.options import ConfigError

LOOKED_AT = 16


def check_data(config: Config, learned: Dataset, judged: Dataset, *, files: bool) -> None:
    """Refuses data that the configuration does not fit, and files that cannot be used.

    Args:
      config: The experiment.
      learned: The training split.
      judged: The validation split.
      files: Whether the data are read from files; then every file is read once.

    Raises:
      ConfigError: The crop is larger than the images, or a class has no weight of its own.
      GeometryError: Some files cannot be used, or every pixel of the training split is void.
    """
    check_crop(config, learned)
    if isinstance(weights := config.loss.options["class_weights"], tuple):
        class_weights(weights, learned)
    if files:
        check(learned, one_size=config.augmentation.crop is None, labelled=True)
        check(judged)


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
    for index in range(min(len(dataset), LOOKED_AT)):
        try:
            example = dataset[index]
        except GeometryError:
            continue  # `check` lists what is wrong with the files
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
