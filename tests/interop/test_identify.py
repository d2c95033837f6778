"""`identify` on matrices that Python loops build: geometry, kernel and results, and what fits besides."""

import itertools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from boxes import box_of, same
from oracles import kernel_shape

from jaxconv import ConvGeometry, Convolution, GeometryError, identify

MODES = ("zeros", "circular", "reflect", "replicate")


def axis(rng, mode, dilates_input):
    """Draws an axis in whose interior a window shows the kernel."""
    k, s, d = (int(rng.integers(1, most + 1)) for most in (4, 3, 3))
    f = int(rng.integers(1, 4)) if dilates_input else 1
    span = d * (k - 1) + 1
    size = 2 * span + 2 * s + int(rng.integers(2, 5))
    low = int(rng.integers(-1, span + 1))
    stretched = f * (size - 1) + 1
    outputs = (stretched + 2 * low - span) // s + 1
    least = s * (outputs - 1) + span - stretched - low
    high = min(range(least, least + s), key=lambda high: abs(high - low))
    return size, k, s, (low, high), d, f


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", range(8))
def test_random_geometries(mode, transposed, number, rng):
    n, groups = 1 + number % 2, 1 + number // 2 % 2
    axes = [axis(rng, mode, mode == "zeros" and number % 3 == 0) for _ in range(n)]
    sizes, k, s, padding, d, f = zip(*axes, strict=True)
    g = ConvGeometry(
        sizes, k, in_features=groups * 2, out_features=groups * (1 + number % 3), strides=s, padding=padding,
        padding_mode=mode, kernel_dilation=d, input_dilation=f, feature_group_count=groups,
    )  # fmt: skip
    kernel = rng.normal(size=kernel_shape(g))
    box, shape, features = box_of(g, kernel, transposed)
    found = identify(box, shape, features, dtype="float64")
    a = g.output_padding if transposed else None
    truth = Convolution(kernel, transposed=transposed, output_padding=a, **g.options)
    # The transpose of a larger input may be the same function; so may a smaller kernel with other steps.
    fitting = [found, *(other.layer for other in found.identification.alternatives)]
    assert any(same(truth, layer, shape) for layer in fitting), (g, found.identification.geometry)
    assert same(truth, found, shape, sizes=[0])
    for other in found.identification.alternatives if n == 1 else ():
        assert same(truth, other.layer, shape, sizes=[0])
        assert not same(found, other.layer, other.deciding_shape, sizes=[0])
    if found.kernel.shape == kernel.shape and found.transposed == transposed:
        np.testing.assert_array_equal(found.kernel, kernel)
        assert found.feature_group_count == groups
    assert found.identification.calls == 4
    assert found.identification.error < 1e-13


@pytest.mark.parametrize("transposed", [False, True])
def test_exact_geometry_with_bias(transposed, rng):
    """Three axes, everything different on each; a bias costs no digits of the kernel."""
    g = ConvGeometry(
        (9, 12, 7), (3, 2, 1), in_features=4, out_features=6, strides=(2, 1, 3), feature_group_count=2,
        padding=((1, 1), (2, 0), (0, 0)), kernel_dilation=(1, 3, 1),
    )  # fmt: skip
    kernel = rng.normal(size=kernel_shape(g))
    box, shape, features = box_of(g, kernel, transposed)
    bias = 1e3 * rng.normal(size=4 if transposed else 6)
    found = identify(lambda x: box(x) + bias, shape, features, dtype="float64")
    assert found.identification.geometry == g
    assert (found.transposed, found.kernel.dtype) == (transposed, "float64")
    np.testing.assert_allclose(found.kernel, kernel, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(found.bias, bias)
    x = rng.normal(size=(3, *shape, features))
    np.testing.assert_allclose(found(x), box(x) + bias, rtol=0, atol=1e-10)


def test_result_is_a_convolution(rng):
    """It is a pytree, and what is made of it has no evidence any more."""
    kernel = rng.normal(size=(3, 1, 2))
    box, shape, features = box_of(ConvGeometry((8,), (3,), out_features=2), kernel, False)
    found = identify(box, shape, features, dtype="float64")
    assert isinstance(found, Convolution)
    assert replace(found, bias=jnp.ones(2)).identification is None
    doubled = jax.tree.map(lambda array: 2 * array, found)
    assert doubled.identification is None
    np.testing.assert_array_equal(doubled.kernel, 2 * kernel)
    x = jnp.asarray(rng.normal(size=(8, 1)))
    np.testing.assert_allclose(jax.jit(lambda layer, x: layer(x))(found, x), found(x))


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(("strides", "maps"), [(1, 8 + 18 + 2), (2, 8 + 18 + 2 * 4)])
def test_number_of_calls(batched, strides, maps, rng):
    """As documented: four calls with a batch; one call per map, and one to find out, without."""
    g = ConvGeometry((10, 8), (3, 2), in_features=2, strides=strides)
    box, shape, features = box_of(g, rng.normal(size=kernel_shape(g)), False)

    def single(x):
        if x.ndim > 3:
            raise ValueError("one map at a time")
        return box(x[None])[0]

    found = identify(box if batched else single, shape, features, dtype="float64")
    assert found.identification.geometry.kernel_shape == (3, 2)
    if batched:
        assert (found.identification.calls, found.identification.maps) == (4, maps)
    else:
        assert found.identification.calls == maps + 1


def test_large_maps_take_few(rng):
    """The number of maps grows with the edges of the input, not with its area."""
    kernel = rng.normal(size=(5, 3, 2, 2)).astype(np.float32)

    def box(x):
        x = np.pad(np.asarray(x), ((0, 0), (2, 2), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 3), (1, 2))
        return np.einsum("bhwctu,tuco->bhwo", windows, kernel)

    found = identify(box, (48, 40), 2)
    assert found.identification.maps == 8 + 88 + 2
    np.testing.assert_array_equal(found.kernel, kernel)
    assert found.padding == ((2, 2), (1, 1))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "bfloat16", "float16"])
def test_dtypes(dtype, rng):
    kernel = jnp.asarray(
        rng.normal(size=(3, 2, 2)) + (1j * rng.normal(size=(3, 2, 2)) if "c" in dtype else 0)
    )
    rounding = 1e-7 if "c" in dtype else 0  # lax multiplies complex numbers by three products
    layer = Convolution(kernel.astype(dtype), strides=2, padding=1)
    found = identify(layer, (9,), 2)
    assert found.kernel.dtype == dtype
    assert found.identification.geometry == layer.geometry((9,))
    np.testing.assert_allclose(found.kernel, layer.kernel, rtol=0, atol=rounding)


def test_default_dtype_is_that_of_jax():
    seen = []
    identify(lambda x: seen.append(x.dtype) or 2 * x, (5,))
    with jax.enable_x64(False):
        identify(lambda x: seen.append(x.dtype) or np.asarray(x, np.float64), (5,))
    assert {str(dtype) for dtype in seen[:4]} == {"float64"}
    assert {str(dtype) for dtype in seen[4:]} == {"float32"}


def test_conjugation_is_not_linear(rng):
    with pytest.raises(GeometryError, match="not linear"):
        identify(lambda x: jnp.conj(x[:, 1:]) + x[:, :-1], (6,), dtype="complex64")


def test_noise_below_the_rounding_is_zero(rng):
    """A convolution by FFT has no exact zeros; what its kernel has beyond is not taps."""
    kernel = rng.normal(size=4)

    def box(x):
        x = np.asarray(x)[..., 0]
        spectrum = np.fft.rfft(x, 32, axis=1) * np.conj(np.fft.rfft(kernel, 32))
        return np.fft.irfft(spectrum, 32, axis=1)[:, :13, None]

    found = identify(box, (16,), dtype="float64")
    assert found.identification.geometry == ConvGeometry((16,), (4,))
    np.testing.assert_allclose(found.kernel.ravel(), kernel, atol=1e-14)


def test_lower_precision_than_the_result(rng):
    """What a function rounds inside is told by `rtol`."""
    kernel = rng.normal(size=3).astype(np.float32)

    def box(x):
        half = np.asarray(x)[..., 0].astype(np.float16).astype(np.float32)
        y = sum(kernel[t] * half[:, t : t + 8] for t in range(3))
        return y.astype(np.float16).astype(np.float32)[..., None]

    with pytest.raises(GeometryError, match=r"not linear|raise `rtol`"):
        identify(box, (10,), dtype="float32")
    found = identify(box, (10,), dtype="float32", rtol=4e-3)
    assert found.identification.geometry == ConvGeometry((10,), (3,))
    np.testing.assert_allclose(found.kernel.ravel(), kernel, rtol=1e-3)


def test_higher_precision_than_the_input(rng):
    kernel = rng.normal(size=(3, 1, 1))
    box, shape, features = box_of(ConvGeometry((9,), (3,)), kernel, False)
    found = identify(box, shape, features, dtype="float32")
    assert (found.kernel.dtype, found.dtype) == ("float64", "float64")
    np.testing.assert_array_equal(found.kernel, kernel)


def test_groups_are_the_most_that_fit(rng):
    g = ConvGeometry((7,), (2,), in_features=6, out_features=12, feature_group_count=6)
    for groups, transposed in itertools.product((1, 2, 3, 6), (False, True)):
        g = ConvGeometry((7,), (2,), in_features=6, out_features=12, feature_group_count=groups)
        kernel = rng.normal(size=kernel_shape(g))
        found = identify(*box_of(g, kernel, transposed), dtype="float64")
        assert found.feature_group_count == groups
        assert found.identification.geometry.feature_group_count == groups
