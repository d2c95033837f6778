"""Files of a run: whole or absent, and JSON that any reader takes."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

from jaxconv.errors import FailureError

LIBRARIES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "pillow")


class RunError(FailureError):
    """A file of a run is damaged or missing, or cannot be written."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within this context an error of the operating system is one of writing a file or folder of a run."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({error.strerror or error}); make room or make it writable and go on "
            "with --resume, or name another --out."
        ) from None


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log. A last line that was cut off by a crash is left out.

    Raises:
      RunError: The file is missing, or a line of it is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); restore it from a copy.") from None
    found = []
    for number, line in enumerate(lines):
        try:
            found.append(_log_line(line))
        except (ValueError, KeyError, TypeError):
            if number < len(lines) - 1:
                raise RunError(
                    f"{path} is damaged: line {number + 1} is not that of a step or an evaluation, "
                    f"{line[:80]!r}; restore it from a copy."
                ) from None
    return found


def _log_line(text: str) -> dict[str, Any]:
    line = json.loads(text)
    numbers = ("step", "seconds", "loss") if line["kind"] == "step" else ("step", "seconds")
    if not all(isinstance(line[name], int | float) for name in numbers):
        raise TypeError
    return line


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is never seen half written."""
    beside = path.with_name(path.name + ".new")
    with writing(path):
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON; numbers that are not finite become null."""
    write_whole(path, json.dumps(plain(value), indent=2) + "\n")


def plain(value: Any) -> Any:
    """What JSON can say: numbers that are not finite as null, NumPy's and jax's as Python's."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
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


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
