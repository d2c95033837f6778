"""Data sets of image files, each with a label file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxconv.data.dataset import Classes, Example, Task, example_index
from jaxconv.data.image_files import IMAGE_SUFFIXES, LABEL_SUFFIXES, LabelCode, list_images, read_image
from jaxconv.errors import DataError


@dataclass(frozen=True)
class FilePairs:
    """A data set of images and labels on disk, which are read when an example is used.

    Attributes:
      classes: Names and colours of the classes.
      code: Class of each value or colour in a label file.
      pairs: For each example the paths of its image and its label.
      grey: Whether images are read as grey, with one feature; otherwise they have three.
    """

    classes: Classes
    code: LabelCode
    pairs: tuple[tuple[Path, Path], ...]
    grey: bool = False
    task: Task = "segmentation"

    @property
    def in_features(self) -> int:
        """Number of features of every image."""
        return 1 if self.grey else 3

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Example:
        """Reads one pair; a DataError names the file that cannot be used."""
        image_path, label_path = self.pairs[example_index(index, len(self))]
        image, label = read_image(image_path, grey=self.grey), self.code.read(label_path)
        if image.shape[:2] != label.shape:
            raise DataError(
                f"{label_path}: every pixel needs one label, but the label has "
                f"{label.shape[0]}x{label.shape[1]} pixels and the image {image_path} "
                f"{image.shape[0]}x{image.shape[1]} (rows x columns); {_size_hint(image, label)}."
            )
        return Example(image_path.stem, image, label)


def _size_hint(image: np.ndarray, label: np.ndarray) -> str:
    if image.shape[:2] == label.shape[::-1]:
        return "one of them is rotated by 90 degrees: save both the same way up"
    return "save the label at the size of the image, without interpolation"


def pair_files(images: Path, labels: Path) -> tuple[tuple[Path, Path], ...]:
    """Pairs every image of one folder with the label of the same name in another.

    Raises:
      DataError: An image has no label, a label has no image, or the folder contains no image.
    """
    image_of, label_of = list_images(images), list_images(labels, LABEL_SUFFIXES)
    without_label = [str(image_of[stem]) for stem in image_of if stem not in label_of]
    without_image = [str(label_of[stem]) for stem in label_of if stem not in image_of]
    problems = [
        f"{len(files)} {what}: {', '.join(files[:5])}{', ...' * (len(files) > 5)}"
        for files, what in (
            (without_label, f"without label in {labels} ({', '.join(LABEL_SUFFIXES)})"),
            (without_image, f"without image in {images}"),
        )
        if files
    ]
    if problems:
        lossy = set(IMAGE_SUFFIXES) - set(LABEL_SUFFIXES)
        lossy_labels = [path.name for path in sorted(labels.iterdir()) if path.suffix.lower() in lossy]
        if lossy_labels:
            problems.append(
                f"labels are not read from {', '.join(lossy_labels[:5])}, as JPEG and WebP change values: "
                "save them as PNG"
            )
        raise DataError(
            "an image and its label must have the same name, apart from the suffix; "
            + "; ".join(problems)
            + "."
        )
    if not image_of:
        raise DataError(f"{images} contains no images; supported are {', '.join(IMAGE_SUFFIXES)}.")
    return tuple((image_of[stem], label_of[stem]) for stem in image_of)


def describe_contents(folder: Path) -> str:
    """Returns a description of what a folder contains, for error messages."""
    if not folder.is_dir():
        return f"{folder} is a file" if folder.exists() else f"{folder} does not exist"
    entries = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    return f"{folder} holds {', '.join(entries[:8]) or 'nothing'}{', ...' * (len(entries) > 8)}"
