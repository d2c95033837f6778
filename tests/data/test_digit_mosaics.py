"""The mosaics: nothing held out is ever trained on, and every label is where it should be."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxconv.data import BACKGROUND, DigitMosaics, digits
from jaxconv.data.digit_mosaics import make_digit_mosaics
from jaxconv.errors import OptionError


def test_no_held_out_sample_is_trained_on():
    train, held_out = make_digit_mosaics()
    assert not set(train.samples) & set(held_out.samples)
    assert sorted([*train.samples, *held_out.samples]) == list(range(1797))
    # Nor a copy of one: the images themselves differ.
    images = load_digits().images.reshape(1797, 64)
    trained = {tuple(image) for image in images[train.samples]}
    assert not any(tuple(image) in trained for image in images[held_out.samples])


def test_samples_and_targets_match_scikit_learn():
    loaded = load_digits()
    for side in make_digit_mosaics():
        np.testing.assert_array_equal(side.digits * 16, loaded.images[side.samples])
        np.testing.assert_array_equal(side.targets, loaded.target[side.samples])


def test_the_split_is_stratified_and_does_not_follow_the_seed():
    train, held_out = make_digit_mosaics(seed=0)
    parts = np.bincount(held_out.targets) / np.bincount(load_digits().target)
    assert (abs(parts - 0.25) < 0.004).all()
    other, _ = make_digit_mosaics(seed=1)
    np.testing.assert_array_equal(train.samples, other.samples)


def test_a_batch_depends_on_seed_and_step_alone():
    train, held_out = make_digit_mosaics((32, 40), count=5)
    again, _ = make_digit_mosaics((32, 40), count=5)
    train.batch(7, 2)
    images, labels = train.batch(3, 4)
    assert images.shape == (4, 32, 40, 1)
    assert labels.shape == (4, 32, 40)
    assert (images.dtype, labels.dtype) == (np.float32, np.int32)
    for mine, theirs in zip((images, labels), again.batch(3, 4), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    # The first mosaics of a batch do not depend on how many follow.
    np.testing.assert_array_equal(train.batch(3, 2)[0], images[:2])
    reseeded, _ = make_digit_mosaics((32, 40), count=5, seed=1)
    for other in (train.batch(4, 4), reseeded.batch(3, 4), held_out.batch(3, 4)):
        assert (other[0] != images).any()


def test_another_process_makes_the_same_batch():
    code = (
        "from jaxconv.data.digit_mosaics import make_digit_mosaics;"
        "x, y = make_digit_mosaics()[0].batch(5, 2); print(x.sum(), y.sum())"
    )
    images, labels = make_digit_mosaics()[0].batch(5, 2)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.split() == [str(images.sum()), str(labels.sum())]


def test_labels_are_where_there_is_ink():
    images, labels = make_digit_mosaics()[0].batch(0, 32)
    assert images.min() >= 0
    assert images.max() <= 1
    np.testing.assert_array_equal(labels != BACKGROUND, images[..., 0] >= 0.25)
    assert set(np.unique(labels)) == set(range(11))


def test_one_digit_unscaled_is_pasted_as_it_is():
    digit = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    one = DigitMosaics(digit, np.array([7]), np.array([0]), canvas=(8, 8), count=1, scales=(1.0, 1.0))
    images, labels = one.batch(0, 1)
    np.testing.assert_array_equal(images[0, ..., 0], digit[0])
    np.testing.assert_array_equal(labels[0], np.where(digit[0] >= 0.25, 7, BACKGROUND))


def test_digits_barely_overlap():
    """Every second digit of two that stand on the same 8x8 canvas finds no place."""
    full = np.ones((2, 8, 8), np.float32)
    two = DigitMosaics(full, np.array([1, 2]), np.arange(2), canvas=(8, 8), count=6, scales=(1.0, 1.0))
    _, labels = two.batch(0, 20)
    assert all(len(np.unique(label)) == 1 for label in labels)


def test_impossible_options_are_refused():
    with pytest.raises(OptionError, match="canvas"):
        make_digit_mosaics((12, 64))
    with pytest.raises(OptionError, match="held_out"):
        make_digit_mosaics(held_out=1.5)
    with pytest.raises(OptionError, match="one side"):
        make_digit_mosaics(held_out=0.001)
    sample = np.zeros((1, 8, 8), np.float32)
    with pytest.raises(OptionError, match="scales"):
        DigitMosaics(sample, np.zeros(1, int), np.zeros(1, int), scales=(2.0, 1.0))
    with pytest.raises(OptionError, match="`examples` must be at least 1"):
        digits("train", examples=0)


def test_the_first_mosaic_of_a_batch_is_the_example():
    mosaics = digits("train", canvas=(24, 32), count=3, examples=9)
    assert isinstance(mosaics, DigitMosaics)
    assert len(mosaics) == 9
    image, label = mosaics.batch(7, 1)
    np.testing.assert_array_equal(mosaics[7].image, image[0])
    np.testing.assert_array_equal(mosaics[7].label, label[0])
