"""The dot test tells transposes and adjoints from other functions, and blames the right function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxconv import GeometryError, conv, conv_transpose
from jaxconv.core.adjoint_check import DotTestResult, dot_test

DTYPES = [np.float64, np.complex128, np.float32, np.complex64, jnp.bfloat16, np.float16]


def random(rng, shape, dtype):
    values = rng.normal(size=shape)
    if jnp.issubdtype(dtype, np.complexfloating):
        values = values + 1j * rng.normal(size=shape)
    return jnp.asarray(values).astype(dtype)


def product(A):
    return lambda x: jnp.matmul(A, x, precision="highest")


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: jnp.dtype(dtype).name)
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (30, 400)], ids=str)
def test_a_matrix_and_its_transpose_pass(rng, dtype, shape):
    A, x, y = (random(rng, s, dtype) for s in (shape, shape[1:], shape[:1]))
    assert dot_test(product(A), product(A.T), x, y)
    assert dot_test(product(A), product(A.conj().T), x, y, adjoint=True)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128, np.float32], ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("shape", [(4, 4), (50, 60)], ids=str)
def test_other_matrices_fail(rng, dtype, shape):
    A, x, y = (random(rng, s, dtype) for s in (shape, shape[1:], shape[:1]))
    one_entry = A.at[0, 1].multiply(1.01 if dtype == np.float64 else 2)
    for wrong in (one_entry.T, -A.T, A.T[::-1], A.T[:, ::-1]):
        result = dot_test(product(A), product(wrong), x, y)
        assert not result
        assert result.gap > result.bound
    if jnp.issubdtype(dtype, np.complexfloating):
        assert not dot_test(product(A), product(A.T), x, y, adjoint=True)
        assert not dot_test(product(A), product(A.conj().T), x, y)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16], ids=lambda dtype: jnp.dtype(dtype).name)
def test_wrong_transposes_of_large_maps_fail_in_16_bits_too(rng, dtype):
    kernel, x, y = (random(rng, shape, dtype) for shape in [(5, 5, 4, 6), (24, 24, 4), (24, 24, 6)])

    def f(x):
        return conv(x, kernel, padding="SAME")

    assert dot_test(f, lambda y: conv_transpose(y, kernel, padding="SAME"), x, y)
    assert not dot_test(f, lambda y: conv_transpose(y, kernel[::-1], padding="SAME"), x, y)


def test_both_sides_are_the_inner_products(rng):
    A, x, y = rng.normal(size=(3, 5)), rng.normal(size=5), rng.normal(size=3)
    B = rng.normal(size=(5, 3))
    result = dot_test(lambda x: A @ x, lambda y: B @ y, x, y)
    assert result.left == pytest.approx(sum(A[i, j] * x[j] * y[i] for i in range(3) for j in range(5)))
    assert result.right == pytest.approx(sum(B[j, i] * x[j] * y[i] for i in range(3) for j in range(5)))
    assert result.gap == abs(result.left - result.right)
    norms = np.linalg.norm((A @ x) * y) + np.linalg.norm(x * (B @ y))
    assert result.bound == pytest.approx(4 * (1 + np.sqrt(8)) * np.finfo(float).eps * norms)
    z = rng.normal(size=5) + 1j * rng.normal(size=5)
    adjoint = dot_test(lambda x: x, lambda y: y, z, 2j * z, adjoint=True)
    assert adjoint.left == adjoint.right == pytest.approx(2j * sum(abs(z) ** 2))


def test_pytrees(rng):
    """A gradient field: x to its differences along both axes."""

    def differences(x):
        return {"rows": x["map"][1:] - x["map"][:-1], "columns": x["map"][:, 1:] - x["map"][:, :-1]}

    x = {"map": rng.normal(size=(4, 5))}
    y = {"rows": rng.normal(size=(3, 5)), "columns": rng.normal(size=(4, 4))}
    transpose = jax.linear_transpose(differences, x)
    assert dot_test(differences, lambda y: transpose(y)[0], x, y)
    assert not dot_test(differences, lambda y: {"map": -transpose(y)[0]["map"]}, x, y)


def test_nan_is_not_agreement():
    x = np.array([np.nan])
    assert not dot_test(lambda x: x, lambda y: y, x, x)
    assert not DotTestResult(1.0, 1.0, np.nan)


def test_the_result_reads_as_a_sentence():
    assert repr(DotTestResult(1.0, 1.5, 0.25)) == (
        "DotTestResult(FAILED: gap 0.5 > bound 0.25, left=1, right=1.5)"
    )
    assert repr(DotTestResult(1.0, 1.5, 0.75)).startswith("DotTestResult(passed: gap 0.5 <= bound 0.75")
    with pytest.raises(AttributeError):
        DotTestResult(1.0, 1.0, 1.0).left = 2.0


def test_mistakes_are_blamed_on_the_right_argument(rng):
    x, y = rng.normal(size=4), rng.normal(size=3)
    f, ft = (lambda x: x[:3]), (lambda y: np.pad(y, (0, 1)))
    assert dot_test(f, ft, x, y)
    with pytest.raises(
        GeometryError, match=r"`f` returned an array of shape \(4,\), but `y` has shape \(3,\)"
    ):
        dot_test(lambda x: x, ft, x, y)
    with pytest.raises(GeometryError, match=r"`ft` returned .* \(3,\), but `x` has shape \(4,\)"):
        dot_test(f, lambda y: y, x, y)
    with pytest.raises(GeometryError, match=r"\(4,\) at \['b'\]"):
        dot_test(lambda x: {"a": x, "b": x}, ft, x, {"a": x, "b": y})
    with pytest.raises(GeometryError, match="they must match"):
        dot_test(lambda x: (x[:3], x), ft, x, y)
    with pytest.raises(TypeError, match="`x` must be floating or complex, got int"):
        dot_test(f, ft, np.arange(4), y)
    with pytest.raises(TypeError, match="`y` must be an array, got 'y'"):
        dot_test(f, ft, x, "y")
    with pytest.raises(TypeError, match="`ft` must be a function"):
        dot_test(f, 3, x, y)
    with pytest.raises(TypeError, match=r"`x` is traced.*outside of jax\.jit"):
        jax.jit(lambda x: dot_test(f, ft, x, y).gap)(x)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (None, None, "`x` must have at least one number"),
        (np.ones(2), np.ones(0), "`y` must have at least one number"),
        (np.zeros(2), np.zeros(2), "all terms of both inner products are 0"),
    ],
)
def test_what_would_pass_for_any_function_is_refused(x, y, words):
    with pytest.raises(GeometryError, match=words):
        dot_test(lambda v: v, lambda v: v, x, y)


def test_numpy_functions_are_held_to_their_own_precision(rng):
    A, x, y = rng.normal(size=(20, 30)), rng.normal(size=30), rng.normal(size=20)
    with jax.enable_x64(False):
        assert dot_test(lambda v: A @ v, lambda v: A.T @ v, x, y)
        assert not dot_test(lambda v: A @ v, lambda v: A.T @ v * (1 + 1e-6), x, y)
