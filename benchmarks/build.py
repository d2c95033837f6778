"""Building C: conv_matrix compared with other ways to the same matrix.

``python -m benchmarks.build NAME`` measures the memory of one case in a process of its own.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse

from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.cases import Case, case
from benchmarks.memory import Peak, answer, in_child
from benchmarks.table import Megabytes, Ratio, Row, Table, ratio
from benchmarks.timing import timings
from benchmarks.ways import lax_conv
from jaxconv import ConvGeometry, conv_matrix

try:
    import asdex
except ImportError:  # a development tool, which does not work with every version of jax
    asdex = None

CASES = (
    case("3x3 1 to 1, 16x16", 1, (16, 16), (3, 3), (1, 1)),
    case("3x3 1 to 1, 64x64", 1, (64, 64), (3, 3), (1, 1)),
    case("3x3 8 to 16, 64x64", 1, (64, 64), (3, 3), (8, 16)),
    case("1-D k9 8 to 16, 4096", 1, (4096,), (9,), (8, 16)),
    case("3x3x3 4 to 8, 16x16x16", 1, (16, 16, 16), (3, 3, 3), (4, 8)),
    case("3x3 stride 2, 8 to 16, 64x64", 1, (64, 64), (3, 3), (8, 16), strides=2),
    case("3x3 3 to 64, 224x224", 1, (224, 224), (3, 3), (3, 64)),
)
QUICK = ("3x3 1 to 1, 16x16", "3x3 8 to 16, 64x64")
# Beyond these sizes a peer takes minutes or too much memory, and is not measured.
ASDEX_ENTRIES = 10**5
JACOBIAN_BYTES = 2**28
PROBED_COLUMNS = 5000
LARGE_BYTES = 10**6  # of C; below it, the memory of compilation hides that of C
PEERS = ("SciPy COO to CSR", "asdex", "asdex cold", "jax.jacobian", "unit vectors")


def table(*, quick: bool = False, cases: Sequence[Case] | None = None, seconds: float = 0.5) -> Table:
    """Measures every case, one row per case."""
    if cases is None:
        cases = [case for case in CASES if not quick or case.name in QUICK]
    return Table(
        "build",
        "Milliseconds to build C. `writing` writes as many numbers once; `peak` is the highest memory during "
        "the first conv_matrix of a process, above that before it, in multiples of the memory of C.",
        [_row(case, seconds / 3 if quick else seconds) for case in cases],
        [
            "SciPy starts from existing, shuffled int32 triples. asdex reuses its colouring; cold: with "
            "sparsity and colouring. Unit vectors: conv of each, in a Python loop.",
            f"Not measured: asdex beyond {ASDEX_ENTRIES:,} entries, jax.jacobian beyond {JACOBIAN_BYTES:,} "
            f"bytes of dense result, unit vectors beyond {PROBED_COLUMNS:,} columns.",
        ],
    )


def _row(case: Case, seconds: float) -> Row:
    g = case.geometry
    kernel = jnp.asarray(np.random.default_rng(0).standard_normal(g.kernel_array_shape, np.float32))
    start = time.perf_counter()
    C = conv_matrix(kernel, g)
    C.values.block_until_ready()
    cold = 1e3 * (time.perf_counter() - start)
    calls = {
        "conv_matrix": lambda: conv_matrix(kernel, g).values,
        "jitted": partial(jax.jit(lambda kernel: conv_matrix(kernel, g).values), kernel),
        "writing": partial(jax.jit(partial(jnp.full, C.values.shape)), kernel[(0,) * kernel.ndim]),
    }
    ours = timings(calls, seconds=seconds, least=3)
    csr = C.to_scipy("csr")
    peers = timings(_peers(g, kernel, csr), seconds=seconds, least=1, check=partial(_check, case.name, csr))
    cells: dict[str, Any] = {"case": case.name, **ours, "cold": f"{cold:.0f}"}
    cells |= {peer: peers.get(peer) for peer in PEERS}
    cells["best peer / ours"] = ratio(ours["conv_matrix"], *peers.values())
    cells["ours / writing"] = Ratio(ours["conv_matrix"].median / ours["writing"].median)
    cells |= {"C MB": Megabytes(C.nbytes / 1e6), "peak": _peak(case, C.nbytes)}
    return Row(cells, {"entries": g.nnz, "cold milliseconds": cold})


def _peers(g: ConvGeometry, kernel: jax.Array, csr: scipy.sparse.csr_array) -> dict[str, Callable[[], Any]]:
    """Returns calls that build the matrix, of the peers that can."""
    coo = csr.tocoo()
    order = np.random.default_rng(1).permutation(coo.nnz)
    row, column, data = (np.ascontiguousarray(part[order]) for part in (coo.row, coo.col, coo.data))
    row, column = row.astype(np.int32), column.astype(np.int32)
    calls: dict[str, Callable[[], Any]] = {
        "SciPy COO to CSR": lambda: scipy.sparse.coo_array((data, (row, column)), shape=csr.shape).tocsr()
    }
    x = jnp.zeros(g.matrix_shape[1], kernel.dtype)
    flat = partial(_flat_conv, g)
    if asdex is not None and g.nnz <= ASDEX_ENTRIES:
        colouring = asdex.jacobian_coloring(partial(flat, kernel), x)
        evaluate = jax.jit(
            lambda kernel, x: asdex.jacobian_from_coloring(partial(flat, kernel), colouring)(x)
        )
        calls["asdex"] = partial(evaluate, kernel, x)
        calls["asdex cold"] = lambda: asdex.jacobian(partial(flat, kernel), x)(x)
    if 4 * math.prod(g.matrix_shape) <= JACOBIAN_BYTES:
        calls["jax.jacobian"] = partial(jax.jit(jax.jacobian(flat, argnums=1)), kernel, x)
    if g.matrix_shape[1] <= PROBED_COLUMNS:
        calls["unit vectors"] = partial(_probe, partial(jax.jit(flat), kernel), g.matrix_shape[1])
    return calls


def _flat_conv(g: ConvGeometry, kernel: jax.Array, x: jax.Array) -> jax.Array:
    """Computes C x by XLA's convolution; the kernel is an argument, since XLA folds constants."""
    return lax_conv(g, x.reshape(1, *g.input_shape, g.in_features), kernel).ravel()


def _probe(function: Callable[[np.ndarray], jax.Array], columns: int) -> scipy.sparse.csc_array:
    """Builds the matrix column by column, from unit vectors."""
    parts = []
    for column in range(columns):
        unit = np.zeros(columns, np.float32)
        unit[column] = 1
        parts.append(scipy.sparse.csc_array(np.asarray(function(unit))[:, None]))
    return scipy.sparse.hstack(parts, format="csc")


def _check(case: str, csr: scipy.sparse.csr_array, peer: str, result: Any) -> None:
    """Checks that the products with one vector agree, and that no entry is missing."""
    x = np.random.default_rng(2).standard_normal(csr.shape[1], np.float32)
    if scipy.sparse.issparse(result) and result.nnz != csr.nnz:
        raise Disagreement(f"{case} by {peer}: {result.nnz} entries, expected {csr.nnz}.")
    check_agreement(f"{case} by {peer}", result @ x, csr @ x, max(1, csr.nnz // csr.shape[0]))


def _peak(case: Case, stored: int) -> Ratio | None:
    """Measures the peak in a process of its own; None if C is too small for it."""
    if stored < LARGE_BYTES:
        return None
    result = in_child("benchmarks.build", case.name)
    return result["peak"] and Ratio(result["peak"] / stored)


def main(name: str) -> None:
    """Measures the peak of the first conv_matrix of this process, after a tiny one to warm up jax."""
    (geometry,) = [case.geometry for case in CASES if case.name == name]
    tiny = ConvGeometry((5,) * geometry.ndim, (3,) * geometry.ndim)
    conv_matrix(jnp.ones(tiny.kernel_array_shape, jnp.float32), tiny).values.block_until_ready()
    kernel = jnp.ones(geometry.kernel_array_shape, jnp.float32).block_until_ready()
    peak = Peak()
    conv_matrix(kernel, geometry).values.block_until_ready()
    answer({"peak": peak.bytes})


if __name__ == "__main__":
    main(sys.argv[1])
