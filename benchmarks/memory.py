"""Work in a process of its own: its peak of memory, or another number of devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.allocator import release_memory

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "result: "


class ChildFailed(Exception):
    """A measurement in another process ended badly; holds the end of what it said."""


def in_child(module: str, *arguments: str, devices: int | None = None, timeout: float = 600) -> dict:
    """Runs ``python -m module arguments`` from the repository's root and returns what it gave to `answer`.

    Args:
      module: Of this package.
      *arguments: Likewise of the command line.
      devices: Virtual CPU devices for jax.
      timeout: Seconds.

    Raises:
      ChildFailed: It ended badly, or took longer than `timeout`.
    """
    environment = dict(os.environ)
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


def answer(result: dict) -> None:
    """In the child: hands a result back."""
    print(PREFIX + json.dumps(result), flush=True)


class Peak:
    """Resident memory at its highest since this was made, above what was resident then.

    Of the host, and on Linux only: elsewhere `bytes` is None.
    """

    def __init__(self):
        release_memory()
        self._start = _status("VmRSS")
        try:
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        except OSError:
            self._start = None

    @property
    def bytes(self) -> int | None:
        """Until now."""
        highest = _status("VmHWM")
        return None if self._start is None or highest is None else highest - self._start


def _status(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    (line,) = [line for line in lines if line.startswith(f"{field}:")] or [None]
    return line and int(line.split()[1]) * 1024
