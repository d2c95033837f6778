"""The handwritten digits: which are in which split, and each as an image."""

import numpy as np
from sklearn.datasets import load_digits

from jaxconv.data import SPLITS, digit_images, digits


def test_digits_are_split_by_samples():
    loaded = load_digits()
    sides = [digits(split) for split in SPLITS]
    assert [len(side.samples) for side in sides] == [1347, 225, 225]
    assert sorted(np.concatenate([side.samples for side in sides])) == list(range(1797))
    for split, side in zip(SPLITS, sides, strict=True):
        np.testing.assert_array_equal(side.digits * 16, loaded.images[side.samples])
        np.testing.assert_array_equal(side.targets, loaded.target[side.samples])
        np.testing.assert_array_equal(side.samples, digit_images(split).samples.samples)
        # Stratified: within one digit of the same part of each class.
        parts = np.bincount(side.targets) - np.bincount(loaded.target) * len(side.samples) / 1797
        assert (abs(parts) <= 1).all()


def test_digit_images_are_the_digits():
    dataset, loaded = digit_images("test"), load_digits()
    for example in (dataset[0], dataset[100]):
        sample = int(example.name)
        np.testing.assert_array_equal(example.image[..., 0] * 16, loaded.images[sample])
        assert example.label.shape == ()
        assert example.label == loaded.target[sample]
