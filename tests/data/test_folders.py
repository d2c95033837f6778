"""Folders with a classes.toml: what is read is what was written, and every mistake is named."""

import numpy as np
import pytest
from PIL import Image

from jaxconv.data import VOID, Classes, check_dataset, folder, read_classes
from jaxconv.errors import DataError

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
    assert folder("train", str(tmp_path)).pairs == dataset.pairs


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
        (TOML.replace("color", "colour", 1), "'colour' is unknown; did you mean 'color'"),
        (TOML.replace("void", "vod", 1), "'vod' is unknown; did you mean 'void'"),
        (TOML + "value = 7", "7 stands for two"),
        (TOML.replace("[0, 0, 0]", "[0, 0, 200]"), "stands for two"),
        (TOML.replace("[0, 0, 0]", "7"), "7 stands for two"),
        (TOML.replace("[0, 0, 0]", "'black'"), "`void` must be"),
        (TOML.replace("[128, 64, 128]", "[128, 64, 256]"), "`color` must be"),
        (TOML.replace('"sky"', '"road"'), "occur twice: road"),
        (TOML.replace('"sky"', "3"), "class 1 needs a `name`"),
        (TOML.replace("value = 7", "value = 7.5"), "`value` of a class must be an integer"),
        ("class = 3", r"\[\[class\]\]"),
        ("class = ", "not a TOML file"),
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
