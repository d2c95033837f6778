"""Resizing as a matrix; bilinear upsampling and sub-pixel convolution as transposed convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Cases, double, gap, normal, run
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.convolution import conv, conv_transpose
from jaxconv.geometry import ConvGeometry
from jaxconv.operators import bilinear_kernel, depth_to_space, resize, resize_matrix
from jaxconv.operators.resizing.weights import Method

Shape = tuple[int, ...]
SHAPES: tuple[tuple[Shape, Shape], ...] = (((3,), (6,)), ((5,), (7,)), ((6, 1), (4, 3)))


def interpolation(n: int, m: int, method: str, align_corners: bool) -> np.ndarray:
    """Returns the weights along one axis by the definition, ``(m, n)``, one cell at a time."""
    W = np.zeros((m, n))
    for o in range(m):
        centre = (o + 0.5) * n / m - 0.5
        if align_corners:
            centre = o * (n - 1) / (m - 1) if m > 1 else 0.0
        for cell in range(math.floor(centre) - 1, math.floor(centre) + 3):
            edge = min(max(cell, 0), n - 1)
            W[o, edge] += WEIGHT[method](cell - centre)
    return W


def _cubic(x: float, a: float = -0.75) -> float:
    x = abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return near if x <= 1 else far if x < 2 else 0.0


WEIGHT = {
    "nearest": lambda x: float(-0.5 < x <= 0.5),  # half-way between two cells: the higher one
    "bilinear": lambda x: max(1 - abs(x), 0.0),
    "bicubic": _cubic,
}


def _resizings(cases: Cases, method: Method, align_corners: bool = False) -> Iterator[Trial]:
    """Compares C with loops, the function with C x, and its gradient with C-transposed y."""
    rng, features = np.random.default_rng((cases.seed, 2)), 2
    for input_shape, shape in SHAPES:
        W: np.ndarray = np.ones((1, 1))
        for n, m in zip(input_shape, shape, strict=True):
            W = np.kron(W, interpolation(n, m, method, align_corners))
        W = np.kron(W, np.eye(features))
        x, y = (normal(rng, (*spatial, features), cases.dtype) for spatial in (input_shape, shape))

        def every(
            x: jax.Array, y: jax.Array, shapes: tuple[Shape, Shape] = (input_shape, shape)
        ) -> tuple[jax.Array, tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
            C = resize_matrix(shapes[0], shapes[1], method, align_corners, features=features, dtype=x.dtype)
            value, pullback = jax.vjp(lambda x: resize(x, shapes[1], method, align_corners), x)
            columns = C @ jnp.concatenate([x.reshape(-1, 1), jnp.eye(C.shape[1], dtype=x.dtype)], 1)
            return (
                columns[:, 1:],
                (columns[:, 0], value.ravel()),
                (C.T @ y.ravel(), pullback(y)[0].ravel()),
            )

        call = f"resize_matrix({input_shape}, {shape}, {method!r}, {align_corners})"
        entries, forward, backward = run(every, x, y, example=partial("{}  # {}".format, call))
        terms = 16 + max(*input_shape, *shape)  # coordinates round too, and a cubic is a sum of terms
        gaps = [gap(entries, W, np.ones_like(W), terms, cases.dtype)]
        for matrix, operand, results in ((W, x, forward), (W.T, y, backward)):
            operand = double(operand).ravel()
            size = abs(matrix) @ abs(operand) + abs(operand).max()
            gaps += [gap(got, matrix @ operand, size, terms, cases.dtype) for got in results]
        yield Trial(max(gaps), partial(str, call))


INTERPOLATION = "torch.nn.functional.interpolate"
CUBIC = f"Keys, IEEE TASSP 29 (1981); {INTERPOLATION}"


@claim(
    "nearest",
    "nearest-neighbour resizing is multiplication by a sparse matrix C: every output cell is the input cell "
    "nearest to it, by half-pixel centres",
    INTERPOLATION,
)
def nearest(cases: Cases) -> Iterator[Trial]:
    """Tries larger and smaller sizes, and sizes that are not multiples."""
    return _resizings(cases, "nearest")


@claim(
    "bilinear",
    "bilinear resizing is multiplication by a sparse matrix C: every output cell is a weighted sum of two "
    "input cells per axis, clamped at the edges",
    INTERPOLATION,
)
def bilinear(cases: Cases) -> Iterator[Trial]:
    """Tries larger and smaller sizes, and sizes that are not multiples."""
    return _resizings(cases, "bilinear")


@claim(
    "bicubic",
    "bicubic resizing (a = -0.75) is multiplication by a sparse matrix C: every output cell is a weighted "
    "sum of four input cells per axis, clamped at the edges",
    CUBIC,
)
def bicubic(cases: Cases) -> Iterator[Trial]:
    """Tries larger and smaller sizes, and sizes that are not multiples."""
    return _resizings(cases, "bicubic")


@claim(
    "align-corners",
    "resizing with align_corners, where corner cells map to corner cells, is multiplication by a sparse "
    "matrix C",
    INTERPOLATION,
)
def corners(cases: Cases) -> Iterator[Trial]:
    """Tries bilinear and bicubic interpolation."""
    yield from _resizings(cases, "bilinear", True)
    yield from _resizings(cases, "bicubic", True)


@claim(
    "bilinear-upsampling",
    "bilinear upsampling by f equals conv_transpose with a fixed kernel, except for f // 2 cells at each end",
    "Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.3",
)
def upsampling(cases: Cases) -> Iterator[Trial]:
    """Compares the kernel that FCN starts from with loops; at the ends the two differ."""
    rng, features = np.random.default_rng((cases.seed, 3)), 2
    for shape, factor in (((5,), (2,)), ((4,), (3,)), ((3, 4), (2, 3)), ((3, 3), (4, 1))):
        big = tuple(f * n for f, n in zip(factor, shape, strict=True))
        y = normal(rng, (*shape, features), cases.dtype)

        def upsample(y: jax.Array, factor: Shape = factor, big: Shape = big) -> jax.Array:
            kernel = bilinear_kernel(factor, features, y.dtype)
            padding = [(k - f) // 2 for f, k in zip(factor, kernel.shape, strict=False)]
            return conv_transpose(
                y,
                kernel,
                strides=factor,
                padding=padding,
                input_shape=big,
                feature_group_count=features,
                method="direct",
            )

        call = f"bilinear_kernel({factor}, {features}), input_shape={big}"
        got = run(upsample, y, example=partial("{}  # {}".format, call))
        expected, size = double(y), abs(double(y))
        for axis, (n, m) in enumerate(zip(shape, big, strict=True)):
            W = interpolation(n, m, "bilinear", False)
            expected, size = (
                np.moveaxis(np.tensordot(W, part, (1, axis)), 0, axis) for part in (expected, size)
            )
        inside = tuple(slice(f // 2, m - f // 2) for f, m in zip(factor, big, strict=True))
        terms = 16 + max(big)
        size = np.full_like(size, size.max())
        yield Trial(gap(got[inside], expected[inside], size[inside], terms, cases.dtype), partial(str, call))
        yield exact(bool(abs(got - expected).max() > 0.01), call)


def subpixel_kernel(kernel: np.ndarray, block: tuple[int, ...]) -> np.ndarray:
    """Returns the kernel whose convolution, then depth to space, is the transpose with strides `block`.

    Args:
      kernel: Kernel of the forward convolution, ``(*kernel_shape, in, out)``.
      block: Strides of the forward convolution.

    Returns:
      ``(*ceil(kernel_shape / block), out, prod(block) * in)``: blocks of taps become features, and the
      blocks are flipped.
    """
    n, inputs, outputs = len(block), *kernel.shape[-2:]
    taps = [-(-k // b) for k, b in zip(kernel.shape, block, strict=False)]
    rearranged = np.zeros((*taps, outputs, math.prod(block) * inputs), kernel.dtype)
    for tap in np.ndindex(kernel.shape[:n]):
        mirror = tuple(k - 1 - t // b for k, t, b in zip(taps, tap, block, strict=True))
        cell = int(np.ravel_multi_index([t % b for t, b in zip(tap, block, strict=True)], block))
        rearranged[(*mirror, slice(None), slice(cell * inputs, (cell + 1) * inputs))] = kernel[tap].T
    return rearranged


def strided_kernel(kernel: np.ndarray, block: tuple[int, ...]) -> np.ndarray:
    """Inverts `subpixel_kernel`, for kernels whose sizes are multiples of the block."""
    n, features = len(block), kernel.shape[-1] // math.prod(block)
    taps = kernel.shape[:n]
    rearranged = np.zeros(
        (*(k * b for k, b in zip(taps, block, strict=True)), features, kernel.shape[-2]), kernel.dtype
    )
    for tap in np.ndindex(rearranged.shape[:n]):
        mirror = tuple(k - 1 - t // b for k, t, b in zip(taps, tap, block, strict=True))
        cell = int(np.ravel_multi_index([t % b for t, b in zip(tap, block, strict=True)], block))
        rearranged[tap] = kernel[(*mirror, slice(None), slice(cell * features, (cell + 1) * features))].T
    return rearranged


@claim(
    "sub-pixel",
    "a convolution, then depth to space, is a transposed convolution with strides = block, and vice versa",
    "Shi et al., arXiv:1609.05158 and arXiv:1609.07009",
)
def subpixel(cases: Cases) -> Iterator[Trial]:
    """Tries both directions between the kernels, which have the same numbers, against C-transposed."""
    rng, inputs, outputs = np.random.default_rng((cases.seed, 4)), 2, 3
    for shape, taps, block in (
        ((4,), (3,), (2,)),
        ((3,), (6,), (3,)),
        ((3, 4), (3, 5), (2, 3)),
        ((2, 3), (1, 2), (2, 2)),
    ):
        y = normal(rng, (*shape, outputs), cases.dtype)
        kernel = normal(rng, (*taps, inputs, outputs), cases.dtype)
        small = subpixel_kernel(kernel, block)
        blocks = normal(rng, small.shape, cases.dtype)
        for strided, narrow in ((kernel, small), (strided_kernel(blocks, block), blocks)):
            g = ConvGeometry(
                [(n - 1 + k) * b for n, k, b in zip(shape, small.shape, block, strict=False)],
                strided.shape[:-2],
                in_features=inputs,
                out_features=outputs,
                strides=block,
            )

            def upsample(y: jax.Array, kernel: jax.Array, block: Shape = block) -> jax.Array:
                return depth_to_space(conv(y, kernel, padding="FULL", method="direct"), block).ravel()

            got = run(upsample, y, narrow, example=partial("g = {!r}  # {}".format, g))
            C, abs_C = oracle.matrix(double(strided), g), oracle.matrix(abs(double(strided)), g)
            flat = double(y).ravel()
            worst = gap(got, C.T @ flat, abs_C.T @ abs(flat), strided[..., 0, :].size, cases.dtype)
            yield Trial(worst, partial(str, f"g = {g!r}"))
