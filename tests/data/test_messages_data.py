"""Bad calls of the data sets and batches, and what their messages say."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from messages import BadCall, check
from PIL import Image

from jaxconv.data import (
    Augmentation,
    Classes,
    Example,
    Prefetcher,
    Shapes,
    Stream,
    augment,
    camvid,
    check_dataset,
    digit_images,
    digits,
    downsample_image,
    folder,
    list_images,
    read_classes,
    read_image,
    shapes,
)
from jaxconv.data.batches import iterate_batches
from jaxconv.data.digit_mosaics import make_digit_mosaics
from jaxconv.errors import DataError, OptionError

IMAGE, LABEL = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
CLASS = "[[class]]\nname = 'road'\ncolor = [128, 64, 128]\n"


def in_camvid(*, image=IMAGE, label=LABEL, image_name="a.png", label_name="a.png", save=Image.Image.save):
    """Reads a CamVid of one pair of files; None leaves a file out."""
    with TemporaryDirectory() as path:
        for part, array, name in (("train", image, image_name), ("trainannot", label, label_name)):
            (Path(path) / part).mkdir()
            if array is not None:
                save(Image.fromarray(array), Path(path) / part / name)
        check_dataset(camvid("train", Path(path)))


def write_as_jpeg(image, path):
    image.save(path, format="PNG" if path.parent.name == "train" else "JPEG")


def write_half(image, path):
    image.save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def in_file(text, read, name="classes.toml"):
    """Calls `read` with the path of a file of that text."""
    with TemporaryDirectory() as path:
        (Path(path) / name).write_text(text)
        read(Path(path) / name)


def two_of_one_name():
    with TemporaryDirectory() as path:
        for suffix in ("png", "jpg"):
            (Path(path) / f"a.{suffix}").touch()
        list_images(Path(path))


def in_empty_folder(read):
    with TemporaryDirectory() as path:
        read("train", Path(path))


def empty(dataset):
    """Returns the data set without its examples."""
    return type("Empty", (), {"__len__": lambda self: 0, "classes": dataset.classes})()


def grey():
    return Example("grey", np.zeros((4, 6, 1), np.float32), np.zeros((4, 6), np.int32))


CASES = [
    BadCall(
        "another split",
        lambda: digits("validation"),
        ("`split`", "train, val, test", "validation"),
        OptionError,
    ),
    BadCall(
        "a folder for digits",
        lambda: digit_images("train", Path("data")),
        ("`folder`", "'digit_images'", "data"),
        OptionError,
    ),
    BadCall(
        "a folder for shapes", lambda: shapes("train", Path("data")), ("`folder`", "'shapes'"), OptionError
    ),
    BadCall("no folder of CamVid", lambda: camvid("train"), ("`folder`", "trainannot/"), DataError),
    BadCall(
        "a missing folder",
        lambda: camvid("train", Path("gone")),
        ("`folder`", "gone does not exist"),
        DataError,
    ),
    BadCall("an empty folder", lambda: in_empty_folder(camvid), ("`folder`", "holds nothing"), DataError),
    BadCall("no folder", lambda: folder("train"), ("`folder`", "classes.toml"), DataError),
    BadCall(
        "no classes", lambda: in_empty_folder(folder), ("`folder`", "classes.toml", "nothing"), DataError
    ),
    BadCall(
        "an image without label",
        lambda: in_camvid(label=None),
        ("same name", "without label", "train/a.png"),
        DataError,
    ),
    BadCall(
        "a JPEG label",
        lambda: in_camvid(label_name="a.jpg"),
        ("without label", "a.jpg", "JPEG", "as PNG"),
        DataError,
    ),
    BadCall(
        "a JPEG label under another name",
        lambda: in_camvid(save=write_as_jpeg),
        ("trainannot/a.png", "stored as JPEG", "as PNG"),
        DataError,
    ),
    BadCall(
        "no images",
        lambda: in_camvid(image=None, label=None),
        ("train contains no images", ".png"),
        DataError,
    ),
    BadCall("two images of one name", two_of_one_name, ("a.jpg", "a.png", "remove one"), DataError),
    BadCall(
        "a label of another size",
        lambda: in_camvid(label=LABEL[:3]),
        ("trainannot/a.png", "3x6", "4x6", "without interpolation"),
        DataError,
    ),
    BadCall(
        "a rotated label",
        lambda: in_camvid(label=np.ascontiguousarray(LABEL.T)),
        ("trainannot/a.png", "6x4", "4x6", "rotated"),
        DataError,
    ),
    BadCall(
        "an unknown label",
        lambda: in_camvid(label=LABEL + np.uint8(30)),
        ("trainannot/a.png", "30 (24 pixels)", "known are 0, 1", "void"),
        DataError,
    ),
    BadCall(
        "an unknown colour",
        lambda: in_camvid(label=IMAGE + np.uint8(1)),
        ("trainannot/a.png", "(1, 1, 1) (24 pixels)", "(128, 128, 0)"),
        DataError,
    ),
    BadCall("half a file", lambda: in_camvid(save=write_half), ("train/a.png", "damaged"), DataError),
    BadCall(
        "a missing image", lambda: read_image(Path("gone.png")), ("gone.png", "does not exist"), DataError
    ),
    BadCall(
        "text as an image",
        lambda: in_file("text", read_image, "a.png"),
        ("a.png", "not an image", "suffix"),
        DataError,
    ),
    BadCall(
        "a missing classes.toml",
        lambda: read_classes(Path("gone.toml")),
        ("gone.toml", "cannot be read"),
        DataError,
    ),
    BadCall(
        "no TOML", lambda: in_file("class = ", read_classes), ("classes.toml", "not a TOML file"), DataError
    ),
    BadCall(
        "an unknown key",
        lambda: in_file(CLASS.replace("color", "colour"), read_classes),
        ("'colour'", "did you mean 'color'?"),
        DataError,
    ),
    BadCall(
        "a class without name",
        lambda: in_file(CLASS.replace("'road'", "3"), read_classes),
        ("`name`", "3"),
        DataError,
    ),
    BadCall(
        "a wrong colour",
        lambda: in_file(CLASS.replace("64", "640"), read_classes),
        ("`color`", "640"),
        DataError,
    ),
    BadCall(
        "a wrong value",
        lambda: in_file(CLASS + "value = -1", read_classes),
        ("`value`", "65535", "-1"),
        DataError,
    ),
    BadCall(
        "two of one colour",
        lambda: in_file(CLASS + CLASS, read_classes),
        ("(128, 64, 128)", "two"),
        DataError,
    ),
    BadCall(
        "void by name",
        lambda: in_file("void = 'black'\n" + CLASS, read_classes),
        ("`void`", "[r, g, b]", "'black'"),
        DataError,
    ),
    BadCall("classes without a name", lambda: Classes((), ()), ("1 to 255 classes", "got 0"), DataError),
    BadCall(
        "a class without colour",
        lambda: Classes(("a", "b"), ((0, 0, 0),)),
        ("2 names, 1 colours",),
        DataError,
    ),
    BadCall(
        "a colour outside", lambda: Classes(("a",), ((0, 0, 300),)), ("'a'", "0 to 255", "300"), DataError
    ),
    BadCall(
        "two classes of one name", lambda: Classes(("a", "a"), ((0, 0, 0),) * 2), ("twice: a",), DataError
    ),
    BadCall(
        "a data set without examples", lambda: check_dataset(empty(shapes("val"))), ("`dataset`",), DataError
    ),
    BadCall("a probability", lambda: Augmentation(flip=1.5), ("`flip`", "0 to 1", "1.5"), OptionError),
    BadCall(
        "one scale",
        lambda: Augmentation(scale=(2.0, 1.0), crop=(4, 4)),
        ("`scale`", "(2.0, 1.0)"),
        OptionError,
    ),
    BadCall(
        "a scale without crop", lambda: Augmentation(scale=(1.0, 2.0)), ("`scale`", "`crop`"), OptionError
    ),
    BadCall(
        "a crop of one size",
        lambda: Augmentation(crop=32),
        ("`crop` must be (rows, columns)", "32"),
        OptionError,
    ),
    BadCall("a flip by word", lambda: Augmentation(flip="yes"), ("`flip`", "0 to 1", "'yes'"), OptionError),
    BadCall("an empty crop", lambda: Augmentation(crop=(0, 4)), ("`crop`", "(0, 4)"), OptionError),
    BadCall(
        "a crop that does not divide",
        lambda: Stream(shapes("val"), 4, augmentation=Augmentation(crop=(33, 32)), shrink=2),
        ("`augmentation.crop`", "multiples of 2", "[33, 32]", "[32, 32]"),
        OptionError,
    ),
    BadCall(
        "colours of a grey image",
        lambda: augment(grey(), Augmentation(saturation=0.1), np.random.default_rng(0)),
        ("`saturation`", "1 features", "set it to 0"),
        OptionError,
    ),
    BadCall(
        "an empty stream", lambda: Stream(empty(shapes("val")), 4), ("`dataset`", "at least one"), DataError
    ),
    BadCall(
        "an empty batch",
        lambda: Stream(shapes("val"), 0),
        ("`batch_size` must be at least 1", "0"),
        OptionError,
    ),
    BadCall(
        "a negative seed",
        lambda: Stream(shapes("val"), 4, seed=-1),
        ("`seed` must be at least 0",),
        OptionError,
    ),
    BadCall("a negative step", lambda: Stream(shapes("val"), 4).batch(-1), ("`step`", "-1"), OptionError),
    BadCall(
        "a third of four",
        lambda: Stream(shapes("val"), 4).batch(0, (0, 3)),
        ("`part`", "4", "(0, 3)"),
        OptionError,
    ),
    BadCall(
        "batches of nothing", lambda: next(iterate_batches(shapes("val"), 0)), ("`size`", "0"), OptionError
    ),
    BadCall("no threads", lambda: Prefetcher(abs, [1], workers=0), ("`workers`", "workers=0"), OptionError),
    BadCall(
        "cells of nothing", lambda: downsample_image(np.zeros((4, 4, 1)), 0), ("`shrink`", "0"), OptionError
    ),
    BadCall(
        "a small canvas", lambda: digits("val", canvas=(8, 8)), ("`canvas`", "16", "(8, 8)"), OptionError
    ),
    BadCall(
        "digits that shrink",
        lambda: digits("val", scales=(0.5, 1.0)),
        ("`scales`", "at least 1"),
        OptionError,
    ),
    BadCall("no mosaic", lambda: digits("train", examples=0), ("`examples`", "examples=0"), OptionError),
    BadCall(
        "nothing held out", lambda: make_digit_mosaics(held_out=0.0), ("`held_out`", "above 0"), OptionError
    ),
    BadCall(
        "one digit held out", lambda: make_digit_mosaics(held_out=0.001), ("`held_out`", "0.25"), OptionError
    ),
    BadCall(
        "a canvas of one axis",
        lambda: Shapes(canvas=(4,)),
        ("`canvas` must be (rows, columns)",),
        OptionError,
    ),
    BadCall("radii the wrong way round", lambda: Shapes(radii=(5, 2)), ("`radii`", "(5, 2)"), OptionError),
    BadCall("a negative count", lambda: Shapes(count=-1), ("`count`", "count=-1"), OptionError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
