"""What a training minimises, by name, with options that a configuration can be held against."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import numpy as np

from jaxconv.data import Dataset
from jaxconv.errors import ConfigError
from jaxconv.limits import Within
from jaxconv.segmentation import (
    class_frequencies,
    cross_entropy,
    dice_loss,
    focal_loss,
    median_frequency_weights,
)

ClassWeights = Literal["none", "median_frequency"] | tuple[Annotated[float, Within(0, 1e6)], ...]


def _cross_entropy(
    weights, *, class_weights: ClassWeights = "none", reduction: Literal["mean", "sum"] = "mean"
):
    return partial(cross_entropy, class_weights=weights, reduction=reduction)


def _dice(weights, *, class_weights: ClassWeights = "none"):
    return partial(dice_loss, class_weights=weights)


def _focal(
    weights,
    *,
    class_weights: ClassWeights = "none",
    reduction: Literal["mean", "sum"] = "mean",
    gamma: Annotated[float, Within(0, 100)] = 2.0,
):
    return partial(focal_loss, class_weights=weights, reduction=reduction, gamma=gamma)


LOSSES: dict[str, Callable] = {"cross_entropy": _cross_entropy, "dice": _dice, "focal": _focal}


def build_loss(config, train: Dataset) -> Callable:
    """The loss of a configuration: ``(logits, labels)`` to a number.

    Args:
      config: The configuration.
      train: What median frequencies are counted on.

    Raises:
      ConfigError: There is not one weight for each class.
    """
    choice = config.loss
    return LOSSES[choice.name](build_class_weights(choice.options["class_weights"], train), **choice.options)


def build_class_weights(kind: ClassWeights, train: Dataset) -> np.ndarray | None:
    """``(n_classes,)`` float32, or None for equal ones."""
    if kind == "none":
        return None
    if kind == "median_frequency":
        return np.asarray(median_frequency_weights(class_frequencies(train)), np.float32)
    names = train.classes.names
    if len(kind) != len(names) or not (np.isfinite(kind).all() and min(kind) >= 0 and max(kind) > 0):
        raise ConfigError(
            "`loss.class_weights` needs one number that is not negative, and not all 0, for each of the "
            f"{len(names)} classes ({', '.join(names)}); got {list(kind)}."
        )
    return np.asarray(kind, np.float32)
