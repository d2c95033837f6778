"""Geometries, kernels and dense matrices for the tests of this room."""

import numpy as np
import oracles

from jaxconv import ConvGeometry

CIRCULAR = {"padding_mode": "circular"}
CIRCULANT = [
    ConvGeometry(
        (8, 6),
        (3, 2),
        in_features=2,
        out_features=4,
        strides=(2, 1),
        padding=((1, 0), (0, 1)),
        feature_group_count=2,
        **CIRCULAR,
    ),
    ConvGeometry((5,), (7,), in_features=2, out_features=2, padding=((2, 4),), **CIRCULAR),
    ConvGeometry((6, 4), (2, 2), in_features=2, out_features=3, strides=(3, 2)),  # no window leaves the map
    ConvGeometry(
        (4, 3, 2), (2, 2, 1), kernel_dilation=(2, 1, 1), padding=((1, 1), (0, 1), (0, 0)), **CIRCULAR
    ),
]
OTHERS = [
    ConvGeometry((7, 6), (3, 3), in_features=2, out_features=3, padding="SAME"),
    ConvGeometry(
        (9,), (4,), in_features=2, out_features=2, strides=2, padding=((2, 1),), padding_mode="reflect"
    ),
    ConvGeometry((5, 5), (3, 2), padding=((1, 1), (0, 1)), padding_mode="replicate"),
    ConvGeometry((5,), (3,), padding=((2, 2),), input_dilation=2, strides=2),
    ConvGeometry(
        (4, 4), (3, 3), in_features=4, out_features=2, feature_group_count=2, padding=((-1, 2), (2, 1))
    ),
]
ALL = [*CIRCULANT, *OTHERS]


def kernel_and_matrix(g, dtype=np.float64, seed=""):
    """Returns a random kernel, and C by the definition in double precision."""
    kernel = oracles.numbers(g.kernel_array_shape, dtype, seed)
    return kernel, oracles.dense(g, np.asarray(kernel))


def bound(g, matrix, dtype=np.float64, c=8):
    """Returns the rounding error of a singular value: so many eps of the largest."""
    return c * sum(matrix.shape) * float(np.finfo(dtype).eps) * np.linalg.norm(matrix, 2)
