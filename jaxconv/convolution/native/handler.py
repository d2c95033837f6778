"""The compiled handler: registered with XLA, given oneDNN's functions, and tried once before it is used."""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from jaxconv.convolution.native.calls import TARGET, Kind, numbers_of
from jaxconv.convolution.native.library import UnusableError, load, version_of
from jaxconv.geometry import ConvGeometry

OBJECT = Path(__file__).with_name("libjaxconv_onednn.so")
RUNTIMES = {0: "none", 1: "sequential", 2: "OpenMP", 4: "TBB", 8: "thread pool"}
"""How a oneDNN computes in several threads (dnnl_cpu_runtime)."""
SPLITTING = {"sequential", "OpenMP", "thread pool"}
"""Runtimes that can be kept in the calling thread; parts of a batch then run side by side."""
TOO_OLD = {0x1: "SSE4.1", 0x3: "AVX"}
"""Instruction sets of x86-64 (dnnl_cpu_isa_t) for which oneDNN is not faster than XLA."""
OPTIONAL = 3  # functions at the end of the handler's table that not every oneDNN has


@dataclass(frozen=True)
class State:
    """What was found of oneDNN.

    Attributes:
      available: Whether convolutions can be computed by it.
      reason: Why not; empty if they can.
      path: File of the library.
      version: Version of the library.
      runtime: How the library computes in several threads.
    """

    available: bool
    reason: str = ""
    path: str = ""
    version: str = ""
    runtime: str = ""


def available() -> bool:
    """Returns whether convolutions can be computed by oneDNN; loads and tries it on the first call."""
    return state().available


def state() -> State:
    """Returns what was found of oneDNN: finds, loads and tries it on the first call. Never raises."""
    return _states.tried()


def found() -> State:
    """Returns what was found of oneDNN as far as that can be told without starting JAX's backends."""
    return _states.connected()


class _States:
    """The two steps to an available oneDNN, each taken once, by whichever thread comes first."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.first: State | None = None
        self.last: State | None = None

    def connected(self) -> State:
        """Loads oneDNN and gives its functions to the handler."""
        with self.lock:
            if self.first is None:
                self.first = connect()
            return self.last or self.first

    def tried(self) -> State:
        """Also registers the handler and runs the self-test."""
        with self.lock:
            if self.last is None:
                found = self.connected()
                reason = try_handler() if found.available else found.reason
                self.last = replace(found, available=not reason, reason=reason)
            return self.last


_states = _States()


def implementation(kind: Kind, g: ConvGeometry, batch: int) -> str | None:
    """Returns the name of oneDNN's implementation of a convolution on this CPU, or None if it has none."""
    if not found().available:
        return None
    text = ctypes.create_string_buffer(128)
    numbers = numbers_of(kind, g, batch)
    array = (ctypes.c_int64 * len(numbers))(*numbers)
    failed = _object().jaxconv_implementation(array, text, ctypes.c_size_t(len(text)))
    return None if failed else text.value.decode()


def connect() -> State:
    """Finds and loads oneDNN, and gives its functions to the handler."""
    found: dict[str, str] = {}
    try:
        _connect(_object(), found)
    except UnusableError as error:
        return State(False, str(error), **found)
    return State(True, "", **found)


@cache
def _object() -> ctypes.CDLL:
    if not OBJECT.exists():
        raise UnusableError("jaxconv was built without its native part (no C++ compiler was found)")
    try:
        return ctypes.CDLL(str(OBJECT))
    except OSError as error:
        raise UnusableError(f"the native part cannot be loaded: {error}") from None


def _connect(native: ctypes.CDLL, found: dict[str, str]) -> None:
    """Gives oneDNN's functions to the handler; notes in `found` which library it is."""
    library, found["path"] = load()
    version = version_of(library)
    found["version"] = f"{version.major}.{version.minor}.{version.patch}"
    found["runtime"] = RUNTIMES.get(version.cpu_runtime, f"runtime {version.cpu_runtime}")
    isa = library.dnnl_get_effective_cpu_isa()
    if platform.machine() in ("x86_64", "AMD64") and isa in TOO_OLD:
        raise UnusableError(f"the CPU has {TOO_OLD[isa]}, and oneDNN needs AVX2 to be fast")
    addresses = _addresses(native, library)
    omp_set_num_threads = addresses[-OPTIONAL]
    splits = found["runtime"] in SPLITTING and (found["runtime"] != "OpenMP" or omp_set_num_threads)
    status = native.jaxconv_start(addresses, bool(splits))
    if status:
        raise UnusableError(f"{found['path']}: dnnl_engine_create returned status {status}")


def _addresses(native: ctypes.CDLL, library: ctypes.CDLL) -> ctypes.Array:
    """Returns the addresses of oneDNN's functions in the order of the handler's table."""
    count = ctypes.c_int.in_dll(native, "jaxconv_function_count").value
    table = (ctypes.c_char_p * count).in_dll(native, "jaxconv_function_names")
    names = [(name or b"").decode() for name in table]
    missing = [name for name in names[:-OPTIONAL] if not hasattr(library, name)]
    if missing:
        raise UnusableError(f"{library._name}: a oneDNN without {missing[0]}")
    found = (getattr(library, name, None) for name in names)
    addresses = [function and ctypes.cast(function, ctypes.c_void_p).value for function in found]
    return (ctypes.c_void_p * count)(*addresses)


def try_handler() -> str:
    """Registers the handler with XLA and runs the self-test. Returns why that failed, or an empty string."""
    import jax

    from jaxconv.convolution.native import self_test

    try:
        jax.local_devices(backend="cpu")  # a handler that XLA refuses must not be there when it starts
        capsule = jax.ffi.pycapsule(_object().jaxconv_convolution)
        jax.ffi.register_ffi_target(TARGET, capsule, platform="cpu")
    except Exception as error:
        return f"jaxlib refuses the native part (if compiled for a later jaxlib, reinstall jaxconv): {error}"
    try:
        difference = _in_a_new_thread(self_test.run)
    except Exception as error:  # of XLA or of the handler: whatever it is, oneDNN is not used
        difference = str(error)
    return f"its self-test failed: {difference}" if difference else ""


def _in_a_new_thread(function: Callable[[], str]) -> str:
    """Calls a function where no trace, mesh or configuration of the calling thread reaches it."""
    results: list[str] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
