"""Filters: known weights, and correlation and convolution against SciPy, including flips."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from lowering import lower
from oracles import assert_rounds_to, numbers

import jaxconv
from jaxconv import (
    ConvGeometry,
    GeometryError,
    binomial_filter,
    box_filter,
    conv_matrix,
    convolve,
    correlate,
    edge_filter,
    filter_kernel,
    gaussian_filter,
    sharpen_filter,
    sobel_filter,
    verify,
)
from jaxconv.claims import filters as filter_claims

NDIMAGE = {"zeros": "constant", "circular": "wrap", "reflect": "mirror", "replicate": "nearest"}
SHAPES = [((9,), (3,)), ((9,), (4,)), ((8, 7), (3, 2)), ((7, 6), (3, 5)), ((5, 6, 4), (2, 3, 3))]


def against(got, function, x, filter):
    """Compares with `function` of each feature; the bound on rounding follows from the magnitudes."""
    expected = [
        np.stack([function(a[..., f], w) for f in range(x.shape[-1])], -1)
        for a, w in ((x, filter), (abs(x), abs(filter)))
    ]
    assert_rounds_to(got, (*expected, filter.size))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("shape", "taps"), SHAPES)
@pytest.mark.parametrize("mode", NDIMAGE)
def test_ndimage(shape, taps, mode):
    x, filter = numbers((*shape, 2)), numbers(taps)
    options = {"mode": NDIMAGE[mode]}
    got = correlate(x, filter, padding="SAME_LOWER", padding_mode=mode)
    against(got, lambda x, w: scipy.ndimage.correlate(x, w, **options), x, filter)
    got = convolve(x, filter, padding="SAME", padding_mode=mode)
    against(got, lambda x, w: scipy.ndimage.convolve(x, w, **options), x, filter)


@pytest.mark.parametrize(("shape", "taps"), SHAPES)
@pytest.mark.parametrize(("mode", "padding"), [("valid", "VALID"), ("same", "SAME_LOWER"), ("full", "FULL")])
def test_signal(shape, taps, mode, padding):
    x, filter = numbers((*shape, 2)), numbers(taps)
    got = convolve(x, filter, padding=padding)
    against(got, lambda x, w: scipy.signal.convolve(x, w, mode, "direct"), x, filter)
    if mode != "same":  # which of SciPy's own correlation and convolution are cut alike
        got = correlate(x, filter, padding=padding)
        against(got, lambda x, w: scipy.signal.correlate(x, w, mode, "direct"), x, filter)


def test_convolve_and_correlate_differ_by_a_flip():
    x = jnp.zeros((5, 5, 1)).at[2, 2].set(1.0)
    filter = jnp.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(convolve(x, filter)[..., 0], filter)
    np.testing.assert_array_equal(correlate(x, filter)[..., 0], filter[::-1, ::-1])


def test_strides_and_dilation():
    x, filter = numbers((2, 3, 11, 9, 2)), numbers((3, 2))
    got = correlate(x, filter, strides=(2, 1), kernel_dilation=(1, 3))
    wide = np.zeros((3, 4))
    wide[:, ::3] = filter
    one = lambda x, w: scipy.signal.correlate(x, w, "valid")[::2]  # noqa: E731
    expected = [
        [np.stack([one(x[i, j, ..., f], wide) for f in range(2)], -1) for j in range(3)] for i in range(2)
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(
        convolve(x, filter[::-1, ::-1], strides=(2, 1), kernel_dilation=(1, 3)), got
    )


def test_four_known_filters():
    assert edge_filter().tolist() == [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]
    np.testing.assert_array_equal(box_filter((3, 3)), np.ones((3, 3)) / 9)
    assert sharpen_filter().tolist() == [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    assert (16 * binomial_filter((3, 3))).tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_any_number_of_axes(ndim):
    x = numbers((6,) * ndim + (1,))
    laplace = scipy.ndimage.generate_binary_structure(ndim, 1) * -1.0
    laplace[(1,) * ndim] = 2 * ndim
    identity = np.zeros_like(laplace)
    identity[(1,) * ndim] = 1
    np.testing.assert_array_equal(sharpen_filter(ndim), identity + laplace)
    assert float(sharpen_filter(ndim).sum()) == 1
    assert float(edge_filter(ndim).sum()) == 0
    assert set(np.unique(edge_filter(ndim))) == {-1.0, 3.0**ndim - 1}
    for axis in range(-ndim, ndim):
        got = correlate(x, sobel_filter(axis, ndim), padding="SAME", padding_mode="reflect")[..., 0]
        expected = scipy.ndimage.sobel(x[..., 0], axis, mode="mirror")
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("shape", "sigma"), [((7,), 1.3), ((9, 5), (2.0, 0.7)), ((8, 7, 4), 1.1)])
def test_gaussian(shape, sigma):
    got = np.asarray(gaussian_filter(shape, sigma))
    sigmas = np.broadcast_to(sigma, len(shape))
    expected = np.zeros(shape)
    for cell in np.ndindex(*shape):
        squares = (((c - (k - 1) / 2) / s) ** 2 for c, k, s in zip(cell, shape, sigmas, strict=True))
        expected[cell] = np.exp(-0.5 * sum(squares))
    np.testing.assert_allclose(got, expected / expected.sum(), rtol=1e-14)


def test_gaussian_is_scipys():
    x = numbers((20, 18, 1))
    filter = gaussian_filter((9, 9), 1.0)  # SciPy cuts at four sigma
    got = correlate(x, filter, padding="SAME", padding_mode="replicate")[..., 0]
    np.testing.assert_allclose(got, scipy.ndimage.gaussian_filter(x[..., 0], 1.0, mode="nearest"), rtol=1e-12)


def test_the_matrix():
    x, filter = numbers((6, 5, 3)), numbers((3, 2))
    g = ConvGeometry((6, 5), (3, 2), in_features=3, out_features=3, feature_group_count=3, padding="SAME")
    C = conv_matrix(filter_kernel(filter, 3), g)
    np.testing.assert_allclose(C(x), correlate(x, filter, padding="SAME"), rtol=1e-13, atol=1e-13)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex128"])
@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: box_filter((3, 2), dtype),
        lambda dtype: gaussian_filter((3, 2), 1.0, dtype),
        lambda dtype: binomial_filter((3, 2), dtype),
        lambda dtype: sobel_filter(1, 2, dtype),
        lambda dtype: edge_filter(2, dtype),
        lambda dtype: sharpen_filter(2, dtype),
    ],
)
def test_dtypes(make, dtype):
    x = jnp.asarray(numbers((6, 5, 2)), dtype)
    y = jax.jit(correlate)(x, make(dtype))
    assert y.dtype == make(dtype).dtype == dtype


def test_transformations():
    x, filter, t = numbers((4, 7, 6, 2)), numbers((3, 2)), numbers((4, 7, 6, 2), seed="t")
    f = lambda x, w: convolve(x, w, padding="SAME", padding_mode="reflect")  # noqa: E731
    np.testing.assert_allclose(jax.vmap(f, (0, None))(x, filter), f(x, filter), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        jax.jvp(f, (x, filter), (t, filter))[1], f(t, filter) + f(x, filter), rtol=1e-12
    )
    value = lambda x, w: (f(x, w) * f(t, w)).sum()  # noqa: E731
    gx, gw = jax.jit(jax.grad(value, (0, 1)))(x, filter)
    np.testing.assert_allclose((gx * x).sum(), value(x, filter), rtol=1e-11)
    np.testing.assert_allclose((gw * filter).sum(), 2 * value(x, filter), rtol=1e-11)
    assert lower(jax.grad(value, (0, 1)), jnp.asarray(x), jnp.asarray(filter)) == [x.shape, filter.shape]


def test_bad_arguments():
    x = jnp.ones((5, 4, 1))
    with pytest.raises(TypeError, match="share one dtype"):
        correlate(x, box_filter((3,), jnp.float32).astype(jnp.bfloat16))
    with pytest.raises(TypeError, match="`x` must be floating"):
        convolve(x.astype(int), jnp.ones((2, 2)))
    with pytest.raises(GeometryError, match="at least one spatial axis"):
        correlate(x, jnp.asarray(2.0))
    with pytest.raises(GeometryError, match="`filter` has 3 spatial axes"):
        correlate(x, jnp.ones((2, 2, 2)))
    with pytest.raises(TypeError, match=r"`shape` needs a tuple"):
        box_filter(3)
    with pytest.raises(GeometryError, match="sigma"):
        gaussian_filter((3, 3), 0.0)
    with pytest.raises(GeometryError, match="sigma"):
        gaussian_filter((3, 3), (1.0, 1.0, 1.0))
    with pytest.raises(GeometryError, match=r"\[-2, 2\), got 2"):
        sobel_filter(2)
    with pytest.raises(GeometryError, match="features"):
        filter_kernel(box_filter((3,)), 0)


def test_names_are_public():
    names = {f"{name}_filter" for name in ("binomial", "box", "edge", "gaussian", "sharpen", "sobel")}
    assert {"correlate", "convolve", "filter_kernel", *names} <= {*jaxconv.operators.__all__}


@pytest.mark.parametrize("name", ["convolution-commutes", "convolution-associates"])
def test_the_claims_fail_without_the_flip(monkeypatch, name):
    assert verify(name, trials=2).ok
    monkeypatch.setattr(filter_claims, "convolve", correlate)
    assert not verify(name, trials=2).ok


def test_the_claims_fail_for_other_numbers(monkeypatch):
    names = ["lecture-filters", "boundary", "gaussians", "correlation-does-not"]
    assert verify(names).ok
    monkeypatch.setattr(filter_claims, "box_filter", lambda *args: 1.01 * box_filter(*args))
    monkeypatch.setattr(
        filter_claims, "binomial_filter", lambda shape, dtype: gaussian_filter(shape, 0.7, dtype)
    )
    monkeypatch.setattr(filter_claims, "correlate", convolve)
    assert not any(row.ok for row in verify(names).rows)
