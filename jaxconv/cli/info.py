"""The command that prints what this installation consists of."""

from __future__ import annotations

import json as json_format
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jaxconv.cli.screen import console

LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "ml_dtypes")


def info(json: Path | None = None) -> None:
    """Prints versions, devices, and what was found of oneDNN, or why it is not used.

    Args:
      json: File for the same as JSON.
    """
    from rich.table import Table
    from rich.text import Text

    if json is not None:  # a file that cannot be written is refused before anything is printed
        json.parent.mkdir(parents=True, exist_ok=True)
        json.touch()
    found = collect()
    table = Table.grid(padding=(0, 2))
    for name, number in found["versions"].items():
        table.add_row(name, number or "not installed")
    table.add_row("Python", f"{found['python']} on {found['platform']}")
    table.add_row("devices", Text(", ".join(found["devices"])))
    table.add_row("oneDNN", Text(onednn_line(found["onednn"]), overflow="fold"))
    console.print(table, highlight=False)
    if json is not None:
        json.write_text(json_format.dumps(found, indent=2) + "\n")


def collect() -> dict[str, Any]:
    """Returns versions, devices and the state of oneDNN, as texts."""
    import jax

    from jaxconv import __version__
    from jaxconv.convolution import native

    return {
        "versions": {"jaxconv": __version__, **{name: _version(name) for name in LIBRARIES}},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [f"{device.id}: {device.platform} ({device.device_kind})" for device in jax.devices()],
        "onednn": vars(native.state()),
    }


def onednn_line(state: dict[str, Any]) -> str:
    """Returns the fields of a `jaxconv.convolution.native.State` as one line."""
    which = f"{state['version']} ({state['runtime']}), {state['path']}" if state["path"] else ""
    if state["available"]:
        return which
    line = f"not used: {state['reason']}"
    if which:
        return f"{line} (found {which})"
    return f"{line}; pip install 'jaxconv[onednn]', or see docs/onednn.md" if "no oneDNN" in line else line


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
