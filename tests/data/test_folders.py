"""Data sets on disk: what is read is what was written, and every bad file is named."""

import numpy as np
import pytest
from PIL import Image

from jaxconv.data import (
    CAMVID,
    DATASETS,
    VOID,
    Classes,
    camvid,
    check_dataset,
    folder,
    read_classes,
    read_image,
)
from jaxconv.errors import DataError, OptionError

TOML = """
void = [0, 0, 0]
[[class]]
name = "road"
color = [128, 64, 128]
value = 7
[[class]]
name = "sky"
color = [0, 0, 200]
"""


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
    with pytest.raises(DataError, match="is not there"):
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


def test_check_looks_inside(rng):
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


def test_every_mode_is_read_or_refused(tmp_path, rng):
    grey = rng.integers(256, size=(4, 5), dtype=np.uint8)
    colour = rng.integers(256, size=(4, 5, 3), dtype=np.uint8)
    as_float = lambda values, top=255: values.astype(np.float32) / np.float32(top)  # noqa: E731
    path = tmp_path / "image.png"

    write(path, grey)
    np.testing.assert_array_equal(read_image(path), as_float(grey)[..., None].repeat(3, -1))
    np.testing.assert_array_equal(read_image(path, grey=True), as_float(grey)[..., None])
    deep = rng.integers(65536, size=(4, 5), dtype=np.uint16)
    write(path, deep)
    np.testing.assert_array_equal(read_image(path, grey=True), as_float(deep, 65535)[..., None])
    assert read_image(path).shape == (4, 5, 3)
    Image.fromarray(colour).quantize(256, dither=Image.Dither.NONE).save(path)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read_image(path), as_float(np.asarray(image.convert("RGB"))))

    opaque = np.dstack([colour, np.full((4, 5), 255, np.uint8)])
    write(path, opaque)
    np.testing.assert_array_equal(read_image(path), as_float(colour))
    opaque[1, 2, 3] = 254
    write(path, opaque)
    with pytest.raises(DataError, match=r"image.png: has transparent"):
        read_image(path)
    write(tmp_path / "float.tif", rng.uniform(size=(4, 5)).astype(np.float32))
    with pytest.raises(DataError, match=r"float.tif.*'F'"):
        read_image(tmp_path / "float.tif")
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "none.png")


def test_cameras_lie_on_their_side(tmp_path, rng):
    colour = rng.integers(256, size=(4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # the first column is the top row
    Image.fromarray(colour).save(tmp_path / "a.png", exif=exif)
    upright = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(upright, np.rot90(colour, -1).astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("layout", [("train", "trainannot"), ("images/train", "labels/train")])
@pytest.mark.parametrize("form", ["values", "palette", "colours"])
def test_any_folder(tmp_path, rng, layout, form):
    (tmp_path / "classes.toml").write_text(TOML + ("" if form == "colours" else "value = 300\n" * 0))
    label = rng.integers(2, size=(5, 7))
    image = rng.integers(256, size=(5, 7, 3), dtype=np.uint8)
    write(tmp_path / layout[0] / "x.jpg", image)
    target = tmp_path / layout[1] / "x.png"
    if form == "colours":
        palette = np.array([[128, 64, 128], [0, 0, 200], [0, 0, 0]], np.uint8)
        label[0, 0] = 2
        write(target, palette[label])
    else:
        write(target, np.array([7, 1], np.uint8)[label])
        if form == "palette":
            with Image.open(target) as grey:
                coloured = grey.convert("P")
            coloured.putdata(np.array([7, 1], np.uint8)[label].ravel())
            coloured.putpalette(rng.integers(256, size=768, dtype=np.uint8).tobytes())
            coloured.save(target)
    dataset = folder("train", tmp_path)
    np.testing.assert_array_equal(dataset[0].label, np.where(label == 2, VOID, label))
    assert dataset.classes == Classes(("road", "sky"), ((128, 64, 128), (0, 0, 200)))
    assert folder("train", tmp_path, grey=True)[0].image.shape == (5, 7, 1)
    check_dataset(dataset)


def test_deep_labels_and_unknown_ones(tmp_path):
    toml, path = tmp_path / "classes.toml", tmp_path / "label.png"
    toml.write_text(TOML.replace("value = 7", "value = 1000").replace("[0, 0, 0]", "[9, [0, 0, 0]]"))
    _, code = read_classes(toml)
    write(path, np.array([[1000, 1, 9]], np.uint16))
    np.testing.assert_array_equal(code.read(path), [[0, 1, VOID]])
    write(path, np.array([[1000, 7, 7]], np.uint16))
    with pytest.raises(DataError, match=r"label.png: .*: 7 \(2 pixels\); known are 1, 9, 1000"):
        code.read(path)
    write(path, np.array([[[0, 0, 200], [0, 0, 201]]], np.uint8))
    with pytest.raises(DataError, match=r"\(0, 0, 201\) \(1 pixels\); known are \(0, 0, 0\), "):
        code.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TOML.replace("color", "colour", 1), "'colour'; did you mean 'color'"),
        (TOML.replace("void", "vod", 1), "'vod'; did you mean 'void'"),
        (TOML + "value = 7", "7 stands for two"),
        (TOML.replace("[0, 0, 0]", "[0, 0, 200]"), "stands for two"),
        (TOML.replace("[0, 0, 0]", "7"), "7 stands for two"),
        (TOML.replace("[0, 0, 0]", "'black'"), "`void` is"),
        (TOML.replace("[128, 64, 128]", "[128, 64, 256]"), "`color` is"),
        (TOML.replace('"sky"', '"road"'), "twice in the list: road"),
        (TOML.replace('"sky"', "3"), "class 1 needs a `name`"),
        (TOML.replace("value = 7", "value = 7.5"), "`value` is an integer"),
        ("class = 3", r"\[\[class\]\]"),
        ("class = ", "no TOML"),
        ("", r"\[\[class\]\]"),
    ],
)
def test_classes_that_contradict_each_other(tmp_path, text, message):
    path = tmp_path / "classes.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_classes(path)
    assert str(path) in str(caught.value)


def test_a_folder_without_its_parts(tmp_path):
    with pytest.raises(DataError, match=r"classes.toml.*holds nothing"):
        folder("train", tmp_path)
    (tmp_path / "classes.toml").write_text(TOML)
    with pytest.raises(DataError, match=r"images/train/.*holds classes.toml"):
        folder("train", tmp_path)


def test_what_is_made_reads_no_folder(tmp_path):
    for name in ("digits", "digit_images", "shapes"):
        with pytest.raises(OptionError, match=name):
            DATASETS[name]("train", tmp_path)
        with pytest.raises(OptionError, match="train, val, test"):
            DATASETS[name]("dev")
