"""Scores of a trained network on a split: every example counts once, at the resolution of its labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxconv.data import VOID, Batch, Dataset
from jaxconv.data.batches import iterate_batches
from jaxconv.errors import DataError
from jaxconv.segmentation import confusion_matrix, scores, top_k_accuracy, void_predictions
from jaxconv.training.inference import upsample_labels
from jaxconv.training.network import Network
from jaxconv.training.run_folder import json_value


def evaluate(
    network: Network,
    dataset: Dataset,
    *,
    batch_size: int = 8,
    void_as_false_positive: bool = False,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Computes the scores of a network over a whole data set, as values for JSON.

    The network runs at its own resolution; its outputs are interpolated to the resolution of the labels,
    and the largest is counted there. Examples of one size go through one program, the last batch filled
    up. A score that is undefined is None.

    Args:
      network: A trained network, such as `load` returns.
      dataset: Data set with the classes, features and task on which the network was trained.
      batch_size: Examples per batch.
      void_as_false_positive: Count predictions on void pixels against the predicted class, as ReSeg's
        own evaluation does. Published scores usually leave void pixels out.
      progress: Function that is called after every batch with the number of its examples.

    Returns:
      ``task`` and ``examples``; for segmentation ``mean_iou``, ``global_accuracy``,
      ``mean_class_accuracy``, ``frequency_weighted_iou``, ``per_class_iou`` (by name),
      ``void_as_false_positive`` and ``resolution``, rows and columns of the labels or ``"mixed"``; for
      classification ``top1``, ``top5`` and ``confusion``, whose rows are the true classes.

    Raises:
      DataError: The data set is empty, or its classes, features or task differ from the network's.
    """
    _check(network, dataset)
    common = {"task": network.task, "examples": len(dataset)}
    outputs = _run_batches(network, dataset, batch_size, progress or (lambda count: None))
    if network.task == "classification":
        return json_value({**common, **_score_images(network, outputs)})
    found = _score_pixels(network, outputs, void_as_false_positive)
    return json_value({**common, **found, "void_as_false_positive": void_as_false_positive})


def _score_pixels(
    network: Network, outputs: Iterator[tuple[np.ndarray, np.ndarray]], void_too: bool
) -> dict[str, Any]:
    """Computes the scores from pairs of labels and predicted labels, ``(b, rows, columns)`` per batch."""
    names = network.classes.names
    n, resolutions = len(names), set()
    confusion, void = np.zeros((n, n), np.int64), np.zeros(n, np.int64)
    for labels, predictions in outputs:
        confusion += confusion_matrix(labels, predictions, n, ignore_label=VOID)
        if void_too:
            void += void_predictions(labels, predictions, n, ignore_label=VOID)
        resolutions.add(labels.shape[1:])
    found: dict[str, Any] = scores(confusion, void if void_too else None)
    found["per_class_iou"] = dict(zip(names, found["per_class_iou"], strict=True))
    return {**found, "resolution": resolutions.pop() if len(resolutions) == 1 else "mixed"}


def _score_images(network: Network, outputs: Iterator[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Computes the scores from pairs of labels ``(b,)`` and logits ``(b, n)``."""
    labels, logits = map(np.concatenate, zip(*outputs, strict=True))
    return {
        "top1": top_k_accuracy(logits, labels, 1),
        "top5": top_k_accuracy(logits, labels, 5),
        "confusion": confusion_matrix(labels, logits.argmax(-1), len(network.classes.names)).tolist(),
    }


def _run_batches(
    network: Network, dataset: Dataset, size: int, progress: Callable[[int], None]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the labels of every batch with the predicted labels, or with the logits of a classifier.

    A batch is loaded while the device computes the previous one.
    """
    running: list[tuple[np.ndarray, jax.Array]] = []
    for batch, count in iterate_batches(dataset, size, shrink=network.shrink):
        running.append((batch.labels[:count], _run_batch(network, batch)))
        if len(running) > 1:
            yield _fetch(*running.pop(0), progress)
    yield _fetch(*running.pop(), progress)


def _run_batch(network: Network, batch: Batch) -> jax.Array:
    """Returns the predicted labels of a batch, or the logits of a classifier."""
    logits = network.logits(batch.images)
    if network.task == "classification":
        return logits
    _, rows, columns = batch.labels.shape
    return upsample_labels(logits, (rows, columns), network.shrink)


def _fetch(
    labels: np.ndarray, output: jax.Array, progress: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Waits for the output of a batch, and drops what belongs to the examples that filled it up."""
    values = np.asarray(output)[: len(labels)]
    progress(len(labels))
    return labels, values


def _check(network: Network, dataset: Dataset) -> None:
    """Raises a DataError if the network cannot be evaluated on the data set."""
    if not len(dataset):
        raise DataError("`dataset` has no examples, so there is nothing to evaluate.")
    pairs = {
        "task": (network.task, dataset.task),
        "number of features": (str(network.in_features), str(dataset.in_features)),
        "classes": (", ".join(network.classes.names), ", ".join(dataset.classes.names)),
    }
    for what, (mine, its) in pairs.items():
        if mine != its:
            raise DataError(
                f"`dataset` must have the {what} on which the network was trained: {mine}; got {its}."
            )
