"""Labels of image files: for every image a map of class numbers, and a picture of it over the image."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from jaxconv.data import read_image
from jaxconv.data.image_files import IMAGE_SUFFIXES
from jaxconv.errors import DataError, JaxconvError
from jaxconv.training.tiling import predict


def label_files(
    trained, images: Mapping[str, Path], out: Path, *, max_pixels: int = 2**20, halo: int = 128
) -> Iterator[str | None]:
    """Labels images, one each time it is asked, and goes on where one cannot be used.

    Args:
      trained: A `jaxconv.training.Trained`.
      images: Files by the names of their results, as `named_images` finds them.
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
            image = read_image(path, grey=trained.in_features == 1)
            labels = predict(trained, image, max_pixels=max_pixels, halo=halo)
        except JaxconvError as error:
            problem = str(error) if str(path) in str(error) else f"{path}: {error}"
        else:
            if trained.task == "segmentation":
                _write(out, name, image, labels, trained.classes.colors)
            else:
                classes[name] = trained.classes.names[int(labels)]
        yield problem
    if trained.task == "classification":
        (out / "classes.json").write_text(json.dumps(classes, indent=2) + "\n")


def named_images(inputs: Sequence[Path], out: Path) -> dict[str, Path]:
    """Every image by the name that its results get: its own without suffix, below its folder's.

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
