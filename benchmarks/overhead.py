"""Cost of the library before it computes: import, compilation, dispatch."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from benchmarks.cases import CASES, Case, case
from benchmarks.memory import ROOT
from benchmarks.table import Cell, Ratio, Row, Table
from benchmarks.timing import Timing, summary, timings
from benchmarks.ways import ARGUMENTS, Ways, jaxconv_ways, lax_ways, operands

TINY = case("3x3 1 to 1, 4x4", 1, (4, 4), (3, 3), (1, 1))
COMPILED = ("3x3 16 to 16", "3x3 depthwise 64", "4x4 stride 2, 32 to 64")
WAYS = {"y": ("conv", "conv"), "x": ("conv_transpose", "lhs_dilation"), "w": ("vjp of conv", "vjp of conv")}


def table(*, quick: bool = False, repeats: int = 11) -> Table:
    """Measures every cost, one row per cost; the peer is jax or lax."""
    repeats = max(1, repeats // 4) if quick else repeats
    rows = [_import(repeats), *_dispatch()]
    rows += [row for case in CASES if case.name in COMPILED for row in _compilation(case, repeats)]
    return Table(
        "overhead",
        "Milliseconds of `import jaxconv` compared with `import jax`, and of compilation (with tracing and "
        "lowering) and calls compared with lax.",
        rows,
        ["Imports alternate in processes of their own. Before each compilation jax's caches are cleared."],
    )


def _row(what: str, ours: Timing, peer: Timing) -> Row:
    cells: dict[str, Cell] = {"case": what, "jaxconv": ours, "jax or lax": peer}
    return Row(cells | {"ours / theirs": Ratio(ours.median / peer.median)})


def _import(repeats: int) -> Row:
    times: dict[str, list[float]] = {"jaxconv": [], "jax": []}
    with tempfile.TemporaryDirectory() as compiled:
        for _ in range(repeats + 1):
            for module, seconds in times.items():
                seconds.append(_import_seconds(module, compiled))
    ours, peer = (summary(seconds[1:]) for seconds in times.values())  # the first compiles modules
    return _row("import", ours, peer)


def _import_seconds(module: str, compiled: str) -> float:
    """Measures an import in a process that finds its modules compiled, as pip installs them."""
    program = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    command = [sys.executable, "-c", program]
    environment = os.environ | {"PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return float(ran.stdout)


def _dispatch() -> list[Row]:
    """Measures a convolution so small that only the call takes time."""
    arrays = {name: jnp.asarray(array) for name, array in operands(TINY).items()}
    ours, peer = jaxconv_ways(TINY)["y"]["conv"], lax_ways(TINY)["y"]["conv"]
    rows = []
    for what, wrap in (("call under jit", jax.jit), ("call without jit", lambda function: function)):
        calls = {
            name: partial(wrap(function), arrays["x"], arrays["w"])
            for name, function in (("ours", ours), ("lax", peer))
        }
        times = timings({name: partial(_call_100_times, call) for name, call in calls.items()})
        rows.append(_row(f"100 times {what}, {TINY.name}", times["ours"], times["lax"]))
    return rows


def _call_100_times(call: Callable[[], jax.Array]) -> jax.Array:
    for _ in range(99):
        call()
    return call()


def _compilation(case: Case, repeats: int) -> list[Row]:
    arrays = {name: jnp.asarray(array) for name, array in operands(case).items()}
    rows = []
    for result, (ours, peer) in WAYS.items():
        times: dict[str, list[float]] = {"ours": [], "lax": []}
        for _ in range(repeats):
            for name, ways, way in (("ours", jaxconv_ways, ours), ("lax", lax_ways, peer)):
                times[name].append(_compile_seconds(ways(case), result, way, arrays))
        rows.append(_row(f"compile {case.name}: {result}", *(summary(seconds) for seconds in times.values())))
    return rows


def _compile_seconds(ways: Ways, result: str, way: str, arrays: dict[str, jax.Array]) -> float:
    jax.clear_caches()
    start = time.perf_counter()
    jax.jit(ways[result][way]).lower(*(arrays[name] for name in ARGUMENTS[result])).compile()
    return time.perf_counter() - start
