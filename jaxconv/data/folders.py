"""Folders of images and labels, with a TOML file that defines the classes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from jaxconv.data.dataset import VOID, Classes, Split, check_split
from jaxconv.data.file_pairs import FilePairs, describe_contents, pair_files
from jaxconv.data.image_files import LabelCode
from jaxconv.errors import DataError, JaxconvError
from jaxconv.geometry.arguments import did_you_mean

CLASSES_FILE = "classes.toml"


def folder(split: Split, folder: str | Path | None = None, *, grey: bool = False) -> FilePairs:
    """Reads images and labels from a folder of your own.

    Images and labels of a split are in ``train`` and ``trainannot``, or in ``images/train`` and
    ``labels/train``; an image and its label have the same name. Label files are PNG, TIFF or BMP: grey or
    palette files contain values, RGB files colours. ``classes.toml`` lists the classes in order::

        void = 255              # not labelled: a value, a colour such as [0, 0, 0], or a list of both
        [[class]]
        name = "road"
        color = [128, 64, 128]  # in RGB label files, and in pictures
        value = 7               # in grey label files; by default its place in the list, from 0

    Args:
      split: ``"train"``, ``"val"`` or ``"test"``.
      folder: The folder with images, labels and ``classes.toml``.
      grey: Whether images are read as grey, with one feature; otherwise they have three.

    Returns:
      The data set.

    Raises:
      OptionError: `split` is unknown.
      DataError: `folder` is missing or has another layout, an image has no label, or classes contradict
        each other.
    """
    split = check_split(split)
    layout = f"{CLASSES_FILE}, and {split}/ and {split}annot/ or images/{split}/ and labels/{split}/"
    if folder is None:
        raise DataError(f"this data set needs a `folder` that holds {layout}; none was given.")
    folder = Path(folder)
    if not (folder / CLASSES_FILE).is_file():
        raise DataError(f"`folder` must hold {layout}; {describe_contents(folder)}.")
    for images, labels in (
        (folder / split, folder / f"{split}annot"),
        (folder / "images" / split, folder / "labels" / split),
    ):
        if images.is_dir() and labels.is_dir():
            return FilePairs(*read_classes(folder / CLASSES_FILE), pair_files(images, labels), grey)
    raise DataError(f"`folder` must hold {layout}; {describe_contents(folder)}.")


def read_classes(path: str | Path) -> tuple[Classes, LabelCode]:
    """Reads a ``classes.toml``.

    Args:
      path: Path of the file.

    Returns:
      The classes, and the class of each value or colour in label files.

    Raises:
      DataError: The file is missing or is not TOML, a key is unknown, a value has the wrong type, or two
        classes have the same value or colour.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is not a TOML file: {error}.") from error
    _check_keys(path, table, ("class", "void"))
    entries = table.get("class")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{path}: there must be one [[class]] table per class, each with `name` and `color`.")
    values: dict[int, int] = {}
    colors: dict[tuple[int, int, int], int] = {}
    names = []
    for c, entry in enumerate(entries):
        _check_keys(path, entry, ("name", "color", "value"))
        names.append(_name(path, c, entry))
        _add(path, values, _value(path, entry.get("value", c)), c)
        _add(path, colors, _color(path, entry.get("color")), c)
    classes = _classes(path, tuple(names), tuple(colors))
    for void in _voids(path, table.get("void", VOID if VOID not in values else [])):
        if isinstance(void, int):
            _add(path, values, _value(path, void), VOID)
        else:
            _add(path, colors, _color(path, void), VOID)
    return classes, LabelCode(values, colors)


def _classes(path: Path, names: tuple[str, ...], colors: tuple[tuple[int, int, int], ...]) -> Classes:
    try:
        return Classes(names, colors)
    except JaxconvError as error:
        raise DataError(f"{path}: {error}") from error


def _voids(path: Path, void: Any) -> list[Any]:
    """Returns ``255``, ``[0, 0, 0]`` or ``[255, [0, 0, 0]]`` as a list of values and colours."""
    if _is_int(void) or (isinstance(void, list) and len(void) == 3 and all(map(_is_int, void))):
        return [void]
    if isinstance(void, list) and all(_is_int(entry) or isinstance(entry, list) for entry in void):
        return void
    raise DataError(f"{path}: `void` must be a value, a colour [r, g, b] or a list of both, got {void!r}.")


def _add(path: Path, class_of: dict[Any, int], code: Any, c: int) -> None:
    if code in class_of:
        raise DataError(
            f"{path}: {code} stands for two classes, or for a class and void; each must have its own."
        )
    class_of[code] = c


def _name(path: Path, c: int, entry: dict[str, Any]) -> str:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise DataError(f"{path}: class {c} needs a `name`, a string that is not empty, got {name!r}.")
    return name


def _value(path: Path, value: Any) -> int:
    if not _is_int(value) or not 0 <= value < 1 << 16:
        raise DataError(f"{path}: the `value` of a class must be an integer from 0 to 65535, got {value!r}.")
    return value


def _color(path: Path, color: Any) -> tuple[int, int, int]:
    if not (isinstance(color, list) and len(color) == 3 and all(_is_int(c) and 0 <= c < 256 for c in color)):
        raise DataError(
            f"{path}: a `color` must be [red, green, blue], integers from 0 to 255, got {color!r}."
        )
    return color[0], color[1], color[2]


def _check_keys(path: Path, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            hint = did_you_mean(key, known, otherwise=f"; known keys are {', '.join(known)}.")
            raise DataError(f"{path}: the key {key!r} is unknown{hint}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
