"""Arrays from files of weights that others wrote; no code in a file is ever run."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxconv.errors import DataError, MissingExtraError, needs_extra
from jaxconv.models.torch_files import read_torch


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of a file, by name.

    Args:
      path: ``.safetensors``, ``.npz`` (without pickled objects), or what `torch.save` writes of a
        ``state_dict``: ``.pth`` or ``.pt``.

    Returns:
      The arrays as they were saved.

    Raises:
      MissingExtraError: The file is a .safetensors one and safetensors is not installed.
      DataError: There is no such file, its kind is not known, or it is broken or holds something
        else; the file is named.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/weights.npz", a=np.arange(3))
    ...     read_arrays(f"{folder}/weights.npz")
    {'a': array([0, 1, 2])}
    """
    path = Path(path)
    if path.suffix not in _READERS:
        raise DataError(f"weights are read from {', '.join(_READERS)} files, got {path}; convert it.")
    if not path.is_file():
        raise DataError(f"there is no file of weights at {path}.")
    try:
        return _READERS[path.suffix](path)
    except MissingExtraError:
        raise
    except Exception as error:  # a stranger's bytes may break a reader in any way
        raise DataError(
            f"{path} is no readable {path.suffix} file of arrays: {error or type(error).__name__}"
        ) from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is cut off, or something else under that name.")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    with needs_extra("a .safetensors file", "train"):
        from safetensors.numpy import load_file

    return load_file(path)


_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    ".safetensors": _read_safetensors,
    ".npz": _read_npz,
    ".pth": read_torch,
    ".pt": read_torch,
}
