"""Arrays from files of weights of any origin; code in a file is never run."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxconv.errors import DataError, MissingExtraError, needs_extra
from jaxconv.models.torch_files import read_torch


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Reads all arrays of a file, by name.

    Args:
      path: A ``.safetensors`` file, an ``.npz`` file (without pickled objects), or a ``.pth`` or ``.pt`` file
        that `torch.save` wrote of a ``state_dict``.

    Returns:
      The arrays as they were saved.

    Raises:
      MissingExtraError: The file is a .safetensors file and safetensors is not installed.
      DataError: The file does not exist, its suffix is unknown, or it is damaged or contains something
        else; the message names the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/weights.npz", a=np.arange(3))
    ...     read_arrays(f"{folder}/weights.npz")
    {'a': array([0, 1, 2])}
    """
    path = Path(path)
    if path.suffix not in _READERS:
        raise DataError(
            f"`weights` must be a file with suffix {', '.join(_READERS)}, got {path}; convert it."
        )
    if not path.is_file():
        raise DataError(f"`weights` must be an existing file, but {path} does not exist.")
    try:
        return _READERS[path.suffix](path)
    except MissingExtraError:
        raise
    except Exception as error:  # a damaged file may break a reader in any way
        raise DataError(
            f"{path} cannot be read as a {path.suffix} file of arrays: {error or type(error).__name__}"
        ) from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is truncated, or not an .npz file.")
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
