"""Image and label files: every mode is read or refused, and a bad file is one line that names it."""

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
    """CamVid's layout with two good pairs, ``a`` and ``b``; a fault changes ``b``."""
    for stem in "ab":
        for part, shape, top in (("train", (ROWS, COLUMNS, 3), 256), ("trainannot", (ROWS, COLUMNS), 12)):
            (tmp_path / part).mkdir(exist_ok=True)
            array = rng.integers(top, size=shape, dtype=np.uint8)
            Image.fromarray(array).save(tmp_path / part / f"{stem}.png")
    return tmp_path


def open_image(path):
    with Image.open(path) as image:
        return image.copy()


def resave(change, **options):
    """Returns a fault that applies `change` to the image and saves it in the format of `options`."""
    return lambda path: change(open_image(path)).save(path, **{"format": "PNG", **options})


def replace_bytes(data):
    return lambda path: path.write_bytes(data)


def truncate(part):
    return lambda path: path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])


def header(rows, columns, bits=8, kind=0):
    """Returns a PNG whose header has that size, without pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", columns, rows, bits, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(bytes(data))


def replace_by(make):
    def change(path):
        path.unlink()
        make(path)

    return change


def transparent(image):
    image.putalpha(128)
    return image


def pixels(change):
    """Returns a change of an image that applies `change` to its array."""
    return lambda image: Image.fromarray(change(np.asarray(image)))


def with_nan(array):
    return np.where(np.arange(array.shape[1]) == 3, np.nan, array[..., 0] / 255).astype(np.float32)


def with_second_page(**options):
    def save(path):
        frames = [open_image(path), open_image(path).rotate(90)]
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)

    return save


IMAGES = {
    "zero bytes": (replace_bytes(b""), "is empty"),
    "text under another name": (replace_bytes(b"no image\n"), "is not an image of a known format"),
    "half a PNG": (truncate(0.5), "cannot be read as an image .*truncated"),
    "half a JPEG": (
        lambda path: (resave(lambda x: x, format="JPEG")(path), truncate(0.5)(path)),
        "cannot be read",
    ),
    "half a TIFF": (
        lambda path: (resave(lambda x: x, format="TIFF")(path), truncate(0.5)(path)),
        "cannot be read",
    ),
    "a header alone": (truncate(0.02), "not an image of a known format|cannot be read"),
    "a flipped bit": (flip_bit, "cannot be read as an image"),
    "no rows": (replace_bytes(header(0, 5)), "not an image of a known format|cannot be read"),
    "a decompression bomb": (replace_bytes(header(10**5, 10**5)), "is too large to be read whole"),
    "CMYK": (resave(lambda x: x.convert("CMYK"), format="TIFF"), "mode 'CMYK'; convert it"),
    "CMYK in JPEG": (resave(lambda x: x.convert("CMYK"), format="JPEG"), "mode 'CMYK'; convert it"),
    "32-bit integers": (resave(lambda x: x.convert("I"), format="TIFF"), "mode 'I'; convert it"),
    "floats with NaN": (resave(pixels(with_nan), format="TIFF"), "mode 'F'; convert it"),
    "transparent pixels": (resave(transparent), "has transparent pixels"),
    "an animated GIF": (with_second_page(format="GIF"), "holds 2 images, but must hold one"),
    "an animated PNG": (with_second_page(format="PNG"), "holds 2 images"),
    "two pages": (with_second_page(format="TIFF"), "holds 2 images"),
    "a folder": (replace_by(lambda path: path.mkdir()), "is a folder, not an image"),
    "a link to nothing": (
        replace_by(lambda path: path.symlink_to("gone.png")),
        "link to gone.png, which does",
    ),
    "a pipe": (replace_by(os.mkfifo), "is not a regular file"),
}
LABELS = {
    "zero bytes": (replace_bytes(b""), "is empty"),
    "half a PNG": (truncate(0.5), "cannot be read as an image"),
    "another size": (resave(lambda x: x.crop((0, 0, 29, 24))), "the label has 24x29 pixels and the .*24x30"),
    "a turned one": (resave(lambda x: x.transpose(Image.Transpose.ROTATE_90)), "the label has 30x24 pixels"),
    "an unknown value": (resave(pixels(lambda x: x + np.uint8(40))), "that are not classes: 4.*known are 0"),
    "16 bits": (resave(pixels(lambda x: x.astype(np.uint16) * 256)), "labels that are not classes: 256 "),
    "an unknown colour": (resave(pixels(lambda x: np.dstack([x, x, x]))), r"not classes: .*\(1, 1, 1\)"),
    "floats": (resave(lambda x: x.convert("F"), format="TIFF"), "labels must be grey, palette.*mode 'F'"),
    "CMYK": (resave(lambda x: x.convert("CMYK"), format="TIFF"), "labels must be grey, palette or RGB"),
    "grey with transparency": (resave(lambda x: x.convert("LA")), "labels must be grey.*mode 'LA'"),
    "a JPEG under another name": (resave(lambda x: x, format="JPEG"), "is stored as JPEG.*as PNG"),
    "a JPEG inside a TIFF": (resave(lambda x: x, format="TIFF", compression="jpeg"), "is stored as JPEG"),
    "a WebP under another name": (resave(lambda x: x.convert("RGB"), format="WEBP"), "is stored as WEBP"),
    "two pages": (with_second_page(format="TIFF"), "holds 2 images"),
    "a folder": (replace_by(lambda path: path.mkdir()), "is a folder, not an image"),
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
def test_files_without_a_partner_are_named(folder, name):
    fault, words = PAIRS[name]
    fault(folder)
    with pytest.raises(DataError, match=words) as error:
        camvid("train", folder)
    assert "\n" not in str(error.value)


def test_data_without_labelled_pixels_are_refused(folder):
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


def test_previews_are_ignored(folder):
    """A smaller second page, as maps and cameras write it, changes nothing."""
    path = folder / "train" / "b.png"
    expected = read_image(path)
    whole = open_image(path)
    whole.save(path, format="TIFF", save_all=True, append_images=[whole.reduce(2)])
    np.testing.assert_array_equal(read_image(path), expected)


def test_damaged_files_give_one_kind_of_error(folder, rng):
    """Flipped bits and cut ends of every format: an image of some size, or one error that names the file."""
    path, refused = folder / "train" / "b.png", 0
    original = open_image(path)
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


def write(path, array, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array, mode).save(path) if mode else Image.fromarray(array).save(path)


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
    with pytest.raises(DataError, match="does not exist"):
        read_image(tmp_path / "none.png")


def test_orientation_tags_are_followed(tmp_path, rng):
    colour = rng.integers(256, size=(4, 6, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # the first column is the top row
    Image.fromarray(colour).save(tmp_path / "a.png", exif=exif)
    upright = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(upright, np.rot90(colour, -1).astype(np.float32) / np.float32(255))
