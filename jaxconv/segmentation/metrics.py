"""How well pixels are labelled, counted exactly: one confusion matrix, and what follows from it."""

from __future__ import annotations

import numpy as np

from jaxconv.errors import DataError, GeometryError
from jaxconv.geometry.arguments import at_least_one


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
      GeometryError: Shapes differ.
      DataError: A class outside the range is counted.
      TypeError: Labels, predictions or `n_classes` are not integers.

    >>> print(confusion_matrix([0, 0, 1, 255], [0, 1, 1, 0], 2, ignore_label=255))
    [[1 1]
     [0 1]]
    """
    n_classes = at_least_one("n_classes", n_classes)
    labels, predictions = _classes("labels", labels), _classes("predictions", predictions)
    if labels.shape != predictions.shape:
        raise GeometryError(
            f"every label needs one prediction: `labels` is {labels.shape}, `predictions` "
            f"{predictions.shape}; take the argmax of the logits over the features first."
        )
    if ignore_label is not None:
        counted = labels != ignore_label
        labels, predictions = labels[counted], predictions[counted]
    for name, array in (("labels", labels), ("predictions", predictions)):
        if array.size and not (0 <= array.min() and array.max() < n_classes):
            raise DataError(
                f"`{name}` must lie in [0, {n_classes}), found {array.min()} to {array.max()}; raise "
                "`n_classes`, or name the void class as `ignore_label`."
            )
    # In int64 before the product: eleven classes already overflow int8.
    pairs = labels.astype(np.int64).ravel() * n_classes + predictions.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def void_predictions(
    labels: np.ndarray, predictions: np.ndarray, n_classes: int, ignore_label: int
) -> np.ndarray:
    """How often each class was predicted where the truth is void; add them up like the confusion matrices.

    Args:
      labels: The truth, integers of any shape.
      predictions: Of the same shape.
      n_classes: Classes are 0 to ``n_classes - 1``.
      ignore_label: Void.

    Returns:
      ``(n_classes,)`` int64.

    Raises:
      GeometryError: Shapes differ.
      DataError: A class outside the range was predicted there.
      TypeError: Labels, predictions or `n_classes` are not integers.

    >>> void_predictions([0, 255, 255], [1, 1, 0], 2, ignore_label=255).tolist()
    [1, 1]
    """
    labels = _classes("labels", labels)
    # Void becomes the one class that counts, and so a row of a confusion matrix.
    void = np.where(labels == ignore_label, 0, n_classes)
    return confusion_matrix(void, predictions, n_classes, ignore_label=n_classes)[0]


def iou(confusion: np.ndarray, void: np.ndarray | None = None) -> np.ndarray:
    """Intersection over union of every class: hits / (truth + predictions - hits).

    Args:
      confusion: ``(n, n)`` counts of `confusion_matrix`.
      void: ``(n,)`` of `void_predictions`: counted as false positives of the predicted class, as the
        original ReSeg code does. By default what is predicted on void counts nowhere.

    Returns:
      ``(n,)`` float64; NaN for a class that occurs neither in the truth nor in a prediction.

    Raises:
      GeometryError: `confusion` is not square, or `void` is not one count per class.
      DataError: A count is negative.
      TypeError: The counts are not numbers.

    References:
      Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 88, 2010, section 4.4.

    >>> iou(np.array([[2, 1, 0], [0, 1, 0], [0, 0, 0]])).round(2).tolist()
    [0.67, 0.5, nan]
    """
    confusion = _counts(confusion)
    hits = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hits
    if void is not None:
        union = union + _counts(void, len(hits))
    return _divide(hits, union)


def mean_iou(confusion: np.ndarray, void: np.ndarray | None = None) -> float:
    """The mean of `iou` over the classes that occur; NaN when none does.

    >>> mean_iou(np.array([[2, 1, 0], [0, 2, 0], [0, 0, 0]]))
    0.6666666666666666
    """
    return _mean(iou(confusion, void))


def frequency_weighted_iou(confusion: np.ndarray, void: np.ndarray | None = None) -> float:
    """The mean of `iou` weighted by how many pixels are truly of each class; NaN when none is counted.

    >>> frequency_weighted_iou(np.array([[2, 1], [0, 1]])) == (3 * 2 / 3 + 1 * 1 / 2) / 4
    True
    """
    confusion = _counts(confusion)
    truth = confusion.sum(1)
    counted = truth.sum()
    return float((truth * np.nan_to_num(iou(confusion, void))).sum() / counted) if counted else float("nan")


def global_accuracy(confusion: np.ndarray) -> float:
    """The part of all counted pixels that is labelled right; NaN when none is counted.

    >>> global_accuracy(np.array([[2, 1], [0, 1]]))
    0.75
    """
    confusion = _counts(confusion)
    counted = confusion.sum()
    return float(np.trace(confusion) / counted) if counted else float("nan")


def mean_class_accuracy(confusion: np.ndarray) -> float:
    """The part of each class that is labelled right, mean over the classes in the truth; NaN without any.

    >>> mean_class_accuracy(np.array([[3, 1], [0, 2]]))
    0.875
    """
    confusion = _counts(confusion)
    return _mean(_divide(np.diag(confusion), confusion.sum(1)))


def scores(confusion: np.ndarray, void: np.ndarray | None = None) -> dict[str, float | list[float]]:
    """Everything that is reported about a segmentation.

    Args:
      confusion: ``(n, n)`` of `confusion_matrix`, summed over the whole split.
      void: ``(n,)`` of `void_predictions`, if those count as false positives; see `iou`. The accuracies,
        which ask only about pixels with a truth, stay as they are.

    Returns:
      mean_iou, global_accuracy, mean_class_accuracy, frequency_weighted_iou; per_class_iou in the order
      of the classes, NaN for one that does not occur.

    >>> scores(np.array([[3, 1], [0, 4]]))["per_class_iou"]
    [0.75, 0.8]
    """
    return {
        "mean_iou": mean_iou(confusion, void),
        "global_accuracy": global_accuracy(confusion),
        "mean_class_accuracy": mean_class_accuracy(confusion),
        "frequency_weighted_iou": frequency_weighted_iou(confusion, void),
        "per_class_iou": iou(confusion, void).tolist(),
    }


def top_k_accuracy(
    logits: np.ndarray, labels: np.ndarray, k: int = 1, *, ignore_label: int | None = None
) -> float:
    """How often the truth is among the `k` highest scores; NaN when nothing is counted.

    A class that scores as high as the truth stands before it, so that equal scores earn nothing.

    Args:
      logits: ``(..., n_classes)``.
      labels: ``(...)`` integers.
      k: At least 1.
      ignore_label: Void: left out.

    Raises:
      GeometryError: Shapes that do not go together, or `k` below 1.
      DataError: A label outside the classes.
      TypeError: Labels or `k` are not integers.

    >>> top_k_accuracy([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], [2, 0], k=2)
    1.0
    """
    k, labels, logits = at_least_one("k", k), _classes("labels", labels), np.asarray(logits)
    if logits.ndim != labels.ndim + 1 or logits.shape[:-1] != labels.shape:
        raise GeometryError(
            f"`logits` must be (..., n_classes) and `labels` (...), got {logits.shape} and {labels.shape}."
        )
    counted = np.ones(labels.shape, bool) if ignore_label is None else labels != ignore_label
    logits, labels = logits[counted], labels[counted]
    n = logits.shape[-1]
    if labels.size and not (0 <= labels.min() and labels.max() < n):
        raise DataError(f"`labels` must lie in [0, {n}), found {labels.min()} to {labels.max()}.")
    truth = np.take_along_axis(logits, labels[:, None], axis=-1)
    not_below = n - (logits < truth).sum(axis=-1)  # the truth itself among them, and every NaN
    return float((not_below <= k).mean()) if labels.size else float("nan")


def _classes(name: str, values) -> np.ndarray:
    """Classes as an array."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must be integers, the classes; got {array.dtype}: take .astype(np.int64).")
    return array


def _counts(values, n: int | None = None) -> np.ndarray:
    """A confusion matrix, or with `n` one count for each of n classes."""
    counts = np.asarray(values)
    if counts.dtype.kind not in "iuf":
        raise TypeError(
            f"a confusion matrix and `void` must hold counts, numbers, got {counts.dtype}; "
            "`confusion_matrix` and `void_predictions` count."
        )
    if n is not None and counts.shape != (n,):
        raise GeometryError(f"`void` must be one count for each of {n} classes, got shape {counts.shape}.")
    if n is None and (counts.ndim != 2 or counts.shape[0] != counts.shape[1]):
        raise GeometryError(
            f"a confusion matrix must be (n_classes, n_classes), got shape {counts.shape}; "
            "`confusion_matrix` counts labels and predictions."
        )
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise DataError(f"counts must be finite and at least 0, found {counts.min()} to {counts.max()}.")
    return counts.astype(np.float64) if counts.dtype.kind == "f" else counts  # sums of float16 overflow


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN where the whole is nothing."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> float:
    """Over what is not NaN."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")
