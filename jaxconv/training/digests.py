"""SHA-256 of every file of a folder, kept in the folder: what is damaged, missing or additional."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

NAME = "SHA256SUMS"
"""The file of digests; ``sha256sum -c`` reads it too."""


def write_digests(folder: Path) -> None:
    """Writes the digests of all files of a folder, and waits until these and the files are on the disk."""
    lines = [f"{_digest(folder / name, sync=True)}  {name}\n" for name in sorted(_names(folder))]
    body = "".join(lines).encode()
    with (folder / NAME).open("wb") as file:
        file.write(_head(body) + body)
        file.flush()
        os.fsync(file.fileno())


def damage(folder: Path, only: str | None = None) -> str | None:
    """What is wrong with the files of a folder; None when all of them are as they were written.

    Args:
      folder: That `write_digests` was called on.
      only: The one file to look at.
    """
    try:
        expected = _read(folder)
        if expected is None:
            return f"{NAME} is damaged"
        if only is None and (extra := _names(folder) - expected.keys()):
            return f"{min(extra)} is not one of its files"
        for name in expected if only is None else [only]:
            if name not in expected or not (folder / name).is_file():
                return f"{name} is missing"
            if _digest(folder / name) != expected[name]:
                return f"{name} is not what was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename or NAME).name} is missing"
    except OSError as error:
        return f"{error.filename or folder} cannot be read ({error.strerror or error})"
    return None


def _read(folder: Path) -> dict[str, str] | None:
    """Name to digest; None where the file of digests does not agree with its own first line."""
    head, newline, body = (folder / NAME).read_bytes().partition(b"\n")
    if head + newline != _head(body):
        return None
    return {name: digest for digest, name in (line.split("  ", 1) for line in body.decode().splitlines())}


def _head(body: bytes) -> bytes:
    return f"# sha256 of the lines below: {hashlib.sha256(body).hexdigest()}\n".encode()


def _names(folder: Path) -> set[str]:
    """All files but that of the digests, relative to the folder."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return set(files) - {NAME}


def _digest(path: Path, *, sync: bool = False) -> str:
    with path.open("r+b") if sync else path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
