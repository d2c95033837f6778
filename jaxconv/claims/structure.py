"""Structure of C: Toeplitz matrices, transposes that are convolutions, counts of multiplications."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from jaxconv.claims.cases import Cases
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.geometry.pattern import reads
from jaxconv.matrix.symbols import symbols

PAPER = "arXiv:1603.07285"


@claim(
    "toeplitz",
    "C of the kernel x y z on 6 cells is a banded matrix, 4x6 with stride 1 and 2x6 with stride 2",
    f"{PAPER}, section 4.1",
    "integers",
)
def toeplitz(cases: Cases) -> Iterator[Trial]:
    """Compares symbols of C and C-transposed on 6 cells, and of C on 4 cells with padding 1."""
    matrices = {
        1: "x y z 0 0 0\n0 x y z 0 0\n0 0 x y z 0\n0 0 0 x y z",
        2: "x y z 0 0 0\n0 0 x y z 0",
    }
    transposes = {
        1: "x 0 0 0\ny x 0 0\nz y x 0\n0 z y x\n0 0 z y\n0 0 0 z",
        2: "x 0\ny 0\nz x\n0 y\n0 z\n0 0",
    }
    for stride, text in matrices.items():
        g = ConvGeometry((6,), (3,), strides=stride)
        yield exact(symbols(g, "xyz") == text, f"g = {g!r}")
        yield exact(symbols(g, "xyz", transposed=True) == transposes[stride], f"g = {g!r}")
        inner = ConvGeometry((4,), (3,), strides=stride, padding=1)
        columns = [line.split()[1:5] for line in text.splitlines()]
        yield exact(
            [line.split() for line in symbols(inner, "xyz").splitlines()] == columns, f"g = {inner!r}"
        )


def as_convolution(target: np.ndarray, taps: int) -> AxisGeometry | None:
    """Searches for a convolution along one axis with this matrix; returns None if none exists.

    Tries unit strides with every kernel and padding, and other strides and dilations with kernels of
    up to `taps`: a strided kernel as wide as its input is a dense layer, whose matrix can be any.

    Args:
      target: Dense matrix, ``(outputs, inputs)``.
      taps: Size of the largest kernel to try with strides.
    """
    outputs, inputs = target.shape
    for k, s, d in product(range(1, inputs + outputs + 1), range(1, 4), range(1, 4)):
        if s > 1 and k > taps:
            continue
        span = d * (k - 1) + 1
        for low in range(span):
            high = (outputs - 1) * s + span - inputs - low
            try:
                axis = AxisGeometry(inputs, k, s, (low, high), d)
            except GeometryError:
                continue
            if has_kernel(axis, target):
                return axis
    return None


def has_kernel(axis: AxisGeometry, target: np.ndarray) -> bool:
    """Returns whether some kernel has this matrix: one number per tap, and 0 elsewhere."""
    out, tap, cell = reads(axis)
    kernel = np.zeros(axis.kernel)
    kernel[tap] = target[out, cell]
    matrix = np.zeros_like(target)
    matrix[out, cell] = kernel[tap]
    return bool((matrix == target).all())


def _transpose(axis: AxisGeometry) -> np.ndarray:
    """Returns C-transposed with the kernel 1, 2, 3, ..."""
    out, tap, cell = reads(axis)
    target = np.zeros((axis.size, axis.out_size))
    target[cell, out] = tap + 1
    return target


@claim(
    "stride-1-transpose",
    "a transposed convolution of stride 1 is a convolution",
    f"{PAPER}, sections 4.3 and 4.4",
    "integers",
)
def stride_1(cases: Cases) -> Iterator[Trial]:
    """Searches for a convolution with the matrix of the transpose, and finds one."""
    for size, k, p in ((6, 3, 0), (4, 3, 1), (5, 2, 1), (5, 4, 2)):
        axis = AxisGeometry(size, k, 1, (p, p))
        yield exact(as_convolution(_transpose(axis), k) is not None, f"axis = {axis!r}")


@claim(
    "stride-2-transpose",
    "a transposed convolution of stride 2 is not a convolution: neither one of unit stride nor one with a "
    "kernel of its size",
    f"{PAPER}, sections 4.5 and 4.6",
    "integers",
)
def stride_2(cases: Cases) -> Iterator[Trial]:
    """Searches all kernel sizes, strides, dilations and paddings, and finds no convolution."""
    for size, k, p in ((6, 3, 0), (8, 3, 1), (9, 4, 1)):
        axis = AxisGeometry(size, k, 2, (p, p))
        yield exact(as_convolution(_transpose(axis), k) is None, f"axis = {axis!r}")


@claim(
    "counts",
    "760 parameters: ten 5x5 filters on 3 features, with biases; 471 million multiplications: 5x5, 200 to 92 "
    "features, 32x32 cells, but 41 million after a 1x1 layer to 16 features; 1,228,800: 5x5, 3 to 256 "
    "features, 12x12 cells, but 4,800 + 49,152 as a depthwise and a pointwise layer",
    "Szegedy et al., arXiv:1409.4842; Howard et al., arXiv:1704.04861",
    "integers",
)
def counts(cases: Cases) -> Iterator[Trial]:
    """Compares the counts of the geometries of the statement, exactly."""
    ten_filters = ConvGeometry((32, 32), (5, 5), in_features=3, out_features=10, padding=2)
    yield exact(
        ten_filters.parameters + ten_filters.out_features == 760 and ten_filters.output_shape == (32, 32),
        f"g = {ten_filters!r}",
    )
    naive = ConvGeometry((32, 32), (5, 5), in_features=200, out_features=92, padding="SAME")
    reduce = ConvGeometry((32, 32), (1, 1), in_features=200, out_features=16)
    then = ConvGeometry((32, 32), (5, 5), in_features=16, out_features=92, padding="SAME")
    yield exact(naive.multiplications == 471_040_000, f"g = {naive!r}")
    yield exact(reduce.multiplications + then.multiplications == 40_960_000, f"g = {then!r}")
    whole = ConvGeometry((12, 12), (5, 5), in_features=3, out_features=256)
    depthwise = ConvGeometry((12, 12), (5, 5), in_features=3, out_features=3, feature_group_count=3)
    pointwise = ConvGeometry((8, 8), (1, 1), in_features=3, out_features=256)
    yield exact(whole.multiplications == 1_228_800, f"g = {whole!r}")
    yield exact(depthwise.multiplications == 4_800, f"g = {depthwise!r}")
    yield exact(pointwise.multiplications == 49_152, f"g = {pointwise!r}")
