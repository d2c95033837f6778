"""Labels at the resolution of the images, with and without tiles."""

import numpy as np
import pytest
from networks import classifier, convolutional, images
from PIL import Image

from jaxconv.errors import DataError, GeometryError, OptionError
from jaxconv.training import predict
from jaxconv.training.inference import (
    STEP,
    convert_features,
    downsample_images,
    tiles,
    upsample_labels,
    upsample_scores,
)


def interpolate(row, shrink):
    """Interpolates one row of scores at half-pixel centres, clamped at the ends, with loops."""
    out = np.zeros(len(row) * shrink)
    for o in range(len(out)):
        place = min(max((o + 0.5) / shrink - 0.5, 0), len(row) - 1)
        low = int(place)
        high = min(low + 1, len(row) - 1)
        out[o] = row[low] * (1 - (place - low)) + row[high] * (place - low)
    return out


@pytest.mark.parametrize(("shape", "shrink"), [((7, 5), 2), ((6, 8), 3), ((4, 4), 1), ((1, 2), 4)])
def test_shrinking_is_the_mean_of_blocks(shape, shrink, rng):
    x = images(rng, 2, *shape, 3)
    rows, columns = (-(-size // shrink) for size in shape)
    expected = np.zeros((2, rows, columns, 3))
    for r in range(rows * shrink):
        for c in range(columns * shrink):
            pixel = x[:, min(r, shape[0] - 1), min(c, shape[1] - 1)]
            expected[:, r // shrink, c // shrink] += pixel.astype(float) / shrink**2
    bound = shrink**2 * np.finfo(np.float32).eps * expected.max()
    assert abs(np.asarray(downsample_images(x, shrink)) - expected).max() <= bound


@pytest.mark.parametrize(("shape", "shrink"), [((7, 5), 2), ((6, 8), 3)])
def test_scores_are_interpolated_and_cropped(shape, shrink, rng):
    small = rng.normal(size=(2, -(-shape[0] // shrink), -(-shape[1] // shrink), 4)).astype(np.float32)
    full = np.apply_along_axis(interpolate, 1, small.astype(float), shrink)
    full = np.apply_along_axis(interpolate, 2, full, shrink)[:, : shape[0], : shape[1]]
    found = np.asarray(upsample_scores(small, shape, shrink))
    assert found.shape == (2, *shape, 4)
    assert abs(found - full).max() <= 8 * np.finfo(np.float32).eps * abs(small).max()
    labels = np.asarray(upsample_labels(small, shape, shrink))
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, found.argmax(-1))


@pytest.mark.parametrize("size", [1, 31, 64, 95, 96, 97, 130, 160, 161, 1000])
@pytest.mark.parametrize(("edge", "halo"), [(96, 32), (32, 0), (160, 64)])
def test_tiles_cover_every_cell_once(size, edge, halo):
    found = list(tiles(size, edge, halo))
    kept = [cell for tile in found for cell in range(tile.core.start, tile.core.stop)]
    assert kept == list(range(size))
    for tile in found:
        read = range(tile.window.start, tile.window.stop)
        assert [*read][tile.core_in_window] == [*range(size)][tile.core]
        assert tile.window.start % STEP == 0
        assert tile.window.start == max(tile.core.start - halo, 0)
        assert tile.window.stop == min(tile.core.stop + halo, size)
    assert len({tile.window.stop - tile.window.start for tile in found}) <= 2


@pytest.mark.parametrize(("shape", "shrink"), [((151, 205), 1), ((301, 250), 2)])
def test_tiles_leave_no_seam(shape, shrink, rng):
    network = convolutional(rng, shrink=shrink)
    image = images(rng, *shape, 3)
    whole = predict(network, image)
    assert whole.shape == shape
    assert len(np.unique(whole)) == 4
    np.testing.assert_array_equal(predict(network, image, max_pixels=96**2, halo=32), whole)
    # The test would see one: without a halo the labels at the tiles' edges are others.
    assert (predict(network, image, max_pixels=96**2, halo=0) != whole).any()


def test_batch_axes_of_any_number(rng):
    network, x = convolutional(rng), images(rng, 2, 1, 8, 6, 3)
    labels = predict(network, x)
    assert labels.shape == (2, 1, 8, 6)
    np.testing.assert_array_equal(labels[1, 0], predict(network, x[1, 0]))
    network, x = classifier(rng), images(rng, 2, 3, 8, 8, 1)
    expected = np.asarray(network.logits(x.reshape(6, 8, 8, 1))).argmax(-1).reshape(2, 3)
    np.testing.assert_array_equal(predict(network, x), expected)
    assert predict(network, x[0, 0]).shape == ()


def test_grey_and_colour_become_each_other(rng):
    grey = images(rng, 4, 5, 1)
    np.testing.assert_array_equal(convert_features(grey, 3), np.concatenate([grey] * 3, -1))
    bytes_ = rng.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    luma = np.asarray(Image.fromarray(bytes_).convert("L")).astype(float)
    ours = convert_features(bytes_ / np.float32(255), 1)[..., 0] * 255
    assert (
        abs(ours - luma).max() <= 0.5 + 255 * 2**-16 + 1e-4
    )  # Pillow's weights are of 16 bits, and it rounds
    np.testing.assert_array_equal(convert_features(np.dstack([grey, grey]), 1), grey)
    network = convolutional(rng)
    np.testing.assert_array_equal(predict(network, grey), predict(network, np.repeat(grey, 3, -1)))
    with pytest.raises(DataError, match="3 features, but this image has 5"):
        predict(network, np.zeros((4, 4, 5), np.float32))


def test_bad_input(rng):
    network = convolutional(rng)
    with pytest.raises(TypeError, match="Divide bytes by 255"):
        predict(network, np.zeros((4, 4, 3), np.uint8))
    for shape in ((4, 3), (0, 4, 3), (4, 4, 0)):
        with pytest.raises(GeometryError, match="not be empty"):
            predict(network, np.zeros(shape, np.float32))
    large = np.zeros((300, 300, 3), np.float32)
    with pytest.raises(OptionError, match=r"\(--max-pixels\) must be at least 82944 .*or lower `halo`"):
        predict(network, large, max_pixels=256**2)
    assert predict(network, large, max_pixels=288**2).shape == (300, 300)  # as it says
    for options in ({"max_pixels": 0}, {"max_pixels": -4}, {"halo": -1}):
        with pytest.raises(OptionError, match=f"`{next(iter(options))}` must be at least"):
            predict(network, large, **options)
