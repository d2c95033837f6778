"""Labels of images of any size, by tiles where they are large; and of files of images."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from PIL import Image

from jaxconv.data import read_image
from jaxconv.data.image_files import IMAGE_SUFFIXES
from jaxconv.errors import DataError, GeometryError, JaxconvError, OptionError
from jaxconv.geometry.arguments import at_least_one, per_axis
from jaxconv.operators import avg_pool, resize
from jaxconv.training.network import Network

STEP = 32
"""Tiles begin at multiples of it: the largest product of strides of the models here, so that the
windows of a tile are windows of the image."""


@partial(jax.jit, static_argnames="shrink")
def downsample_images(images: np.ndarray | jax.Array, shrink: int) -> jax.Array:
    """Averages every block of ``shrink`` x ``shrink`` pixels.

    Args:
      images: ``(b, rows, columns, features)``; where `shrink` does not divide a size, the last row or
        column is repeated.
      shrink: Pixels that become one, along each axis.

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
    """Interpolates scores of downsampled images to the images' size: bilinear, then cropped.

    Args:
      logits: ``(b, ceil(rows / shrink), ceil(columns / shrink), n)``.
      shape: ``(rows, columns)``.
      shrink: As it was for `downsample_images`.

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
    """Labels every pixel, at the resolution of the images whatever the network runs at.

    Args:
      network: A trained network, such as `load` returns, that segments.
      images: ``(b, rows, columns, in_features)`` float32, 0 to 1.

    Returns:
      ``(b, rows, columns)`` int32, still being computed: nothing waits for the device.
    """
    _, rows, columns, _ = images.shape
    logits = network.logits(downsample_images(images, network.shrink))
    return upsample_labels(logits, (rows, columns), network.shrink)


def predict(network: Network, images: np.ndarray, *, max_pixels: int = 2**20, halo: int = 128) -> np.ndarray:
    """Returns the likeliest class of every pixel, or of every image where the network classifies.

    An image of more than `max_pixels` is cut into square tiles, each read with `halo` pixels around
    the part that is kept. A fully convolutional network whose receptive field reaches no further
    gives the same labels with tiles as without. One that sees everything at once, as ReSeg does,
    sees a tile at once; there a larger `max_pixels` is the better answer, if the memory is there.

    Args:
      network: A trained network, such as `load` returns.
      images: ``(*batch, rows, columns, features)`` floating, 0 to 1. Grey is made of colour and colour
        of grey as the network wants it, and an alpha channel is dropped.
      max_pixels: Pixels of one image that the network sees at once, at the network's resolution.
      halo: Pixels around the kept part of a tile, at the network's resolution; rounded up to a multiple
        of `STEP`.

    Returns:
      ``(*batch, rows, columns)`` int32; ``batch`` from a classifier.

    Raises:
      GeometryError: An empty image.
      DataError: Features that cannot be converted.
      OptionError: Tiles too small for `halo`.
      TypeError: `images` are not floating, or `max_pixels` or `halo` not an integer.

    >>> from types import SimpleNamespace
    >>> network = SimpleNamespace(
    ...     task="segmentation", in_features=1, shrink=1, logits=lambda x: np.concatenate([x, 1 - x], -1)
    ... )
    >>> predict(network, np.float32([[[0.9], [0.2]]])).tolist()
    [[0, 1]]
    """
    max_pixels, (halo,) = at_least_one("max_pixels", max_pixels), per_axis("halo", halo, 1, least=0)
    images = np.asarray(images)
    if images.dtype.kind != "f":
        raise TypeError(f"`images` are floating, 0 to 1; got {images.dtype}: divide bytes by 255.")
    if images.ndim < 3 or not all(images.shape[-3:]):
        raise GeometryError(f"`images` are (*batch, rows, columns, features), not empty; got {images.shape}.")
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
    for row in cuts(rows, edge * network.shrink, halo * network.shrink):
        for column in cuts(columns, edge * network.shrink, halo * network.shrink):
            tile = np.asarray(label_pixels(network, x[:, row.read, column.read]))
            labels[:, row.kept, column.kept] = tile[:, row.within, column.within]
    return labels.reshape(*batch, rows, columns)


class Cut(NamedTuple):
    """One tile along one axis.

    Attributes:
      read: What the network sees.
      kept: The part of it whose labels are taken.
    """

    read: slice
    kept: slice

    @property
    def within(self) -> slice:
        """What is kept, counted from the tile's beginning."""
        return slice(self.kept.start - self.read.start, self.kept.stop - self.read.start)


def cuts(size: int, edge: int, halo: int) -> Iterator[Cut]:
    """Yields tiles along one axis: all but the last of one length, so that few programs are compiled.

    Args:
      size: Of the axis.
      edge: Length of a tile.
      halo: Cells on either side that are read but not kept, except at the ends of the axis.

    Yields:
      Tiles whose kept parts follow each other from 0 to `size`.

    >>> [(cut.read.start, cut.read.stop, cut.kept.start, cut.kept.stop) for cut in cuts(20, 8, 1)]
    [(0, 8, 0, 7), (6, 14, 7, 13), (12, 20, 13, 20)]
    """
    for start in range(0, max(size - 2 * halo, 1), edge - 2 * halo):
        stop = min(start + edge, size)
        kept = slice(start + halo if start else 0, stop - halo if stop < size else size)
        yield Cut(slice(start, stop), kept)


def convert_features(images: np.ndarray, features: int) -> np.ndarray:
    """Converts grey to colour or colour to grey, ``(..., features)``; drops alpha.

    The grey of a colour is its luma by ITU-R BT.601, which Pillow's mode L is too.

    Raises:
      DataError: There is no such conversion.

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
    raise DataError(
        f"the network was trained on {features} features, the image has {found}; only grey and colour "
        "are converted into each other."
    )


def _tile_size(max_pixels: int, halo: int) -> tuple[int, int]:
    """Returns edge and halo of the tiles, multiples of `STEP`."""
    halo = -(-halo // STEP) * STEP
    edge = math.isqrt(max_pixels) // STEP * STEP
    if edge <= 2 * halo:
        raise OptionError(
            f"tiles of {max_pixels} pixels, {edge} wide, hold nothing but a halo of {halo} on either side; "
            f"raise `max_pixels` (--max-pixels) to {(2 * halo + STEP) ** 2} or lower `halo` (--halo)."
        )
    return edge, halo


def label_files(
    network: Network, images: Mapping[str, Path], out: Path, *, max_pixels: int = 2**20, halo: int = 128
) -> Iterator[str | None]:
    """Labels images, one each time it is asked, and goes on where one cannot be used.

    Args:
      network: A trained network, such as `load` returns.
      images: Files by the names of their results, as `name_images` finds them.
      out: A network that segments writes ``labels/NAME.png``, a palette PNG in which the value of a
        pixel is its class, and ``overlays/NAME.png``; one that classifies writes ``classes.json``.
      max_pixels: Pixels of one image that the network sees at once; see `predict`.
      halo: Pixels around the kept part of a tile; see `predict`.

    Yields:
      For each image None, or what was wrong with it.

    Raises:
      OSError: `out` cannot be written.
    """
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
                _write(out, name, image, labels, network.classes.colors)
            else:
                classes[name] = network.classes.names[int(labels)]
        yield problem
    if network.task == "classification":
        (out / "classes.json").write_text(json.dumps(classes, indent=2) + "\n")


def name_images(inputs: Sequence[Path], out: Path) -> dict[str, Path]:
    """Names every image as its results are named: its own without suffix, below its folder's.

    Images that differ only in their suffix keep it. What lies in `out` is no input.

    Raises:
      DataError: Two images still have one name, or there is none.
      OSError: An input does not exist.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        if not given.exists():
            raise FileNotFoundError(f"there is no image or folder {given}.")
        inside = given.is_dir()
        for path in _images(given, out) if inside else [given]:
            relative = path.relative_to(given) if inside else Path(path.name)
            if found.setdefault(relative, path).resolve() != path.resolve():
                raise DataError(
                    f"{found[relative]} and {path} would be written to one file; label them in two calls."
                )
    if not found:
        places = ", ".join(map(str, inputs)) or "an empty list"
        raise DataError(f"no image in {places}: none ends in {', '.join(IMAGE_SUFFIXES)}.")
    stems = [relative.with_suffix("") for relative in found]
    times = Counter(stems)
    return {
        str(stem if times[stem] == 1 else relative): path
        for stem, (relative, path) in zip(stems, found.items(), strict=True)
    }


def _images(folder: Path, out: Path) -> Iterator[Path]:
    out = out.resolve()
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in IMAGE_SUFFIXES and not hidden and out not in path.resolve().parents:
            yield path


def _write(
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
