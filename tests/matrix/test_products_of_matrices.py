"""C2 @ C1 and the kernel of two convolutions in sequence, against SciPy's product and dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from oracles import assert_is_product, dense, kernel_shape, numbers

from jaxconv import ConvGeometry, ConvMatrix, GeometryError, conv_matrix
from jaxconv.geometry.composition import compose
from jaxconv.matrix.composition import compose_kernels

# Pairs that are one convolution: the first, and the arguments of the second.
CHAINS = {
    "valid": (ConvGeometry((9,), (3,), strides=2, in_features=2, out_features=3), {"kernel_shape": (2,)}),
    "dilated": (
        ConvGeometry((12,), (2,), kernel_dilation=3, out_features=2),
        {"kernel_shape": (2,), "kernel_dilation": 3, "strides": 2},
    ),
    "enough padding": (ConvGeometry((6, 5), (3, 3), padding=2), {"kernel_shape": (2, 3), "padding": 1}),
    "pointwise, then dilated": (
        ConvGeometry((6, 5), (1, 1), out_features=2),
        {"kernel_shape": (3, 2), "kernel_dilation": (2, 3), "padding": 1},
    ),
    "dilated, then pointwise": (
        ConvGeometry((9,), (3,), kernel_dilation=3, padding=2, out_features=2),
        {"kernel_shape": (1,), "out_features": 3},
    ),
    "pointwise, then reflect": (
        ConvGeometry((5, 4), (1, 1), in_features=3, out_features=2),
        {"kernel_shape": (3, 3), "padding": 1, "padding_mode": "reflect", "out_features": 2},
    ),
    "circular": (
        ConvGeometry((6,), (3,), padding=((1, 1),), padding_mode="circular", strides=2, out_features=2),
        {"kernel_shape": (2,), "padding": ((0, 1),), "padding_mode": "circular"},
    ),
    "groups of 2 and 4": (
        ConvGeometry((6,), (2,), in_features=4, out_features=8, feature_group_count=2),
        {"kernel_shape": (3,), "out_features": 4, "feature_group_count": 4},
    ),
    "depthwise, then dense": (
        ConvGeometry((5, 6), (2, 3), in_features=3, out_features=6, feature_group_count=3, strides=(1, 2)),
        {"kernel_shape": (1, 1), "out_features": 2},
    ),
    "stretched": (
        ConvGeometry((4,), (3,), padding=2, input_dilation=2),
        {"kernel_shape": (3,), "input_dilation": 3, "padding": ((2, 1),), "strides": 3},
    ),
}


def chain(name):
    """Two geometries, and their kernels."""
    first, options = CHAINS[name]
    second = ConvGeometry(first.output_shape, in_features=first.out_features, **options)
    return first, second, numbers(kernel_shape(first), seed="1"), numbers(kernel_shape(second), seed="2")


@pytest.mark.parametrize("name", CHAINS)
def test_the_product_is_one_convolution(name):
    first, second, k1, k2 = chain(name)
    product = conv_matrix(k2, second) @ conv_matrix(k1, first)
    assert isinstance(product, ConvMatrix)
    assert product.geometry == compose(first, second)
    left, right = dense(second, k2), dense(first, k1)
    assert_product(product.todense(), left, right)
    kernel = compose_kernels(k1, k2, first, second)
    assert kernel.shape == product.geometry.kernel_array_shape
    assert_product(dense(product.geometry, np.asarray(kernel)), left, right)


def assert_product(got, left, right):
    """Asserts that a matrix is the product of two, up to rounding, column by column."""
    bound = 8 * left.shape[1] * np.finfo(got.dtype).eps * (abs(left) @ abs(right))
    assert (abs(got - left @ right) <= bound).all()


def test_the_order_of_three_does_not_matter():
    first, second, k1, k2 = chain("valid")
    third = ConvGeometry(second.output_shape, (2,))
    k3 = numbers(kernel_shape(third), seed="3")
    C1, C2, C3 = (conv_matrix(k, g) for k, g in ((k1, first), (k2, second), (k3, third)))
    assert (C3 @ (C2 @ C1)).geometry == ((C3 @ C2) @ C1).geometry
    np.testing.assert_allclose((C3 @ (C2 @ C1)).todense(), ((C3 @ C2) @ C1).todense(), atol=1e-13)


@pytest.mark.parametrize("transposed", ["C D.T", "C.T D", "C.T D.T"])
def test_products_with_transposes(transposed):
    """C and C-transposed of a padded convolution with a stride: each product of the two, and their order."""
    g = ConvGeometry((7, 5), (3, 2), in_features=2, out_features=3, strides=(2, 1))
    C, M = conv_matrix(numbers(kernel_shape(g), seed="C"), g), dense(g, numbers(kernel_shape(g), seed="C"))
    other = ConvGeometry(g.output_shape, (2, 2), in_features=3)
    D = conv_matrix(numbers(kernel_shape(other), seed="D"), other)
    N = dense(other, numbers(kernel_shape(other), seed="D"))
    left, right, M, N = {
        "C D.T": (C, C.T, M, M.T),
        "C.T D": (C.T, C, M.T, M),
        "C.T D.T": (C.T, D.T, M.T, N.T),
    }[transposed]
    product = left @ right
    assert isinstance(product, scipy.sparse.sparray if transposed == "C.T D" else ConvMatrix)
    assert_product(np.asarray(product.todense()), M, N)


@pytest.mark.parametrize(
    "g", [ConvGeometry((6,), (3,), padding=1), ConvGeometry((4, 4), (3, 3), padding="SAME")]
)
def test_elsewhere_the_product_is_scipys(g):
    one, two = (numbers(kernel_shape(g), seed=seed) for seed in "12")
    product = conv_matrix(two, g) @ conv_matrix(one, g)
    assert isinstance(product, scipy.sparse.csr_array)
    expected = conv_matrix(two, g).to_scipy() @ conv_matrix(one, g).to_scipy()
    assert (product != expected).nnz == 0
    with pytest.raises(GeometryError, match="low border"):
        compose(g, g)


def test_values_of_no_kernel_are_multiplied_by_scipy():
    g = ConvGeometry((6,), (3,))
    kernel = numbers(kernel_shape(g))
    C = conv_matrix(kernel, g)
    uneven = ConvMatrix(C.values.at[1, 2].multiply(3), g)
    D = conv_matrix(kernel[:2], ConvGeometry((4,), (2,)))
    assert isinstance(D @ C, ConvMatrix)
    product = D @ uneven
    assert isinstance(product, scipy.sparse.csr_array)
    assert_product(product.todense(), np.asarray(D.todense()), np.asarray(uneven.todense()))


def test_maps_of_other_shapes_are_multiplied_by_scipy():
    """As matrices they fit, as convolutions they do not."""
    C = conv_matrix(numbers((2, 2, 1, 1)), ConvGeometry((3, 4), (2, 2)))
    D = conv_matrix(numbers((2, 1, 1)), ConvGeometry((6,), (2,)))
    assert isinstance(D @ C, scipy.sparse.csr_array)
    assert_product((D @ C).todense(), np.asarray(D.todense()), np.asarray(C.todense()))


@pytest.mark.parametrize("name", ["valid", "stretched"])
def test_the_gradient_goes_through_the_product(name):
    first, second, k1, k2 = chain(name)
    x = numbers((first.matrix_shape[1],), seed="x")
    y = numbers((second.matrix_shape[0],), seed="y")

    def pairing(k1, k2):
        return y @ ((conv_matrix(k2, second) @ conv_matrix(k1, first)) @ x)

    plain = jax.grad(lambda k1, k2: y @ (conv_matrix(k2, second) @ (conv_matrix(k1, first) @ x)), (0, 1))
    for got, expected in zip(jax.jit(jax.grad(pairing, (0, 1)))(k1, k2), plain(k1, k2), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def test_matrices_that_a_program_closes_over_are_multiplied_while_it_is_traced():
    first, second, k1, k2 = chain("valid")
    C, D = conv_matrix(k1, first), conv_matrix(k2, second)
    x = numbers((C.shape[1],), seed="x")
    got = jax.jit(lambda x: (D @ C) @ x)(x)
    assert_is_product(got, dense(second, k2) @ dense(first, k1), x)
    padded = ConvGeometry((6,), (3,), padding=1)
    S = conv_matrix(numbers((3, 1, 1)), padded)
    assert jax.jit(lambda: jnp.asarray((S @ S).todense()))().shape == (
        6,
        6,
    )  # SciPy's product, of known numbers


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_dtypes(dtype):
    first, second, k1, k2 = chain("valid")
    one, two = (jnp.asarray(k, jnp.dtype(dtype)) for k in (k1, k2))
    if dtype == "complex64":
        one, two = one * one.dtype.type(1j), two * two.dtype.type(1 + 2j)
    kernel = compose_kernels(one, two, first, second)
    assert kernel.dtype == jnp.dtype(dtype)
    wide = [np.asarray(k).astype(complex if dtype == "complex64" else float) for k in (one, two)]
    expected = np.asarray(compose_kernels(*wide, first, second))
    magnitude = np.asarray(compose_kernels(*map(abs, wide), first, second))
    assert (
        abs(np.asarray(kernel).astype(expected.dtype) - expected) <= 16 * jnp.finfo(dtype).eps * magnitude
    ).all()


def test_a_tap_that_reads_only_padding_does_not_matter():
    """The kernel of C is read off its values, where such a tap does not occur."""
    g = ConvGeometry((2,), (5,), padding=((4, 0),))
    C = conv_matrix(numbers(kernel_shape(g)), g)
    D = conv_matrix(numbers((2, 1, 1)), ConvGeometry((2,), (2,)))
    assert_product((D @ C).todense(), np.asarray(D.todense()), np.asarray(C.todense()))
    x = numbers((2,))
    assert_is_product((D @ C) @ x, np.asarray(D.todense()) @ np.asarray(C.todense()), x)


def test_a_matrix_of_zeros_is_multiplied():
    """Its windows read only padding and inserted zeros, and it stores nothing."""
    g = ConvGeometry((2,), (3,), padding=1, input_dilation=2, kernel_dilation=2)
    C = conv_matrix(numbers((3, 1, 1)), g)
    D = conv_matrix(numbers((1, 1, 1)), ConvGeometry(g.output_shape, (1,)))
    assert C.values.size == 0
    np.testing.assert_array_equal((D @ C).todense(), np.zeros((1, 2)))
