"""Where a table was measured."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path

import jax

PACKAGES = ("jaxconv", "jax", "jaxlib", "numpy", "scipy", "torch", "asdex", "cupy")


def machine() -> dict:
    """The processor, the device that jax computes on, memory and versions."""
    device = jax.devices()[0]
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory GB": round(_physical_memory() / 1e9),
        "device": device.device_kind if device.platform != "cpu" else "cpu",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def heading(found: dict) -> str:
    """The same in a line."""
    where = f"{found['processor']}, {found['cores']} cores, {found['memory GB']} GB, {found['system']}"
    if found["device"] != "cpu":
        where = f"{found['device']}; host {where}"
    if "memory" in found:
        where = f"{where}, memory by {found['memory']}"
    return f"{where}; " + ", ".join(f"{name} {version}" for name, version in found["versions"].items())


def slug(found: dict) -> str:
    """A file name for its kind."""
    kind = found["device"] if found["device"] != "cpu" else f"{found['processor']} {found['cores']} cores"
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")


def processor() -> str:
    """The processor's own name."""
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
