"""Losses by name. Their keyword options are the options of [loss] in a configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import jax
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
from jaxconv.training.options import abbreviate

Loss = Callable[[jax.Array, jax.Array], jax.Array]
"""``(logits, labels)`` to a number: ``(b, ..., n_classes)`` float32 and ``(b, ...)`` int32."""

ClassWeights = Literal["none", "median_frequency"] | tuple[Annotated[float, Within(0, 1e6)], ...]


def _cross_entropy(
    weights: Any,
    *,
    class_weights: ClassWeights = "none",
    reduction: Literal["mean", "sum"] = "mean",
) -> Loss:
    return partial(cross_entropy, class_weights=weights, reduction=reduction)


def _dice(weights: Any, *, class_weights: ClassWeights = "none") -> Loss:
    return partial(dice_loss, class_weights=weights)


def _focal(
    weights: Any,
    *,
    class_weights: ClassWeights = "none",
    reduction: Literal["mean", "sum"] = "mean",
    gamma: Annotated[float, Within(0, 100)] = 2.0,
) -> Loss:
    return partial(focal_loss, class_weights=weights, reduction=reduction, gamma=gamma)


LOSSES: dict[str, Callable[..., Loss]] = {"cross_entropy": _cross_entropy, "dice": _dice, "focal": _focal}


def build_class_weights(kind: ClassWeights, train: Dataset) -> np.ndarray | None:
    """Returns the weights of the classes, ``(n_classes,)`` float32, or None for equal weights.

    Args:
      kind: ``"none"``, ``"median_frequency"``, or the weights themselves.
      train: The training split, on which median frequencies are counted.

    Raises:
      ConfigError: The number of weights is not that of the classes, one is negative, or all are 0.
    """
    if kind == "none":
        return None
    if kind == "median_frequency":
        return np.asarray(median_frequency_weights(class_frequencies(train)), np.float32)
    names = train.classes.names
    if len(kind) != len(names) or not (np.isfinite(kind).all() and min(kind) >= 0 and max(kind) > 0):
        raise ConfigError(
            f"`loss.class_weights` must be one number for each of the {len(names)} classes "
            f"({', '.join(names)}), none of them negative and not all 0; got {abbreviate(list(kind))}."
        )
    return np.asarray(kind, np.float32)
