"""Data sets: examples by index, with the names and colours of the classes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from jaxconv.errors import DataError, JaxconvError, MissingExtraError, OptionError

VOID = 255
"""The label of void pixels, which are not labelled; data sets map their own value to it."""

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Task = Literal["segmentation", "classification"]


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a data set; the label of a class is its place in the list.

    Attributes:
      names: Names of the classes, all different.
      colors: Colour of each class, ``(red, green, blue)`` from 0 to 255.

    Raises:
      DataError: There is no class, there are more than 255 (255 is `VOID`), a name occurs twice, or there
        is not one colour per class.

    >>> classes = Classes(("sky", "road"), ((70, 130, 180), (128, 64, 128)))
    >>> len(classes)
    2
    """

    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= VOID:
            raise DataError(f"a data set must have 1 to {VOID} classes, got {len(self.names)}.")
        duplicates = sorted({name for name in self.names if self.names.count(name) > 1})
        if duplicates:
            raise DataError(
                f"every class needs a name of its own; these occur twice: {', '.join(duplicates)}."
            )
        if len(self.colors) != len(self.names):
            raise DataError(
                f"every class needs one colour; got {len(self.names)} names, {len(self.colors)} colours."
            )
        for name, color in zip(self.names, self.colors, strict=True):
            if len(color) != 3 or not all(0 <= part <= 255 for part in color):
                raise DataError(f"a colour must be three integers from 0 to 255; class {name!r} has {color}.")

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Example:
    """One image and its labels.

    Attributes:
      name: Name of the file without suffix, or a name with the number of an example that was made.
      image: ``(rows, columns, features)`` float32, from 0 to 1.
      label: ``(rows, columns)`` int32, `VOID` where a pixel is not labelled; ``()`` int32 in
        classification.
    """

    name: str
    image: np.ndarray
    label: np.ndarray


class Dataset(Protocol):
    """Examples by index; an index gives the same example in any order, thread and process."""

    @property
    def classes(self) -> Classes:
        """Names and colours of the classes."""

    @property
    def in_features(self) -> int:
        """Number of features of every image."""

    @property
    def task(self) -> Task:
        """``"segmentation"`` if pixels are labelled, ``"classification"`` if whole images are."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Example: ...


def example_index(index: int, size: int) -> int:
    """Returns an index from 0 to ``size - 1``; negative indices count from the end.

    Raises:
      IndexError: `index` is outside; this ends a loop over the data set.

    >>> example_index(-1, 10)
    9
    """
    if not -size <= index < size:
        raise IndexError(f"example {index} of a data set of {size}.")
    return index % size


def is_pair(value: object) -> bool:
    """Whether a value is two numbers, in a tuple or list."""
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(v, Real) for v in value)


def check_split(split: str) -> Split:
    """Returns the split; OptionError if its name is unknown."""
    for known in SPLITS:
        if split == known:
            return known
    raise OptionError(f"`split` must be one of {', '.join(SPLITS)}, got {split!r}.")


def refuse_folder(name: str, folder: str | Path | None) -> None:
    """Raises OptionError if a folder is given for a data set that is made and not read."""
    if folder is not None:
        raise OptionError(
            f"`folder` must be left out, since the data set {name!r} reads no files; got {folder}."
        )


def check_dataset(
    dataset: Dataset, *, one_size: bool = False, labelled: bool = False, workers: int = 2
) -> None:
    """Loads every example once, and reports all faults together.

    Args:
      dataset: The data set.
      one_size: Whether all examples must have the size of the first, as batches without a crop need.
      labelled: Whether some pixel must not be void, as training needs.
      workers: Number of threads.

    Raises:
      DataError: The data set is empty, no pixel is labelled, or some examples cannot be used; the message
        has one line for each of them.
    """
    if not len(dataset):
        raise DataError("`dataset` must have at least one example, got an empty one.")
    shape = None if not one_size or _examine(dataset, 0, None)[0] else dataset[0].image.shape
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda index: _examine(dataset, index, shape), range(len(dataset))))
    problems = [problem for problem, _ in results if problem]
    if problems:
        raise DataError(f"{len(problems)} of {len(dataset)} examples cannot be used:\n{_lines(problems)}")
    if labelled and not any(has_label for _, has_label in results):
        raise DataError(
            f"every pixel of all {len(dataset)} examples is void, from {dataset[0].name} on, so there is "
            "nothing to learn from; check the label files, and which of their values mean void."
        )


def _lines(problems: Iterable[str]) -> str:
    return "\n".join(f"  {problem}" for problem in problems)


def _examine(dataset: Dataset, index: int, shape: tuple[int, ...] | None) -> tuple[str | None, bool]:
    """Returns what is wrong with an example, or None, and whether some pixel is labelled."""
    try:
        example = dataset[index]
    except MissingExtraError:  # not a problem of this example
        raise
    except (JaxconvError, TypeError) as error:
        return str(error), False
    fault = _find_fault(dataset, example, shape)
    return (f"{example.name}: {fault}." if fault else None), bool((example.label != VOID).any())


def _find_fault(dataset: Dataset, example: Example, shape: tuple[int, ...] | None) -> str | None:
    image, label, n = example.image, example.label, len(dataset.classes)
    expected = image.shape[:2] if dataset.task == "segmentation" else ()
    if image.ndim != 3 or image.shape[-1] != dataset.in_features or image.dtype != np.float32:
        expected_image = f"(rows, columns, {dataset.in_features}) float32"
        return f"the image must be {expected_image}, got {image.shape} {image.dtype}"
    if not (image.min() >= 0 and image.max() <= 1):  # false for NaN too
        return f"the image must lie in 0 to 1, got values from {image.min()} to {image.max()}"
    if shape is not None and image.shape != shape:
        return f"the image is {image.shape}, the first one {shape}; set `augmentation.crop`"
    if label.shape != expected or label.dtype != np.int32:
        return f"the label must be {expected} int32, got {label.shape} {label.dtype}"
    if not ((0 <= label) & ((label < n) | (label == VOID))).all():
        return f"labels must be 0 to {n - 1}, or {VOID} for void; got {label.min()} to {label.max()}"
    return None
