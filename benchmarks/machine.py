"""Description of the machine on which a table is measured."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from jaxconv.convolution import native

PACKAGES = ("jaxconv", "jax", "jaxlib", "numpy", "scipy", "torch", "asdex", "cupy")


def machine() -> dict[str, Any]:
    """Describes the processor, the device of jax, memory and versions."""
    device = jax.devices()[0]
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory GB": round(_physical_memory() / 1e9),
        "device": device.device_kind if device.platform != "cpu" else "cpu",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "oneDNN": native.state().version if native.available() else "none",
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def heading(info: dict[str, Any]) -> str:
    """Returns the description of a machine in one line."""
    where = f"{info['processor']}, {info['cores']} cores, {info['memory GB']} GB, {info['system']}"
    if info["device"] != "cpu":
        where = f"{info['device']}; host {where}"
    if "memory" in info:
        where = f"{where}, memory by {info['memory']}"
    if "oneDNN" in info:
        where = f"{where}, oneDNN: {info['oneDNN']}"
    return f"{where}; " + ", ".join(f"{name} {version}" for name, version in info["versions"].items())


def slug(info: dict[str, Any]) -> str:
    """Returns a file name for the kind of a machine."""
    kind = info["device"] if info["device"] != "cpu" else f"{info['processor']} {info['cores']} cores"
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")


def processor() -> str:
    """Returns the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return 0


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
