"""What is checked of every data set: its classes, and every example."""

import numpy as np
import pytest

from jaxconv.data import Classes, check_dataset
from jaxconv.errors import DataError


def test_every_part_of_an_example_is_checked(rng):
    class Wrong:
        classes, in_features, task = Classes(("a", "b"), ((0, 0, 0), (1, 1, 1))), 1, "segmentation"

        def __init__(self, image, label):
            self.example = type("E", (), {"name": "it", "image": image, "label": label})

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return self.example

    image, label = rng.uniform(size=(2, 3, 1)).astype(np.float32), np.ones((2, 3), np.int32)
    check_dataset(Wrong(image, label))
    for bad in (
        (image.astype(np.float64), label),
        (image[..., 0], label),
        (image + 1, label),
        (image * np.float32("nan"), label),
        (image, label.T),
        (image, label.astype(np.int64)),
        (image, label + 1),
        (image, label - 2),
    ):
        with pytest.raises(DataError, match="it: "):
            check_dataset(Wrong(*bad))


def test_classes_that_cannot_be():
    with pytest.raises(DataError, match="1 to 255"):
        Classes((), ())
    with pytest.raises(DataError, match="2 names, 1 colours"):
        Classes(("a", "b"), ((0, 0, 0),))
    with pytest.raises(DataError, match="class 'a'"):
        Classes(("a",), ((0, 0, 300),))
