"""One training at a time in a folder."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console

from jaxconv.errors import ConfigError
from jaxconv.training.record import writing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path, console: Console) -> Iterator[None]:
    """Within this context no other process that asks for the lock of the folder gets it.

    The lock is the operating system's, on the file ``lock``: it is gone with the process, however that
    ends, and the file stays. Where the file system or the platform has no locks, the console says so.

    Args:
      folder: Of the run; made if it is not there.
      console: Where a missing lock is told.

    Raises:
      ConfigError: Another process has the lock.
      RunError: The folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _taken(descriptor, folder):
            console.print(
                f"{folder} is on a file system without locks: see that no other training writes there",
                style="yellow",
                highlight=False,
            )
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, folder: Path) -> bool:
    """Whether the lock is ours now; False where there are none."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        holder = os.read(descriptor, 200).decode(errors="replace") or "another process"
        raise ConfigError(
            f"{folder} is in use: {holder} trains there. Wait for its end, or name another --out."
        ) from None
    except OSError:
        return False
    with suppress(OSError):  # a full disk: the name of the holder is a courtesy
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return True
