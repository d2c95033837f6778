"""The build hook: a wheel with the native part where a compiler is found, a pure one elsewhere, no error."""

import ctypes
import importlib.util
import sys
import types
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parent.parent


class Hook:
    """Stands in for hatchling's class, which only builds have; its `app` keeps what it is told."""

    target_name = "wheel"
    root = str(ROOT)

    def __init__(self):
        self.warnings = []
        self.app = types.SimpleNamespace(display_warning=self.warnings.append)


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Loads hatch_build.py with that class; what it compiles lands in a folder of the test."""
    interface = types.ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = Hook
    for name in (
        "hatchling",
        "hatchling.builders",
        "hatchling.builders.hooks",
        "hatchling.builders.hooks.plugin",
    ):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.tempfile, "mkdtemp", lambda: str(tmp_path))
    return module


def run(build):
    hook, data = build.NativePart(), {"force_include": {}, "pure_python": True}
    hook.initialize("standard", data)
    return data, hook.warnings


@pytest.mark.slow
def test_the_native_part_is_compiled(build, tmp_path):
    if build.compiler() is None:
        pytest.skip("no C++ compiler was found")
    assert build.headers() == Path(jax.ffi.include_dir())
    data, warnings = run(build)
    assert warnings == []
    ((source, target),) = data["force_include"].items()
    assert target == "jaxconv/convolution/native/libjaxconv_onednn.so"
    assert not data["pure_python"]
    assert data["tag"].startswith("py3-none-")
    native = ctypes.CDLL(source)
    assert native.jaxconv_convolution
    assert ctypes.c_int.in_dll(native, "jaxconv_function_count").value > 20
    build.NativePart().finalize("standard", data, "")
    assert not Path(source).parent.exists()


@pytest.mark.parametrize("case", ["no compiler", "no headers", "a failing compiler"])
def test_whatever_is_missing_the_wheel_is_pure_python(build, monkeypatch, case):
    monkeypatch.setattr(build, "compiler", lambda: None if case == "no compiler" else "false")
    if case == "no headers":
        monkeypatch.setattr(build, "headers", lambda: None)
    data, (warning,) = run(build)
    assert data == {"force_include": {}, "pure_python": True}
    assert "without its native part" in warning
    assert {"no compiler": "C++", "no headers": "ffi.h", "a failing compiler": "false failed"}[
        case
    ] in warning


def test_jaxlib_is_asked_for_only_where_it_is_needed(build, monkeypatch):
    hook = build.NativePart()
    monkeypatch.setattr(build, "compiler", lambda: "c++")
    assert hook.dependencies() == []  # the environment has the headers
    monkeypatch.setattr(build, "headers", lambda: None)
    oldest = next(line for line in (ROOT / "pyproject.toml").read_text().splitlines() if '"jaxlib>=' in line)
    assert hook.dependencies() == [oldest.strip().split(",")[0].strip('"').replace(">=", "==")]
    monkeypatch.setattr(build, "compiler", lambda: None)
    assert hook.dependencies() == []
