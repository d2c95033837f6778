"""Sums of matrices and products with scalars, against the same on dense NumPy arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import dense, kernel_shape, numbers
from strategies import CASES

from jaxconv import ConvGeometry, ConvMatrix, GeometryError, conv_matrix

G = ConvGeometry((5, 4), (3, 2), in_features=2, out_features=3, strides=(2, 1), padding=((1, 2), (0, 1)))
FEW = [G, CASES[5], CASES[7], CASES[12], CASES[25]]  # input dilation, groups, no entries, reflection


def pair(g, dtype=np.float64):
    """Two matrices of one geometry, and the dense arrays that the loops make of their kernels."""
    kernels = [numbers(kernel_shape(g), dtype, seed) for seed in "CD"]
    return [conv_matrix(kernel, g) for kernel in kernels], [dense(g, kernel) for kernel in kernels]


def assert_equal(matrix, expected):
    assert isinstance(matrix, ConvMatrix)
    np.testing.assert_allclose(matrix.todense(), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("g", FEW, ids=str)
def test_algebra_matches_the_dense_matrices(g):
    (C, D), (M, N) = pair(g)
    assert_equal(-C, -M)
    assert_equal(2 * C, 2 * M)
    assert_equal(C * 0.5, M * 0.5)
    assert_equal(C / 3, M / 3)
    assert_equal(C + D, M + N)
    assert_equal(C - D, M - N)
    assert_equal(C.T + D.T, M.T + N.T)
    assert_equal(3 * C.T - D.T / 7, 3 * M.T - N.T / 7)
    assert_equal((2 * C).T, 2 * M.T)
    x = numbers((g.matrix_shape[1],))
    np.testing.assert_allclose((2 * C - D) @ x, (2 * M - N) @ x, rtol=1e-12, atol=1e-12)


SCALARS = [
    2,
    2.0,
    np.float32(2),
    np.float64(2),
    np.int64(2),
    np.array(2.0),
    jnp.float32(2),
    jnp.int32(2),
    jnp.asarray(2.0),
]


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "complex64"])
@pytest.mark.parametrize("a", SCALARS, ids=lambda a: type(a).__name__ + str(getattr(a, "dtype", "")))
def test_a_real_scalar_keeps_the_dtype(a, dtype):
    C = conv_matrix(jnp.asarray(numbers(kernel_shape(G))).astype(dtype), G)
    for result, factor in ((a * C, 2), (C * a, 2), (C / a, 0.5)):
        assert isinstance(result, ConvMatrix)
        assert result.dtype == C.dtype
        np.testing.assert_array_equal(result.values, factor * C.values)


@pytest.mark.parametrize("a", [2j, np.complex64(2j), jnp.asarray(2j)], ids=["python", "numpy", "jax"])
def test_complex_scalars(a):
    (C, _), (M, _) = pair(G, np.complex128)
    assert_equal(a * C, 2j * M)
    assert_equal(C / a, M / 2j)
    assert (a * C).dtype == C.dtype
    (real, _), _ = pair(G)
    for scaled in (lambda: a * real, lambda: real * a, lambda: real / a):
        with pytest.raises(TypeError, match=r"`a` must be real .* a complex number"):
            scaled()


def test_huge_factors_leave_empty_slots_at_zero():
    """An infinite factor must not make NaN of rows and columns that have no such entry."""
    g = ConvGeometry((5,), (3,), strides=2, padding=1)
    C = conv_matrix(jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1), g)
    M = np.asarray(C.todense())
    with np.errstate(all="ignore"):
        for scaled in (C * np.inf, C / 0.0):
            np.testing.assert_array_equal(scaled.todense(), np.where(M > 0, np.inf, 0))
            assert not np.isnan(scaled.values).any()


def test_jit_and_gradients():
    (C, D), (M, N) = pair(G)
    x = numbers((G.matrix_shape[1],))

    @jax.jit
    def combined(a, C, D):
        return a * C - D / a

    assert_equal(combined(3.0, C, D), 3 * M - N / 3)
    slope = jax.jit(jax.grad(lambda a: ((a * C + D) @ x).sum()))(0.7)
    np.testing.assert_allclose(slope, (M @ x).sum(), rtol=1e-12)
    kernel = numbers(kernel_shape(G), seed="C")
    gradient = jax.grad(lambda kernel: ((2 * conv_matrix(kernel, G) - C) @ x).sum())(kernel)
    plain = jax.grad(lambda kernel: (conv_matrix(kernel, G) @ x).sum())(kernel)
    np.testing.assert_allclose(gradient, 2 * plain, rtol=1e-12, atol=1e-12)


def test_vmap():
    kernels = numbers((3, *kernel_shape(G)))
    batch = jax.vmap(lambda kernel: conv_matrix(kernel, G))(kernels)
    C, x, factors = conv_matrix(kernels[0], G), numbers((G.matrix_shape[1],)), np.array([1.0, -2.0, 0.5])
    dense_batch = np.stack([dense(G, kernel) for kernel in kernels])
    found = jax.vmap(lambda a, D: (a * D + C) @ x, (0, 0))(factors, batch)
    expected = (factors[:, None, None] * dense_batch + dense_batch[0]) @ x
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    for whole, factor in ((2 * batch, 2), (batch + batch, 2), (-batch, -1), (batch / 2, 0.5)):
        found = jax.vmap(lambda D: D.todense())(whole)
        np.testing.assert_allclose(found, factor * dense_batch, rtol=1e-14, atol=1e-14)
    with pytest.raises(GeometryError, match="a batch of matrices"):
        C + batch
    with pytest.raises(TypeError, match="must be a scalar"):
        factors * batch
