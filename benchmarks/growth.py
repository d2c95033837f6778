"""Growth of time and memory with the size of C, each size in a process of its own.

``python -m benchmarks.growth SIDE`` measures one size; with ``--devices``, on virtual devices.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from benchmarks.agreement import check_agreement
from benchmarks.memory import Peak, answer, in_child
from benchmarks.table import Cell, Megabytes, Row, Table
from benchmarks.timing import Timing, timings
from jaxconv import ConvGeometry, ConvMatrix, conv_matrix

SIDES = (3, 9, 29, 93, 295)  # 10^4 to 10^8 entries
SHARDED_SIDE, DEVICES = 64, 8
STEPS = ("build", "C @ x", "C.T @ y")


def table(*, quick: bool = False, sides: Sequence[int] | None = None, folder: Path | None = None) -> Table:
    """Measures every size, one row per size and library; draws the picture into `folder`."""
    if sides is None:
        sides = SIDES[:3] if quick else SIDES
    results = {side: in_child("benchmarks.growth", str(side)) for side in sides}
    rows = [_row(side, name, results[side][name]) for side in sides for name in ("jaxconv", "SciPy CSR")]
    sharded = in_child("benchmarks.growth", str(SHARDED_SIDE), "--devices", devices=DEVICES)
    rows.append(_row(SHARDED_SIDE, f"jaxconv, {DEVICES} virtual devices", sharded))
    picture = None
    if folder is not None:
        from benchmarks.picture import draw

        picture = draw({_geometry(side).nnz: results[side] for side in sides}, folder).name
    return Table(
        "growth",
        "Milliseconds and memory of C for 3x3, 8 to 16 features, on square maps, from 10^4 stored values on.",
        rows,
        [
            "`peak`: the highest memory while the first C is built, above that before it, with compilation "
            "and index patterns; SciPy starts from existing triples.",
            f"Rows of C over {DEVICES} virtual devices, which share the processor: each stores its part.",
        ],
        picture,
    )


def _row(side: int, library: str, result: dict[str, Any]) -> Row:
    g = _geometry(side)
    cells: dict[str, Cell] = {"case": f"{side}x{side}", "entries": f"{g.nnz:,}", "library": library}
    cells |= {step: Timing(**result[step]) for step in STEPS}
    for column in ("held", "peak", "a device"):
        size = result.get(column)
        cells[f"{column} MB"] = None if size is None else Megabytes(size / 1e6)
    return Row(cells)


def _geometry(side: int) -> ConvGeometry:
    return ConvGeometry((side, side), (3, 3), in_features=8, out_features=16, padding="SAME")


def _operands(g: ConvGeometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = (g.kernel_array_shape, (g.matrix_shape[1],), (g.matrix_shape[0],))
    kernel, x, y = (rng.standard_normal(shape, np.float32) for shape in shapes)
    return kernel, x, y


def measure(side: int) -> dict[str, Any]:
    """Measures one size, with jaxconv and with SciPy."""
    g = _geometry(side)
    kernel, x, y = _operands(g)
    tiny = _geometry(2)
    conv_matrix(jnp.ones(tiny.kernel_array_shape, jnp.float32), tiny).values.block_until_ready()
    on_device = [jax.device_put(array) for array in (kernel, x, y)]
    peak = Peak()
    C = conv_matrix(on_device[0], g)
    C.values.block_until_ready()
    ours = {"peak": peak.bytes, "held": C.nbytes} | _products(C, on_device[1], on_device[2])
    ours |= _time({"build": lambda: conv_matrix(on_device[0], g).values})
    coo = C.to_scipy("coo")
    data, row, column = _shuffle(coo)
    del coo
    peak = Peak()
    csr = scipy.sparse.coo_array((data, (row, column)), shape=C.shape).tocsr()
    stored = csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes
    theirs = {"peak": peak.bytes, "held": stored} | _products(csr, x, y)
    theirs |= _time({"build": lambda: scipy.sparse.coo_array((data, (row, column)), shape=C.shape).tocsr()})
    check_agreement("C @ x", C @ on_device[1], csr @ x, terms=72)
    check_agreement("C.T @ y", C.T @ on_device[2], csr.T @ y, terms=144)
    return {"jaxconv": ours, "SciPy CSR": theirs}


def measure_sharded(side: int) -> dict[str, Any]:
    """Measures C with its rows on all devices, divided along the first output axis."""
    g = _geometry(side)
    kernel, x, y = _operands(g)
    mesh = jax.make_mesh((jax.device_count(),), ("rows",), axis_types=(AxisType.Auto,))
    whole = conv_matrix(kernel, g)
    rows = NamedSharding(mesh, PartitionSpec(None, "rows"))
    everywhere = NamedSharding(mesh, PartitionSpec())
    build = jax.jit(lambda kernel: conv_matrix(kernel, g), out_shardings=rows)
    kernel, x, y = (jax.device_put(array, everywhere) for array in (kernel, x, y))
    C = build(kernel)
    product = jax.jit(lambda C, x: C @ x)
    transposed = jax.jit(lambda C, y: C.T @ y)
    check_agreement("C @ x", product(C, x), whole @ np.asarray(x), terms=72)
    check_agreement("C.T @ y", transposed(C, y), whole.T @ np.asarray(y), terms=144)
    calls = {"build": lambda: build(kernel).values}
    calls |= {"C @ x": partial(product, C, x), "C.T @ y": partial(transposed, C, y)}
    shares = [shard.data.nbytes for shard in C.values.addressable_shards]
    return _time(calls) | {"held": C.nbytes, "a device": max(shares)}


def _products(
    C: ConvMatrix | scipy.sparse.csr_array, x: jax.Array | np.ndarray, y: jax.Array | np.ndarray
) -> dict[str, Any]:
    transpose = C.T
    return _time({"C @ x": lambda: C @ x, "C.T @ y": lambda: transpose @ y})


def _time(calls: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    return {name: timing._asdict() for name, timing in timings(calls, least=3, most=20).items()}


def _shuffle(coo: scipy.sparse.coo_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = np.random.default_rng(1).permutation(coo.nnz)
    return coo.data[order], coo.row[order].astype(np.int32), coo.col[order].astype(np.int32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("side", type=int)
    parser.add_argument("--devices", action="store_true", help="over all devices that jax has")
    options = parser.parse_args()
    answer((measure_sharded if options.devices else measure)(options.side))
