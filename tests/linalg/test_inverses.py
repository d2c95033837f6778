"""Pseudo-inverses and deconvolution against dense matrices, and their derivatives."""

import builtins
import sys

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import oracles
import pytest
from linalg_cases import CIRCULANT, OTHERS, kernel_and_matrix

from jaxconv import ConvGeometry, GeometryError, conv
from jaxconv.errors import FailureError, MissingExtraError
from jaxconv.linalg import PseudoInverseOperator, deconvolve, pseudo_inverse

ONE_FEATURE = ConvGeometry((6, 5), (3, 2), padding=((1, 1), (0, 1)), padding_mode="circular")


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("g", [CIRCULANT[0], CIRCULANT[2], ONE_FEATURE, OTHERS[1]], ids=str)
def test_pseudo_inverse(g, dtype):
    kernel, C = kernel_and_matrix(g, dtype)
    expected = np.linalg.pinv(C)
    P = pseudo_inverse(kernel, g)
    scale = 1e-12 * max(np.linalg.norm(expected, 2), 1)
    for operator, matrix in ((P, expected), (P.T, expected.T), (P.H, expected.conj().T), (P.T.T, expected)):
        assert operator.shape == matrix.shape
        np.testing.assert_allclose(operator @ np.eye(matrix.shape[1], dtype=dtype), matrix, atol=scale)
    x, _, y = oracles.operands(g, dtype, (2,))
    np.testing.assert_allclose(P(y).reshape(2, -1), y.reshape(2, -1) @ expected.T, atol=40 * scale)
    np.testing.assert_allclose(P.T(x).reshape(2, -1), x.reshape(2, -1) @ expected, atol=40 * scale)
    assert (P @ y[0].ravel()).dtype == dtype


def test_singular_blocks_are_left_out():
    kernel = jnp.array([1.0, -1.0]).reshape(2, 1, 1)  # cannot see constant maps
    g = ConvGeometry((6,), (2,), padding=((0, 1),), padding_mode="circular")
    expected = np.linalg.pinv(oracles.dense(g, np.asarray(kernel)))
    np.testing.assert_allclose(pseudo_inverse(kernel, g) @ jnp.eye(6), expected, atol=1e-14)
    two = jnp.concatenate([kernel, kernel], 1)  # two equal features: rank 1 per block
    g = g.with_features(2, 2)
    two = jnp.concatenate([two, two], 2)
    expected = np.linalg.pinv(oracles.dense(g, np.asarray(two)))
    np.testing.assert_allclose(pseudo_inverse(two, g) @ jnp.eye(12), expected, atol=1e-14)


def test_pseudo_inverse_in_lineax_jit_and_vmap():
    g = CIRCULANT[0]
    kernel, C = kernel_and_matrix(g, np.complex128)
    operator = PseudoInverseOperator(pseudo_inverse(kernel, g))
    expected = np.linalg.pinv(C)
    np.testing.assert_allclose(operator.as_matrix(), expected, atol=1e-12)
    np.testing.assert_allclose(lx.conj(operator).T.as_matrix(), expected.conj().T, atol=1e-12)
    y = oracles.numbers(C.shape[0], np.complex128)
    solved = lx.linear_solve(operator, expected @ y, lx.LSMR(rtol=1e-12, atol=1e-12)).value
    np.testing.assert_allclose(solved, y, atol=1e-8)  # C is square and regular: the inverse's inverse
    kernels = jnp.stack([kernel, 2 * kernel])
    batch = jax.vmap(lambda kernel: pseudo_inverse(kernel, g))(kernels)
    both = jax.jit(jax.vmap(lambda P: P @ y))(batch)
    np.testing.assert_allclose(both[0], 2 * both[1], atol=1e-12)
    with pytest.raises(GeometryError, match="a batch of operators"):
        batch @ y


def minimum(C, y, damping):
    """The minimiser of |C x - y|^2 + damping |x|^2 with the smallest norm."""
    if damping == 0:
        return np.linalg.pinv(C) @ y
    return np.linalg.solve(C.conj().T @ C + damping * np.eye(C.shape[1]), C.conj().T @ y)


SYSTEMS = [
    (CIRCULANT[0], "fourier", np.float64),
    (CIRCULANT[2], "fourier", np.complex128),
    (ONE_FEATURE, "fourier", np.float64),
    (OTHERS[1], "lsmr", np.float64),
    (OTHERS[1], "cg", np.complex128),
]


@pytest.mark.parametrize("damping", [0.0, 0.3])
@pytest.mark.parametrize(("g", "method", "dtype"), SYSTEMS, ids=str)
def test_deconvolve(g, method, dtype, damping):
    kernel, C = kernel_and_matrix(g, dtype)
    y = oracles.numbers((2, *g.output_shape, g.out_features), dtype)
    got = deconvolve(y, kernel, geometry=g, damping=damping, method=method)
    assert (got.shape, got.dtype) == ((2, *g.input_shape, g.in_features), dtype)
    expected = minimum(C, y.reshape(2, -1).T, damping).T
    tolerance = 1e-12 if method == "fourier" else 1e-8
    np.testing.assert_allclose(got.reshape(2, -1), expected, atol=tolerance * abs(expected).max() * 10)


NEARLY_SINGULAR = ConvGeometry((6, 5), (3, 2), in_features=2, out_features=3, padding=((1, 1), (0, 1)),
                               padding_mode="circular")  # fmt: skip


def solutions(kernel, damping, scale=1.0):
    """Deconvolves in float32; and by singular values in double precision."""
    g = NEARLY_SINGULAR
    C = oracles.dense(g, kernel.astype(float)) / scale
    y = oracles.numbers((2, *g.output_shape, 3), np.float32)
    damping *= np.linalg.norm(C, 2) ** 2
    got = deconvolve(y, kernel, geometry=g, damping=damping * scale**2)
    u, values, v = np.linalg.svd(C, full_matrices=False)
    return got.reshape(2, -1), ((values / (values**2 + damping)) * (y.reshape(2, -1) @ u)) @ v / scale


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_damping_of_blocks_of_rank_1_in_float32(scale):
    kernel = scale * oracles.numbers((3, 2, 1, 1)) * np.array([[1.0, 2.0, -1.0], [2.0, 4.0, -2.0]])
    kernel = kernel.astype(np.float32)
    got, expected = solutions(kernel, 1e-4, scale)
    np.testing.assert_allclose(got, expected, atol=2e-3 * abs(expected).max())
    C = oracles.dense(NEARLY_SINGULAR, kernel.astype(float)) / scale
    x = pseudo_inverse(kernel, NEARLY_SINGULAR) @ np.ones(len(C), np.float32)
    expected = np.linalg.pinv(C, rcond=1e-5).sum(1) / scale
    np.testing.assert_allclose(x, expected, atol=1e-3 * abs(expected).max())


def test_damping_below_the_rounding_of_gram_matrices_in_float32():
    taps = oracles.numbers((3, 2, 1, 1)) * np.array([[1.0, 2.0, -1.0], [2.0, 4.0, -2.0]])
    kernel = (taps + 1e-3 * oracles.numbers((3, 2, 2, 3), seed="other")).astype(np.float32)
    got, expected = solutions(kernel, 1e-9)
    np.testing.assert_allclose(got, expected, atol=1e-2 * abs(expected).max())


def test_float32_where_x64_is_on():
    g = OTHERS[1]
    kernel, C = kernel_and_matrix(g, np.float32)
    y = oracles.numbers((*g.output_shape, g.out_features), np.float32)
    got = deconvolve(y, kernel, geometry=g, damping=0.3)
    assert got.dtype == np.float32
    expected = minimum(C.astype(float), y.astype(float).ravel(), 0.3)
    np.testing.assert_allclose(got.ravel(), expected, atol=1e-4 * abs(expected).max())
    tiny = deconvolve(np.float32(1e-20) * y, kernel, geometry=g, damping=0.3)  # tolerances are relative
    np.testing.assert_allclose(tiny.ravel() / np.float32(1e-20), got.ravel(), rtol=1e-4)


def test_kernels_that_are_constants_of_a_jitted_function():
    kernel = jnp.asarray(kernel_and_matrix(ONE_FEATURE)[0])
    y = oracles.numbers((6, 5, 1))
    got = jax.jit(lambda y: deconvolve(y, kernel, geometry=ONE_FEATURE))(y)
    np.testing.assert_allclose(got, deconvolve(y, kernel, geometry=ONE_FEATURE), rtol=1e-9)
    broken = kernel * jnp.nan
    with pytest.raises(GeometryError, match=r"`kernel` must be finite"):
        jax.jit(lambda y: deconvolve(y, broken, geometry=ONE_FEATURE))(y)


def test_options_in_place_of_a_geometry():
    g = ConvGeometry((7,), (3,), in_features=2, out_features=2, strides=2, padding=((1, 1),))
    kernel, _ = kernel_and_matrix(g)
    y = oracles.numbers((4, 2))
    got = deconvolve(y, kernel, input_shape=(7,), strides=2, padding=1, damping=0.1)
    np.testing.assert_array_equal(got, deconvolve(y, kernel, geometry=g, damping=0.1))


@pytest.mark.parametrize(
    ("g", "method", "damping"),
    [
        (CIRCULANT[0], "fourier", 0.0),
        (CIRCULANT[0], "fourier", 0.3),
        (ONE_FEATURE, "fourier", 0.0),
        (OTHERS[2], "lsmr", 0.3),
    ],
    ids=str,
)
def test_derivatives_go_through_the_solution(g, method, damping):
    kernel, _ = kernel_and_matrix(g)
    y, dk, dy = (oracles.numbers(s) for s in ((*g.output_shape, g.out_features), kernel.shape, (1,)))
    dy = dy * y[..., ::-1] + 1

    def loss(kernel, y):
        return (deconvolve(y, kernel, geometry=g, damping=damping, method=method) ** 2).sum()

    in_kernel, in_y = jax.grad(loss, (0, 1))(jnp.asarray(kernel), jnp.asarray(y))
    got = (in_kernel * dk).sum() + (in_y * dy).sum()

    def dense_loss(t):
        C = oracles.dense(g, kernel + t * dk)
        return (minimum(C, (y + t * dy).ravel(), damping) ** 2).sum()

    step = 1e-5
    expected = (dense_loss(step) - dense_loss(-step)) / (2 * step)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6 * abs(in_kernel).max())


def test_a_transposed_convolution_is_not_the_inverse():
    from jaxconv import conv_transpose

    g = ConvGeometry((16, 16), (3, 3), padding="SAME")
    row = np.array([1.0, 2.0, 1.0]) / 4
    kernel, x = np.outer(row, row)[..., None, None], oracles.numbers((16, 16, 1))
    y = conv(x, kernel, geometry=g)
    transpose = conv_transpose(y, kernel, geometry=g)
    error = lambda z: float(jnp.linalg.norm(z - x) / np.linalg.norm(x))  # noqa: E731
    scale = (transpose * x).sum() / (transpose**2).sum()
    assert error(deconvolve(y, kernel, geometry=g)) < 1e-6 < 0.5 < error(scale * transpose)


def test_an_iteration_that_does_not_converge():
    g, y = OTHERS[2], np.ones((5, 5, 1))
    kernel, _ = kernel_and_matrix(g)
    with pytest.raises(FailureError, match="method='lsmr' did not converge"):
        deconvolve(y, kernel, geometry=g, max_steps=2)
    traced = jax.jit(lambda y: deconvolve(y, kernel, geometry=g, max_steps=2))(y)
    assert np.isnan(traced).all()


def test_without_lineax(monkeypatch):
    monkeypatch.delitem(sys.modules, "jaxconv.linalg.lineax", raising=False)
    real = builtins.__import__

    def missing(name, *args, **options):
        if name.partition(".")[0] == "lineax":
            raise ModuleNotFoundError("No module named 'lineax'", name="lineax")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"iterative solution.* needs lineax.*jaxconv\[lineax\]"):
        deconvolve(np.ones((3, 1)), np.ones((1, 1, 1)), input_shape=(3,), method="cg")
    assert deconvolve(np.ones((3, 1)), np.ones((1, 1, 1)), input_shape=(3,)).tolist() == [[1.0]] * 3
