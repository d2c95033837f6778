"""Functions that a test identifies, built of matrices from loops, and the comparison of layers by theirs."""

import numpy as np
from oracles import dense

from jaxconv import GeometryError


def numpy_box(matrix, in_shape, out_shape):
    """A function of batches of maps, which are multiplied by a matrix."""

    def box(x):
        x = np.asarray(x)
        assert x.shape[1:] == in_shape
        return (x.reshape(len(x), -1) @ matrix.T).reshape(len(x), *out_shape)

    return box


def box_of(g, kernel, transposed):
    """Returns the function of a convolution or of its transpose, from loops, and its input."""
    C = dense(g, kernel)
    shapes = (*g.input_shape, g.in_features), (*g.output_shape, g.out_features)
    if transposed:
        return numpy_box(C.T, *shapes[::-1]), g.output_shape, g.out_features
    return numpy_box(C, *shapes), g.input_shape, g.in_features


def matrix_of(layer, shape):
    """Returns the matrix of a layer from loops, or None if it does not take maps of this shape."""
    try:
        g = layer.geometry(shape)
    except GeometryError:
        return None
    C = dense(g, np.asarray(layer.kernel))
    return C.T if layer.transposed else C


def same(one, other, shape, sizes=range(4)):
    """Whether two layers are the same function on inputs of this shape and of some larger ones."""
    for more in sizes:
        a, b = (matrix_of(layer, tuple(size + more for size in shape)) for layer in (one, other))
        if a is None or b is None:  # a transposed layer may not take this size
            continue
        if a.shape != b.shape or not np.allclose(a, b, rtol=0, atol=1e-9):
            return False
    return True
