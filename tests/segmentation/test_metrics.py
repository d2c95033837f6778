"""The metrics, against scikit-learn's and against counting by hand."""

import numpy as np
import pytest
from sklearn import metrics

from jaxconv.errors import DataError, GeometryError, OptionError
from jaxconv.segmentation import (
    confusion_matrix,
    frequency_weighted_iou,
    global_accuracy,
    iou,
    mean_class_accuracy,
    mean_iou,
    scores,
    top_k_accuracy,
    void_predictions,
)


def test_metrics_match_scikit_learn(rng):
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
    with pytest.raises(DataError, match="ignore_label"):
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


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "uint64"])
def test_labels_do_not_wrap_around_to_void(dtype):
    """Only void is void, in the metrics too: not what equals it modulo a power of two."""
    held = np.iinfo(dtype)
    labels = np.array([1, held.max if held.min == 0 else -1], dtype)
    for void in (-1, held.max, 255, 2**held.bits - 1):
        if void == int(labels[1]):
            assert confusion_matrix(labels, [1, 0], 2, ignore_label=void).tolist() == [[0, 0], [0, 1]]
            assert void_predictions(labels, [1, 0], 2, void).tolist() == [1, 0]
            assert top_k_accuracy(np.eye(2)[[1, 0]], labels, ignore_label=void) == 1.0
        else:
            with pytest.raises(DataError, match=r"\[0, 2\)"):
                confusion_matrix(labels, [1, 0], 2, ignore_label=void)
            with pytest.raises(DataError, match=r"\[0, 2\)"):
                top_k_accuracy(np.eye(2)[[1, 0]], labels, ignore_label=void)
            assert void_predictions(labels, [1, 0], 2, void).tolist() == [0, 0]


def test_a_small_integer_counts_classes():
    """Twenty classes have 400 pairs, which 8 bits do not count."""
    confusion = confusion_matrix([0, 19], [0, 19], np.uint8(20))
    np.testing.assert_array_equal(confusion.nonzero(), [[0, 19], [0, 19]])


SUMMARIES = [iou, mean_iou, frequency_weighted_iou, global_accuracy, mean_class_accuracy, scores]


@pytest.mark.parametrize("summary", SUMMARIES)
def test_summaries_of_lists(summary):
    counts = [[5, 1, 0], [2, 3, 0], [0, 1, 4]]
    np.testing.assert_equal(summary(counts), summary(np.array(counts)))
    # Sums of 16 bits would overflow.
    np.testing.assert_equal(summary(np.full((2, 2), 6e4, np.float16)), summary(np.full((2, 2), 60000)))
    if summary in (iou, mean_iou, frequency_weighted_iou, scores):
        np.testing.assert_equal(summary(counts, [1, 0, 2]), summary(np.array(counts), np.array([1, 0, 2])))
        with pytest.raises(
            GeometryError, match=r"`void` must have one count for each of the 3 classes, got shape \(2,\)"
        ):
            summary(counts, [1, 0])


@pytest.mark.parametrize("summary", SUMMARIES)
@pytest.mark.parametrize(
    ("counts", "error", "message"),
    [
        (np.ones((2, 2), bool), TypeError, "`confusion` must hold counts, which are numbers, got bool"),
        ([["a"]], TypeError, "must hold counts"),
        (np.ones((2, 3)), GeometryError, r"must be \(n_classes, n_classes\), got shape \(2, 3\)"),
        ([1, 2], GeometryError, r"must be \(n_classes, n_classes\)"),
        ([[1, -2], [0, 1]], DataError, "at least 0, got values from -2"),
        ([[1, float("nan")], [0, 1]], DataError, "must hold finite counts"),
    ],
    ids=["bool", "words", "oblong", "flat", "negative", "nan"],
)
def test_wrong_confusion_matrices_are_refused(summary, counts, error, message):
    with pytest.raises(error, match=message):
        summary(counts)


@pytest.mark.parametrize("wrong", [np.array([True, False]), np.array([0.0, 1.0])], ids=["bool", "float"])
def test_classes_are_integers(wrong):
    right = np.array([0, 1])
    for call in (
        lambda: confusion_matrix(wrong, right, 2),
        lambda: confusion_matrix(right, wrong, 2),
        lambda: void_predictions(wrong, right, 2, 255),
        lambda: void_predictions(right, wrong, 2, 255),
        lambda: top_k_accuracy(np.eye(2), wrong),
    ):
        with pytest.raises(TypeError, match=f"must be integers, the classes; got {wrong.dtype}"):
            call()
    with pytest.raises(GeometryError, match="`logits` must be"):
        top_k_accuracy(np.float64(1), 0)


def test_bad_input():
    with pytest.raises(GeometryError, match="argmax"):
        confusion_matrix(np.zeros((2, 3), int), np.zeros((2, 3, 4), int), 4)
    with pytest.raises(TypeError, match="float64"):
        confusion_matrix(np.zeros(3, int), np.zeros(3), 4)
    with pytest.raises(DataError, match=r"\[0, 2\)"):
        confusion_matrix(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(DataError, match=r"-1"):
        confusion_matrix(np.array([0, 1]), np.array([0, -1]), 2)


def test_other_metrics_match_scikit_learn(rng):
    labels, predictions = rng.integers(7, size=(2, 900))
    predictions = np.where(rng.uniform(size=900) < 0.6, labels, predictions)
    found = scores(confusion_matrix(labels, predictions, 9))  # two classes never occur
    assert found["mean_class_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, predictions))
    weighted = metrics.jaccard_score(labels, predictions, average="weighted")
    assert found["frequency_weighted_iou"] == pytest.approx(weighted)
    np.testing.assert_array_equal(np.isnan(found["per_class_iou"]), [False] * 7 + [True] * 2)
    assert found["mean_iou"] == pytest.approx(np.nanmean(found["per_class_iou"]))
    assert all(
        np.isnan(value) for key, value in scores(np.zeros((2, 2), int)).items() if key != "per_class_iou"
    )


def test_void_as_false_positive(rng):
    labels, predictions = rng.integers(5, size=(2, 6, 80))
    labels[rng.uniform(size=labels.shape) < 0.2] = 255
    confusion = confusion_matrix(labels, predictions, 5, ignore_label=255)
    void = sum(void_predictions(*pair, 5, 255) for pair in zip(labels, predictions, strict=True))
    assert void.dtype == np.int64
    # scikit-learn knows no void: as a sixth class it is what the other five are wrongly taken for.
    strict = metrics.jaccard_score(
        np.where(labels == 255, 5, labels).ravel(), predictions.ravel(), average=None
    )
    np.testing.assert_allclose(iou(confusion, void), strict[:5], rtol=1e-14)
    assert mean_iou(confusion, void) < mean_iou(confusion)
    plain, counted = scores(confusion), scores(confusion, void)
    for key in ("global_accuracy", "mean_class_accuracy"):
        assert plain[key] == counted[key]
    truth = confusion.sum(1)
    assert counted["frequency_weighted_iou"] == pytest.approx((strict[:5] * truth).sum() / truth.sum())
    with pytest.raises(DataError, match="predictions"):
        void_predictions([255], [5], 5, 255)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_top_k(rng, k):
    logits, labels = rng.normal(size=(200, 7)), rng.integers(7, size=200)
    expected = 1.0 if k >= 7 else metrics.top_k_accuracy_score(labels, logits, k=k, labels=range(7))
    assert top_k_accuracy(logits, labels, k) == pytest.approx(expected)
    marked = np.where(rng.uniform(size=200) < 0.5, 255, labels)
    valid = marked != 255
    assert top_k_accuracy(logits, marked, k, ignore_label=255) == top_k_accuracy(
        logits[valid], labels[valid], k
    )


def test_equal_scores_gain_nothing_in_top_k():
    assert top_k_accuracy(np.zeros((4, 3)), np.arange(4) % 3, 2) == 0.0
    assert top_k_accuracy(np.full((4, 3), np.nan), np.zeros(4, int), 1) == 0.0
    assert np.isnan(top_k_accuracy(np.zeros((0, 3)), np.zeros(0, int)))
    with pytest.raises(OptionError, match="`k` must be at least 1, got 0"):
        top_k_accuracy(np.zeros((4, 3)), np.zeros(4, int), 0)
    with pytest.raises(DataError, match=r"\[0, 3\)"):
        top_k_accuracy(np.zeros((4, 3)), np.full(4, 3))
