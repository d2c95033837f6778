"""Images and labels from files: PNG, JPEG and other formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from jaxconv.errors import DataError, needs_extra

if TYPE_CHECKING:
    from PIL import Image

_Codes = TypeVar("_Codes", int, np.ndarray)

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""JPEG is not among them: it changes values, and edges would get other classes."""

NO_CLASS = -1

LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF")


def read_image(path: str | Path, *, grey: bool = False) -> np.ndarray:
    """Reads an image as networks take it.

    Grey, palette and colour files are supported; the orientation tag of a camera is followed.

    Args:
      path: Path of the file.
      grey: Whether the result has one feature, grey, instead of red, green and blue.

    Returns:
      ``(rows, columns, 1 or 3)`` float32, from 0 to 1.

    Raises:
      DataError: The file is missing, truncated, not an image or more than one, it has transparent pixels,
        or its values have an unknown range (32-bit integers, floats, CMYK).
    """
    path = Path(path)
    image, _ = _open_image(path)
    if image.mode.startswith("I;16"):
        values = np.divide(np.asarray(image), np.float32(65535), dtype=np.float32)[..., None]
        return values if grey else values.repeat(3, axis=-1)
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise DataError(
            f"{path}: an image must be grey, palette or RGB of 8 bits, or grey of 16 bits; this one has "
            f"Pillow's mode {image.mode!r}; convert it to one of them."
        )
    pixels = np.asarray(_drop_alpha(path, image).convert("L" if grey else "RGB"))
    return np.divide(pixels, np.float32(255), dtype=np.float32).reshape(*pixels.shape[:2], -1)


def list_images(folder: str | Path, suffixes: Iterable[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """Lists the images of a folder, sorted, by their names without suffix; hidden files are left out.

    Args:
      folder: The folder.
      suffixes: Suffixes of images, in lower case.

    Raises:
      DataError: Two files differ only in their suffix.
    """
    paths: dict[str, Path] = {}
    for path in sorted(Path(folder).iterdir()):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in paths:
                raise DataError(
                    f"{paths[path.stem]} and {path.name} share one name, apart from the suffix, so that the "
                    "name is ambiguous; rename or remove one."
                )
            paths[path.stem] = path
    return paths


@dataclass(frozen=True)
class LabelCode:
    """The class of each value or colour in label files.

    Attributes:
      values: Class (or `VOID`) of each value in a grey or palette file.
      colors: Class (or `VOID`) of each colour ``(red, green, blue)`` in an RGB file.
    """

    values: Mapping[int, int]
    colors: Mapping[tuple[int, int, int], int]

    def read(self, path: str | Path) -> np.ndarray:
        """Reads a label file.

        Returns:
          The class of each pixel, ``(rows, columns)`` int32.

        Raises:
          DataError: The file cannot be read, its format changes values (JPEG), or it contains a value or
            colour that is not a class.
        """
        path = Path(path)
        image, stored_as = _open_image(path)
        if stored_as in LOSSY:
            raise DataError(
                f"{path}: is stored as {stored_as}, despite its suffix; that format changes labels at edges. "
                "Make the label file again from its source, as PNG."
            )
        if image.mode in ("RGB", "RGBA"):
            red, green, blue = np.asarray(_drop_alpha(path, image).convert("RGB"), np.int32).transpose(
                2, 0, 1
            )
            packed = {_pack(*color): c for color, c in self.colors.items()}
            return _look_up(path, _pack(red, green, blue), packed, _unpack)
        if image.mode in ("1", "L", "P", "I", "I;16", "I;16B", "I;16L"):
            return _look_up(path, np.asarray(image).astype(np.int32), self.values, str)
        raise DataError(
            f"{path}: labels must be grey, palette or RGB; this file has Pillow's mode {image.mode!r}; "
            "convert it to one of them."
        )


def _pack(red: _Codes, green: _Codes, blue: _Codes) -> _Codes:
    """Returns a colour as one integer, 0xRRGGBB."""
    return red << 16 | green << 8 | blue


def _unpack(color: int) -> str:
    """Returns a packed colour as text.

    >>> _unpack(0x804080)
    '(128, 64, 128)'
    """
    return str((int(color) >> 16, int(color) >> 8 & 255, int(color) & 255))


def _look_up(
    path: Path, codes: np.ndarray, classes: Mapping[int, int], write: Callable[[int], str]
) -> np.ndarray:
    """Returns the class of every code; a DataError names the file and the codes that are not classes."""
    known = np.array(sorted(classes), np.int32)
    class_of_known = np.array([classes[int(code)] for code in known], np.int32)
    if not known.size:
        labels = np.full_like(codes, NO_CLASS)
    elif codes.min() >= 0 and codes.max() < 1 << 16:  # a table: 0.2 ms at 480x360, the search 2.5 ms
        table = np.full(1 << 16, NO_CLASS, np.int32)
        small = known < 1 << 16
        table[known[small]] = class_of_known[small]
        labels = table[codes]
    else:
        place = np.searchsorted(known, codes).clip(max=len(known) - 1)
        labels = np.where(known[place] == codes, class_of_known[place], NO_CLASS)
    if labels.min() == NO_CLASS:
        values, counts = np.unique(codes[labels == NO_CLASS], return_counts=True)
        unknown = [
            f"{write(value)} ({count} pixels)" for value, count in zip(values[:8], counts[:8], strict=True)
        ]
        raise DataError(
            f"{path}: holds labels that are not classes: {', '.join(unknown)}{', ...' * (len(values) > 8)}; "
            f"known are {', '.join(map(write, known[:12]))}{', ...' * (len(known) > 12)}. Correct the file, "
            "or define a class or void for them (in classes.toml, where the data set has one)."
        )
    return labels


def _open_image(path: Path) -> tuple[Image.Image, str]:
    """Returns the image, decoded and upright, and the format that its pixels are stored in."""
    with needs_extra("reading an image", "train"):
        from PIL import Image, ImageOps

    if not path.is_file():  # reading a pipe would never end
        raise DataError(f"{path}: {_explain_missing_file(path)}.")
    try:
        with Image.open(path) as image:
            frames = _frames(image)
            image.load()
            stored_as = (
                "JPEG" if image.info.get("compression") in ("jpeg", "tiff_jpeg") else image.format or ""
            )
            upright = ImageOps.exif_transpose(image)
    except (
        Exception
    ) as error:  # Pillow raises whatever its decoders do: IndexError, struct.error, zlib.error ...
        raise DataError(_describe_error(path, error)) from error
    if frames > 1:
        raise DataError(
            f"{path}: holds {frames} images, but must hold one; save one of them in a file of its own."
        )
    return upright, stored_as


def _frames(image: Image.Image) -> int:
    """Counts the images of one size in a file; smaller ones, and the second of a camera, are previews."""
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format == "MPO":
        return 1
    size = image.size
    image.seek(1)
    same = image.size == size
    image.seek(0)
    return frames if same else 1


def _explain_missing_file(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return f"is a link to {path.readlink()}, which does not exist"
    if not path.exists():
        return "the file does not exist"
    return "is a folder, not an image" if path.is_dir() else "is not a regular file"


def _describe_error(path: Path, error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if not path.stat().st_size:
        return f"{path}: is empty; copy or save it again."
    if isinstance(error, UnidentifiedImageError):
        fault = "is not an image of a known format, despite its suffix"
        return f"{path}: {fault}; it may be damaged: save it again as PNG."
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return f"{path}: is too large to be read whole ({error}); cut it into parts."
    return f"{path}: cannot be read as an image ({error}); it may be truncated or damaged: save it again."


def _drop_alpha(path: Path, image: Image.Image) -> Image.Image:
    """Removes transparency; a DataError refuses transparent pixels."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < 255:
            raise DataError(
                f"{path}: has transparent pixels, whose colour is unknown; flatten it onto a background."
            )
    return image
