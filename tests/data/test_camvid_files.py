"""CamVid in its folders: what is read is what was written, and every bad file is named."""

import numpy as np
import pytest
from PIL import Image

from jaxconv.data import CAMVID, VOID, camvid, check_dataset
from jaxconv.errors import DataError, OptionError


def write(path, array, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array, mode).save(path) if mode else Image.fromarray(array).save(path)


@pytest.fixture
def streets(tmp_path, rng):
    """CamVid's layout with two pairs in train, of different sizes."""
    images, labels = {}, {}
    for stem, size in (("a_1", (6, 9)), ("b_2", (5, 8))):
        images[stem] = rng.integers(256, size=(*size, 3), dtype=np.uint8)
        labels[stem] = rng.integers(12, size=size, dtype=np.uint8)
        write(tmp_path / "train" / f"{stem}.png", images[stem])
        write(tmp_path / "trainannot" / f"{stem}.png", labels[stem])
    return tmp_path, images, labels


def test_camvid_is_what_was_written(streets):
    path, images, labels = streets
    (path / "train" / ".DS_Store").write_text("no image")
    (path / "train" / "notes.txt").write_text("no image")
    dataset = camvid("train", path)
    assert (len(dataset), dataset.in_features, dataset.task) == (2, 3, "segmentation")
    assert dataset.classes is CAMVID
    for example, stem in zip(dataset, ("a_1", "b_2"), strict=True):
        assert example.name == stem
        assert example.image.dtype == np.float32
        assert example.label.dtype == np.int32
        np.testing.assert_array_equal(example.image, images[stem].astype(np.float32) / np.float32(255))
        np.testing.assert_array_equal(example.label, np.where(labels[stem] == 11, VOID, labels[stem]))
    assert dataset[-1].name == "b_2"
    with pytest.raises(IndexError, match="example 2 of a data set of 2"):
        dataset[2]
    check_dataset(dataset)


def test_another_layout_is_shown_beside_the_expected_one(tmp_path, streets):
    with pytest.raises(DataError, match=r"val/ with images and valannot/.*holds train/, trainannot/"):
        camvid("val", tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        camvid("train", tmp_path / "nowhere")
    with pytest.raises(DataError, match="none was given"):
        camvid("train")
    with pytest.raises(OptionError, match="train, val, test"):
        camvid("validation", tmp_path)
    (tmp_path / "val").mkdir()
    (tmp_path / "valannot").mkdir()
    with pytest.raises(DataError, match="no images"):
        camvid("val", tmp_path)


def test_pairs_are_checked_at_once(streets, rng):
    path, images, _ = streets
    write(path / "train" / "c_3.png", images["a_1"])
    (path / "trainannot" / "b_2.png").rename(path / "trainannot" / "d_4.png")
    with pytest.raises(DataError, match=r"2 without label.*b_2.png, .*c_3.png; 1 without image.*d_4"):
        camvid("train", path)
    write(path / "train" / "a_1.jpg", images["a_1"])
    with pytest.raises(DataError, match=r"a_1.*share one name"):
        camvid("train", path)


def test_check_reports_every_bad_file(streets, rng):
    path, images, labels = streets
    for stem, label in (("c", labels["b_2"]), ("d", np.full((6, 9), 12, np.uint8)), ("e", labels["a_1"])):
        write(path / "train" / f"{stem}.png", images["a_1"])
        write(path / "trainannot" / f"{stem}.png", label)
    cut = path / "train" / "e.png"
    cut.write_bytes(cut.read_bytes()[:100])
    (path / "train" / "f.jpg").write_text("no image")
    write(path / "trainannot" / "f.png", labels["a_1"])
    with pytest.raises(DataError, match="4 of 6 examples cannot be used") as caught:
        check_dataset(camvid("train", path))
    first, *lines = str(caught.value).splitlines()
    assert first == "4 of 6 examples cannot be used:"
    for line, parts in zip(
        lines,
        (
            ("c.png", "5x8", "6x9"),
            ("d.png", "12 (54 pixels)", "known are 0, 1"),
            ("e.png", "truncated"),
            ("f.jpg", "not an image of a known format"),
        ),
        strict=True,
    ):
        assert all(part in line for part in parts), line
