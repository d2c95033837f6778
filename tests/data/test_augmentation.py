"""Image and labels change together, by coordinates that loops confirm."""

import numpy as np
import pytest

from jaxconv.data import VOID, Augmentation, Example, augment
from jaxconv.errors import OptionError


@pytest.fixture
def example(rng):
    return Example(
        "it", rng.uniform(size=(11, 14, 3)).astype(np.float32), rng.integers(5, size=(11, 14), dtype=np.int32)
    )


def same(a, b):
    return np.array_equal(a.image, b.image) and np.array_equal(a.label, b.label)


def test_the_default_changes_nothing(example):
    assert same(augment(example, Augmentation(), np.random.default_rng(0)), example)


def test_flip(example):
    flipped = augment(example, Augmentation(flip=1.0), np.random.default_rng(0))
    assert same(flipped, Example("", example.image[:, ::-1], example.label[:, ::-1]))
    changed = [
        not same(augment(example, Augmentation(flip=0.3), np.random.default_rng(seed)), example)
        for seed in range(300)
    ]
    assert abs(np.mean(changed) - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 300)


def places(example, crop):
    """Lists every window of the size, image and label, cut in loops."""
    rows, columns = example.label.shape
    return [
        Example(
            "",
            example.image[r : r + crop[0], c : c + crop[1]],
            example.label[r : r + crop[0], c : c + crop[1]],
        )
        for r in range(rows - crop[0] + 1)
        for c in range(columns - crop[1] + 1)
    ]


def test_crop_takes_every_window(example):
    windows, seen = places(example, (9, 12)), set()
    for seed in range(200):
        cut = augment(example, Augmentation(crop=(9, 12)), np.random.default_rng(seed))
        (place,) = [n for n, window in enumerate(windows) if same(cut, window)]
        seen.add(place)
    assert seen == set(range(len(windows)))


def test_larger_crop_pads_with_void(example):
    cut = augment(example, Augmentation(crop=(13, 20)), np.random.default_rng(3))
    valid = cut.label != VOID
    rows, columns = np.flatnonzero(valid.any(1)), np.flatnonzero(valid.any(0))
    assert (len(rows), len(columns)) == (11, 14)
    np.testing.assert_array_equal(cut.label[np.ix_(rows, columns)], example.label)
    np.testing.assert_array_equal(cut.image[np.ix_(rows, columns)], example.image)
    assert (cut.image[~valid] == 0).all()
    # One axis larger, one smaller.
    cut = augment(example, Augmentation(crop=(13, 5)), np.random.default_rng(3))
    assert (cut.label != VOID).sum() == 11 * 5


def interpolate(plane, rows, columns):
    """Interpolates with triangle weights around each place, pixel by pixel, without separating the axes.

    Where the map shrinks, the triangle is as wide as the cell that it fills.
    """
    out = np.zeros((len(rows), len(columns)))
    widths = [max(places[1] - places[0], 1) for places in (rows, columns)]
    for r, y in enumerate(rows):
        for c, x in enumerate(columns):
            total = 0.0
            for i in range(plane.shape[0]):
                for j in range(plane.shape[1]):
                    w = max(1 - abs(i - y) / widths[0], 0) * max(1 - abs(j - x) / widths[1], 0)
                    out[r, c] += w * plane[i, j]
                    total += w
            out[r, c] /= total
    return out


@pytest.mark.parametrize("factor", [0.5, 1.5, 2.0])
def test_scale_interpolates_the_image_and_picks_the_labels(example, factor):
    size = tuple(round(n * factor) for n in example.label.shape)
    scaled = augment(example, Augmentation(scale=(factor, factor), crop=size), np.random.default_rng(0))
    rows, columns = (
        (np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(size, example.label.shape, strict=True)
    )
    for f in range(3):
        expected = interpolate(example.image[..., f].astype(np.float64), rows, columns)
        # Pillow takes rows and columns apart: two rounded sums of at most 9 terms that are at most 1.
        np.testing.assert_allclose(
            scaled.image[..., f], expected, rtol=0, atol=2 * 9 * np.finfo(np.float32).eps
        )
    nearest = np.ix_(*(np.floor(places + 0.5).astype(int) for places in (rows, columns)))
    np.testing.assert_array_equal(scaled.label, example.label[nearest])


def test_a_scaled_window_is_a_window_of_the_scaled_map(example):
    whole = augment(example, Augmentation(scale=(2.0, 2.0), crop=(22, 28)), np.random.default_rng(0))
    for seed in range(8):
        cut = augment(example, Augmentation(scale=(2.0, 2.0), crop=(10, 9)), np.random.default_rng(seed))
        assert any(
            np.array_equal(cut.label, window.label)
            and np.allclose(cut.image, window.image, rtol=0, atol=18 * np.finfo(np.float32).eps)
            for window in places(whole, (10, 9))
        )


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1)])
def test_any_size_and_scale(rng, size):
    tiny = Example("", np.ones((*size, 1), np.float32), np.ones(size, np.int32))
    for seed in range(30):
        cut = augment(tiny, Augmentation(scale=(0.1, 3.0), crop=(4, 5)), np.random.default_rng(seed))
        assert cut.image.shape == (4, 5, 1)
        valid = cut.label != VOID
        assert valid.any()
        # Ones stay ones: the weights of each pixel sum to 1, in a few rounded sums.
        np.testing.assert_allclose(cut.image[valid], 1, rtol=0, atol=16 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_colour(example, name):
    image = (0.4 + 0.2 * example.image).astype(np.float32)  # so that nothing is clipped
    changed = augment(
        Example("", image, example.label), Augmentation(**{name: 0.25}), np.random.default_rng(5)
    )
    np.testing.assert_array_equal(changed.label, example.label)
    image = image.astype(np.float64)
    centre = {"brightness": 0.0, "contrast": image.mean(), "saturation": image.mean(-1, keepdims=True)}[name]
    factors = (changed.image - centre) / (image - centre)
    kept = abs(image - centre) > 0.01
    factor = np.median(factors)
    assert 0.75 <= factor <= 1.25
    assert abs(factor - 1) > 0.01
    # Rounding of values up to 1, the mean's among them, over differences of at least 0.01.
    bound = 500 * np.finfo(np.float32).eps / 0.01
    assert (abs(factors[np.broadcast_to(kept, factors.shape)] - factor) < bound).all()


def test_colours_stay_in_range_and_the_input_as_it_was(example):
    before = example.image.copy()
    for seed in range(10):
        strong = Augmentation(brightness=1.0, contrast=1.0, saturation=1.0)
        image = augment(example, strong, np.random.default_rng(seed)).image
        assert image.min() >= 0
        assert image.max() <= 1
        assert image.dtype == np.float32
    np.testing.assert_array_equal(example.image, before)


def test_colour_changes_leave_the_crop_unchanged(example):
    crop = Augmentation(crop=(5, 6))
    both = Augmentation(crop=(5, 6), brightness=0.2, contrast=0.1)
    for seed in range(5):
        a, b = (augment(example, one, np.random.default_rng(seed)).label for one in (crop, both))
        np.testing.assert_array_equal(a, b)


def test_classified_images_keep_their_label(example):
    digit = Example("", example.image, np.array(3, np.int32))
    changed = augment(digit, Augmentation(flip=1.0, scale=(1.5, 1.5), crop=(8, 8)), np.random.default_rng(0))
    assert changed.image.shape == (8, 8, 3)
    assert changed.label == 3


def test_bad_numbers(example):
    for options, message in (
        ({"flip": 1.5}, "flip"),
        ({"brightness": -0.1}, "brightness"),
        ({"scale": (2.0, 1.0), "crop": (4, 4)}, "smallest"),
        ({"scale": (0.0, 1.0), "crop": (4, 4)}, "from 0.05 to 20"),
        ({"crop": (0, 4)}, "crop"),
        ({"scale": (0.5, 1.0)}, "give `crop`"),
    ):
        with pytest.raises(OptionError, match=message):
            Augmentation(**options)
    grey = Example("", example.image[..., :1], example.label)
    with pytest.raises(OptionError, match="1 features"):
        augment(grey, Augmentation(saturation=0.1), np.random.default_rng(0))
