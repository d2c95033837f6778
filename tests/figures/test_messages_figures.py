"""Messages of `jaxconv.figures` for bad calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from messages import BadCall, check

from jaxconv import ConvGeometry, conv_matrix
from jaxconv.errors import GeometryError, OptionError
from jaxconv.figures import draw_matrix, matrix_figure, plot
from jaxconv.figures.receptive_field import receptive_field_figure

G = ConvGeometry((6,), (3,))
KERNEL = np.ones((3, 1, 1), np.float32)
C = conv_matrix(KERNEL, G)
BATCH = jax.vmap(lambda kernel: conv_matrix(kernel, G))(jnp.ones((2, *KERNEL.shape), np.float32))
FIELD = (range(3), range(3))


def traced(C):
    plot(C)
    return C


CASES = [
    BadCall("a kernel in place of C", lambda: plot(KERNEL), ("`C`", "ndarray", "conv_matrix"), TypeError),
    BadCall("a kernel in a figure", lambda: matrix_figure(KERNEL), ("`C`", "conv_matrix"), TypeError),
    BadCall("plot in jit", lambda: jax.jit(traced)(C), ("`C` is traced", "jax.jit"), TypeError),
    BadCall("a figure as axes", lambda: plot(C, ax=Figure()), ("`ax`", "Axes", "Figure"), TypeError),
    BadCall("unknown colour", lambda: plot(C, colour="red"), ("`colour`", "'tap'", "'red'"), OptionError),
    BadCall(
        "unknown colour in a file",
        lambda: draw_matrix(C, "C.png", colour="taps"),
        ("`colour`", "'taps'"),
        OptionError,
    ),
    BadCall("torch's order", lambda: plot(C, order="NCHW"), ("`order`", "'NCHW'"), GeometryError),
    BadCall(
        "a batch of matrices",
        lambda: plot(BATCH),
        ("`C`", "batch of matrices", "(2, 3, 4, 1, 1, 1)"),
        GeometryError,
    ),
    BadCall(
        "a receptive field along one axis",
        lambda: receptive_field_figure([np.ones(9)], [FIELD], ["one"]),
        ("`measured`", "(9,)"),
        GeometryError,
    ),
    BadCall(
        "fewer names than fields",
        lambda: receptive_field_figure([np.ones((9, 9))], [FIELD], []),
        ("`names`", "0", "1"),
        GeometryError,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
