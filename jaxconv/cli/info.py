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

    found = collect()
    table = Table.grid(padding=(0, 2))
    table.add_row("jaxconv", found["versions"]["jaxconv"])
    table.add_row("Python", f"{found['python']}, {found['platform']}")
    for name in LIBRARIES:
        table.add_row(name, found["versions"][name] or "not installed")
    table.add_row("devices", Text(", ".join(found["devices"])))
    table.add_row("oneDNN", Text(onednn_line(found["onednn"]), overflow="fold"))
    console.print(table, highlight=False)
    if json is not None:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_text(json_format.dumps(found, indent=2) + "\n")


def collect() -> dict[str, Any]:
    """Returns versions, devices and the state of oneDNN, as numbers and texts."""
    from dataclasses import asdict

    import jax

    from jaxconv import __version__
    from jaxconv.convolution import native

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {"jaxconv": __version__, **{name: _version(name) for name in LIBRARIES}},
        "devices": [f"{device.id}: {device.platform} ({device.device_kind})" for device in jax.devices()],
        "onednn": asdict(native.state()),
    }


def onednn_line(state: dict[str, Any]) -> str:
    """Returns the state of oneDNN as one line."""
    which = " ".join(filter(None, (state["version"], f"({state['runtime']})" if state["runtime"] else "")))
    if state["available"]:
        return f"{which}, {state['path']}"
    if "off" in state["reason"][-3:]:
        return f"not used: {state['reason']}"
    way = "" if state["path"] else "; pip install 'jaxconv[onednn]', or see docs/onednn.md"
    return f"not used: {state['reason']}{way}" + (
        f" (found {which}, {state['path']})" if state["path"] else ""
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
