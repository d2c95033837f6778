"""How fast are C x, C-transposed y and conv beside SciPy's CSR product and lax?

    python benchmarks/first_table.py [--json FILE]

64x64 maps, 8 -> 16 features, 3x3, SAME, float32: medians of 50 calls, all peers in turn in one run.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from rich.console import Console
from rich.table import Table

from jaxconv import ConvGeometry, conv, conv_matrix

GEOMETRY = ConvGeometry((64, 64), (3, 3), in_features=8, out_features=16, padding="SAME")
REPEATS = 50


def medians(functions: dict[str, Callable]) -> dict[str, float]:
    """Milliseconds of each function, called in turn so that a drifting machine hurts all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        jax.block_until_ready(function())
    for _ in range(REPEATS):
        for name, function in functions.items():
            start = time.perf_counter()
            jax.block_until_ready(function())
            seconds[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(values) for name, values in seconds.items()}


def measure() -> dict[str, dict[str, float]]:
    """One row a case: milliseconds of jaxconv first, then of its peer."""
    g, rng = GEOMETRY, np.random.default_rng(0)
    kernel, x, y = (
        jnp.asarray(rng.normal(size=shape), jnp.float32)
        for shape in (g.kernel_array_shape, g.matrix_shape[1], g.matrix_shape[0])
    )
    C = conv_matrix(kernel, g)
    csr, x_numpy, y_numpy = C.to_scipy("csr"), np.asarray(x), np.asarray(y)
    maps = x.reshape(1, *g.input_shape, g.in_features)
    ours = jax.jit(lambda x, k: conv(x, k, padding="SAME"))
    numbers = ("NHWC", "HWIO", "NHWC")
    lax = jax.jit(lambda x, k: jax.lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=numbers))
    return {
        "C @ x": medians({"jaxconv": lambda: C @ x, "SciPy CSR": lambda: csr @ x_numpy}),
        # C keeps its transpose: it is made by the first of the calls, outside of the time.
        "C.T @ y": medians({"jaxconv": lambda: C.T @ y, "SciPy CSR": lambda: csr.T @ y_numpy}),
        "conv(method='auto')": medians(
            {"jaxconv": lambda: ours(maps, kernel), "lax": lambda: lax(maps, kernel)}
        ),
    }


def main() -> None:
    """Prints the table; writes it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = measure()
    versions = f"jax {jax.__version__}, SciPy {scipy.__version__}"
    where = f"{jax.devices()[0].device_kind}, {platform.machine()}, {versions}"
    table = Table(title=f"{GEOMETRY}\n{where}, median of {REPEATS} calls in milliseconds")
    for name in ("", "jaxconv", "peer", "", "peer / jaxconv"):
        table.add_column(name, justify="right" if name else "left")
    for case, times in rows.items():
        (_, ours), (peer, theirs) = times.items()
        table.add_row(case, f"{ours:.2f}", f"{theirs:.2f}", peer, f"{theirs / ours:.2f}")
    Console().print(table)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"where": where, "milliseconds": rows}, indent=2))


if __name__ == "__main__":
    main()
