"""What composition, Gram matrices and the functions on checkerboards say about bad arguments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError, conv_matrix
from jaxconv.linalg import compose, compose_kernels, even_kernel, gram, is_even, overlap, phase_sums

VALID = ConvGeometry((8,), (3,))
SAME = ConvGeometry((8,), (3,), padding=1)
AFTER = ConvGeometry((6,), (2,))
KERNEL, SMALL = jnp.ones((3, 1, 1)), jnp.ones((2, 1, 1))
PLANE = ConvGeometry((8, 8), (3, 3), padding=((0, 0), (0, 1)))
C = conv_matrix(KERNEL, VALID)


def case(name, call, *words, error=GeometryError):
    return BadCall(name, call, words, error)


CASES = [
    case("the low border", lambda: compose(SAME, SAME), "low border", "window -1", "padding of 2"),
    case("the high border", lambda: compose(ConvGeometry((8,), (3,), padding=((2, 0),)),
                                            ConvGeometry((8,), (3,), padding=((1, 1),))), "high border"),
    case("an axis", lambda: compose(PLANE, ConvGeometry((6, 7), (2, 2), padding=((0, 0), (0, 1)))),
         "on axis 1", "high border", "C2 @ C1"),
    case("reflected", lambda: compose(VALID, ConvGeometry((6,), (3,), padding=1, padding_mode="reflect")),
         "low border", "reflect"),
    case("down, then up", lambda: compose(ConvGeometry((8,), (2,), strides=2),
                                          ConvGeometry((4,), (3,), input_dilation=2)), "common factor 2"),
    case("other sizes", lambda: compose(VALID, SAME), "`second`", "(6,)", "(8,)"),
    case("swapped", lambda: compose(AFTER, VALID), "`second`", "swapped", "C2 @ C1"),
    case("other features", lambda: compose(VALID, AFTER.with_features(2, 1)), "`second`", "2 feature(s)"),
    case("a shape", lambda: compose((8,), AFTER), "`first`", "ConvGeometry", error=TypeError),
    case("an array", lambda: compose(VALID, KERNEL), "`second`", "ConvGeometry", error=TypeError),
    case("kernels swapped", lambda: compose_kernels(SMALL, KERNEL, VALID, AFTER), "`k1`", "(3, 1, 1)"),
    case("two dtypes", lambda: compose_kernels(KERNEL, SMALL.astype(jnp.float32), VALID, AFTER),
         "`k1` and `k2`", "dtype", error=TypeError),
    case("integers", lambda: compose_kernels(KERNEL.astype(int), SMALL, VALID, AFTER), "`k1`",
         error=TypeError),
    case("matrices that do not fit", lambda: C @ C, "C @ D", "(6, 8)"),
    case("matrices in the other order", lambda: C @ conv_matrix(SMALL, ConvGeometry((6,), (2,))),
         "C @ D", "Is D @ C meant?"),
    case("another border inside jit", lambda: jax.jit(lambda C: (C @ C).values)(conv_matrix(KERNEL, SAME)),
         "low border", "outside of jax.jit"),
    case("matrices of two dtypes", lambda: conv_matrix(SMALL.astype(jnp.float32), AFTER) @ C, "`C` and `D`",
         error=TypeError),
    case("a padded Gram matrix", lambda: gram(KERNEL, SAME), "C C-transposed", "low border"),
    case("columns of VALID", lambda: gram(KERNEL, VALID, "columns"), "C-transposed C", "low border"),
    case("a strided Gram matrix", lambda: gram(KERNEL, ConvGeometry((8,), (3,), strides=2, padding="FULL"),
                                               "columns"), "C-transposed C", "common factor"),
    case("a reflected Gram matrix", lambda: gram(KERNEL, ConvGeometry((8,), (3,), padding=1,
                                                 padding_mode="reflect")), "`padding_mode`", "'zeros'"),
    case("an unknown side", lambda: gram(KERNEL, VALID, "left"), "`side`", "'left'"),
    case("a kernel of another shape", lambda: gram(SMALL, VALID), "`kernel`", "(3, 1, 1)"),
    case("a kernel with NaN", lambda: gram(KERNEL * np.nan, VALID), "`kernel`", "finite"),
    case("overlap of a shape", lambda: overlap((8,)), "`geometry`", error=TypeError),
    case("is_even of a kernel", lambda: is_even(KERNEL), "`geometry`", "swapped", error=TypeError),
    case("swapped arguments", lambda: phase_sums(VALID, KERNEL), "`geometry`", error=TypeError),
    case("phase sums of text", lambda: phase_sums("ones", VALID), "`kernel`", error=TypeError),
    case("holes", lambda: even_kernel(SMALL, ConvGeometry((9,), (2,), strides=3)), "`geometry`", "axis 0",
         "stride 3"),
    case("holes of dilation", lambda: even_kernel(KERNEL, ConvGeometry((9,), (3,), strides=2,
                                                                       kernel_dilation=2)),
         "kernel_dilation=2", "common factor"),
    case("an even kernel of another shape", lambda: even_kernel(SMALL, VALID), "`kernel`", "(3, 1, 1)"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
