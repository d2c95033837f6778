"""Image files in, label files out."""

import json

import numpy as np
import pytest
from networks import COLORS, classifier, convolutional
from PIL import Image

from jaxconv.errors import DataError, OptionError
from jaxconv.training import predict
from jaxconv.training.inference import label_files, name_images


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def photo(rng, rows, columns):
    return rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def test_labels_and_overlays(tmp_path, rng):
    network, pixels = convolutional(rng), photo(rng, 20, 31)
    image = save(tmp_path / "in" / "deep" / "a.png", pixels)
    out = tmp_path / "out"
    names = name_images([tmp_path / "in"], out)
    assert names == {"deep/a": image}
    assert list(label_files(network, names, out)) == [None]
    expected = predict(network, pixels / np.float32(255))
    stored = Image.open(out / "labels" / "deep" / "a.png")
    assert stored.mode == "P"
    np.testing.assert_array_equal(np.asarray(stored), expected)
    np.testing.assert_array_equal(np.asarray(stored.convert("RGB")), np.array(COLORS)[expected])
    shown = np.asarray(Image.open(out / "overlays" / "deep" / "a.png")).astype(float)
    grey = pixels.mean(-1, keepdims=True)
    assert abs(shown - (0.55 * np.array(COLORS)[expected] + 0.45 * grey)).max() <= 0.51  # rounded to bytes
    assert list(label_files(network, names, out)) == [None]  # again, over what is there


def test_one_bad_image_is_skipped(tmp_path, rng):
    network, folder, out = convolutional(rng), tmp_path / "in", tmp_path / "in" / "out"
    whole = save(folder / "b.png", photo(rng, 40, 40))
    (folder / "a.png").write_bytes(whole.read_bytes()[:-900])
    (folder / "c.jpg").write_text("no image")
    (folder / "notes.txt").write_text("not looked at")
    save(folder / ".hidden.png", photo(rng, 4, 4))
    names = name_images([folder], out)
    assert [*names] == ["a", "b", "c"]
    problems = list(label_files(network, names, out))
    assert str(folder / "a.png") in problems[0]
    assert problems[1] is None
    assert str(folder / "c.jpg") in problems[2]
    assert [path.name for path in (out / "labels").iterdir()] == ["b.png"]
    assert name_images([folder], out) == names  # results are not inputs


def test_grey_files_for_a_network_of_colours_and_the_reverse(tmp_path, rng):
    grey, colour = photo(rng, 9, 8)[..., 0], photo(rng, 9, 8)
    names = {"grey": save(tmp_path / "g.png", grey), "colour": save(tmp_path / "c.png", colour)}
    grey_as_colour = grey[..., None].repeat(3, -1)
    for network, x in (
        (convolutional(rng), grey_as_colour),
        (convolutional(rng, in_features=1), grey[..., None]),
    ):
        out = tmp_path / str(network.in_features)
        assert list(label_files(network, names, out)) == [None, None]
        expected = predict(network, x / np.float32(255))
        np.testing.assert_array_equal(np.asarray(Image.open(out / "labels" / "grey.png")), expected)
        assert np.asarray(Image.open(out / "labels" / "colour.png")).shape == (9, 8)


def test_names(tmp_path, rng):
    out, pixels = tmp_path / "out", photo(rng, 3, 3)
    png, jpg = save(tmp_path / "x" / "a.png", pixels), save(tmp_path / "x" / "a.jpg", pixels)
    other = save(tmp_path / "y" / "a.png", pixels)
    assert name_images([tmp_path / "x"], out) == {"a.jpg": jpg, "a.png": png}
    assert name_images([jpg, other], out) == {"a.jpg": jpg, "a.png": other}
    assert name_images([png, png], out) == {"a": png}
    with pytest.raises(DataError, match=r"x/a\.png and .*y/a\.png would have the same name"):
        name_images([png, other], out)
    with pytest.raises(FileNotFoundError, match="none\\.png"):
        name_images([tmp_path / "none.png"], out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no image found in .*empty: no file name ends in \.png"):
        name_images([tmp_path / "empty"], out)


def test_a_classifier_writes_names(tmp_path, rng):
    network, x = classifier(rng, in_features=3), photo(rng, 8, 8)
    names = {"a": save(tmp_path / "a.png", x), "b": tmp_path / "none.png"}
    problems = list(label_files(network, names, tmp_path / "out"))
    assert problems[0] is None
    assert "none.png" in problems[1]
    expected = f"class {int(predict(network, x / np.float32(255)))}"
    assert json.loads((tmp_path / "out" / "classes.json").read_text()) == {"a": expected}


def test_tiles_that_are_too_small_are_refused_before_the_first_image(tmp_path, rng):
    """Once, whatever the order of the images; and only where an image needs tiles."""
    network, out = convolutional(rng), tmp_path / "out"
    small, large = save(tmp_path / "a.png", photo(rng, 8, 9)), save(tmp_path / "b.png", photo(rng, 40, 50))
    names, broken = {"a": small, "b": large}, {"a": small, "c": tmp_path / "none.png"}
    with pytest.raises(OptionError, match=r"`max_pixels` .* at least 82944 .*\(--halo\) of 128 on each side"):
        next(label_files(network, names, out, max_pixels=100))
    with pytest.raises(OptionError, match=r"at least 1024 .*: the smallest tile has 32 x 32 pixels; got 100"):
        next(label_files(network, names, out, max_pixels=100, halo=0))
    assert not out.exists()
    assert list(label_files(network, {"a": small}, out, max_pixels=100)) == [None]
    assert len(list(label_files(network, broken, out, max_pixels=100))) == 2
    assert list(label_files(network, names, out, max_pixels=1024, halo=0)) == [None, None]
