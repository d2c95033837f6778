"""Metrics of labelled pixels: one confusion matrix, counted exactly, and the scores that follow from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from jaxconv.errors import DataError, GeometryError, OptionError
from jaxconv.geometry.arguments import at_least_one, integer
from jaxconv.segmentation.losses import check_label_shape


def confusion_matrix(
    labels: ArrayLike, predictions: ArrayLike, n_classes: int, *, ignore_label: int | None = None
) -> np.ndarray:
    """Counts how often each class was predicted for each true class.

    The matrix of a data set is the sum of the matrices of its batches.

    Args:
      labels: True classes, integers of any shape.
      predictions: Predicted classes, integers of the shape of `labels`.
      n_classes: Number of classes, which are 0 to ``n_classes - 1``.
      ignore_label: Label of void: pixels with this label are left out, whatever was predicted there. By
        default every pixel counts.

    Returns:
      ``(n_classes, n_classes)`` int64; rows are true classes, columns predicted ones.

    Raises:
      GeometryError: `labels` and `predictions` differ in shape.
      OptionError: `n_classes` is below 1.
      DataError: A label or prediction that counts is not a class.
      TypeError: `labels`, `predictions`, `n_classes` or `ignore_label` are not integers.

    >>> print(confusion_matrix([0, 0, 1, 255], [0, 1, 1, 0], 2, ignore_label=255))
    [[1 1]
     [0 1]]
    """
    n_classes = at_least_one("n_classes", n_classes, error=OptionError)
    true, predicted = _classes("labels", labels), _classes("predictions", predictions)
    if true.shape != predicted.shape:
        hint = "; take logits.argmax(-1) first" if predicted.ndim > true.ndim else ""
        raise GeometryError(
            f"`predictions` must have the shape of `labels`, one class per label; got {predicted.shape} and "
            f"{true.shape}{hint}."
        )
    if ignore_label is not None:
        valid = true != integer("ignore_label", ignore_label)
        true, predicted = true[valid], predicted[valid]
    _check_range("labels", true, n_classes)
    _check_range("predictions", predicted, n_classes)
    # In int64 before the product: eleven classes already overflow int8.
    pairs = true.astype(np.int64).ravel() * n_classes + predicted.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def void_predictions(
    labels: ArrayLike, predictions: ArrayLike, n_classes: int, ignore_label: int
) -> np.ndarray:
    """Counts how often each class was predicted on void pixels.

    The counts of a data set are the sum of the counts of its batches.

    Args:
      labels: True classes, integers of any shape.
      predictions: Predicted classes, integers of the shape of `labels`.
      n_classes: Number of classes, which are 0 to ``n_classes - 1``.
      ignore_label: Label of void.

    Returns:
      ``(n_classes,)`` int64.

    Raises:
      GeometryError: `labels` and `predictions` differ in shape.
      OptionError: `n_classes` is below 1.
      DataError: A prediction on a void pixel is not a class.
      TypeError: `labels`, `predictions`, `n_classes` or `ignore_label` are not integers.

    >>> void_predictions([0, 255, 255], [1, 1, 0], 2, ignore_label=255).tolist()
    [1, 1]
    """
    is_void = _classes("labels", labels) == integer("ignore_label", ignore_label)
    # Void becomes class 0 and everything else is ignored: the counts are the first row of that matrix.
    void = np.where(is_void, 0, at_least_one("n_classes", n_classes, error=OptionError))
    return confusion_matrix(void, predictions, n_classes, ignore_label=n_classes)[0]


def iou(confusion: ArrayLike, void: ArrayLike | None = None) -> np.ndarray:
    """Computes the intersection over union of each class: hits / (labels + predictions - hits).

    Args:
      confusion: ``(n, n)`` counts, the result of `confusion_matrix`.
      void: ``(n,)`` counts, the result of `void_predictions`, which are added to the false positives of the
        predicted class, as in the released code of ReSeg (arXiv:1511.07053). By default predictions on
        void pixels do not count.

    Returns:
      ``(n,)`` float64; NaN for a class that occurs neither in the labels nor in the predictions.

    Raises:
      GeometryError: `confusion` is not square, or `void` does not have one count per class.
      DataError: A count is negative, infinite or NaN.
      TypeError: The counts are not numbers.

    References:
      Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 88, 2010, section 4.4.

    >>> iou(np.array([[2, 1, 0], [0, 1, 0], [0, 0, 0]])).round(2).tolist()
    [0.67, 0.5, nan]
    """
    counts = _counts(confusion)
    hits = np.diag(counts)
    union = counts.sum(0) + counts.sum(1) - hits
    if void is not None:
        union = union + _counts(void, len(hits))
    return _divide(hits, union)


def mean_iou(confusion: ArrayLike, void: ArrayLike | None = None) -> float:
    """Computes the mean of `iou` over the classes that occur; NaN if no class occurs.

    Args:
      confusion: ``(n, n)`` counts, the result of `confusion_matrix`.
      void: ``(n,)`` counts of `void_predictions`, if those count as false positives; see `iou`.

    >>> mean_iou(np.array([[2, 1, 0], [0, 2, 0], [0, 0, 0]]))
    0.6666666666666666
    """
    return _mean(iou(confusion, void))


def frequency_weighted_iou(confusion: ArrayLike, void: ArrayLike | None = None) -> float:
    """Computes the mean of `iou`, weighted by the labelled pixels of each class; NaN if there are none.

    Args:
      confusion: ``(n, n)`` counts, the result of `confusion_matrix`.
      void: ``(n,)`` counts of `void_predictions`, if those count as false positives; see `iou`.

    >>> frequency_weighted_iou(np.array([[2, 1], [0, 1]])) == (3 * 2 / 3 + 1 * 1 / 2) / 4
    True
    """
    counts = _counts(confusion)
    per_class = counts.sum(1)
    total = per_class.sum()
    return float((per_class * np.nan_to_num(iou(counts, void))).sum() / total) if total else float("nan")


def global_accuracy(confusion: ArrayLike) -> float:
    """Computes the part of all pixels that is predicted correctly; NaN without pixels.

    Args:
      confusion: ``(n, n)`` counts, the result of `confusion_matrix`.

    >>> global_accuracy(np.array([[2, 1], [0, 1]]))
    0.75
    """
    counts = _counts(confusion)
    total = counts.sum()
    return float(np.trace(counts) / total) if total else float("nan")


def mean_class_accuracy(confusion: ArrayLike) -> float:
    """Computes the part of each class that is predicted correctly, as the mean over the classes.

    Only classes that occur in the labels enter the mean; it is NaN if none does.

    Args:
      confusion: ``(n, n)`` counts, the result of `confusion_matrix`.

    >>> mean_class_accuracy(np.array([[3, 1], [0, 2]]))
    0.875
    """
    counts = _counts(confusion)
    return _mean(_divide(np.diag(counts), counts.sum(1)))


def scores(confusion: ArrayLike, void: ArrayLike | None = None) -> dict[str, float | list[float]]:
    """Computes all scores that are reported for a segmentation.

    Args:
      confusion: ``(n, n)`` counts, the result of `confusion_matrix`, summed over the whole split.
      void: ``(n,)`` counts of `void_predictions`, if those count as false positives; see `iou`. The
        accuracies do not depend on it, since they count labelled pixels only.

    Returns:
      A dictionary with the numbers ``mean_iou``, ``global_accuracy``, ``mean_class_accuracy`` and
      ``frequency_weighted_iou``, and the list ``per_class_iou`` in the order of the classes, with NaN for a
      class that does not occur.

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
    logits: ArrayLike, labels: ArrayLike, k: int = 1, *, ignore_label: int | None = None
) -> float:
    """Computes how often the true class is among the `k` highest scores; NaN if no label counts.

    A class with the same score as the true one is ranked above it, so that equal scores gain nothing.

    Args:
      logits: Scores, ``(..., n_classes)``.
      labels: ``(...)`` integers, classes from 0 to ``n_classes - 1``.
      k: Number of highest scores, at least 1.
      ignore_label: Label of void, which is left out. By default every label counts.

    Raises:
      GeometryError: `logits` and `labels` have shapes that do not fit.
      OptionError: `k` is below 1.
      DataError: A label that counts is not a class.
      TypeError: `labels`, `k` or `ignore_label` are not integers.

    >>> top_k_accuracy([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], [2, 0], k=2)
    1.0
    """
    k = at_least_one("k", k, error=OptionError)
    classes, ranked = _classes("labels", labels), np.asarray(logits)
    check_label_shape(ranked.shape, classes.shape)
    if ignore_label is not None:
        valid = classes != integer("ignore_label", ignore_label)
        ranked, classes = ranked[valid], classes[valid]
    n = ranked.shape[-1]
    _check_range("labels", classes, n)
    ranked, classes = ranked.reshape(-1, n), classes.reshape(-1)
    true_scores = np.take_along_axis(ranked, classes[:, None], axis=-1)
    not_below = n - (ranked < true_scores).sum(axis=-1)  # includes the true class and every NaN
    return float((not_below <= k).mean()) if classes.size else float("nan")


def _classes(name: str, values: ArrayLike) -> np.ndarray:
    """Returns classes as an array; TypeError if they are not integers."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        hint = (
            "take logits.argmax(-1) if these are scores, or .astype(np.int64) if they are whole numbers"
            if array.dtype.kind == "f"
            else "convert them with .astype(np.int64)"
        )
        raise TypeError(f"`{name}` must be integers, the classes; got {array.dtype}: {hint}.")
    return array


def _check_range(name: str, classes: np.ndarray, n_classes: int) -> None:
    """Raises DataError unless all classes are 0 to ``n_classes - 1``."""
    if classes.size and not (0 <= classes.min() and classes.max() < n_classes):
        way_out = (
            "if one of them means void, pass it as `ignore_label`; otherwise raise the number of classes"
            if name == "labels"
            else "check the number of classes"
        )
        raise DataError(
            f"`{name}` must lie in [0, {n_classes}), the classes; got values from {classes.min()} to "
            f"{classes.max()}; {way_out}."
        )


def _counts(values: ArrayLike, n: int | None = None) -> np.ndarray:
    """Returns a confusion matrix as an array, or with `n` one count for each of n classes."""
    name, source = ("confusion", "confusion_matrix") if n is None else ("void", "void_predictions")
    counts = np.asarray(values)
    if counts.dtype.kind not in "iuf":
        raise TypeError(
            f"`{name}` must hold counts, which are numbers, got {counts.dtype}; pass the result of "
            f"`{source}`."
        )
    if n is not None and counts.shape != (n,):
        raise GeometryError(
            f"`void` must have one count for each of the {n} classes, got shape {counts.shape}; pass the "
            "result of `void_predictions`."
        )
    if n is None and (counts.ndim != 2 or counts.shape[0] != counts.shape[1]):
        raise GeometryError(
            f"`confusion` must be (n_classes, n_classes), got shape {counts.shape}; pass the "
            "result of `confusion_matrix`, which counts labels and predictions."
        )
    if not (np.isfinite(counts) & (counts >= 0)).all():
        raise DataError(
            f"`{name}` must hold finite counts of at least 0, got values from {counts.min()} to "
            f"{counts.max()}; pass the result of `{source}`."
        )
    return counts.astype(np.float64) if counts.dtype.kind == "f" else counts  # sums of float16 overflow


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divides; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> float:
    """Averages the values that are not NaN."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if numbers.size else float("nan")
