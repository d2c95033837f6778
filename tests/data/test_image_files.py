"""Image and label files that no training can use: each is one line that names the file."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxconv.data import camvid, check_dataset, read_image
from jaxconv.errors import DataError

ROWS, COLUMNS = 24, 30


@pytest.fixture
def folder(tmp_path, rng):
    """One good pair, ``a``, in CamVid's layout; what a fault is does to ``b``."""
    for stem in "ab":
        for part, shape, top in (("train", (ROWS, COLUMNS, 3), 256), ("trainannot", (ROWS, COLUMNS), 12)):
            (tmp_path / part).mkdir(exist_ok=True)
            array = rng.integers(top, size=shape, dtype=np.uint8)
            Image.fromarray(array).save(tmp_path / part / f"{stem}.png")
    return tmp_path


def opened(path):
    with Image.open(path) as image:
        return image.copy()


def saved(change, **options):
    """The file replaced by what `change` makes of its image, in the format of `options`."""
    return lambda path: change(opened(path)).save(path, **{"format": "PNG", **options})


def written(data):
    return lambda path: path.write_bytes(data)


def cut(part):
    return lambda path: path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])


def header(rows, columns, bits=8, kind=0):
    """A PNG that says it has that size, and ends there."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", columns, rows, bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(bytes(data))


def replaced_by(make):
    def change(path):
        path.unlink()
        make(path)

    return change


def transparent(image):
    image.putalpha(128)
    return image


def pixels(change):
    """An image of the changed array."""
    return lambda image: Image.fromarray(change(np.asarray(image)))


def with_nan(array):
    return np.where(np.arange(array.shape[1]) == 3, np.nan, array[..., 0] / 255).astype(np.float32)


def with_a_second(**options):
    def save(path):
        frames = [opened(path), opened(path).rotate(90)]
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)

    return save


IMAGES = {
    "zero bytes": (written(b""), "is empty"),
    "text under another name": (written(b"no image\n"), "is not an image of a known format"),
    "half a PNG": (cut(0.5), "cannot be read as an image .*truncated"),
    "half a JPEG": (lambda path: (saved(lambda x: x, format="JPEG")(path), cut(0.5)(path)), "cannot be read"),
    "half a TIFF": (lambda path: (saved(lambda x: x, format="TIFF")(path), cut(0.5)(path)), "cannot be read"),
    "a header alone": (cut(0.02), "not an image of a known format|cannot be read"),
    "a flipped bit": (flipped, "cannot be read as an image"),
    "no rows": (written(header(0, 5)), "not an image of a known format|cannot be read"),
    "a decompression bomb": (written(header(10**5, 10**5)), "is too large to be read whole"),
    "CMYK": (saved(lambda x: x.convert("CMYK"), format="TIFF"), "mode 'CMYK'; convert it"),
    "CMYK in JPEG": (saved(lambda x: x.convert("CMYK"), format="JPEG"), "mode 'CMYK'; convert it"),
    "32-bit integers": (saved(lambda x: x.convert("I"), format="TIFF"), "mode 'I'; convert it"),
    "floats with NaN": (saved(pixels(with_nan), format="TIFF"), "mode 'F'; convert it"),
    "transparent pixels": (saved(transparent), "has transparent pixels"),
    "an animated GIF": (with_a_second(format="GIF"), "holds 2 images, and one is needed"),
    "an animated PNG": (with_a_second(format="PNG"), "holds 2 images"),
    "two pages": (with_a_second(format="TIFF"), "holds 2 images"),
    "a folder": (replaced_by(lambda path: path.mkdir()), "is a folder, not an image"),
    "a link to nothing": (
        replaced_by(lambda path: path.symlink_to("gone.png")),
        "link to gone.png, which does",
    ),
    "a pipe": (replaced_by(os.mkfifo), "is not a regular file"),
}
LABELS = {
    "zero bytes": (written(b""), "is empty"),
    "half a PNG": (cut(0.5), "cannot be read as an image"),
    "another size": (saved(lambda x: x.crop((0, 0, 29, 24))), "the label has 24x29 pixels and the .*24x30"),
    "a turned one": (saved(lambda x: x.transpose(Image.Transpose.ROTATE_90)), "the label has 30x24 pixels"),
    "an unknown value": (saved(pixels(lambda x: x + np.uint8(40))), "that are not classes: 4.*known are 0"),
    "16 bits": (saved(pixels(lambda x: x.astype(np.uint16) * 256)), "labels that are not classes: 256 "),
    "an unknown colour": (saved(pixels(lambda x: np.dstack([x, x, x]))), r"not classes: .*\(1, 1, 1\)"),
    "floats": (saved(lambda x: x.convert("F"), format="TIFF"), "labels are grey, palette or RGB.*mode 'F'"),
    "CMYK": (saved(lambda x: x.convert("CMYK"), format="TIFF"), "labels are grey, palette or RGB"),
    "grey with transparency": (saved(lambda x: x.convert("LA")), "labels are grey.*mode 'LA'"),
    "a JPEG under another name": (saved(lambda x: x, format="JPEG"), "is stored as JPEG.*as PNG"),
    "a JPEG inside a TIFF": (saved(lambda x: x, format="TIFF", compression="jpeg"), "is stored as JPEG"),
    "a WebP under another name": (saved(lambda x: x.convert("RGB"), format="WEBP"), "is stored as WEBP"),
    "two pages": (with_a_second(format="TIFF"), "holds 2 images"),
    "a folder": (replaced_by(lambda path: path.mkdir()), "is a folder, not an image"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("part", "name"), [*(("train", name) for name in IMAGES), *(("trainannot", name) for name in LABELS)]
)
def test_a_fault_is_one_line_that_names_the_file(folder, part, name):
    fault, words = (IMAGES if part == "train" else LABELS)[name]
    path = folder / part / "b.png"
    fault(path)
    with pytest.raises(DataError, match=words) as error:
        check_dataset(camvid("train", folder))
    first, line = str(error.value).splitlines()
    assert first == "1 of 2 examples cannot be used:"
    assert line.startswith(f"  {path}: ")


PAIRS = {
    "a label is missing": (
        lambda folder: (folder / "trainannot" / "b.png").unlink(),
        r"1 without label in .*trainannot.*train/b\.png",
    ),
    "an image is missing": (
        lambda folder: (folder / "train" / "b.png").unlink(),
        r"1 without image in .*train.*trainannot/b\.png",
    ),
    "two images of one name": (
        lambda folder: (folder / "train" / "b.jpg").write_bytes(b""),
        r"train/b\.jpg and b\.png share one name",
    ),
    "the label is a JPEG": (
        lambda folder: (folder / "trainannot" / "b.png").rename(folder / "trainannot" / "b.jpg"),
        r"train/b\.png; labels are not read from b\.jpg, as JPEG",
    ),
    "the names differ in case": (
        lambda folder: (folder / "trainannot" / "b.png").rename(folder / "trainannot" / "B.png"),
        r"train/b\.png; 1 without image .*trainannot/B\.png",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_that_is_not_one(folder, name):
    fault, words = PAIRS[name]
    fault(folder)
    with pytest.raises(DataError, match=words) as error:
        camvid("train", folder)
    assert "\n" not in str(error.value)


def test_nothing_is_labelled(folder):
    for stem in "ab":
        Image.new("L", (COLUMNS, ROWS), 11).save(folder / "trainannot" / f"{stem}.png")
    dataset = camvid("train", folder)
    check_dataset(dataset)  # as the split to predict may be
    with pytest.raises(
        DataError, match="every pixel of all 2 examples is void, from a on, so there is nothing"
    ):
        check_dataset(dataset, labelled=True)
    label = np.full((ROWS, COLUMNS), 11, np.uint8)
    label[3, 4] = 2
    Image.fromarray(label).save(folder / "trainannot" / "b.png")
    check_dataset(dataset, labelled=True)


def test_previews_are_not_images_of_their_own(folder):
    """A smaller second page, as maps and cameras write it, changes nothing."""
    path = folder / "train" / "b.png"
    expected = read_image(path)
    whole = opened(path)
    whole.save(path, format="TIFF", save_all=True, append_images=[whole.reduce(2)])
    np.testing.assert_array_equal(read_image(path), expected)


def test_damaged_bytes_never_escape(folder, rng):
    """Flipped bits and cut ends of every format: an image of some size, or one error that names the file."""
    path, refused = folder / "train" / "b.png", 0
    original = opened(path)
    for options in (
        {"format": "PNG"},
        {"format": "JPEG"},
        {"format": "BMP"},
        {"format": "TIFF", "compression": "tiff_lzw"},
        {"format": "WEBP"},
        {"format": "GIF"},
    ):
        original.save(path, **options)
        data = path.read_bytes()
        for trial in range(40):
            damaged = bytearray(data[: rng.integers(1, len(data)) if trial % 4 == 0 else None])
            for _ in range(3):
                damaged[rng.integers(min(len(damaged), 10 ** (1 + trial % 3)))] ^= 1 << rng.integers(8)
            path.write_bytes(bytes(damaged))
            try:
                read_image(path)
            except DataError as error:
                refused += str(error).startswith(f"{path}: ")
    assert refused > 60
