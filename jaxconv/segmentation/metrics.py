"""How well pixels are labelled, counted exactly: one confusion matrix, and what follows from it."""

from __future__ import annotations

import numpy as np

from jaxconv.errors import GeometryError


def confusion_matrix(
    labels: np.ndarray, predictions: np.ndarray, n_classes: int, *, ignore_label: int | None = None
) -> np.ndarray:
    """How often each class was taken for each; add the matrices of batches to get that of a set.

    Args:
      labels: The truth, integers of any shape.
      predictions: Of the same shape.
      n_classes: Classes are 0 to ``n_classes - 1``.
      ignore_label: Void: pixels with this truth are left out before anything is counted, whatever
        was predicted there.

    Returns:
      ``(n_classes, n_classes)`` int64, rows the truth, columns the prediction.

    Raises:
      GeometryError: Shapes differ, or a class outside the range is counted.
      TypeError: Labels or predictions are not integers.

    >>> print(confusion_matrix([0, 0, 1, 255], [0, 1, 1, 0], 2, ignore_label=255))
    [[1 1]
     [0 1]]
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.shape != predictions.shape:
        raise GeometryError(
            f"every label needs one prediction: `labels` is {labels.shape}, `predictions` "
            f"{predictions.shape}; take the argmax of the logits over the features first."
        )
    for name, array in (("labels", labels), ("predictions", predictions)):
        if array.dtype.kind not in "iu":
            raise TypeError(f"`{name}` holds classes, integers; got {array.dtype}.")
    if ignore_label is not None:
        counted = labels != ignore_label
        labels, predictions = labels[counted], predictions[counted]
    for name, array in (("labels", labels), ("predictions", predictions)):
        if array.size and not (0 <= array.min() and array.max() < n_classes):
            raise GeometryError(
                f"`{name}` must lie in [0, {n_classes}), found {array.min()} to {array.max()}; raise "
                "`n_classes`, or name the void class as `ignore_label`."
            )
    # In int64 before the product: eleven classes already overflow int8.
    pairs = labels.astype(np.int64).ravel() * n_classes + predictions.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of every class: hits / (truth + predictions - hits).

    Args:
      confusion: ``(n, n)`` of `confusion_matrix`.

    Returns:
      ``(n,)`` float64; NaN for a class that occurs neither in the truth nor in a prediction.

    References:
      Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 88, 2010, section 4.4.

    >>> iou(np.array([[2, 1, 0], [0, 1, 0], [0, 0, 0]])).round(2).tolist()
    [0.67, 0.5, nan]
    """
    hits = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hits
    return np.divide(hits, union, out=np.full(len(union), np.nan), where=union > 0)


def mean_iou(confusion: np.ndarray) -> float:
    """The mean of `iou` over the classes that occur; NaN when none does.

    >>> mean_iou(np.array([[2, 1, 0], [0, 2, 0], [0, 0, 0]]))
    0.6666666666666666
    """
    occurring = iou(confusion)
    occurring = occurring[~np.isnan(occurring)]
    return float(occurring.mean()) if occurring.size else float("nan")


def global_accuracy(confusion: np.ndarray) -> float:
    """The part of all counted pixels that is labelled right; NaN when none is counted.

    >>> global_accuracy(np.array([[2, 1], [0, 1]]))
    0.75
    """
    counted = confusion.sum()
    return float(np.trace(confusion) / counted) if counted else float("nan")
