"""Pairs of an image file and a label file as a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxconv.data.dataset import Classes, Example, Task, example_index
from jaxconv.data.image_files import IMAGE_SUFFIXES, LABEL_SUFFIXES, LabelCode, list_images, read_image
from jaxconv.errors import DataError


@dataclass(frozen=True)
class Pairs:
    """Images and labels on disk, read when they are asked for.

    Attributes:
      classes: What the labels mean.
      code: Which value or colour is which class.
      pairs: Files of each image and its label.
      grey: Whether images are read with one feature; with three otherwise.
    """

    classes: Classes
    code: LabelCode
    pairs: tuple[tuple[Path, Path], ...]
    grey: bool = False
    task: Task = "segmentation"

    @property
    def in_features(self) -> int:
        """Features of every image."""
        return 1 if self.grey else 3

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Example:
        """Reads one pair; DataError, naming the file, if it cannot be used."""
        image_path, label_path = self.pairs[example_index(index, len(self))]
        image, label = read_image(image_path, grey=self.grey), self.code.read(label_path)
        if image.shape[:2] != label.shape:
            raise DataError(
                f"{label_path}: every pixel needs one label, but the label has "
                f"{label.shape[0]}x{label.shape[1]} pixels and the image {image_path} "
                f"{image.shape[0]}x{image.shape[1]} (rows x columns)."
            )
        return Example(image_path.stem, image, label)


def pair_files(images: Path, labels: Path) -> tuple[tuple[Path, Path], ...]:
    """Every image of one folder with the label of the same name in the other.

    Raises:
      DataError: One is missing, on either side, or there is none at all.
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
        unread = [path.name for path in sorted(labels.iterdir()) if path.suffix.lower() in lossy]
        if unread:
            problems.append(
                f"labels are not read from {', '.join(unread[:5])}, as JPEG and WebP change values"
            )
        raise DataError(
            "an image and its label have the same name, whatever the suffix; " + "; ".join(problems) + "."
        )
    if not image_of:
        raise DataError(f"there are no images in {images}.")
    return tuple((image_of[stem], label_of[stem]) for stem in image_of)


def describe_contents(folder: Path) -> str:
    """What a folder holds, for an error that says what was found."""
    if not folder.is_dir():
        return f"{folder} is {'a file' if folder.exists() else 'not there'}"
    entries = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in folder.iterdir())
    return f"{folder} holds {', '.join(entries[:8]) or 'nothing'}{', ...' * (len(entries) > 8)}"
