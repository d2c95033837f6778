"""Compiles the native part where a C++ compiler is found; without one the wheel is pure Python.

It needs the headers that jaxlib brings. They are taken from the environment that jaxconv is installed into,
if jaxlib is there already; otherwise the oldest supported jaxlib becomes a requirement of the build, because
later ones accept a handler with its headers. Without a compiler nothing is required. Nothing here ends a
build: what fails is printed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("jaxconv/convolution/native")
OBJECT = "libjaxconv_onednn.so"
FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-s", "-w")
HEADER = "xla/ffi/api/ffi.h"
OLDEST = "jaxlib==0.10.2"


def compiler() -> str | None:
    """Returns the C++ compiler: that of the environment variable CXX, or the first that is found."""
    names = (os.environ.get("CXX"), "c++", "g++", "clang++")
    return next((name for name in names if name and shutil.which(name)), None)


def headers() -> Path | None:
    """Returns the folder of XLA's headers in a jaxlib of the build or of the environment around it."""
    spec = find_spec("jaxlib")
    folders = [*(spec.submodule_search_locations or ())] if spec else []
    folders += [f"{sysconfig.get_path(name)}/jaxlib" for name in ("purelib", "platlib")]
    found = (Path(folder) / "include" for folder in folders)
    return next((folder for folder in found if (folder / HEADER).exists()), None)


class NativePart(BuildHookInterface):
    """Hook of hatchling: adds the compiled handler to the wheel, or to the tree if installed as editable."""

    def dependencies(self) -> list[str]:
        """Returns what the build needs beside hatchling."""
        needed = self.target_name == "wheel" and compiler() and not headers()
        return [OLDEST] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles before the files of the wheel are collected."""
        if self.target_name != "wheel":
            return
        editable = version == "editable"
        folder = Path(self.root) / FOLDER if editable else Path(tempfile.mkdtemp())
        reason = self._compile(folder / OBJECT)
        if reason:
            self.app.display_warning(f"jaxconv is built without its native part: {reason}")
        elif not editable:  # the object needs libstdc++ only, so any Python of this platform can use it
            build_data["force_include"][str(folder / OBJECT)] = str(FOLDER / OBJECT)
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the folder of the object, which is in the wheel now."""
        for source, target in build_data["force_include"].items():
            if target == str(FOLDER / OBJECT):
                shutil.rmtree(Path(source).parent, ignore_errors=True)

    def _compile(self, target: Path) -> str:
        """Compiles the handler. Returns why that failed, or an empty string."""
        cxx, include = compiler(), headers()
        if cxx is None:
            return "no C++ compiler was found"
        if include is None:
            return f"{HEADER} of jaxlib was not found"
        source = Path(self.root) / FOLDER / "handler.cpp"
        command = [cxx, *FLAGS, f"-I{include}", str(source), "-o", str(target)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        return "" if done.returncode == 0 else f"{cxx} failed:\n{done.stderr[-2000:]}"
