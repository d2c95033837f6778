"""Linear algebra of C: spectra, norms and inverses, compared with SciPy, PyTorch and LSMR."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse.linalg

from benchmarks.agreement import Disagreement
from benchmarks.table import Row, Table, ratio
from benchmarks.timing import timings
from benchmarks.torch_ways import torch
from jaxconv import ConvGeometry, binomial_filter, conv, conv_matrix
from jaxconv.linalg import deconvolve, norm_interval, operator_norm, singular_values

PEERS = ("NumPy FFT and svd", "SciPy svds", "PyTorch spectral_norm", "LSMR (lineax)", "SciPy lsmr")
POWER_ITERATIONS = 30  # what PyTorch's parametrization does at its start, twice


class Question(NamedTuple):
    """One question: our way, the peers' ways, and what the answers must agree to.

    Attributes:
      case: Kernel, features, size and padding of the row.
      question: What is computed.
      ours: Computes it.
      peers: Ways of peers, by name; those of `other` compute another number.
      tolerance: Relative difference that the answers may have.
      result: Describes our answer.
      other: Names of the peers whose number is another one.
    """

    case: str
    question: str
    ours: Callable[[], Any]
    peers: dict[str, Callable[[], Any]]
    tolerance: float
    result: Callable[[Any, dict[str, Any]], str]
    other: tuple[str, ...] = ()


def geometry(n: int, features: int, mode: str = "circular") -> ConvGeometry:
    """Returns the geometry of 3x3 taps and same padding on an n x n map."""
    return ConvGeometry(
        (n, n), (3, 3), in_features=features, out_features=features, padding="SAME", padding_mode=mode
    )


def table(*, quick: bool = False, questions: Sequence[Question] | None = None, seconds: float = 0.3) -> Table:
    """Measures every question, one row each."""
    if questions is None:
        questions = list(_questions(quick))
    return Table(
        "linalg",
        "Milliseconds of one answer, float32, 3x3 taps.",
        [_row(question, seconds / 3 if quick else seconds) for question in questions],
        [
            "A dense svd is hopeless where C has 65,536 rows: C alone is 17 GB, its svd 10^15 operations.",
            "PyTorch's spectral_norm is the norm of the reshaped kernel, another number: see `result`.",
            "The products of a certified interval include the last one, which checks the vector.",
        ],
    )


def _questions(quick: bool) -> Iterator[Question]:
    n, features = (16, 16) if quick else (32, 64)
    yield _all_singular_values(geometry(n, features))
    yield _norm(geometry(n, 4 if quick else 16, "zeros"))
    yield _interval(geometry(32, 4 if quick else 16, "zeros"))
    yield _interval(geometry(64, 4, "zeros"))
    yield _deconvolution(geometry(64 if quick else 256, 1), damping=1e-5)
    yield _deconvolution(geometry(16 if quick else 32, 8), damping=1e-5)


def _kernel(g: ConvGeometry) -> jax.Array:
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.standard_normal(g.kernel_array_shape, np.float32) / np.sqrt(g.parameters))


def _name(g: ConvGeometry) -> str:
    size = "x".join(map(str, g.input_shape))
    return f"{g.in_features} to {g.out_features}, {size} {g.padding_mode}"


def _all_singular_values(g: ConvGeometry) -> Question:
    kernel = _kernel(g)

    def by_numpy() -> np.ndarray:
        """Transforms the kernel and decomposes one matrix per frequency (Sedghi et al., 2018)."""
        hat = np.fft.fft2(np.asarray(kernel), g.input_shape, axes=(0, 1)).astype(np.complex64)
        return np.sort(np.linalg.svd(hat, compute_uv=False).ravel())[::-1]

    ours = partial(jax.jit(partial(singular_values, geometry=g)), kernel)
    result = lambda values, _: f"{values.size:,} values, {values[0]:.3f} to {values[-1]:.1e}"  # noqa: E731
    peers = {"NumPy FFT and svd": by_numpy}
    return Question(_name(g), "all singular values", ours, peers, 1e-4, result)


def _norm(g: ConvGeometry) -> Question:
    kernel = _kernel(g)
    csr = conv_matrix(kernel, g).to_scipy("csr")
    peers: dict[str, Callable[[], Any]] = {
        "SciPy svds": lambda: scipy.sparse.linalg.svds(csr, 1, return_singular_vectors=False)
    }
    if torch is not None:
        peers["PyTorch spectral_norm"] = _torch_norm(kernel)

    def result(norm: Any, others: dict[str, Any]) -> str:
        text = f"norm {float(norm):.4f}"
        if other := others.get("PyTorch spectral_norm"):
            text += f", {float(norm) / float(other):.2f} of PyTorch's"
        return text

    ours = partial(jax.jit(partial(operator_norm, geometry=g)), kernel)
    return Question(_name(g), "operator norm", ours, peers, 1e-4, result, ("PyTorch spectral_norm",))


def _torch_norm(kernel: jax.Array) -> Callable[[], Any]:
    """Returns the power iteration of PyTorch's spectral_norm, on its reshaped kernel."""
    matrix = torch.from_numpy(np.moveaxis(np.array(kernel), -1, 0).reshape(kernel.shape[-1], -1).copy())
    start = torch.nn.functional.normalize(torch.ones(len(matrix)), dim=0)

    def call() -> Any:
        u = start
        for _ in range(POWER_ITERATIONS):
            v = torch.nn.functional.normalize(matrix.T @ u, dim=0)
            u = torch.nn.functional.normalize(matrix @ v, dim=0)
        return u @ matrix @ v

    return call


def _interval(g: ConvGeometry, steps: int = 12) -> Question:
    kernel = _kernel(g)

    def result(interval: Any, _: dict[str, Any]) -> str:
        low, high = map(float, interval)
        products = f"{steps + 1} and {steps} products of C and C-transposed"
        return f"{low:.4f} to {high:.4f}, {high / low - 1:.2%}; {products}"

    ours = partial(jax.jit(partial(norm_interval, geometry=g, steps=steps)), kernel)
    return Question(_name(g), "certified norm interval", ours, {}, 1.0, result)


def _deconvolution(g: ConvGeometry, damping: float) -> Question:
    """Returns the question of a blur of one feature, or of a random kernel of several."""
    kernel = _kernel(g)
    if g.in_features == 1:
        kernel = jnp.asarray(binomial_filter(g.kernel_shape, dtype=jnp.float32))[..., None, None]
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.standard_normal((*g.input_shape, g.in_features), np.float32))
    y = conv(x, kernel, geometry=g)
    csr, flat = conv_matrix(kernel, g).to_scipy("csr"), np.asarray(y).ravel()
    solve = {
        method: partial(
            jax.jit(partial(deconvolve, geometry=g, damping=damping, method=method)), y, kernel
        )
        for method in ("fourier", "lsmr")
    }  # fmt: skip
    options = {"damp": damping**0.5, "atol": 1e-6, "btol": 1e-6, "maxiter": 1000}
    peers = {
        "LSMR (lineax)": solve["lsmr"],
        "SciPy lsmr": lambda: scipy.sparse.linalg.lsmr(csr, flat, **options)[0],
    }

    def result(found: Any, _: dict[str, Any]) -> str:
        return f"relative error {np.linalg.norm(found - x) / np.linalg.norm(x):.1e}"

    return Question(_name(g), f"deconvolution, damping {damping:g}", solve["fourier"], peers, 1e-2, result)


def _row(question: Question, seconds: float) -> Row:
    expected, answers = question.ours(), {}

    def check(name: str, answer: Any) -> None:
        answers[name] = answer
        if name in ("jaxconv", *question.other):
            return
        got, wanted = np.ravel(np.asarray(answer)), np.ravel(np.asarray(expected))
        difference = np.linalg.norm(got - wanted) / np.linalg.norm(wanted)
        if not difference <= question.tolerance:
            raise Disagreement(f"{question.case}: {question.question} by {name}: differs by {difference:.1e}")

    times = timings({"jaxconv": question.ours, **question.peers}, seconds=seconds, least=3, check=check)
    cells: dict[str, Any] = {
        "case": question.case,
        "question": question.question,
        "jaxconv": times["jaxconv"],
    }
    cells |= {peer: times.get(peer) for peer in PEERS}
    cells["best peer / ours"] = ratio(
        times["jaxconv"], *(times[name] for name in question.peers if name not in question.other)
    )
    cells["result"] = question.result(expected, answers)
    return Row(cells, {"ways": times})
