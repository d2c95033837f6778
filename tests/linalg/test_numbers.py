"""Trace, determinant, rank, condition and null space, against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linalg_cases import ALL, CIRCULANT, OTHERS, kernel_and_matrix

from jaxconv import ConvGeometry, conv
from jaxconv.linalg import condition_number, is_circulant, log_determinant, null_space, rank, trace

SQUARE = [
    ConvGeometry((5, 4), (3, 2), in_features=2, out_features=2, padding="SAME"),
    ConvGeometry(
        (5,),
        (3,),
        in_features=4,
        out_features=4,
        feature_group_count=2,
        padding="SAME",
        padding_mode="reflect",
    ),
    ConvGeometry((6,), (5,), in_features=2, out_features=2, padding="SAME", padding_mode="circular"),
    ConvGeometry((4, 3), (3, 2), in_features=2, out_features=2, kernel_dilation=(1, 2), padding="CAUSAL"),
    ConvGeometry((4, 3), (3, 2), padding=((2, 0), (0, 1))),  # triangular from two ends
]
SINGULAR = [  # (geometry, kernel with a null space)
    (
        ConvGeometry((6, 4), (2, 1), padding=((0, 1), (0, 0)), padding_mode="circular"),
        np.array([[1.0], [-1.0]]),
    ),
    (ConvGeometry((8,), (3,), padding="SAME"), np.ones(3)),
    (ConvGeometry((6, 6), (2, 2), strides=2), np.array([[1.0, 2.0], [3.0, -1.0]])),
]


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("g", SQUARE, ids=str)
def test_trace_and_determinant(g, dtype):
    kernel, C = kernel_and_matrix(g, dtype)
    np.testing.assert_allclose(trace(kernel, g), np.trace(C), atol=1e-12)
    np.testing.assert_allclose(log_determinant(kernel, g), np.linalg.slogdet(C)[1], rtol=1e-12)


def test_a_square_strided_convolution_has_a_determinant():
    g = ConvGeometry((6, 4), (3, 3), in_features=1, out_features=4, strides=2, padding=((1, 0),) * 2,
                     padding_mode="circular")  # fmt: skip
    kernel, C = kernel_and_matrix(g)
    np.testing.assert_allclose(log_determinant(kernel, g), np.linalg.slogdet(C)[1], rtol=1e-12)


@pytest.mark.parametrize("g", SQUARE[2:4], ids=str)
def test_the_gradient_of_the_determinant_is_a_trace(g):
    kernel, C = kernel_and_matrix(g)
    gradient = jax.jit(jax.grad(lambda k: log_determinant(k, g)))(kernel)
    inverse = np.linalg.inv(C)
    for index in ((0,) * kernel.ndim, tuple(n - 1 for n in kernel.shape)):
        unit = np.zeros_like(kernel)
        unit[index] = 1
        import oracles

        np.testing.assert_allclose(gradient[index], np.trace(inverse @ oracles.dense(g, unit)), atol=1e-11)


@pytest.mark.parametrize("g", ALL[:7], ids=str)
def test_rank_and_condition(g):
    kernel, C = kernel_and_matrix(g)
    assert rank(kernel, g) == np.linalg.matrix_rank(C)
    np.testing.assert_allclose(condition_number(kernel, g), np.linalg.cond(C), rtol=1e-9)


def test_a_box_of_three_is_singular_where_n_is_2_modulo_3():
    box = jnp.ones((3, 1, 1))
    ranks = [int(rank(box, ConvGeometry((n,), (3,), padding="SAME"))) for n in range(2, 10)]
    assert ranks == [n - (n % 3 == 2) for n in range(2, 10)]


def test_condition_of_singular_matrices():
    g = ConvGeometry((4,), (2,), padding=((0, 1),), padding_mode="circular")
    assert condition_number(jnp.zeros((2, 1, 1)), g) == jnp.inf
    assert condition_number(jnp.array([[[1.0]], [[1.0]]]), g) > 1e15
    assert rank(jnp.zeros((2, 1, 1)), g) == 0


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize(("g", "taps"), SINGULAR, ids=str)
def test_null_space(g, taps, dtype):
    kernel = taps[..., None, None].astype(dtype) * (1 if dtype == np.float64 else 1j)
    import oracles

    C = oracles.dense(g, kernel)
    basis = null_space(kernel, g)
    assert basis.dtype == dtype
    flat = np.asarray(basis).reshape(len(basis), -1)
    assert len(basis) == C.shape[1] - np.linalg.matrix_rank(C) > 0
    np.testing.assert_allclose(C @ flat.T, 0, atol=1e-13)
    np.testing.assert_allclose(flat.conj() @ flat.T, np.eye(len(flat)), atol=1e-13)


@pytest.mark.parametrize("g", [CIRCULANT[2], OTHERS[1]], ids=str)
def test_null_space_of_features(g):
    kernel, C = kernel_and_matrix(g)
    basis = null_space(kernel, g)
    assert basis.shape == (C.shape[1] - np.linalg.matrix_rank(C), *g.input_shape, g.in_features)
    assert abs(conv(basis, kernel, geometry=g)).max(initial=0) <= 1e-12
    if not is_circulant(g):
        return
    full = null_space(np.ones(g.kernel_array_shape), g)  # rank 1 per block
    assert len(full) == C.shape[1] - int(rank(np.ones(g.kernel_array_shape), g))
