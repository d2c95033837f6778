"""Class weights, counted by hand."""

import numpy as np
import pytest

from jaxconv.data import VOID, Classes, Example, digit_images
from jaxconv.errors import DataError
from jaxconv.segmentation import class_frequencies, median_frequency_weights


class Few:
    task, in_features = "segmentation", 1

    def __init__(self, labels, n):
        self.labels, self.classes = labels, Classes(tuple(map(str, range(n))), ((0, 0, 0),) * n)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        label = self.labels[index]
        return Example(str(index), np.zeros((*label.shape, 1), np.float32), label)


def test_frequencies_by_hand():
    """Class 0 in both images, 1 in the first, 2 in the second, 3 nowhere; void fills images, not classes."""
    labels = [np.array([[0, 0, 1, VOID]], np.int32), np.array([[0, 2], [2, 2], [VOID, VOID]], np.int32)]
    frequencies = class_frequencies(Few(labels, 4))
    np.testing.assert_array_equal(frequencies, [3 / 10, 1 / 4, 3 / 6, np.nan])
    np.testing.assert_array_equal(median_frequency_weights(frequencies), [1, 0.3 / 0.25, 0.3 / 0.5, 1])


def test_frequencies_in_loops(rng):
    labels = [
        np.where(rng.uniform(size=(r, 5)) < 0.2, VOID, rng.integers(r % 4 + 1, size=(r, 5)))
        for r in range(2, 9)
    ]
    labels = [label.astype(np.int32) for label in labels]
    expected = [
        sum((label == c).sum() for label in labels)
        / sum(label.size for label in labels if (label == c).any())
        for c in range(4)
    ]
    found = class_frequencies(Few(labels, 4), workers=3)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(median_frequency_weights(found), np.median(expected) / expected)


def test_classification_counts_images():
    frequencies = class_frequencies(digit_images("val"))
    np.testing.assert_array_equal(frequencies, 1)  # whatever contains a class is that class


def test_data_of_only_void_are_refused():
    with pytest.raises(DataError, match="void"):
        median_frequency_weights(class_frequencies(Few([np.full((2, 2), VOID, np.int32)], 2)))
