"""What a data set is: examples by index, with the classes' names and colours."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from jaxconv.errors import DataError, JaxconvError, MissingExtraError, OptionError

VOID = 255
"""The one label that means "not labelled"; data sets map their own to it."""

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Task = Literal["segmentation", "classification"]


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a data set; a class is its place in the list.

    Attributes:
      names: Of the classes, each once.
      colors: Red, green and blue of each, 0 to 255.

    Raises:
      DataError: None, more than 255 (255 is `VOID`), a name twice, or no colour for one.

    >>> classes = Classes(("sky", "road"), ((70, 130, 180), (128, 64, 128)))
    >>> len(classes)
    2
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]

    def __post_init__(self):
        if not 1 <= len(self.names) <= VOID:
            raise DataError(f"a data set has 1 to {VOID} classes, got {len(self.names)}.")
        twice = sorted({name for name in self.names if self.names.count(name) > 1})
        if twice:
            raise DataError(f"every class has a name of its own; twice in the list: {', '.join(twice)}.")
        if len(self.colors) != len(self.names):
            raise DataError(f"every class has a colour: {len(self.names)} names, {len(self.colors)} colours.")
        for name, color in zip(self.names, self.colors, strict=True):
            if len(color) != 3 or not all(0 <= part <= 255 for part in color):
                raise DataError(f"a colour is three numbers from 0 to 255; class {name!r} has {color}.")

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Example:
    """One image and what is in it.

    Attributes:
      name: Of the file it was read from, without suffix, or the number of one that was made.
      image: ``(rows, columns, features)`` float32, 0 to 1.
      label: ``(rows, columns)`` int32, `VOID` where nobody said; ``()`` in classification.
    """

    name: str
    image: np.ndarray
    label: np.ndarray


class Dataset(Protocol):
    """Examples by index; the same index is always the same example, in any order, thread and process."""

    @property
    def classes(self) -> Classes:
        """What the labels mean."""

    @property
    def in_features(self) -> int:
        """Features of every image."""

    @property
    def task(self) -> Task:
        """Whether pixels or whole images are labelled."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Example: ...


def example_index(index: int, size: int) -> int:
    """An index into `size` examples, from either end; IndexError, which ends a loop, outside.

    >>> example_index(-1, 10)
    9
    """
    if not -size <= index < size:
        raise IndexError(f"example {index} of a data set of {size}.")
    return index % size


def check_split(split: str) -> Split:
    """Returns the split, if there is one of that name."""
    for known in SPLITS:
        if split == known:
            return known
    raise OptionError(f"`split` is one of {', '.join(SPLITS)}, got {split!r}.")


def refuse_folder(name: str, folder: Path | None) -> None:
    """Refuses a folder where examples are made and not read."""
    if folder is not None:
        raise OptionError(f"the data set {name!r} reads no files; leave the folder out, got {folder}.")


def check_dataset(
    dataset: Dataset, *, one_size: bool = False, labelled: bool = False, workers: int = 2
) -> None:
    """Loads every example once, and reports everything that is wrong at once.

    Args:
      dataset: Any.
      one_size: Whether all examples must have the size of the first, as batches without a crop need.
      labelled: Whether a pixel that is not void must be among them, as a training needs.
      workers: Threads.

    Raises:
      DataError: There is no example, nothing is labelled, or some examples cannot be used: one line
        for each.
    """
    if not len(dataset):
        raise DataError("the data set has no examples.")
    shape = None if not one_size or _examine(dataset, 0, None)[0] else dataset[0].image.shape
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(lambda index: _examine(dataset, index, shape), range(len(dataset))))
    problems = [problem for problem, _ in found if problem]
    if problems:
        raise DataError(f"{len(problems)} of {len(dataset)} examples cannot be used:\n{_lines(problems)}")
    if labelled and not any(some for _, some in found):
        raise DataError(
            f"every pixel of all {len(dataset)} examples is void, from {dataset[0].name} on, so there is "
            "nothing to learn from; check the label files, and which of their values mean void."
        )


def _lines(problems: Iterable[str]) -> str:
    return "\n".join(f"  {problem}" for problem in problems)


def _examine(dataset: Dataset, index: int, shape: tuple[int, ...] | None) -> tuple[str | None, bool]:
    """What is wrong with an example, if anything, and whether a pixel of it is labelled."""
    try:
        example = dataset[index]
    except MissingExtraError:  # not a problem of this example
        raise
    except (JaxconvError, TypeError) as error:
        return str(error), False
    wrong = _find_fault(dataset, example, shape)
    return (f"{example.name}: {wrong}." if wrong else None), bool((example.label != VOID).any())


def _find_fault(dataset: Dataset, example: Example, shape: tuple[int, ...] | None) -> str | None:
    image, label, n = example.image, example.label, len(dataset.classes)
    expected = image.shape[:2] if dataset.task == "segmentation" else ()
    if image.ndim != 3 or image.shape[-1] != dataset.in_features or image.dtype != np.float32:
        return f"the image is (rows, columns, {dataset.in_features}) float32, not {image.shape} {image.dtype}"
    if not (image.min() >= 0 and image.max() <= 1):  # false for NaN too
        return f"the image lies in 0 to 1, not {image.min()} to {image.max()}"
    if shape is not None and image.shape != shape:
        return f"the image is {image.shape}, the first one {shape}; set `augmentation.crop`"
    if label.shape != expected or label.dtype != np.int32:
        return f"the label is {expected} int32, not {label.shape} {label.dtype}"
    if not ((0 <= label) & ((label < n) | (label == VOID))).all():
        return f"labels are 0 to {n - 1} or {VOID}, not {label.min()} to {label.max()}"
    return None
