"""The operator norm, its gradient, and its certified bounds, against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from linalg_cases import ALL, CIRCULANT, OTHERS, bound, kernel_and_matrix

from jaxconv import ConvGeometry, conv_kernel_vjp
from jaxconv.linalg import (
    frobenius_norm,
    is_circulant,
    norm_bound,
    norm_interval,
    operator_norm,
    singular_values,
)
from jaxconv.linalg.bounds import rounding


def methods(g):
    return ("fourier", "gram", "lanczos") if is_circulant(g) else ("lanczos",)


def kernel_gradient(g, kernel):
    """The gradient of the norm from the dense matrix's top pair, and the norm."""
    C = kernel_and_matrix(g)[1] if kernel is None else kernel[1]
    u, s, v = np.linalg.svd(C)
    left = u[:, 0].conj().reshape(*g.output_shape, g.out_features)
    right = v[0].conj().reshape(*g.input_shape, g.in_features)
    return s[0], np.asarray(conv_kernel_vjp(right, left, geometry=g))


CASES = [
    *((ALL[0], method) for method in methods(ALL[0])),
    (ALL[2], "fourier"),
    (OTHERS[0], "lanczos"),
    (OTHERS[1], "lanczos"),
]


@pytest.mark.parametrize(("g", "method"), CASES, ids=str)
def test_norm_and_gradient(g, method):
    kernel, C = kernel_and_matrix(g)
    expected, gradient = kernel_gradient(g, (kernel, C))
    got, got_gradient = jax.value_and_grad(lambda k: operator_norm(k, g, method=method))(jnp.asarray(kernel))
    tolerance = 1e-6 if method == "gram" else 1e-12
    np.testing.assert_allclose(got, expected, rtol=tolerance)
    if method == "gram":
        assert got >= expected * (1 - 1e-14)
    np.testing.assert_allclose(got_gradient, gradient, atol=1e-9 * abs(gradient).max())


@pytest.mark.parametrize("g", [CIRCULANT[1], OTHERS[1]], ids=str)
def test_complex_kernels(g):
    kernel, C = kernel_and_matrix(g, np.complex128)
    expected, gradient = kernel_gradient(g, (kernel, C))
    got, got_gradient = jax.value_and_grad(lambda k: operator_norm(k, g))(jnp.asarray(kernel))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_allclose(got_gradient, gradient, atol=1e-9)
    for step in (1e-6, 1e-6j):  # JAX's convention for the gradient of a real function
        moved = kernel + step * np.eye(1, kernel.size).reshape(kernel.shape)
        slope = (operator_norm(moved, g) - got) / 1e-6
        np.testing.assert_allclose(slope, (gradient.ravel()[0] * step / 1e-6).real, atol=1e-4)


def test_float32_and_half_precision():
    g = OTHERS[0]
    kernel, C = kernel_and_matrix(g, np.float32)
    got = operator_norm(kernel, g)
    assert got.dtype == jnp.float32
    assert abs(got - np.linalg.norm(C, 2)) <= bound(g, C, np.float32)
    half = operator_norm(jnp.asarray(kernel, jnp.bfloat16), g)
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, got, rtol=2**-7)


@pytest.mark.parametrize("g", [CIRCULANT[1], OTHERS[3]], ids=str)
def test_a_zero_kernel_has_norm_and_gradient_zero(g):
    kernel = jnp.zeros(g.kernel_array_shape)
    for method in methods(g):
        got, gradient = jax.value_and_grad(lambda k, m=method: operator_norm(k, g, method=m))(kernel)
        assert got == 0
        assert not gradient.any()
    assert jax.grad(lambda k: frobenius_norm(k, g))(kernel).tolist() == kernel.tolist()
    assert norm_interval(kernel, g) == (0, 0)


def test_vmap_jit_and_forward_mode():
    g = OTHERS[3]
    kernels = jnp.stack([kernel_and_matrix(g, seed=seed)[0] for seed in "ab"])
    norms = jax.jit(jax.vmap(lambda kernel: operator_norm(kernel, g)))(kernels)
    expected = [np.linalg.norm(kernel_and_matrix(g, seed=seed)[1], 2) for seed in "ab"]
    np.testing.assert_allclose(norms, expected, rtol=1e-13)
    norm = lambda kernel: operator_norm(kernel, g)  # noqa: E731
    slope = jax.jvp(norm, (kernels[0],), (kernels[1],))[1]
    np.testing.assert_allclose(slope, (jax.grad(norm)(kernels[0]) * kernels[1]).sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("g", "dtype"), [*((g, np.float64) for g in ALL[1:]), (OTHERS[0], np.complex128)], ids=str
)
def test_the_norm_lies_in_its_interval(g, dtype):
    kernel, C = kernel_and_matrix(g, dtype)
    norm = np.linalg.norm(C, 2)
    low, high = norm_interval(kernel, g)
    assert low <= norm <= high
    if is_circulant(g):
        assert high / low - 1 <= 4 * rounding(g, np.float64)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("seed", range(24))
def test_intervals_of_random_geometries(seed):
    rng = np.random.default_rng(seed)
    ndim, mode = 1 + seed % 2, ("zeros", "circular", "reflect", "replicate")[seed // 2 % 4]
    k = rng.integers(1, 4, ndim)
    g = ConvGeometry(
        tuple(int(n) for n in rng.integers(4, 9 if ndim == 1 else 7, ndim)),
        tuple(map(int, k)),
        in_features=int(rng.integers(1, 3)),
        out_features=int(rng.integers(1, 3)),
        strides=tuple(map(int, rng.integers(1, 3, ndim))),
        padding=tuple((int(rng.integers(-1, 4)), int(rng.integers(0, 4))) for _ in range(ndim)),
        padding_mode=mode,
        input_dilation=1 + int(rng.integers(0, 2)),
    )
    kernel, C = kernel_and_matrix(g, seed=str(seed))
    low, high = norm_interval(kernel, g)
    assert low <= np.linalg.norm(C, 2) <= high


def test_the_interval_closes_on_large_maps_in_few_products(monkeypatch):
    from jaxconv.linalg import bounds, products

    g = ConvGeometry((32, 32), (3, 3), in_features=4, out_features=4, padding="SAME")
    kernel, _ = kernel_and_matrix(ConvGeometry((3, 3), (3, 3), in_features=4, out_features=4))
    asked = []
    monkeypatch.setattr(bounds, "largest", lambda *args, **options: asked.append(options["steps"])
                        or products.largest(*args, **options))  # fmt: skip
    low, high = norm_interval(kernel, g)
    assert high / low < 1.01
    assert all(2 * steps + 1 < 30 for steps in asked)
    assert asked


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((5,), {}),
        ((4,), {"strides": 2}),
        ((3,), {"strides": 2, "kernel_dilation": 2}),
        ((3, 2), {"strides": (1, 2)}),
    ],
    ids=str,
)
def test_the_bound_for_every_size(shape, options):
    kernel, _ = kernel_and_matrix(ConvGeometry(shape, shape, in_features=2, out_features=3))
    high = norm_bound(kernel, **options)
    norms = []
    for n in (5, 9, 16) if len(shape) == 1 else (5, 8):
        for padding in ("VALID", "SAME", "FULL"):
            g = ConvGeometry(
                (n,) * len(shape), shape, in_features=2, out_features=3, padding=padding, **options
            )
            norms.append(np.linalg.norm(np.asarray(kernel_and_matrix_of(g, kernel)), 2))
    assert max(norms) <= high <= 1.15 * max(norms)
    assert norm_bound(kernel, points=200 if len(shape) == 1 else 48, **options) <= high


def kernel_and_matrix_of(g, kernel):
    import oracles

    return oracles.dense(g, np.asarray(kernel))


@pytest.mark.parametrize("g", ALL, ids=str)
def test_frobenius(g):
    for dtype in (np.float64, np.complex128):
        kernel, C = kernel_and_matrix(g, dtype)
        np.testing.assert_allclose(frobenius_norm(kernel, g), np.linalg.norm(C), rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_kernels_whose_squares_leave_the_range_of_float32(scale):
    g = OTHERS[0]
    kernel = kernel_and_matrix(g, np.float32)[0] * np.float32(scale)
    C = kernel_and_matrix_of(g, kernel.astype(float))
    norm, rounded = np.linalg.norm(C, 2), bound(g, C, np.float32)
    low, high = map(float, norm_interval(kernel, g))
    assert 0.9 * high < low <= norm <= high
    assert abs(float(operator_norm(kernel, g)) - norm) <= rounded
    assert abs(float(singular_values(kernel, g, 1)[0]) - norm) <= rounded
    assert abs(float(frobenius_norm(kernel, g)) - np.linalg.norm(C)) <= rounded
