"""The product of C and its adjoint as a convolution, against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import dense, kernel_shape, numbers

from jaxconv import ConvGeometry, GeometryError
from jaxconv.linalg import compose, compose_kernels, gram

VALID = [
    ConvGeometry((9,), (3,), in_features=2, out_features=3),
    ConvGeometry((11,), (5,), strides=2, in_features=2),
    ConvGeometry((13,), (4,), strides=3, kernel_dilation=2, out_features=2),
    ConvGeometry((7, 8), (3, 2), strides=(2, 1), in_features=2, out_features=2),
    ConvGeometry(
        (6, 5), (2, 3), in_features=4, out_features=6, feature_group_count=2, kernel_dilation=(2, 1)
    ),
    ConvGeometry((8, 6), (2, 2), strides=(3, 3)),  # windows that share no cell
    ConvGeometry((4, 4, 5), (2, 2, 3), strides=(1, 2, 1)),
    ConvGeometry((9,), (3,), padding=((-1, -2),)),  # crops
]
FULL = [
    ConvGeometry((6,), (3,), padding="FULL", in_features=2, out_features=3),
    ConvGeometry((5,), (3,), padding="FULL", kernel_dilation=2, in_features=2),
    ConvGeometry((4, 5), (3, 2), padding="FULL", in_features=4, out_features=2, feature_group_count=2),
]
CIRCULANT = [
    ConvGeometry((6,), (3,), padding="SAME", padding_mode="circular", in_features=2, out_features=3),
    ConvGeometry((8,), (5,), padding=((1, 2),), padding_mode="circular", strides=2, out_features=2),
    ConvGeometry((4, 6), (3, 5), padding="SAME", padding_mode="circular", strides=(2, 3), kernel_dilation=2),
    ConvGeometry((3,), (7,), padding=((2, 4),), padding_mode="circular"),  # a kernel wider than the map
]  # fmt: skip
GRAMS = [
    *((g, "rows") for g in VALID + CIRCULANT),
    *((g, "columns") for g in FULL + [g for g in CIRCULANT if max(g.strides) == 1]),
]


def product(C, side):
    """The Gram matrix, and the same of magnitudes times the number of terms: its rounding bound."""
    left, right = (C, C.conj().T) if side == "rows" else (C.conj().T, C)
    return left @ right, left.shape[1] * abs(left) @ abs(right)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128], ids=["real", "complex"])
@pytest.mark.parametrize(("g", "side"), GRAMS, ids=str)
def test_gram_is_the_product_with_the_adjoint(g, side, dtype):
    kernel = numbers(kernel_shape(g), dtype)
    result = gram(kernel, g, side)
    expected, magnitude = product(dense(g, kernel), side)
    got = dense(result.geometry, np.asarray(result.kernel))
    assert got.shape == expected.shape
    assert (abs(got - expected) <= 8 * np.finfo(dtype).eps * magnitude).all()
    assert result.geometry.strides == result.geometry.input_dilation == (1,) * g.ndim


NOT_CONVOLUTIONS = [
    (ConvGeometry((6,), (3,), padding=1), "rows", "low border"),
    (ConvGeometry((6,), (3,), padding=1), "columns", "low border"),
    (ConvGeometry((6, 6), (3, 3), padding=((0, 0), (0, 1))), "rows", "on axis 1, at the high border"),
    (ConvGeometry((6,), (3,), padding="FULL", strides=2), "columns", "common factor"),
    (ConvGeometry((6,), (3,), padding=1, padding_mode="reflect"), "rows", "`padding_mode`"),
    (ConvGeometry((6,), (2,), strides=2, padding_mode="circular", padding=0), "columns", "common factor"),
]


@pytest.mark.parametrize(("g", "side", "word"), NOT_CONVOLUTIONS, ids=str)
def test_elsewhere_gram_refuses_and_the_border_differs(g, side, word):
    """What is refused differs from every shift-invariant matrix: its diagonals are not constant."""
    kernel = numbers(kernel_shape(g))
    with pytest.raises(GeometryError, match=word):
        gram(kernel, g, side)
    if g.ndim == 1:
        matrix, _ = product(dense(g, kernel), side)
        diagonals = [np.diagonal(matrix, k) for k in range(-1, 2)]
        assert any(np.ptp(diagonal) > 1e-3 for diagonal in diagonals)


def test_gram_is_differentiable_and_jits():
    g = VALID[1]
    kernel = numbers(kernel_shape(g))
    energy = lambda kernel: jnp.sum(gram(kernel, g).kernel ** 2)  # noqa: E731
    gradient = jax.jit(jax.grad(energy))(kernel)
    direction, step = numbers(kernel.shape, seed="d"), 1e-6
    slope = (energy(kernel + step * direction) - energy(kernel - step * direction)) / (2 * step)
    np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-8)


def test_the_kernel_of_valid_is_the_autocorrelation():
    """One feature and stride 1: NumPy's correlation of the kernel with itself."""
    kernel = numbers((5, 1, 1))
    result = gram(kernel, ConvGeometry((12,), (5,)))
    np.testing.assert_allclose(result.kernel.ravel(), np.correlate(kernel.ravel(), kernel.ravel(), "full"))


def test_composition_of_three_layers_is_their_receptive_field():
    layers = [
        ConvGeometry((20,), (3,), strides=2),
        ConvGeometry((9,), (3,)),
        ConvGeometry((7,), (2,), strides=3),
    ]
    g, kernel = layers[0], numbers((3, 1, 1), seed="0")
    for number, layer in enumerate(layers[1:], 1):
        kernel = compose_kernels(kernel, numbers(kernel_shape(layer), seed=str(number)), g, layer)
        g = compose(g, layer)
    assert (g.kernel_shape, g.strides, kernel.shape) == ((9,), (6,), (9, 1, 1))
