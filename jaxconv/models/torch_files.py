"""Files that `torch.save` writes of a state_dict, read without torch and without running code in them."""

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

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file written before torch 1.6
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
    """A reference to numbers elsewhere in the file."""

    dtype: np.dtype
    key: str
    size: int


class View(NamedTuple):
    """A tensor: a view of a part of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Unpickler(pickle.Unpickler):
    """An unpickler that knows only the names that tensors need, and refuses every other name and call.

    The object for a name is made anew each time, since a pickle may set attributes of it.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Returns the object for a name in the pickle."""
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
            f"it needs {module}.{name}, which is not part of a state_dict and is not run; save only the "
            "model's state_dict()."
        )

    def persistent_load(self, pid: Any) -> Storage:
        """Returns a reference to a storage."""
        kind, dtype, key, _, size = pid[:5]
        if kind != "storage":
            raise pickle.UnpicklingError(f"it refers to a {kind!r}; only storages are supported.")
        return Storage(DTYPES[dtype], key, size)


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a saved ``state_dict`` as arrays, from files of old and new versions of torch.

    Raises:
      Exception: The file is damaged or something else; it may be of any type.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive)
    with path.open("rb") as file:
        return _read_old(file)


def _read_archive(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """Reads a zip archive of one pickle, and one file per storage."""
    names = archive.namelist()
    pickled = next((name for name in names if name.endswith("/data.pkl")), None)
    if pickled is None:
        raise ValueError("it is a zip archive, but not one that torch.save wrote.")
    root = pickled.removesuffix("data.pkl")
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
        raise ValueError("it was written on a big-endian machine; save it again on a little-endian one.")
    with archive.open(pickled) as file:
        state = Unpickler(file).load()
    return _arrays(state, lambda storage: archive.read(f"{root}data/{storage.key}"))


def _read_old(file: BinaryIO) -> dict[str, np.ndarray]:
    """Reads five pickles, and then the storages in the order of the keys in the last pickle."""
    try:
        magic = Unpickler(file).load()
    except Exception as error:
        raise ValueError("it was not written by torch.save, or it is truncated.") from error
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
    """Returns the tensors of a state_dict; ValueError if it is or contains something else."""
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}, not a state_dict; save model.state_dict().")
    others = [
        name for name, value in state.items() if not (isinstance(name, str) and isinstance(value, View))
    ]
    if others:
        raise ValueError(f"{others[0]!r} is not a tensor; save only model.state_dict().")
    return state


def _arrays(state: Any, read: Callable[[Storage], bytes]) -> dict[str, np.ndarray]:
    return {name: _array(name, view, read(view.storage)) for name, view in _views(state).items()}


def _array(name: str, view: View, content: bytes) -> np.ndarray:
    """Copies the part of a storage that a tensor shows; memory outside of the storage is never read."""
    dtype, _, size = view.storage
    if len(content) != size * dtype.itemsize:
        raise ValueError(f"the numbers of {name!r} are truncated.")
    flat = np.frombuffer(content, dtype)
    last = view.offset + sum((n - 1) * step for n, step in zip(view.shape, view.strides, strict=True))
    cells = math.prod(view.shape)
    if min((view.offset, *view.shape, *view.strides)) < 0 or (cells and max(last + 1, cells) > flat.size):
        raise ValueError(f"{name!r} shows numbers outside of its storage.")
    steps = [step * dtype.itemsize for step in view.strides]
    return np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, steps).copy()
