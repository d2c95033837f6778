"""Data sets that are made: splits share nothing, and an index is always the same example."""

import inspect
import typing
from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxconv.data import (
    DATASETS,
    SPLITS,
    Classes,
    DigitMosaics,
    Shapes,
    check_dataset,
    digit_images,
    digits,
    shapes,
)
from jaxconv.errors import DataError, OptionError

MADE = {"digits": {"held_out_examples": 5}, "digit_images": {}, "shapes": {"held_out_examples": 5}}


@pytest.mark.parametrize("name", MADE)
def test_an_index_is_one_example(name):
    first, again = (DATASETS[name]("val", **MADE[name]) for _ in range(2))
    assert len(first) == (225 if name == "digit_images" else 5)
    check_dataset(first)
    again[0]
    for index in (3, -1):
        np.testing.assert_array_equal(first[index].image, again[index].image)
        np.testing.assert_array_equal(first[index].label, again[index].label)
        assert first[index].name == again[index].name
    assert len({first[index].image.tobytes() for index in range(5)}) == 5
    with pytest.raises(IndexError, match="of a data set of"):
        first[len(first)]


@pytest.mark.parametrize("name", MADE)
def test_splits_share_nothing(name):
    images = [
        example.image.tobytes()
        for split in SPLITS
        for example, _ in zip(DATASETS[name](split), range(50), strict=False)
    ]
    assert len(set(images)) == 150


@pytest.mark.parametrize("name", DATASETS)
def test_options_can_be_checked_against_the_signature(name):
    hints = typing.get_type_hints(DATASETS[name])
    for option in list(inspect.signature(DATASETS[name]).parameters.values())[2:]:
        assert option.kind is option.KEYWORD_ONLY
        assert option.default is not option.empty
        assert option.name in hints


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


def test_the_first_mosaic_of_a_batch_is_the_example():
    mosaics = digits("train", canvas=(24, 32), count=3, examples=9)
    assert isinstance(mosaics, DigitMosaics)
    assert len(mosaics) == 9
    image, label = mosaics.batch(7, 1)
    np.testing.assert_array_equal(mosaics[7].image, image[0])
    np.testing.assert_array_equal(mosaics[7].label, label[0])


def inside(shape, y, x, radius, angle):
    """Point by point, by the corners: on the inner side of every edge."""
    if shape == "disc":
        return np.hypot(y, x) <= radius
    n = {"square": 4, "triangle": 3}[shape]
    turns = angle + np.pi / n + 2 * np.pi * np.arange(n + 1) / n
    corners = radius * np.stack([np.sin(turns), np.cos(turns)], -1)
    return all((b[1] - a[1]) * (y - a[0]) - (b[0] - a[0]) * (x - a[1]) >= 0 for a, b in pairwise(corners))


@pytest.mark.parametrize("shape", ["disc", "square", "triangle"])
def test_shapes_are_their_corners(shape, rng):
    from jaxconv.data.coloured_shapes import _inside

    y, x = np.indices((40, 50), np.float32) - np.float32([[[20.3]], [[24.6]]])
    radius, angle = rng.uniform(6, 14), rng.uniform(0, 2 * np.pi)
    found = _inside(shape, y, x, radius, angle)
    expected = np.array(
        [[inside(shape, *p, radius, angle) for p in zip(*row, strict=True)] for row in zip(y, x, strict=True)]
    )
    np.testing.assert_array_equal(found, expected)
    assert 50 < found.sum() < 700


def test_ripples_are_their_own_negative():
    from jaxconv.data.coloured_shapes import _ripple

    y, x = np.indices((31, 41), np.float32) - np.float32([[[15]], [[20]]])
    ripple = _ripple(y, x, np.random.default_rng(0))
    # sin is odd to its last bit or two.
    np.testing.assert_allclose(ripple, -ripple[::-1, ::-1], rtol=0, atol=4 * np.finfo(np.float32).eps)
    assert abs(ripple).max() > 0.3


def test_colours_do_not_tell_the_class():
    pictures = [shapes("train", clutter=0)[i] for i in range(60)]
    colours = np.array(
        [p.image[p.label == c].mean(0) for p in pictures for c in (1, 2, 3) if (p.label == c).any()]
    )
    assert (abs(colours.mean(0) - 0.5) < 0.1).all()
    assert (np.concatenate([p.image[p.label == 0] for p in pictures]) == 0.5).all()


def test_numbers_outside_their_range():
    for options, words in (
        ({"canvas": (4,)}, "`canvas` is"),
        ({"radii": (5, 2)}, "`radii` is"),
        ({"count": -1}, "count=-1"),
        ({"examples": 0}, "examples=0"),
    ):
        with pytest.raises(OptionError, match=words):
            Shapes(**options)
    with pytest.raises(OptionError, match="at least one mosaic"):
        digits("train", examples=0)
    with pytest.raises(DataError, match="1 to 255"):
        Classes((), ())
    with pytest.raises(DataError, match="2 names, 1 colours"):
        Classes(("a", "b"), ((0, 0, 0),))
    with pytest.raises(DataError, match="class 'a'"):
        Classes(("a",), ((0, 0, 300),))
