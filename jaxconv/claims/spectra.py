"""Singular values of C: exact on a torus, bounded elsewhere, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Cases, double, gap, normal, run
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.convolution import conv, conv_kernel_vjp, conv_transpose
from jaxconv.geometry import ConvGeometry
from jaxconv.linalg import (
    deconvolve,
    frobenius_norm,
    log_determinant,
    norm_bound,
    norm_interval,
    operator_norm,
    rank,
    singular_values,
)

SEDGHI = "Sedghi, Gupta & Long, arXiv:1805.10408"
MIYATO = "Miyato, Kataoka, Koyama & Yoshida, arXiv:1802.05957"
STRANG = "Strang, 1999, doi:10.1137/S0036144598336745"

CIRCULANT = (
    ConvGeometry((8,), (3,), in_features=2, out_features=2, padding=1, padding_mode="circular"),
    ConvGeometry((6, 4), (3, 2), strides=(3, 2), out_features=3, padding=((0, 0), (1, -1)),
                 padding_mode="circular"),
    ConvGeometry((6,), (3,), in_features=4, out_features=2, strides=2, kernel_dilation=2, padding=((2, 1),),
                 padding_mode="circular", feature_group_count=2),
)  # fmt: skip
PADDED = (
    ConvGeometry((7,), (3,), in_features=2, out_features=2, padding="SAME"),
    ConvGeometry((6, 5), (3, 2), strides=(2, 1), padding=((2, 1), (0, 1))),
    ConvGeometry((6,), (4,), out_features=2, padding=2, padding_mode="reflect"),
    ConvGeometry((6, 4), (2, 3), padding=1, padding_mode="replicate"),
)


def _kernel(cases: Cases, g: ConvGeometry) -> np.ndarray:
    """Draws a kernel for a geometry, the same for every claim."""
    return normal(np.random.default_rng((cases.seed, g.parameters)), g.kernel_array_shape, cases.dtype)


def _example(g: ConvGeometry) -> Callable[..., str]:
    return lambda note="": f"g = {g!r}" + (f"  # {note}" if note else "")


def _run(function: Callable[..., Any], g: ConvGeometry, *arrays: np.ndarray, jit: bool = False) -> Any:
    return run(function, *arrays, example=_example(g), jit=jit)


def _trial(got: Any, expected: Any, scale: Any, g: ConvGeometry, cases: Cases) -> Trial:
    """Compares numbers whose errors are so many roundings of `scale`."""
    got, expected = np.asarray(got), np.asarray(expected)
    return Trial(gap(got, expected, float(scale), sum(g.matrix_shape), cases.dtype), _example(g))


def _at_most(low: Any, high: Any, g: ConvGeometry, cases: Cases) -> Trial:
    """Compares two numbers up to rounding."""
    low, high = float(low), float(high)
    return _trial(max(low - high, 0.0), 0.0, max(low, high), g, cases)


@claim(
    "circular-spectrum",
    "with circular padding the singular values of C are those of small blocks, one per frequency",
    SEDGHI,
)
def circular_spectrum(cases: Cases) -> Iterator[Trial]:
    """Compares with the singular values of the dense matrix."""
    for g in CIRCULANT:
        kernel = _kernel(cases, g)
        expected = np.linalg.svd(oracle.matrix(double(kernel), g), compute_uv=False)
        got = _run(partial(singular_values, geometry=g), g, kernel)
        yield _trial(got, expected, expected[0], g, cases)


@claim(
    "norm-interval",
    "the norm of C lies between how C stretches a vector and the norm of a circular C of which it is a part",
    "definition",
)
def interval(cases: Cases) -> Iterator[Trial]:
    """Compares the interval with the norm of the dense matrix."""
    for g in PADDED[1:2]:
        kernel = _kernel(cases, g)
        norm = np.linalg.norm(oracle.matrix(double(kernel), g), 2)
        low, high = _run(partial(norm_interval, geometry=g, steps=4), g, kernel)
        yield exact(bool(low <= norm <= high), _example(g)())  # rounding is inside of the interval


@claim(
    "size-free-bound",
    "a grid of frequencies bounds the norm of C for maps of every size with zero padding",
    "Ehlich & Zeller, Mathematische Zeitschrift 86, 1964, pages 41 to 44",
)
def size_free_bound(cases: Cases) -> Iterator[Trial]:
    """Compares the bound with the norms of dense matrices of growing size."""
    for taps, stride in ((4, 1), (5, 2)):
        sizes = [
            ConvGeometry((n,), (taps,), in_features=2, out_features=2, strides=stride, padding=padding)
            for n in (5, 8, 13) for padding in ("SAME", "FULL")
        ]  # fmt: skip
        kernel = _kernel(cases, sizes[0])
        high = _run(partial(norm_bound, strides=stride), sizes[0], kernel, jit=True)
        for g in sizes:
            yield _at_most(np.linalg.norm(oracle.matrix(double(kernel), g), 2), high, g, cases)


@claim(
    "reshaped-norm",
    "the norm of the reshaped kernel is at most that of C, and that at most sqrt(taps) times as large",
    MIYATO,
)
def reshaped_norm(cases: Cases) -> Iterator[Trial]:
    """Compares the norm of C, dense and by `operator_norm`, with that of the kernel as a matrix."""
    for g in (*PADDED[:2], CIRCULANT[0]):
        kernel = _kernel(cases, g)
        reshaped = np.linalg.norm(double(kernel).reshape(-1, g.out_features), 2)
        norm = np.linalg.norm(oracle.matrix(double(kernel), g), 2)
        # Taps whose distance is a multiple of the stride meet in one cell.
        meeting = math.prod(-(-k // s) for k, s in zip(g.kernel_shape, g.strides, strict=True))
        yield _at_most(reshaped, norm, g, cases)
        yield _at_most(norm, math.sqrt(meeting) * reshaped, g, cases)
    yield _trial(_run(partial(operator_norm, geometry=g), g, kernel), norm, norm, g, cases)


@claim("grouped-norm", "the norm of a grouped convolution is the largest of its groups' norms", "definition")
def grouped_norm(cases: Cases) -> Iterator[Trial]:
    """Compares the norm with those of the groups, each a convolution of its own."""
    for g in (CIRCULANT[2], PADDED[0].with_features(4, 2, 2)):
        kernel = _kernel(cases, g)
        one = g.with_features(2, 1)
        norms = [
            np.linalg.norm(oracle.matrix(double(kernel[..., j : j + 1]), one), 2) for j in range(2)
        ]  # fmt: skip
        yield _trial(_run(partial(operator_norm, geometry=g), g, kernel), max(norms), max(norms), g, cases)


@claim(
    "valid-is-onto",
    "without padding, a convolution with one feature and any kernel but zero reaches every output",
    "definition",
)
def valid_is_onto(cases: Cases) -> Iterator[Trial]:
    """Computes ranks for kernels of -1, 0 and 1: polynomials have no zero divisors."""
    rng = np.random.default_rng(cases.seed)
    for g in (ConvGeometry((7,), (3,)), ConvGeometry((5, 4), (2, 3))):
        kernels = rng.integers(-1, 2, (8, *g.kernel_array_shape))
        kernels = kernels[abs(kernels).reshape(8, -1).max(1) > 0].astype(cases.dtype)
        ranks = _run(jax.vmap(partial(rank, geometry=g)), g, kernels, jit=True)
        yield exact(bool((ranks == g.matrix_shape[0]).all()), _example(g)())


@claim(
    "same-box-of-three",
    "a box of three taps with same padding loses information if and only if the size is 2 modulo 3",
    "definition",
    "integers",
)
def same_box_of_three(cases: Cases) -> Iterator[Trial]:
    """Computes the determinants of the dense matrices: 1, 0, -1 in turn."""
    for n in range(2, 12):
        g = ConvGeometry((n,), (3,), padding="SAME")
        determinant = round(np.linalg.det(oracle.matrix(np.ones((3, 1, 1)), g)))
        yield exact((determinant == 0) == (n % 3 == 2), _example(g)())
    for n in (4, 5):
        g = ConvGeometry((n,), (3,), padding="SAME")
        ones = np.ones((3, 1, 1), cases.dtype)
        yield exact(int(_run(partial(rank, geometry=g), g, ones)) == n - (n == 5), _example(g)())


TRANSFORMS: dict[str, Callable[[int], np.ndarray]] = {
    "zeros": lambda n: np.pi * np.arange(1, n + 1) / (n + 1),  # DST-I
    "circular": lambda n: 2 * np.pi * np.arange(n) / n,  # DFT
    "reflect": lambda n: np.pi * np.arange(n) / (n - 1),  # DCT-I
    "replicate": lambda n: np.pi * np.arange(n) / n,  # DCT-II
}


@claim(
    "four-transforms",
    "C of taps a, b, a has the eigenvalues b + 2a cos of DST-I, DFT, DCT-I, DCT-II by its padding mode",
    STRANG,
    "real",
)
def four_transforms(cases: Cases) -> Iterator[Trial]:
    """Compares eigenvalues of dense matrices, and the library's singular values where C is normal."""
    a, b = normal(np.random.default_rng(cases.seed), (2,), cases.dtype)
    kernel = np.array([a, b, a]).reshape(3, 1, 1)
    for mode, angles in TRANSFORMS.items():
        g = ConvGeometry((6,), (3,), padding=1, padding_mode=mode)  # type: ignore[arg-type]
        values = float(b) + 2 * float(a) * np.cos(angles(6))
        found = np.sort(np.linalg.eigvals(oracle.matrix(double(kernel), g)).real)
        yield _trial(found, np.sort(values), abs(values).max(), g, cases)
        if mode in ("zeros", "circular"):
            got = _run(partial(singular_values, geometry=g, k=6), g, kernel)
            yield _trial(got, np.sort(abs(values))[::-1], abs(values).max(), g, cases)


@claim(
    "frobenius-norm",
    "the squared Frobenius norm of C is the sum over taps of its square times the cells that it reads",
    "definition",
)
def frobenius(cases: Cases) -> Iterator[Trial]:
    """Compares with the entries of the dense matrix, with two taps on one cell too."""
    for g in (*PADDED, CIRCULANT[1]):
        kernel = _kernel(cases, g)
        expected = np.linalg.norm(oracle.matrix(double(kernel), g))
        yield _trial(
            _run(partial(frobenius_norm, geometry=g), g, kernel, jit=True), expected, expected, g, cases
        )


@claim(
    "log-determinant",
    "log |det C| is a sum over frequencies if circular, and positions times that of the last tap if causal",
    "Hoogeboom, van den Berg & Welling, arXiv:1901.11137",
)
def determinant(cases: Cases) -> Iterator[Trial]:
    """Compares with the determinant of the dense matrix, whose error grows with its condition."""
    causal = ConvGeometry((4, 3), (2, 2), in_features=2, out_features=2, padding="CAUSAL")
    for g in (CIRCULANT[0], causal):
        kernel = _kernel(cases, g)
        C = oracle.matrix(double(kernel), g)
        last = double(kernel)[(-1,) * g.ndim] if g is causal else C
        scale = np.linalg.cond(last) * len(C)
        got = _run(partial(log_determinant, geometry=g), g, kernel, jit=True)
        yield _trial(got, np.linalg.slogdet(C)[1], scale, g, cases)


@claim(
    "tikhonov",
    "damped deconvolution is (C* C + damping I)^-1 C* y, block by block if circular",
    "Hansen, 2010, doi:10.1137/1.9780898718836",
)
def tikhonov(cases: Cases) -> Iterator[Trial]:
    """Compares with the normal equations of the dense matrix."""
    damping = 0.5
    for g in CIRCULANT:
        kernel = _kernel(cases, g)
        rng = np.random.default_rng(cases.seed)
        y = normal(rng, (*g.output_shape, g.out_features), cases.dtype)
        C = oracle.matrix(double(kernel), g)
        normal_matrix = C.conj().T @ C + damping * np.eye(C.shape[1])
        expected = np.linalg.solve(normal_matrix, C.conj().T @ double(y).ravel())
        got = _run(partial(deconvolve, geometry=g, damping=damping), g, y, kernel)
        scale = np.linalg.cond(normal_matrix) * np.linalg.norm(expected)
        yield _trial(got.ravel(), expected, scale, g, cases)


@claim(
    "norm-gradient",
    "the gradient of the norm of C in the kernel is conv_kernel_vjp of the top singular vectors",
    "Magnus, 1985, doi:10.1017/S0266466600011129",
)
def norm_gradient(cases: Cases) -> Iterator[Trial]:
    """Compares with the top singular vectors of the dense matrix; the gap of the values bounds the error."""
    for g in PADDED[2:3]:
        kernel = _kernel(cases, g)
        u, values, v = np.linalg.svd(oracle.matrix(double(kernel), g))
        x = v[:1].conj().reshape(1, *g.input_shape, g.in_features)
        y = u[:, 0].conj().reshape(1, *g.output_shape, g.out_features)
        expected = oracle.kernel_gradient(x, y, g)
        got = _run(jax.grad(lambda k, g=g: operator_norm(k, g)), g, kernel)
        scale = 16 * values[0] / (values[0] - values[1])
        yield _trial(got, expected, scale, g, cases)
    right, left = (jnp.asarray(array[0]) for array in (x, y))
    with jax.enable_x64(True):
        yield _trial(conv_kernel_vjp(right, left, geometry=g), expected, 1.0, g, cases)


@claim(
    "deconvolution",
    "deconvolution finds x from y = C x with a regular C, and no multiple of C-transposed y comes close",
    "Zeiler, Krishnan, Taylor & Fergus, 2010, doi:10.1109/CVPR.2010.5539957",
)
def deconvolution(cases: Cases) -> Iterator[Trial]:
    """Blurs a random map, and compares the damped inverse with the best multiple of the transpose."""
    g = ConvGeometry((8,), (3,), padding=1, padding_mode="circular")
    kernel = np.array([1, 3, 1]).reshape(3, 1, 1).astype(cases.dtype)
    x = normal(np.random.default_rng(cases.seed), (8, 1), cases.dtype)

    def both(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, ...]:
        y = conv(x, kernel, geometry=g)
        return deconvolve(y, kernel, geometry=g), conv_transpose(y, kernel, geometry=g)

    inverse, transpose = _run(both, g, x, kernel, jit=True)
    x = double(x)
    norm = np.linalg.norm(x)
    yield _trial(inverse, x, 5 * norm, g, cases)  # its condition is 5
    best = np.vdot(transpose, x) / np.vdot(transpose, transpose)  # the kernel is real: C-transposed is C*
    yield exact(bool(np.linalg.norm(best * transpose - x) > 0.2 * norm), _example(g)())
