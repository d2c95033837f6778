"""Finds a public oneDNN of ABI version 3: the extra's, the environment's, or the system's."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

ABI = 3
VARIABLE = "JAXCONV_ONEDNN"
"""Environment variable: ``off``, or the path of a library to use in place of those that are found."""
DISTRIBUTIONS = ("onednn-cpu-gomp", "onednn-cpu-iomp", "onednn")


class UnusableError(Exception):
    """A library that cannot be used; its text says why."""


class Version(ctypes.Structure):
    """dnnl_version_t."""

    _fields_ = (
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
        ("patch", ctypes.c_int),
        ("hash", ctypes.c_char_p),
        ("cpu_runtime", ctypes.c_uint),
        ("gpu_runtime", ctypes.c_uint),
    )


def library_name() -> str:
    """Returns the file name that a oneDNN of this ABI version has on this platform."""
    return f"libdnnl.{ABI}.dylib" if sys.platform == "darwin" else f"libdnnl.so.{ABI}"


def candidates() -> Iterator[str]:
    """Yields the files that may be a oneDNN, the nearest to this environment first."""
    name = library_name()
    yield from _of_distributions(name)
    prefixes = [sys.prefix, os.environ.get("CONDA_PREFIX"), "/opt/homebrew", "/usr/local"]
    for file in dict.fromkeys(Path(prefix) / "lib" / name for prefix in prefixes if prefix):
        if file.is_file():
            yield str(file)


def _of_distributions(name: str) -> Iterator[str]:
    """Yields the libraries that installed distributions brought; they need not lie where the loader looks."""
    from importlib.metadata import PackageNotFoundError, files  # not with `import jaxconv`: it takes a while

    for distribution in DISTRIBUTIONS:
        try:
            installed = files(distribution) or ()
        except PackageNotFoundError:
            continue
        yield from (str(Path(str(file.locate())).resolve()) for file in installed if file.name == name)


def load() -> tuple[ctypes.CDLL, str]:
    """Loads the first library that can be used. Returns it with its path.

    Raises:
      UnusableError: None can be, or `VARIABLE` says ``off``.
    """
    chosen = os.environ.get(VARIABLE, "")
    if chosen.lower() == "off":
        raise UnusableError(f"{VARIABLE}=off")
    if chosen:
        try:
            return _loaded(chosen), chosen
        except UnusableError as error:
            raise UnusableError(f'{error} ({VARIABLE} must be "off" or the path of a library)') from None
    reasons = []
    for path in candidates():
        try:
            return _loaded(path), path
        except UnusableError as error:
            reasons.append(str(error))
    try:
        return _loaded(library_name()), library_name()  # wherever the system's loader finds it
    except UnusableError:
        raise UnusableError("; ".join(reasons) or f"no oneDNN ({library_name()}) was found") from None


def version_of(library: ctypes.CDLL) -> Version:
    """Returns the version of a loaded library."""
    library.dnnl_version.restype = ctypes.POINTER(Version)
    return library.dnnl_version().contents


def _loaded(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise UnusableError(str(error)) from None
    if not hasattr(library, "dnnl_version"):
        raise UnusableError(f"{path}: not a oneDNN, because it has no function dnnl_version")
    version = version_of(library)
    if version.major != ABI:
        number = f"{version.major}.{version.minor}.{version.patch}"
        raise UnusableError(f"{path}: oneDNN {number}, where version {ABI} is needed")
    return library
