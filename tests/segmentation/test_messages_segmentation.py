"""Bad calls of the losses, metrics and class balance, and what their messages say."""

import jax.numpy as jnp
import numpy as np
import pytest
from messages import BadCall, check

from jaxconv.errors import DataError, GeometryError, OptionError
from jaxconv.segmentation import (
    confusion_matrix,
    cross_entropy,
    dice_loss,
    focal_loss,
    iou,
    mean_iou,
    median_frequency_weights,
    scores,
    top_k_accuracy,
    void_predictions,
)

LOGITS, LABELS = jnp.zeros((2, 4, 5, 3), jnp.float32), jnp.zeros((2, 4, 5), jnp.int32)

CASES = [
    BadCall(
        "labels of another size",
        lambda: cross_entropy(LOGITS, LABELS[:, :3]),
        ("`logits`", "`labels`", "(2, 4, 5, 3)", "(2, 3, 5)"),
        GeometryError,
    ),
    BadCall(
        "one-hot labels",
        lambda: cross_entropy(LOGITS, jnp.zeros((2, 4, 5, 3), jnp.int32)),
        ("`labels`", "one-hot", "labels.argmax(-1)"),
        GeometryError,
    ),
    BadCall(
        "labels with a features axis",
        lambda: dice_loss(LOGITS, LABELS[..., None]),
        ("`labels`", "labels[..., 0]"),
        GeometryError,
    ),
    BadCall(
        "channels-first logits",
        lambda: focal_loss(jnp.moveaxis(LOGITS, -1, 1), LABELS),
        ("`logits`", "channels-first", "jnp.moveaxis(logits, 1, -1)"),
        GeometryError,
    ),
    BadCall(
        "swapped arguments",
        lambda: cross_entropy(LABELS, LOGITS),
        ("`logits`", "`labels`", "swapped", "int32", "float32"),
        TypeError,
    ),
    BadCall(
        "labels of floats",
        lambda: dice_loss(LOGITS, LABELS.astype(jnp.float32)),
        ("`labels` must be integers", "float32", "astype"),
        TypeError,
    ),
    BadCall(
        "logits of integers",
        lambda: cross_entropy(LOGITS.astype(jnp.int32), LABELS),
        ("`logits` must be floats", "int32"),
        TypeError,
    ),
    BadCall("a scalar", lambda: cross_entropy(1.0, 0), ("`logits` must be (..., n_classes)",), GeometryError),
    BadCall(
        "void by name",
        lambda: cross_entropy(LOGITS, LABELS, ignore_label="void"),
        ("`ignore_label` must be an integer", "'void'"),
        TypeError,
    ),
    BadCall(
        "weights of other classes",
        lambda: cross_entropy(LOGITS, LABELS, class_weights=[1.0, 2.0]),
        ("`class_weights`", "3 classes", "(2,)"),
        OptionError,
    ),
    BadCall(
        "PyTorch's third reduction",
        lambda: cross_entropy(LOGITS, LABELS, reduction="none"),
        ("`reduction` must be 'mean' or 'sum'", "'none'"),
        OptionError,
    ),
    BadCall(
        "a negative exponent",
        lambda: focal_loss(LOGITS, LABELS, gamma=-1.0),
        ("`gamma` must be at least 0", "-1.0"),
        OptionError,
    ),
    BadCall(
        "logits as predictions",
        lambda: confusion_matrix(LABELS, LOGITS, 3),
        ("`predictions` must be integers", "logits.argmax(-1)"),
        TypeError,
    ),
    BadCall(
        "one-hot predictions",
        lambda: confusion_matrix(LABELS, np.zeros((2, 4, 5, 3), int), 3),
        ("`predictions` must have the shape of `labels`", "(2, 4, 5, 3)", "argmax"),
        GeometryError,
    ),
    BadCall(
        "predictions of another size",
        lambda: void_predictions(LABELS, LABELS[:1], 3, 255),
        ("`predictions`", "(1, 4, 5)", "(2, 4, 5)"),
        GeometryError,
    ),
    BadCall(
        "void among the labels",
        lambda: confusion_matrix([0, 255], [0, 1], 2),
        ("`labels` must lie in [0, 2)", "0 to 255", "`ignore_label`"),
        DataError,
    ),
    BadCall(
        "a prediction that is not a class",
        lambda: confusion_matrix([0, 1], [0, 7], 2),
        ("`predictions` must lie in [0, 2)", "0 to 7", "number of classes"),
        DataError,
    ),
    BadCall(
        "boolean labels",
        lambda: confusion_matrix([True, False], [0, 1], 2),
        ("`labels` must be integers", "bool", "astype"),
        TypeError,
    ),
    BadCall(
        "no classes", lambda: confusion_matrix([], [], 0), ("`n_classes` must be at least 1",), OptionError
    ),
    BadCall(
        "the names of the classes",
        lambda: confusion_matrix([0], [0], ("sky", "road")),
        ("`n_classes` must be an integer",),
        TypeError,
    ),
    BadCall(
        "no void",
        lambda: void_predictions([0], [0], 2, None),
        ("`ignore_label` must be an integer", "None"),
        TypeError,
    ),
    BadCall(
        "predictions as a confusion matrix",
        lambda: mean_iou([0, 1, 1]),
        ("`confusion` must be (n_classes, n_classes)", "(3,)", "`confusion_matrix`"),
        GeometryError,
    ),
    BadCall(
        "counts of other classes on void",
        lambda: scores(np.eye(3), [1, 2]),
        ("`void`", "3 classes", "(2,)", "`void_predictions`"),
        GeometryError,
    ),
    BadCall(
        "negative counts",
        lambda: iou([[1, -2], [0, 1]]),
        ("`confusion`", "at least 0", "-2"),
        DataError,
    ),
    BadCall(
        "NaN on void",
        lambda: iou(np.eye(2), [np.nan, 1]),
        ("`void`", "finite"),
        DataError,
    ),
    BadCall("words as counts", lambda: iou([["a"]]), ("`confusion`", "counts", "numbers"), TypeError),
    BadCall(
        "top-k of other labels",
        lambda: top_k_accuracy(np.zeros((4, 3)), np.zeros(5, int)),
        ("`logits`", "`labels`", "(4, 3)", "(5,)"),
        GeometryError,
    ),
    BadCall(
        "top-0", lambda: top_k_accuracy(np.zeros((4, 3)), np.zeros(4, int), 0), ("`k`", "0"), OptionError
    ),
    BadCall(
        "top-k of void",
        lambda: top_k_accuracy(np.zeros((2, 3)), [0, 255]),
        ("`labels` must lie in [0, 3)", "255", "`ignore_label`"),
        DataError,
    ),
    BadCall(
        "weights of void alone",
        lambda: median_frequency_weights([np.nan, np.nan]),
        ("`frequencies`", "void"),
        DataError,
    ),
    BadCall(
        "frequencies of many images",
        lambda: median_frequency_weights(np.ones((2, 3))),
        ("`frequencies`", "(n_classes,)", "(2, 3)"),
        GeometryError,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
