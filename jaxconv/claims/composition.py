"""Products of matrices C: where they are convolutions again, and where not."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Cases, double, gap, normal, run
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.claims.structure import has_kernel
from jaxconv.convolution import conv, conv_transpose
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.geometry.composition import compose, interior
from jaxconv.linalg import Gram, compose_kernels, gram
from jaxconv.linalg.composition import Side
from jaxconv.linalg.orthogonal import block_kernel, delta_kernel
from jaxconv.operators import binomial_filter

GRAMS: tuple[tuple[ConvGeometry, Side], ...] = (
    (ConvGeometry((7,), (3,), in_features=2, out_features=2), "rows"),
    (ConvGeometry((5,), (3,), padding="FULL", in_features=2, out_features=3), "columns"),
    (ConvGeometry((9, 6), (3, 2), strides=(2, 1)), "rows"),
)
CHAINS = (
    (ConvGeometry((9,), (3,), strides=2, out_features=2), {"kernel_shape": (2,), "in_features": 2}),
    (ConvGeometry((6,), (3,), padding=2), {"kernel_shape": (3,), "padding": 1}),
    (ConvGeometry((5, 6), (2, 2)), {"kernel_shape": (2, 3), "strides": (2, 1)}),
)


def _gap_of_product(got: np.ndarray, left: np.ndarray, right: np.ndarray, dtype: np.dtype) -> float:
    """Returns the error of a product of two matrices in units of its rounding bound."""
    return gap(got, left @ right, abs(left) @ abs(right), left.shape[1], dtype)


@claim(
    "gram-is-a-convolution",
    "without padding C C-transposed is a convolution, with full padding and stride 1 C-transposed C is one: "
    "their kernels are the autocorrelation",
    "definition",
)
def gram_is_a_convolution(cases: Cases) -> Iterator[Trial]:
    """Compares the matrix of the convolution with the product; of complex kernels, with the adjoint."""
    rng = np.random.default_rng((cases.seed, 5))
    for g, side in GRAMS[: cases.trials]:
        kernel = normal(rng, g.kernel_array_shape, cases.dtype)
        example = f"g = {g!r}  # {side}"
        made = _gram(kernel, g, side, f"{example}; {{}}".format)
        C = oracle.matrix(double(kernel), g)
        left, right = (C, C.conj().T) if side == "rows" else (C.conj().T, C)
        got = oracle.matrix(np.asarray(made.kernel), made.geometry)
        yield Trial(_gap_of_product(got, left, right, cases.dtype), example.__str__)


def _gram(kernel: np.ndarray, g: ConvGeometry, side: Side, example: Callable[[str], str]) -> Gram:
    """Runs `gram` as one program: jit returns the kernel, and tracing leaves the geometry."""
    geometries = []

    def kernel_of_gram(kernel: jax.Array) -> jax.Array:
        made = gram(kernel, g, side)
        geometries.append(made.geometry)
        return made.kernel

    return Gram(run(kernel_of_gram, kernel, example=example), geometries[0])


@claim(
    "composition",
    "two convolutions in sequence are one, with the product of the strides, where no window beyond the first "
    "one's output is read",
    "arXiv:2103.13425, section 3.2",
)
def composition(cases: Cases) -> Iterator[Trial]:
    """Compares the matrix of the composition with the product of two."""
    rng = np.random.default_rng((cases.seed, 6))
    for first, options in CHAINS[: cases.trials]:
        second = ConvGeometry(first.output_shape, **options)
        kernels = [normal(rng, g.kernel_array_shape, cases.dtype) for g in (first, second)]
        left, right = (
            oracle.matrix(double(kernel), g) for kernel, g in zip(kernels[::-1], (second, first), strict=True)
        )
        k1, k2 = map(jnp.asarray, kernels)
        made = compose_kernels(k1, k2, first, second)
        got = oracle.matrix(double(made), compose(first, second))
        yield Trial(_gap_of_product(got, left, right, cases.dtype), f"first = {first!r}".__str__)


@claim(
    "composition-is-exact",
    "two convolutions in sequence are one only where each window that is read beyond the output of the first "
    "reads what the padding of the second shows",
    "arXiv:2103.13425, section 3.2",
    "integers",
)
def composition_is_exact(cases: Cases) -> Iterator[Trial]:
    """Searches a kernel for the product of two matrices: there is one exactly if the rule says so."""
    rng = np.random.default_rng(7)
    sizes = itertools.product((1, 2, 3), (1, 2), (0, 1, 2), (0, 1), (1, 2))
    for (k, s, low, high, d), (k2, low2) in itertools.product(sizes, ((2, 0), (3, 1), (2, 2))):
        try:
            first = ConvGeometry((7,), (k,), strides=s, padding=((low, high),), kernel_dilation=d)
            second = ConvGeometry(first.output_shape, (k2,), padding=((low2, 1),))
        except GeometryError:
            continue
        product = np.eye(7)
        for g in (first, second):
            product = oracle.matrix(rng.integers(1, 99, g.kernel_array_shape).astype(float), g) @ product
        try:
            axis: AxisGeometry = compose(first, second).axes[0]
            one = True
        except GeometryError:
            axis, _ = interior(first.axes[0], second.axes[0], "zeros")
            one = False
        yield exact(has_kernel(axis, product) == one, f"first, second = {first!r}, {second!r}")


@claim(
    "orthogonal-families",
    "C is orthogonal with a single orthogonal tap for every border, with an orthogonal matrix on disjoint "
    "windows, and with block convolutions on circular maps, but not with those and zero padding",
    "arXiv:1806.05393; arXiv:1911.00937",
    "real",
)
def orthogonal_families(cases: Cases) -> Iterator[Trial]:
    """Compares products of C and its transpose with the identity, by the definition."""
    key = jax.random.key(cases.seed)
    same = ConvGeometry((6,), (3,), in_features=4, out_features=4, padding="SAME")
    disjoint = ConvGeometry((6,), (2,), in_features=2, out_features=3, strides=2)
    circular = replace(same, padding_mode="circular")
    block = block_kernel(key, (3,), (1,), 4, 4)  # every matrix is made of one of 4 rows, compiled once
    families = (
        (same, delta_kernel(key, (3,), 4, 4)),
        (disjoint, block_kernel(key, (2,), (2,), 2, 3)),
        (circular, block),
    )
    for g, kernel in families[: cases.trials]:
        stored = double(kernel.astype(cases.dtype))
        C = oracle.matrix(stored, g)
        # Rounding moves the rows of C, which have length 1, in any direction: in the storage of the kernel,
        # and in each product of at most six matrices of up to four rows that makes it.
        yield Trial(gap(C @ C.T, np.eye(len(C)), 1, 6 * 4, cases.dtype), f"g = {g!r}".__str__)
    smallest = np.linalg.svd(oracle.matrix(double(block), same), compute_uv=False)[-1]
    yield exact(bool(smallest < 0.999), f"g = {same!r}  # {smallest}")


@claim(
    "not-the-inverse",
    "a transposed convolution is not the inverse: it returns a blurred map more blurred, whatever the scale",
    "arXiv:1603.07285, section 4",
    "real",
)
def not_the_inverse(cases: Cases) -> Iterator[Trial]:
    """Blurs a map that a solver restores, and applies the transpose."""
    rng = np.random.default_rng((cases.seed, 8))
    g = ConvGeometry((8, 8), (3, 3), padding="SAME")
    kernel = np.asarray(binomial_filter((3, 3), cases.dtype))[..., None, None]
    x = normal(rng, (8, 8, 1), cases.dtype)

    def blur(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
        y = conv(x, kernel, geometry=g)
        return y, conv_transpose(y, kernel, geometry=g)

    y, back = run(blur, x, kernel, example=f"g = {g!r}  # {{}}".format)
    C, x = oracle.matrix(double(kernel), g), double(x)
    restored = np.linalg.solve(C, C @ x.ravel()) - x.ravel()
    yield Trial(float(np.linalg.norm(restored) / np.linalg.norm(x)) / 1e-9, f"g = {g!r}".__str__)
    scale = (back * x).sum() / (back * back).sum()
    error, blurred = (np.linalg.norm(map - x) for map in (scale * back, y))
    yield exact(bool(error > 0.2 * np.linalg.norm(x) and blurred > 0), f"g = {g!r}")
