"""The folder of a run: files that are never half written, the record of the machine, and the lock."""

from __future__ import annotations

import json
import math
import os
import platform
import socket
from collections.abc import Iterator, Sequence
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
    """Turns an OSError within this context into a RunError about a file or folder of the run.

    Args:
      path: File or folder that is written.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({error.strerror or error}); free space on the disk or make it "
            "writable and continue with --resume, or choose another --out."
        ) from None


def write_atomically(path: Path, text: str) -> None:
    """Writes a file that no reader sees half written."""
    beside = path.with_name(path.name + ".new")
    with write_errors(path):
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON; numbers that are not finite become null."""
    write_atomically(path, json.dumps(json_value(value), indent=2) + "\n")


def json_value(value: Any) -> Any:
    """Converts a value for JSON: NaN and infinities to None, scalar arrays to numbers of Python."""
    if isinstance(value, dict):
        return {key: json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def environment(
    data: Path | None, parameters: int, devices: Sequence[jax.Device] | None = None
) -> dict[str, Any]:
    """Returns what is written to ``environment.json``: data, machine and versions of a run.

    Args:
      data: Folder of the data; None for data sets that are generated.
      parameters: Number of parameters of the network.
      devices: Devices over which batches are split; by default all of jax.
    """
    return {
        "data": None if data is None else str(data.absolute()),
        "parameters": parameters,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "devices": [str(device.device_kind) for device in devices or jax.devices()],
        "processes": jax.process_count(),
        "versions": {name: _version(name) for name in ("jaxconv", *LIBRARIES)},
    }


def recorded_data(run: Path) -> Path | None:
    """Returns the folder of the data on which a run was trained; None if it has none or does not say.

    Args:
      run: Folder of the run.

    Raises:
      RunError: ``environment.json`` is damaged.
    """
    path = run / "environment.json"
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_bytes())["data"]
        return None if data is None else Path(data)
    except (ValueError, KeyError, TypeError, OSError):
        raise RunError(
            f"{path} is damaged; restore it from a copy, or give the folder of the data with --data."
        ) from None


def recorded_environment(run: Path) -> dict[str, Any]:
    """Returns what ``environment.json`` says; nothing if it is missing or damaged.

    Args:
      run: Folder of the run, which need not exist.
    """
    try:
        return dict(json.loads((run / "environment.json").read_bytes()))
    except (ValueError, TypeError, OSError):
        return {}


def recorded_devices(run: Path) -> int | None:
    """Returns on how many devices of a CPU a run was trained last; None if on others, or if unknown.

    Args:
      run: Folder of the run, which need not exist.
    """
    kinds = recorded_environment(run).get("devices")
    return len(kinds) if kinds and set(kinds) == {"cpu"} else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@contextmanager
def folder_lock(folder: Path, console: Console) -> Iterator[None]:
    """Locks a folder within this context, so that no other training writes into it.

    The lock is the operating system's, on the file ``lock``: it ends with the process, however that
    ends, and the file stays. Where the file system or the platform has no locks, a warning is printed.

    Args:
      folder: Folder of the run; created if it does not exist.
      console: Console for the warning.

    Raises:
      ConfigError: Another process has locked the folder.
      RunError: The folder cannot be written.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _acquire(descriptor, folder):
            console.print(
                f"{folder} is on a file system without locks: make sure that no other training writes there",
                style="yellow",
                highlight=False,
            )
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, folder: Path) -> bool:
    """Locks a file. Returns False where locks are not supported.

    Raises:
      ConfigError: Another process has locked it.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        holder = os.read(descriptor, 200).decode(errors="replace") or "another process"
        raise ConfigError(
            f"{folder} is in use: {holder} trains there. Wait until it ends, or choose another --out."
        ) from None
    except OSError:
        return False
    with suppress(OSError):  # a full disk: the name of the holder is not essential
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return True
