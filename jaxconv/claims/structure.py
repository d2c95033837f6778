"""What the lectures say: Toeplitz matrices, when a transpose is a convolution, and their counts."""

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

TRANSPOSED_LECTURE = "lecture on transposed convolutions"


@claim(
    "toeplitz",
    "the printed 4x6 and 2x6 matrices of x y z, and their transposes",
    TRANSPOSED_LECTURE,
    "integers",
)
def toeplitz(cases: Cases) -> Iterator[Trial]:
    """They act on the padded vector (0, a, b, c, d, 0): input 6, padding 0."""
    printed = {
        1: "x y z 0 0 0\n0 x y z 0 0\n0 0 x y z 0\n0 0 0 x y z",
        2: "x y z 0 0 0\n0 0 x y z 0",
    }
    printed_transposed = {
        1: "x 0 0 0\ny x 0 0\nz y x 0\n0 z y x\n0 0 z y\n0 0 0 z",
        2: "x 0\ny 0\nz x\n0 y\n0 z\n0 0",
    }
    for stride, text in printed.items():
        g = ConvGeometry((6,), (3,), strides=stride)
        yield exact(symbols(g, "xyz") == text, f"g = {g!r}")
        yield exact(symbols(g, "xyz", transposed=True) == printed_transposed[stride], f"g = {g!r}")
        inner = ConvGeometry((4,), (3,), strides=stride, padding=1)
        columns = [line.split()[1:5] for line in text.splitlines()]
        yield exact(
            [line.split() for line in symbols(inner, "xyz").splitlines()] == columns, f"g = {inner!r}"
        )


def as_convolution(target: np.ndarray, taps: int) -> AxisGeometry | None:
    """A one-axis convolution, and thereby a kernel, whose matrix is `target`; None if there is none.

    Tries unit strides with every kernel and padding, and other strides and dilations with kernels of
    up to `taps`: a strided kernel as wide as its input is a dense layer, and gives any matrix.

    Args:
      target: (outputs, inputs), 0 where there is no entry.
      taps: The largest kernel to try with strides.
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
            if _some_kernel_gives(axis, target):
                return axis
    return None


def _some_kernel_gives(axis: AxisGeometry, target: np.ndarray) -> bool:
    """Whether every tap meets one and the same number, and all other places are 0."""
    out, tap, cell = reads(axis)
    met = target[out, cell]
    kernel = np.zeros(axis.kernel)
    kernel[tap] = met
    built = np.zeros_like(target)
    built[out, cell] = kernel[tap]
    return bool((built == target).all())


def _transpose(axis: AxisGeometry) -> np.ndarray:
    """C-transposed with the kernel 1, 2, 3, ..."""
    out, tap, cell = reads(axis)
    target = np.zeros((axis.size, axis.out_size))
    target[cell, out] = tap + 1
    return target


@claim(
    "stride-1-transpose",
    "a transposed convolution of stride 1 is a convolution",
    TRANSPOSED_LECTURE,
    "integers",
)
def stride_1(cases: Cases) -> Iterator[Trial]:
    """A convolution with the transpose's matrix is found, by search."""
    for size, k, p in ((6, 3, 0), (4, 3, 1), (5, 2, 1), (5, 4, 2)):
        axis = AxisGeometry(size, k, 1, (p, p))
        yield exact(as_convolution(_transpose(axis), k) is not None, f"axis = {axis!r}")


@claim(
    "stride-2-transpose",
    "a transposed convolution of stride 2 is not a convolution: none of unit stride, nor of its size",
    TRANSPOSED_LECTURE,
    "integers",
)
def stride_2(cases: Cases) -> Iterator[Trial]:
    """No kernel size, stride, dilation and padding has the transpose's matrix, by search."""
    for size, k, p in ((6, 3, 0), (8, 3, 1), (9, 4, 1)):
        axis = AxisGeometry(size, k, 2, (p, p))
        yield exact(as_convolution(_transpose(axis), k) is None, f"axis = {axis!r}")


@claim(
    "counts",
    "760 parameters; 470 million multiplications against 40; 1,228,800 against 4,800 + 49,152",
    "lectures on convolution layers and on architectures",
    "integers",
)
def counts(cases: Cases) -> Iterator[Trial]:
    """The lectures' layers, counted by the geometry."""
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
