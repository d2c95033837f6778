"""The metrics, against scikit-learn's and against counting by hand."""

import numpy as np
import pytest
from sklearn import metrics

from jaxconv.errors import GeometryError
from jaxconv.segmentation import confusion_matrix, global_accuracy, iou, mean_iou


def test_they_are_scikit_learns(rng):
    labels, predictions = rng.integers(7, size=(2, 3, 40, 50))
    predictions = np.where(rng.uniform(size=labels.shape) < 0.6, labels, predictions)
    confusion = confusion_matrix(labels, predictions, 7)
    assert confusion.dtype == np.int64
    truth, guess = labels.ravel(), predictions.ravel()
    np.testing.assert_array_equal(confusion, metrics.confusion_matrix(truth, guess))
    np.testing.assert_allclose(iou(confusion), metrics.jaccard_score(truth, guess, average=None), rtol=1e-14)
    assert mean_iou(confusion) == pytest.approx(metrics.jaccard_score(truth, guess, average="macro"))
    assert global_accuracy(confusion) == pytest.approx(metrics.accuracy_score(truth, guess))


def test_void_is_left_out_whatever_was_predicted_there(rng):
    labels, predictions = rng.integers(4, size=(2, 500))
    void = rng.uniform(size=500) < 0.3
    marked = np.where(void, 255, labels)
    without = metrics.confusion_matrix(labels[~void], predictions[~void], labels=range(4))
    np.testing.assert_array_equal(confusion_matrix(marked, predictions, 4, ignore_label=255), without)
    # Predictions on void may even be outside of the classes; elsewhere they may not.
    predictions[void] = 9
    np.testing.assert_array_equal(confusion_matrix(marked, predictions, 4, ignore_label=255), without)
    with pytest.raises(GeometryError, match="ignore_label"):
        confusion_matrix(marked, predictions, 4)


def test_classes_that_never_occur_do_not_count():
    confusion = confusion_matrix([0, 0, 2], [0, 2, 2], 4)
    np.testing.assert_array_equal(iou(confusion), [0.5, np.nan, 0.5, np.nan])
    assert mean_iou(confusion) == 0.5
    # One that is only predicted, or only true, does occur: with an IoU of 0.
    assert mean_iou(confusion_matrix([0, 0], [0, 1], 3)) == 0.25
    assert np.isnan(mean_iou(np.zeros((3, 3), np.int64)))
    assert np.isnan(global_accuracy(np.zeros((3, 3), np.int64)))


def test_batches_add_up(rng):
    labels, predictions = rng.integers(5, size=(2, 6, 10))
    parts = sum(confusion_matrix(*pair, 5) for pair in zip(labels, predictions, strict=True))
    np.testing.assert_array_equal(parts, confusion_matrix(labels, predictions, 5))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_small_integers_do_not_overflow(dtype):
    labels = np.full(3, 100, dtype)
    assert confusion_matrix(labels, labels, 101)[100, 100] == 3


def test_bad_input():
    with pytest.raises(GeometryError, match="argmax"):
        confusion_matrix(np.zeros((2, 3), int), np.zeros((2, 3, 4), int), 4)
    with pytest.raises(TypeError, match="float64"):
        confusion_matrix(np.zeros(3, int), np.zeros(3), 4)
    with pytest.raises(GeometryError, match=r"\[0, 2\)"):
        confusion_matrix(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(GeometryError, match=r"-1"):
        confusion_matrix(np.array([0, 1]), np.array([0, -1]), 2)
