"""Images and labels from files: PNG, JPEG and whatever else holds the pixels as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxconv.errors import DataError, needs_extra

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
LABEL_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")
"""JPEG is not among them: it changes the values, and every edge would be full of other classes."""

NO_CLASS = -1

LOSSY = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF")


def read_image(path: Path, *, grey: bool = False) -> np.ndarray:
    """An image as the networks see it.

    Grey, palette and colour files are all read; a camera's orientation tag is followed.

    Args:
      path: Of the file.
      grey: One feature in place of red, green and blue.

    Returns:
      ``(rows, columns, 1 or 3)`` float32, 0 to 1.

    Raises:
      DataError: The file is missing, truncated, not an image or several of them, it has transparent
        pixels, or its values have no known range (32-bit integers, floats, CMYK).
    """
    image, _ = _open_image(path)
    if image.mode.startswith("I;16"):
        values = np.divide(np.asarray(image), np.float32(65535), dtype=np.float32)[..., None]
        return values if grey else values.repeat(3, axis=-1)
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise DataError(
            f"{path}: images are grey, palette or RGB of 8 bits, or grey of 16; this is Pillow's mode "
            f"{image.mode!r}; convert it."
        )
    pixels = np.asarray(_drop_alpha(path, image).convert("L" if grey else "RGB"))
    return np.divide(pixels, np.float32(255), dtype=np.float32).reshape(*pixels.shape[:2], -1)


def list_images(folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """The images of a folder by their names without suffix, in order; hidden files are no images.

    Raises:
      DataError: Two files differ only in their suffix.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in found:
                raise DataError(
                    f"{found[path.stem]} and {path.name} share one name, so it is not known which of them is "
                    "meant; remove one."
                )
            found[path.stem] = path
    return found


@dataclass(frozen=True)
class LabelCode:
    """Which value or colour in a label file stands for which class.

    Attributes:
      values: Class (or `VOID`) of each value in a grey or palette file.
      colors: Class (or `VOID`) of each colour in an RGB file.
    """

    values: Mapping[int, int]
    colors: Mapping[tuple[int, int, int], int]

    def read(self, path: Path) -> np.ndarray:
        """A label file.

        Returns:
          ``(rows, columns)`` int32.

        Raises:
          DataError: The file cannot be read, its format changes values (JPEG), or it holds a value
            or colour that is not a class.
        """
        image, stored_as = _open_image(path)
        if stored_as in LOSSY:
            raise DataError(
                f"{path}: is stored as {stored_as}, whatever its name says, which mixes labels at edges; "
                "make the label file anew, as PNG."
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
            f"{path}: labels are grey, palette or RGB; this is Pillow's mode {image.mode!r}; convert it."
        )


def _pack(red, green, blue):
    return red << 16 | green << 8 | blue


def _unpack(color: int) -> str:
    """A packed colour as one writes it.

    >>> _unpack(0x804080)
    '(128, 64, 128)'
    """
    return str((int(color) >> 16, int(color) >> 8 & 255, int(color) & 255))


def _look_up(
    path: Path, codes: np.ndarray, classes: Mapping[int, int], write: Callable[[int], str]
) -> np.ndarray:
    """The class of every code; DataError naming the file and the codes that are none."""
    known = np.array(sorted(classes), np.int32)
    meant = np.array([classes[int(code)] for code in known], np.int32)
    if not known.size:
        labels = np.full_like(codes, NO_CLASS)
    elif codes.min() >= 0 and codes.max() < 1 << 16:  # a table: 0.2 ms at 480x360 against 2.5 for the search
        table = np.full(1 << 16, NO_CLASS, np.int32)
        small = known < 1 << 16
        table[known[small]] = meant[small]
        labels = table[codes]
    else:
        place = np.searchsorted(known, codes).clip(max=len(known) - 1)
        labels = np.where(known[place] == codes, meant[place], NO_CLASS)
    if labels.min() == NO_CLASS:
        values, counts = np.unique(codes[labels == NO_CLASS], return_counts=True)
        found = [
            f"{write(value)} ({count} pixels)" for value, count in zip(values[:8], counts[:8], strict=True)
        ]
        raise DataError(
            f"{path}: holds labels that are not classes: {', '.join(found)}{', ...' * (len(values) > 8)}; "
            f"known are {', '.join(map(write, known[:12]))}{', ...' * (len(known) > 12)}."
        )
    return labels


def _open_image(path: Path) -> tuple[Image.Image, str]:
    """Decoded, turned upright, and the file closed; and the format that its pixels are stored in."""
    with needs_extra("reading an image", "train"):
        from PIL import Image, ImageOps

    if not path.is_file():  # a pipe would never end
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
        raise DataError(f"{path}: holds {frames} images, and one is needed; save one of them.")
    return upright, stored_as


def _frames(image: Image.Image) -> int:
    """Images of one size in the file; smaller ones after the first, and a camera's second, are previews."""
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
        return "there is no such file"
    return "is a folder, not an image" if path.is_dir() else "is not a regular file"


def _describe_error(path: Path, error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if not path.stat().st_size:
        return f"{path}: is empty."
    if isinstance(error, UnidentifiedImageError):
        return f"{path}: is not an image of a known format, whatever its name says."
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return f"{path}: is too large to be read whole ({error}); cut it into parts."
    return f"{path}: cannot be read as an image ({error}); it may be truncated or damaged."


def _drop_alpha(path: Path, image: Image.Image) -> Image.Image:
    """Without its transparency, which is refused where it hides something."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < 255:
            raise DataError(f"{path}: has transparent pixels, whose colour is unknown; flatten it.")
    return image
