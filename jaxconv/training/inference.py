"""Labels images of any size, in tiles where they are large, and labels files of images."""

from __future__ import annotations

import json
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import ArrayLike
from PIL import Image

from jaxconv.data import read_image
from jaxconv.data.image_files import IMAGE_SUFFIXES
from jaxconv.errors import DataError, GeometryError, JaxconvError, OptionError
from jaxconv.geometry.arguments import at_least_one, integer
from jaxconv.operators import avg_pool, resize
from jaxconv.training.network import Network

STEP = 32
"""Tiles begin at multiples of this number of pixels: the largest product of strides of the models here, so
that the windows of a tile are windows of the image."""


@partial(jax.jit, static_argnames="shrink")
def downsample_images(images: np.ndarray | jax.Array, shrink: int) -> jax.Array:
    """Averages every block of ``shrink`` x ``shrink`` pixels.

    Args:
      images: Images, ``(b, rows, columns, features)``; where `shrink` does not divide a size, the last row
        or column is repeated.
      shrink: Pixels that become one, per axis.

    Returns:
      ``(b, ceil(rows / shrink), ceil(columns / shrink), features)``.

    >>> downsample_images(jnp.array([[1.0, 3], [5, 7], [9, 11]]).reshape(1, 3, 2, 1), 2).ravel().tolist()
    [4.0, 10.0]
    """
    images = jnp.asarray(images)
    if shrink == 1:
        return images
    rows, columns = images.shape[1:3]
    images = jnp.pad(images, ((0, 0), (0, -rows % shrink), (0, -columns % shrink), (0, 0)), mode="edge")
    return avg_pool(images, (shrink, shrink))


@partial(jax.jit, static_argnames=("shape", "shrink"))
def upsample_scores(logits: jax.Array, shape: tuple[int, int], shrink: int) -> jax.Array:
    """Interpolates scores of downsampled images to the size of the images: bilinear, then cropped.

    Args:
      logits: Scores, ``(b, ceil(rows / shrink), ceil(columns / shrink), n)``.
      shape: ``(rows, columns)`` of the images.
      shrink: Factor by which `downsample_images` shrank the images, per axis.

    Returns:
      ``(b, rows, columns, n)``.

    >>> upsample_scores(jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1), (1, 4), 2).ravel().tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    if shrink == 1:
        return logits
    rows, columns = logits.shape[1:3]
    full = resize(logits, (shrink * rows, shrink * columns), "bilinear")
    return full[:, : shape[0], : shape[1]]


@partial(jax.jit, static_argnames=("shape", "shrink"))
def upsample_labels(logits: jax.Array, shape: tuple[int, int], shrink: int) -> jax.Array:
    """Returns the class with the largest upsampled score, ``(b, rows, columns)`` int32."""
    return lax.argmax(upsample_scores(logits, shape, shrink), 3, jnp.int32)


def label_pixels(network: Network, images: np.ndarray | jax.Array) -> jax.Array:
    """Labels every pixel at the resolution of the images, at whatever resolution the network runs.

    Args:
      network: A trained network for segmentation, such as `load` returns.
      images: Images, ``(b, rows, columns, in_features)`` float32 from 0 to 1.

    Returns:
      Classes, ``(b, rows, columns)`` int32. The call does not wait for the device.
    """
    _, rows, columns, _ = images.shape
    logits = network.logits(downsample_images(images, network.shrink))
    return upsample_labels(logits, (rows, columns), network.shrink)


def predict(network: Network, images: ArrayLike, *, max_pixels: int = 2**20, halo: int = 128) -> np.ndarray:
    """Returns the likeliest class of every pixel, or of every image if the network classifies images.

    An image of more than `max_pixels` is cut into square tiles that overlap: the labels of the outer `halo`
    pixels on each side of a tile are dropped. A fully convolutional network whose receptive
    field does not reach beyond the halo gives the same labels with tiles as without. A network that looks
    at the whole image, such as ReSeg, looks at one tile only: give it a larger `max_pixels` if the memory
    allows it.

    Args:
      network: A trained network, such as `load` returns.
      images: Images, ``(*batch, rows, columns, features)`` floating, from 0 to 1. Grey is converted to
        colour and colour to grey as the network needs it, and an alpha channel is dropped.
      max_pixels: Largest number of pixels of an image that the network sees at once, counted at the
        network's resolution.
      halo: Pixels on each side of a tile that the network sees but whose labels are dropped, counted at
        the network's resolution and rounded up to a multiple of `STEP`.

    Returns:
      Classes, ``(*batch, rows, columns)`` int32; ``(*batch)`` from a classifier.

    Raises:
      GeometryError: `images` have another number of axes, or are empty.
      DataError: The features cannot be converted.
      OptionError: `max_pixels` is below 1 or too small for tiles with this `halo`, or `halo` is negative.
      TypeError: `images` are not floating, or `max_pixels` or `halo` is not an integer.

    >>> from types import SimpleNamespace
    >>> network = SimpleNamespace(
    ...     task="segmentation", in_features=1, shrink=1, logits=lambda x: np.concatenate([x, 1 - x], -1)
    ... )
    >>> predict(network, np.float32([[[0.9], [0.2]]])).tolist()
    [[0, 1]]
    """
    max_pixels, halo = at_least_one("max_pixels", max_pixels, error=OptionError), integer("halo", halo)
    if halo < 0:
        raise OptionError(f"`halo` must be at least 0, got {halo}.")
    images = np.asarray(images)
    if images.dtype.kind != "f":
        raise TypeError(f"`images` must be floating, from 0 to 1; got {images.dtype}. Divide bytes by 255.")
    if images.ndim < 3 or not all(images.shape[-3:]):
        hint = " For a grey image write images[..., None]." if images.ndim == 2 else ""
        raise GeometryError(
            "`images` must have the shape (*batch, rows, columns, features) and not be empty; got "
            f"{images.shape}.{hint}"
        )
    *batch, rows, columns, _ = images.shape
    x = convert_features(images.astype(np.float32), network.in_features)
    x = x.reshape(math.prod(batch), *x.shape[-3:])
    if network.task == "classification":
        logits = network.logits(downsample_images(x, network.shrink))
        return np.asarray(lax.argmax(logits, 1, np.int32)).reshape(batch)
    if rows * columns <= max_pixels * network.shrink**2:
        return np.asarray(label_pixels(network, x)).reshape(*batch, rows, columns)
    labels = np.empty((len(x), rows, columns), np.int32)
    edge, halo = _tile_size(max_pixels, halo)
    for row in tiles(rows, edge * network.shrink, halo * network.shrink):
        for column in tiles(columns, edge * network.shrink, halo * network.shrink):
            tile = np.asarray(label_pixels(network, x[:, row.window, column.window]))
            labels[:, row.core, column.core] = tile[:, row.core_in_window, column.core_in_window]
    return labels.reshape(*batch, rows, columns)


class Tile(NamedTuple):
    """One tile along one axis.

    Attributes:
      window: Pixels that the network sees.
      core: Pixels of the window whose labels are used.
    """

    window: slice
    core: slice

    @property
    def core_in_window(self) -> slice:
        """The core, counted from the beginning of the window."""
        return slice(self.core.start - self.window.start, self.core.stop - self.window.start)


def tiles(size: int, edge: int, halo: int) -> Iterator[Tile]:
    """Yields tiles along one axis; all but the last have one length, so that few programs are compiled.

    Args:
      size: Length of the axis, in pixels.
      edge: Length of a tile's window, in pixels.
      halo: Pixels on either side of a window that are not part of its core, except at the ends of the axis.

    Yields:
      Tiles whose cores cover 0 to `size` without gaps or overlaps.

    >>> [(tile.window.start, tile.window.stop, tile.core.start, tile.core.stop) for tile in tiles(20, 8, 1)]
    [(0, 8, 0, 7), (6, 14, 7, 13), (12, 20, 13, 20)]
    """
    for start in range(0, max(size - 2 * halo, 1), edge - 2 * halo):
        stop = min(start + edge, size)
        core = slice(start + halo if start else 0, stop - halo if stop < size else size)
        yield Tile(slice(start, stop), core)


def convert_features(images: np.ndarray, features: int) -> np.ndarray:
    """Converts grey to colour or colour to grey, and drops alpha.

    The grey of a colour is its luma by ITU-R BT.601, as in Pillow's mode L.

    Args:
      images: Images, ``(..., features)``.
      features: Number of features to convert to.

    Returns:
      Images, ``(..., features)``.

    Raises:
      DataError: The features are neither those of grey nor of colour.

    >>> convert_features(np.float32([[0.5]]), 3).tolist()
    [[0.5, 0.5, 0.5]]
    """
    found = images.shape[-1]
    if found == features:
        return images
    if found in (2, 4):
        return convert_features(images[..., :-1], features)
    if (found, features) == (1, 3):
        return np.repeat(images, 3, axis=-1)
    if (found, features) == (3, 1):
        return images @ np.array([[0.299], [0.587], [0.114]], images.dtype)
    hint = ""
    if images.ndim >= 3 and images.shape[-3] == features:
        hint = " The features are the last axis: try np.moveaxis(images, -3, -1)."
    raise DataError(
        f"the network was trained on images of {features} features, but this image has {found}; only "
        f"grey (1) and colour (3) are converted into each other.{hint}"
    )


def _tile_size(max_pixels: int, halo: int) -> tuple[int, int]:
    """Returns edge and halo of the tiles, both multiples of `STEP`.

    Raises:
      OptionError: The tiles are too small for their halo.
    """
    halo = -(-halo // STEP) * STEP
    edge = math.isqrt(max_pixels) // STEP * STEP
    if edge <= 2 * halo:
        least = 2 * halo + STEP
        raise OptionError(
            f"`max_pixels` (--max-pixels) must be at least {least**2} to cut an image into tiles: the "
            f"smallest tile has {least} x {least} pixels"
            + (f", with a `halo` (--halo) of {halo} on each side" if halo else "")
            + f"; got {max_pixels}. Raise `max_pixels`{' or lower `halo`' if halo else ''}."
        )
    return edge, halo


def label_files(
    network: Network, images: Mapping[str, Path], out: Path, *, max_pixels: int = 2**20, halo: int = 128
) -> Iterator[str | None]:
    """Labels image files one by one, and continues with the next where a file cannot be used.

    Args:
      network: A trained network, such as `load` returns.
      images: Files by the names of their results, as `name_images` finds them.
      out: A network that segments writes ``labels/NAME.png``, a palette PNG in which the value of a
        pixel is its class, and ``overlays/NAME.png``; one that classifies writes ``classes.json``.
      max_pixels: Largest number of pixels of an image that the network sees at once, counted at the
        network's resolution; a larger image is cut into tiles.
      halo: Pixels on each side of a tile that the network sees but whose labels are dropped.

    Yields:
      None for each labelled image, or what was wrong with it.

    Raises:
      OptionError: `max_pixels` is too small for tiles with this `halo`, and an image needs tiles; raised
        before the first image is labelled.
      OSError: `out` cannot be written.
    """
    _check_tiles(network, images, max_pixels, halo)
    out.mkdir(parents=True, exist_ok=True)
    classes = {}
    for name, path in images.items():
        problem = None
        try:
            image = read_image(path, grey=network.in_features == 1)
            labels = predict(network, image, max_pixels=max_pixels, halo=halo)
        except JaxconvError as error:
            problem = str(error) if str(path) in str(error) else f"{path}: {error}"
        else:
            if network.task == "segmentation":
                _write_labels(out, name, image, labels, network.classes.colors)
            else:
                classes[name] = network.classes.names[int(labels)]
        yield problem
    if network.task == "classification":
        (out / "classes.json").write_text(json.dumps(classes, indent=2) + "\n")


def name_images(inputs: Sequence[Path], out: Path) -> dict[str, Path]:
    """Returns a name for the results of every image: its path inside the given folder, without suffix.

    Images whose paths differ only in the suffix keep it. Files inside `out` are left out.

    Args:
      inputs: Image files, and folders that are searched for images.
      out: Folder of the results.

    Returns:
      Name to path.

    Raises:
      DataError: Two images have the same name, or no image was found.
      OSError: An input does not exist.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        if not given.exists():
            raise FileNotFoundError(f"the image or folder {given} does not exist.")
        inside = given.is_dir()
        for path in _images(given, out) if inside else [given]:
            relative = path.relative_to(given) if inside else Path(path.name)
            if found.setdefault(relative, path).resolve() != path.resolve():
                raise DataError(
                    f"the results of {found[relative]} and {path} would have the same name; label them in "
                    "two calls with different --out."
                )
    if not found:
        if not inputs:
            raise DataError("no images were given: name image files, or folders with images.")
        places = ", ".join(map(str, inputs))
        raise DataError(f"no image found in {places}: no file name ends in {', '.join(IMAGE_SUFFIXES)}.")
    stems = [relative.with_suffix("") for relative in found]
    times = Counter(stems)
    return {
        str(stem if times[stem] == 1 else relative): path
        for stem, (relative, path) in zip(stems, found.items(), strict=True)
    }


def _check_tiles(network: Network, images: Mapping[str, Path], max_pixels: int, halo: int) -> None:
    """Raises an OptionError if an image needs tiles and these would be too small for their halo."""
    try:
        _tile_size(max_pixels, halo)
    except OptionError:
        limit = max_pixels * network.shrink**2
        if network.task == "segmentation" and any(_count_pixels(path) > limit for path in images.values()):
            raise


def _count_pixels(path: Path) -> int:
    """Returns rows times columns of an image file, from its header; 0 if that cannot be read."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            return math.prod(image.size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0


def _images(folder: Path, out: Path) -> Iterator[Path]:
    """Yields the images below a folder, without hidden files and without those inside `out`."""
    out = out.resolve()
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in IMAGE_SUFFIXES and not hidden and out not in path.resolve().parents:
            yield path


def _write_labels(
    out: Path, name: str, image: np.ndarray, labels: np.ndarray, colors: Sequence[tuple[int, int, int]]
) -> None:
    from jaxconv.figures.segmentation import overlay

    palette = Image.fromarray(labels.astype(np.uint8))
    palette.putpalette(np.asarray(colors, np.uint8).tobytes())
    shown = np.round(255 * overlay(image, labels, colors)).astype(np.uint8)
    for kind, picture in (("labels", palette), ("overlays", Image.fromarray(shown))):
        path = out / kind / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
