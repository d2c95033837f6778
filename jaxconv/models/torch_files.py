"""What `torch.save` writes of a state_dict, read without torch and without running what it says."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file from before torch 1.6
DTYPES = {
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "BoolStorage": np.dtype(np.bool_),
    "ByteStorage": np.dtype(np.uint8),
    "CharStorage": np.dtype(np.int8),
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "IntStorage": np.dtype(np.int32),
    "LongStorage": np.dtype(np.int64),
    "ShortStorage": np.dtype(np.int16),
}


class Storage(NamedTuple):
    """Numbers that lie elsewhere in the file."""

    dtype: np.dtype
    key: str
    size: int


class View(NamedTuple):
    """A tensor: the part of a storage that it shows."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Unpickler(pickle.Unpickler):
    """Knows the five names that tensors need; every other, and so every other call, is refused.

    What stands for a name is made anew each time: a pickle may set attributes of what it is given.
    """

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the pickle means here."""
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return lambda storage, offset, shape, strides, *_: View(storage, offset, shape, strides)
            case "torch._utils", "_rebuild_parameter":
                return lambda tensor, *_: tensor
            case "torch", _ if name in DTYPES:
                return name
        raise pickle.UnpicklingError(
            f"it asks for {module}.{name}, which tensors do not need, and which is not run; "
            "save the model's state_dict() alone."
        )

    def persistent_load(self, pid: Any) -> Storage:
        """A reference to a storage."""
        kind, dtype, key, _, size = pid[:5]
        if kind != "storage":
            raise pickle.UnpicklingError(f"it refers to a {kind!r}; only storages are known.")
        return Storage(DTYPES[dtype], key, size)


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a saved ``state_dict``, as arrays; of old files and of new ones.

    Raises:
      Exception: Of any kind, with a message where the file is something else.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive)
    with path.open("rb") as file:
        return _read_old(file)


def _read_archive(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """A zip archive: one pickle, and one file for every storage."""
    names = archive.namelist()
    pickled = next((name for name in names if name.endswith("/data.pkl")), None)
    if pickled is None:
        raise ValueError("it is a zip archive, but not one that torch.save wrote.")
    root = pickled.removesuffix("data.pkl")
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
        raise ValueError("it was written by a big-endian machine; save it again on another.")
    with archive.open(pickled) as file:
        state = Unpickler(file).load()
    return _arrays(state, lambda storage: archive.read(f"{root}data/{storage.key}"))


def _read_old(file: BinaryIO) -> dict[str, np.ndarray]:
    """Five pickles in a row, and then the storages in the order of the last one's keys."""
    try:
        magic = Unpickler(file).load()
    except Exception as error:
        raise ValueError("torch.save did not write it, or it is cut off.") from error
    if magic != MAGIC:
        raise ValueError("it is a pickle, but not one that torch.save wrote.")
    for _ in ("protocol", "machine"):
        Unpickler(file).load()
    state = Unpickler(file).load()
    keys = Unpickler(file).load()
    itemsizes = {view.storage.key: view.storage.dtype.itemsize for view in _views(state).values()}
    contents = {}
    for key in keys:
        size = int.from_bytes(file.read(8), "little")
        contents[key] = file.read(size * itemsizes[key])
    return _arrays(state, lambda storage: contents[storage.key])


def _views(state: Any) -> dict[str, View]:
    """The tensors of a state_dict; refuses anything else."""
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}, not a state_dict; save model.state_dict().")
    others = [
        name for name, value in state.items() if not (isinstance(name, str) and isinstance(value, View))
    ]
    if others:
        raise ValueError(f"{others[0]!r} is no tensor; save model.state_dict() alone.")
    return state


def _arrays(state: Any, read: Callable[[Storage], bytes]) -> dict[str, np.ndarray]:
    return {name: _array(name, view, read(view.storage)) for name, view in _views(state).items()}


def _array(name: str, view: View, content: bytes) -> np.ndarray:
    """The part of a storage that a tensor shows, copied; never memory outside of it."""
    dtype, _, size = view.storage
    if len(content) != size * dtype.itemsize:
        raise ValueError(f"the numbers of {name!r} are cut off.")
    flat = np.frombuffer(content, dtype)
    last = view.offset + sum((n - 1) * step for n, step in zip(view.shape, view.strides, strict=True))
    cells = math.prod(view.shape)
    if min((view.offset, *view.shape, *view.strides)) < 0 or (cells and max(last + 1, cells) > flat.size):
        raise ValueError(f"{name!r} shows numbers outside of its storage.")
    steps = [step * dtype.itemsize for step in view.strides]
    return np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, steps).copy()
