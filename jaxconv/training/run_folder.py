"""The folder of a run: files that are whole or absent, where it was made, and its lock."""

from __future__ import annotations

import json
import math
import os
import platform
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from jaxconv.errors import FailureError
from jaxconv.training.options import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "pillow")


class RunError(FailureError):
    """A file of a run is damaged or missing, or cannot be written."""


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turns an error of the operating system into one about writing a file or folder of a run."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({error.strerror or error}); make room or make it writable and go on "
            "with --resume, or name another --out."
        ) from None


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is never seen half written."""
    beside = path.with_name(path.name + ".new")
    with write_errors(path):
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON; numbers that are not finite become null."""
    write_whole(path, json.dumps(json_value(value), indent=2) + "\n")


def json_value(value: Any) -> Any:
    """Converts a value to what JSON can hold: null for NaN and infinities, Python's numbers for arrays'."""
    if isinstance(value, dict):
        return {key: json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def environment(data: Path | None, parameters: int) -> dict[str, Any]:
    """Where and with what a run is made.

    Args:
      data: Its folder of data.
      parameters: Of its network.
    """
    devices = jax.devices()
    return {
        "data": None if data is None else str(data.absolute()),
        "parameters": parameters,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "devices": [str(device.device_kind) for device in devices],
        "processes": jax.process_count(),
        "versions": {name: _version(name) for name in ("jaxconv", *LIBRARIES)},
    }


def recorded_data(run: Path) -> Path | None:
    """The folder of data that a run was made with."""
    path = run / "environment.json"
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_bytes())["data"]
        return None if data is None else Path(data)
    except (ValueError, KeyError, TypeError, OSError):
        raise RunError(f"{path} is damaged; restore it from a copy, or name the data by --data.") from None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@contextmanager
def folder_lock(folder: Path, console: Console) -> Iterator[None]:
    """Holds the lock of a folder within this context: no other process can take it.

    The lock is the operating system's, on the file ``lock``: it is gone with the process, however that
    ends, and the file stays. Where the file system or the platform has no locks, the console says so.

    Args:
      folder: Of the run; made if it is not there.
      console: Where a missing lock is told.

    Raises:
      ConfigError: Another process has the lock.
      RunError: The folder cannot be written.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _acquire(descriptor, folder):
            console.print(
                f"{folder} is on a file system without locks: see that no other training writes there",
                style="yellow",
                highlight=False,
            )
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, folder: Path) -> bool:
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
