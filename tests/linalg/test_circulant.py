"""Which convolutions are block-circulant, and their blocks and singular values against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linalg_cases import ALL, CIRCULANT, bound, kernel_and_matrix

from jaxconv import ConvGeometry, GeometryError
from jaxconv.linalg import is_circulant, singular_values, symbol


def shifts(matrix, g):
    """Whether a shift of the input by the strides is a shift of the output by one, on every axis."""
    maps = matrix.reshape(*g.output_shape, g.out_features, *g.input_shape, g.in_features)
    n = g.ndim
    return all(
        np.allclose(np.roll(maps, (1, g.strides[axis]), (axis, n + 1 + axis)), maps) for axis in range(n)
    )


@pytest.mark.parametrize("g", ALL, ids=str)
def test_is_circulant_says_whether_shifts_commute(g):
    assert is_circulant(g) == shifts(kernel_and_matrix(g)[1], g)


def test_the_condition_on_every_small_axis():
    """Where shifts commute but the outputs are not inputs / stride, there is nothing to be circulant with."""
    found = 0
    for n in range(2, 7):
        for k, s, d, low, high in np.ndindex(4, 3, 2, 3, 3):
            for mode in ("circular", "zeros"):
                try:
                    g = ConvGeometry((n,), (k + 1,), strides=s + 1, kernel_dilation=d + 1,
                                     padding=((low, high),), padding_mode=mode)  # fmt: skip
                except GeometryError:
                    continue
                fits = g.output_shape[0] * g.strides[0] == n
                expected = fits and shifts(kernel_and_matrix(g)[1], g)
                if is_circulant(g) != expected:  # a tap that never reads a cell is not counted on
                    cells = np.arange(g.output_shape[0])[:, None] * (s + 1) + np.arange(k + 1) * (d + 1) - low
                    assert expected
                    assert ((cells < 0) | (cells >= n)).all(0).any()
                found += expected
    assert found > 200


def dft(n):
    j = np.arange(n)
    return np.exp(-2j * np.pi * j[:, None] * j / n) / np.sqrt(n)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("g", CIRCULANT, ids=str)
def test_symbol_is_c_between_fourier_matrices(g, dtype):
    kernel, C = kernel_and_matrix(g, dtype)
    F, H = np.eye(1), np.eye(1)
    for axis in g.axes:
        F, H = np.kron(F, dft(axis.out_size)), np.kron(H, dft(axis.size))
    F, H = np.kron(F, np.eye(g.out_features)), np.kron(H, np.eye(g.in_features))
    n, groups = g.ndim, g.feature_group_count
    hat = (F @ C @ H.conj().T).reshape(
        *g.output_shape, groups, -1, *g.input_shape, groups, g.in_features // groups
    )
    blocks = np.asarray(symbol(kernel, g))
    expected = np.zeros_like(blocks)
    seen = np.zeros_like(hat)
    for place in np.ndindex(*g.output_shape, groups):
        folds = [[place[a] + m * axis.out_size for m in range(axis.stride)] for a, axis in enumerate(g.axes)]
        index = np.ix_([place[n]], range(hat.shape[n + 1]), *folds, [place[n]], range(hat.shape[-1]))
        expected[place] = hat[place[:n]][index].reshape(blocks.shape[-2:])
        seen[place[:n]][index] = 1
    scale = 64 * np.finfo(float).eps * abs(C).sum(1).max()
    np.testing.assert_allclose(blocks, expected, atol=scale)
    assert abs(hat[seen == 0]).max(initial=0) <= scale  # nothing outside of the blocks


@pytest.mark.parametrize("dtype", [np.float64, np.complex128, np.float32])
@pytest.mark.parametrize("g", CIRCULANT, ids=str)
def test_singular_values_are_those_of_the_dense_matrix(g, dtype):
    kernel, C = kernel_and_matrix(g, dtype)
    got = singular_values(kernel, g)
    assert got.shape == (min(g.matrix_shape),)
    np.testing.assert_allclose(got, np.linalg.svd(C, compute_uv=False), atol=bound(g, C, dtype), rtol=0)
    np.testing.assert_array_equal(singular_values(kernel, g, 3), got[:3])


TRANSFORMS = {
    "zeros": lambda n: np.pi * np.arange(1, n + 1) / (n + 1),  # DST-I
    "circular": lambda n: 2 * np.pi * np.arange(n) / n,  # DFT
    "reflect": lambda n: np.pi * np.arange(n) / (n - 1),  # DCT-I
    "replicate": lambda n: np.pi * np.arange(n) / n,  # DCT-II
}


@pytest.mark.parametrize("mode", ["zeros", "circular", "replicate"])
def test_symmetric_kernels_have_the_values_of_the_trigonometric_transforms(mode):
    n, a, b = 12, 0.7, -1.1
    g = ConvGeometry((n,), (3,), padding=1, padding_mode=mode)
    expected = np.sort(abs(b + 2 * a * np.cos(TRANSFORMS[mode](n))))[::-1]
    got = singular_values(jnp.array([a, b, a]).reshape(3, 1, 1), g, n)
    np.testing.assert_allclose(got, expected, atol=1e-14)


def test_values_that_occur_several_times_are_found():
    """C of separable kernel on a square map: the values of axes i, j and j, i are equal."""
    g = ConvGeometry((9, 9), (3, 3), padding="SAME")
    row = np.array([0.5, 1.0, 0.5])
    one = 1 + np.cos(np.pi * np.arange(1, 10) / 10)
    expected = np.sort(np.outer(one, one).ravel())[::-1][:7]
    assert expected[1] == expected[2]
    got = singular_values(np.outer(row, row)[..., None, None], g, 7)
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_the_largest_values_agree_with_scipy():
    from scipy.sparse.linalg import svds

    from jaxconv import conv_matrix

    g = ConvGeometry((20, 17), (3, 3), in_features=2, out_features=3, strides=(2, 1), padding=1)
    kernel, _ = kernel_and_matrix(ConvGeometry((3, 3), (3, 3), in_features=2, out_features=3))
    expected = svds(conv_matrix(kernel, g).to_scipy().tocsr(), 4, return_singular_vectors=False, tol=1e-13)
    got = singular_values(kernel, g, 4)
    np.testing.assert_allclose(got, np.sort(expected)[::-1], rtol=1e-11)
    second, gradient = jax.value_and_grad(lambda kernel: singular_values(kernel, g, 4)[1])(kernel)
    np.testing.assert_allclose((gradient * kernel).sum(), second, rtol=1e-9)  # homogeneous of degree 1
    slope = singular_values(kernel + 1e-5 * kernel[::-1] ** 2, g, 4)[1] - second
    np.testing.assert_allclose((gradient * kernel[::-1] ** 2).sum(), slope / 1e-5, rtol=1e-3)


def test_many_kernels_at_once_and_differentiation():
    g = CIRCULANT[0]
    kernels = jnp.stack([kernel_and_matrix(g, seed=seed)[0] for seed in "ab"])
    got = jax.jit(jax.vmap(lambda kernel: singular_values(kernel, g)))(kernels)
    for one, kernel in zip(got, kernels, strict=True):
        np.testing.assert_allclose(one, singular_values(kernel, g), atol=1e-13)
    gradient = jax.grad(lambda kernel: (singular_values(kernel, g) ** 2).sum())(kernels[0])
    count = (
        g.output_shape[0] * g.output_shape[1]
    )  # the squared Frobenius norm: each tap reads at every output
    np.testing.assert_allclose(gradient, 2 * count * kernels[0], rtol=1e-12)
