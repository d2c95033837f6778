"""The figures of Dumoulin & Visin, arXiv:1603.07285: the sizes in their captions, and random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Case, Cases, gap
from jaxconv.claims.claim import Check, Trial, claim, exact
from jaxconv.convolution import conv, conv_transpose
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import conv_matrix

PAPER = "arXiv:1603.07285"


class Figure(NamedTuple):
    """The caption of a figure: a square convolution, its output size, and of a transpose the equivalent one.

    The letters are those of arXiv:1603.07285: input size, kernel, stride, padding, dilation, output size.
    """

    number: str
    about: str
    i: int
    k: int
    s: int
    p: int
    d: int
    o: int
    stretched: int | None = None  # dilated input size of the equivalent direct convolution
    padding: tuple[int, int] | None = None  # of the equivalent direct convolution

    @property
    def geometry(self) -> ConvGeometry:
        """The convolution, in two dimensions."""
        return ConvGeometry(
            (self.i, self.i), (self.k, self.k), strides=self.s, padding=self.p, kernel_dilation=self.d
        )


FIGURES = (
    Figure("1.2", "3x3 kernel, 5x5 input, stride 2, padding 1", 5, 3, 2, 1, 1, 3),
    Figure("2.1", "no padding, unit strides", 4, 3, 1, 0, 1, 2),
    Figure("2.2", "arbitrary padding, unit strides", 5, 4, 1, 2, 1, 6),
    Figure("2.3", "half padding, unit strides", 5, 3, 1, 1, 1, 5),
    Figure("2.4", "full padding, unit strides", 5, 3, 1, 2, 1, 7),
    Figure("2.5", "no padding, arbitrary strides", 5, 3, 2, 0, 1, 2),
    Figure("2.6", "arbitrary padding and strides", 5, 3, 2, 1, 1, 3),
    Figure("2.7", "arbitrary padding and strides, one row and column unused", 6, 3, 2, 1, 1, 3),
    Figure("4.1", "transpose: 3x3 kernel, 2x2 input, padding 2", 4, 3, 1, 0, 1, 2, 2, (2, 2)),
    Figure("4.2", "transpose: 4x4 kernel, 6x6 input, padding 1", 5, 4, 1, 2, 1, 6, 6, (1, 1)),
    Figure("4.3", "the transpose of half padding has half padding", 5, 3, 1, 1, 1, 5, 5, (1, 1)),
    Figure("4.4", "the transpose of full padding has no padding", 5, 3, 1, 2, 1, 7, 7, (0, 0)),
    Figure("4.5", "transpose: 2x2 input stretched to 3x3, padding 2", 5, 3, 2, 0, 1, 2, 3, (2, 2)),
    Figure("4.6", "transpose: 3x3 (not 2x2) input stretched to 5x5, padding 1", 5, 3, 2, 1, 1, 3, 5, (1, 1)),
    Figure("4.7", "transpose: 3x3 stretched to 5x5, padding 1, and a = 1", 6, 3, 2, 1, 1, 3, 5, (1, 2)),
    Figure("5.1", "3x3 kernel, dilation 2, 7x7 input", 7, 3, 1, 0, 2, 3),
)  # fmt: skip


def _check(figure: Figure) -> Check:
    """Returns the check of the sizes in a caption and of the numbers."""

    def check(cases: Cases) -> Iterator[Trial]:
        g = figure.geometry
        case = Case(g, cases.dtype, np.random.default_rng((cases.seed, 3)))
        sizes = g.output_shape == (figure.o, figure.o)
        if figure.padding is None:
            got = case.run(lambda x, k: conv(x, k, geometry=g), case.x, case.kernel)
            distance = case.gap(got, case.forward)
        else:
            axis = g.axes[0].equivalent_direct()
            sizes &= (axis.stretched, axis.padding, axis.stride) == (figure.stretched, figure.padding, 1)
            sizes &= axis.out_size == figure.i
            got = case.run(
                lambda y, k: conv_transpose(y, k, method="zero_insertion", geometry=g),
                case.y,
                case.kernel,
            )
            distance = case.gap(got, case.backward)
        yield Trial(distance if sizes else float("inf"), case.example)

    return check


for _figure in FIGURES:
    claim(f"figure-{_figure.number}", _figure.about, f"{PAPER}, figure {_figure.number}")(_check(_figure))


@claim("figure-1.1", "the example of a discrete convolution on a 5x5 map", f"{PAPER}, figure 1.1")
def printed_example(cases: Cases) -> Iterator[Trial]:
    """Compares the integers of the figure."""
    x = np.array([[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]])
    kernel = np.array([[0, 1, 2], [2, 2, 0], [0, 1, 2]])
    expected = np.array([[12, 12, 17], [10, 17, 19], [9, 6, 14]])
    got = conv(jnp.asarray(x[..., None], cases.dtype), jnp.asarray(kernel[..., None, None], cases.dtype))
    yield exact((np.asarray(got)[..., 0] == expected).all(), "g = ConvGeometry((5, 5), (3, 3))")


@claim(
    "figure-1.3",
    "with several features C consists of one block per pair of features, and the products are summed",
    f"{PAPER}, figure 1.3",
)
def features_as_blocks(cases: Cases) -> Iterator[Trial]:
    """Tries two input and three output features, channels first: block (n, m) is C of kernel w[n, m]."""
    case = Case(
        ConvGeometry((5, 5), (3, 3), in_features=2, out_features=3),
        cases.dtype,
        np.random.default_rng((cases.seed, 4)),
    )
    one = case.geometry.with_features(1, 1)
    whole = case.run(lambda k: conv_matrix(k, case.geometry).todense("channels_first"), case.kernel)
    blocks = [
        [oracle.matrix(case.kernel[..., m : m + 1, n : n + 1].astype(case.C.dtype), one) for m in range(2)]
        for n in range(3)
    ]
    yield Trial(gap(whole, np.block(blocks), abs(np.block(blocks)), 1, case.dtype), case.example)
    x = case.x.astype(case.C.dtype)
    sums = [sum(block @ x[0, ..., m].ravel() for m, block in enumerate(row)) for row in blocks]
    got = case.run(lambda x, k: conv(x, k), case.x, case.kernel)[0]
    expected = np.stack(sums, -1).reshape(got.shape)
    yield Trial(
        gap(got, expected, case.forward.magnitude[0], case.kernel[..., 0].size, case.dtype),
        case.example,
        0,
    )


@claim(
    "figure-1.4",
    "strides are subsampling: C with stride s has every s-th row of C with stride 1",
    f"{PAPER}, figure 1.4",
)
def strides_subsample(cases: Cases) -> Iterator[Trial]:
    """Compares C with stride s with every s-th row of C with stride 1."""
    rng = np.random.default_rng((cases.seed, 5))
    for i, k, s, p in ((5, 3, 2, 0), (6, 3, 2, 1), (7, 2, 3, 1)):
        g = ConvGeometry((i, i + 1), (k, k), strides=(s, s - 1), padding=p)
        unit = ConvGeometry(g.input_shape, g.kernel_shape, padding=g.padding)
        case = Case(g, cases.dtype, rng)
        strided, dense = (
            case.run(lambda k, h=h: conv_matrix(k, h).todense(), case.kernel) for h in (g, unit)
        )
        rows = dense.reshape(*unit.output_shape, -1)[:: g.strides[0], :: g.strides[1]]
        yield exact((strided == rows.reshape(strided.shape)).all(), case.example())
