"""Measurements in a process of their own, for the peak of memory or another number of devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.allocator import release_memory

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "result: "


class ChildFailed(Exception):
    """A measurement in another process failed; the message has the end of its standard error."""


def in_child(
    module: str,
    *arguments: str,
    devices: int | None = None,
    variables: Mapping[str, str] | None = None,
    timeout: float = 600,
) -> Any:
    """Runs ``python -m module arguments`` in the root of the repository.

    Args:
      module: A module of this package.
      *arguments: Arguments of the command line.
      devices: Number of virtual CPU devices for jax; by default those of the machine.
      variables: Environment variables that are set for the process.
      timeout: Time limit in seconds.

    Returns:
      The value that the process passed to `answer`.

    Raises:
      ChildFailed: The process failed, or took longer than `timeout`.
    """
    environment = os.environ | (variables or {})
    if devices:
        flags = environment.get("XLA_FLAGS", "")
        environment["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={devices}".strip()
        environment["JAX_PLATFORMS"] = "cpu"
    command = [sys.executable, "-m", module, *arguments]
    try:
        child = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ChildFailed(f"{' '.join(command[1:])} took more than {timeout:.0f} s.") from error
    results = [line for line in child.stdout.splitlines() if line.startswith(PREFIX)]
    if child.returncode or not results:
        raise ChildFailed(f"{' '.join(command[1:])} ended with {child.returncode}: {child.stderr[-800:]}")
    return json.loads(results[-1].removeprefix(PREFIX))


def answer(result: dict[str, Any]) -> None:
    """Returns a result to the process that called `in_child`."""
    print(PREFIX + json.dumps(result), flush=True)


class Peak:
    """The highest resident memory since this object was made, above the memory at that time.

    It is the memory of the host, and available only on Linux: elsewhere `bytes` is None.
    """

    def __init__(self) -> None:
        release_memory()
        self._start = _status("VmRSS")
        try:
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        except OSError:
            self._start = None

    @property
    def bytes(self) -> int | None:
        """The highest memory so far, in bytes."""
        highest = _status("VmHWM")
        return None if self._start is None or highest is None else highest - self._start


def _status(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    (line,) = [line for line in lines if line.startswith(f"{field}:")] or [None]
    return line and int(line.split()[1]) * 1024
