"""C @ x, C.T @ y and their gradients, compared with the sparse products of other libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.agreement import check_agreement
from benchmarks.cases import Case, case
from benchmarks.matrix_peers import PEERS, numbers, product_peers
from benchmarks.table import Megabytes, Ratio, Row, Table, ratio
from benchmarks.timing import Timing, timings
from benchmarks.ways import terms
from jaxconv import ConvGeometry, ConvMatrix, conv_matrix

CASES = (
    case("3x3 8 to 16, 64x64", 1, (64, 64), (3, 3), (8, 16)),
    case("3x3 1 to 1, 64x64", 1, (64, 64), (3, 3), (1, 1)),
    case("3x3 1 to 1, 256x256", 1, (256, 256), (3, 3), (1, 1)),
    case("3x3 1 to 1, 512x512", 1, (512, 512), (3, 3), (1, 1)),
    case("3x3 depthwise 32, 64x64", 1, (64, 64), (3, 3), (32, 32), feature_group_count=32),
    case("3x3 stride 2, 8 to 16, 64x64", 1, (64, 64), (3, 3), (8, 16), strides=2),
    case("1-D k9 8 to 16, 4096", 1, (4096,), (9,), (8, 16)),
    case("3x3x3 4 to 8, 16x16x16", 1, (16, 16, 16), (3, 3, 3), (4, 8)),
)
QUICK = ("3x3 8 to 16, 64x64", "3x3 1 to 1, 256x256")
BATCHES = (1, 32)


class Product(NamedTuple):
    """One product of jaxconv, and the same product of peers."""

    name: str
    batch: int
    ours: Callable[[], Any]
    jitted: Callable[[], Any] | None  # with the matrix as an argument
    peers: Callable[[], Iterable[tuple[str, Callable[[], Any]]] | dict]
    terms: int


def table(*, quick: bool = False, cases: Sequence[Case] | None = None, seconds: float = 0.3) -> Table:
    """Measures every product, one row per product."""
    if cases is None:
        cases = [case for case in CASES if not quick or case.name in QUICK]
    rows = [row for case in cases for row in _rows(case, seconds / 3 if quick else seconds)]
    return Table(
        "product",
        "Milliseconds of one product; jitted: the matrix is an argument. `reading` is the time to sum the "
        "stored values once, `of reading` that time divided by the time of the product.",
        rows,
        [
            "Gradients are of <C x, y>: in x through C @ x, in the kernel through conv_matrix too.",
            "A column of dashes: that library is not installed, or needs a GPU.",
            "`C.T @ y inside jit`: C is an argument of the program and transposed in it.",
        ],
    )


def _rows(case: Case, seconds: float) -> list[Row]:
    g = case.geometry
    rng = np.random.default_rng(0)
    kernel = jnp.asarray(rng.standard_normal(g.kernel_array_shape, np.float32))
    C = conv_matrix(kernel, g)
    read = timings({"sum": partial(jax.jit(jnp.sum), C.values)}, seconds=seconds)["sum"]
    rows = []
    for batch in BATCHES:
        x, y = (
            rng.standard_normal((n, batch) if batch > 1 else (n,), np.float32) for n in g.matrix_shape[::-1]
        )
        rows += [_row(case, C, read, product, seconds) for product in _products(case, C, kernel, x, y)]
    return rows


def _products(
    case: Case, C: ConvMatrix, kernel: jax.Array, x: np.ndarray, y: np.ndarray
) -> Iterator[Product]:
    """Yields all products of one case and batch."""
    batch, n = (x.shape[1] if x.ndim > 1 else 1), terms(case)
    on_device = jax.device_put(x), jax.device_put(y)
    CT = C.T
    forward, backward = (partial(product_peers, *operands) for operands in ((C, x), (CT, y)))
    product = jax.jit(lambda C, x: C @ x)
    transposing = jax.jit(lambda C, y: C.T @ y)
    in_x = jax.jit(lambda C, x, y: jax.vjp(lambda x: C @ x, x)[1](y)[0])
    in_kernel = jax.jit(partial(_kernel_gradient, case.geometry))
    x_, y_ = on_device
    yield Product("C @ x", batch, lambda: C @ x_, partial(product, C, x_), forward, n["y"])
    yield Product("C.T @ y", batch, lambda: CT @ y_, partial(product, CT, y_), backward, n["x"])
    yield Product("C.T @ y inside jit", batch, partial(transposing, C, y_), None, backward, n["x"])
    yield Product("gradient in x", batch, partial(in_x, C, x_, y_), None, backward, n["x"])
    yield Product("gradient in kernel", batch, partial(in_kernel, kernel, x_, y_), None, dict, n["w"])


def _kernel_gradient(g: ConvGeometry, kernel: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    return jax.vjp(lambda kernel: conv_matrix(kernel, g) @ x, kernel)[1](y)[0]


def _row(case: Case, C: ConvMatrix, read: Timing, product: Product, seconds: float) -> Row:
    calls: dict[str, Callable] = {"jaxconv": product.ours}
    if product.jitted:
        calls["jitted"] = product.jitted
    calls |= dict(product.peers())
    expected = numbers(product.ours())

    def check(name: str, result: Any) -> None:
        check_agreement(f"{case.name}: {product.name} by {name}", numbers(result), expected, product.terms)

    times = timings(calls, seconds=seconds, check=check)
    peers = {peer: times.get(peer) for peer in PEERS}
    cells = {"case": case.name, "product": product.name, "batch": product.batch}
    cells |= {"jaxconv": times["jaxconv"], "jitted": times.get("jitted"), **peers}
    cells["best peer / ours"] = ratio(times["jaxconv"], *peers.values())
    cells |= {"reading": read, "of reading": Ratio(read.median / times["jaxconv"].median)}
    cells["C MB"] = Megabytes(C.nbytes / 1e6)
    return Row(cells, {"ways": times})
