"""Overlap, evenness, phase sums and the even kernel, against loops and dense matrices."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import axis_reads, dense, kernel_shape, numbers
from strategies import CASES

from jaxconv import ConvGeometry, GeometryError
from jaxconv.linalg import even_kernel, is_even, overlap, phase_sums


@pytest.mark.parametrize("g", CASES, ids=str)
def test_overlap_counts_the_taps(g):
    """One axis after the other, tap by tap, through every padding mode."""
    expected = np.ones((), int)
    for axis in g.axes:
        counts = np.zeros(axis.size, int)
        for window in axis_reads(axis):
            for cell in window:
                counts[cell] += cell >= 0
        expected = np.multiply.outer(expected, counts)
    counts = overlap(g)
    assert counts.shape == (*g.input_shape, 1)
    assert np.issubdtype(counts.dtype, np.integer)
    np.testing.assert_array_equal(counts[..., 0], expected)


def test_overlap_is_the_transpose_applied_to_ones():
    g = ConvGeometry((7, 6), (3, 2), strides=2, padding=((1, 0), (0, 1)))
    C = dense(g, np.ones(kernel_shape(g)))
    np.testing.assert_array_equal(overlap(g).ravel(), C.T @ np.ones(len(C)))


SWEEP = list(itertools.product(range(1, 7), range(1, 5), range(1, 5), (1, 2, 3)))


def test_even_overlap_is_a_rule_of_two_conditions():
    """All kernels up to 6, strides and dilations up to 4, three input dilations: counts in the interior."""
    for k, s, d, f in SWEEP:
        g = ConvGeometry((60,), (k,), strides=s, kernel_dilation=d, input_dilation=f)
        margin = -(-g.axes[0].span // f) + s
        inner = overlap(g)[margin:-margin, 0]
        assert is_even(g) == (np.ptp(inner) == 0 and inner[0] > 0), g
        if f == 1:
            assert is_even(g) == (k % s == 0 and np.gcd(d, s) == 1)


GEOMETRIES = [
    ConvGeometry((12,), (3,), strides=2, in_features=2, out_features=3),
    ConvGeometry((14,), (5,), strides=3, kernel_dilation=2, padding=((2, 0),)),
    ConvGeometry((9, 10), (4, 3), strides=(2, 3), in_features=2),
    ConvGeometry((10,), (5,), strides=2, in_features=4, out_features=6, feature_group_count=2),
    ConvGeometry((14,), (7,), strides=4, input_dilation=2, padding=((3, 1),)),  # a common factor
]


@pytest.mark.parametrize("g", GEOMETRIES, ids=str)
def test_phase_sums_are_the_images_of_constant_maps(g):
    """The values that C-transposed makes of ones in one output feature, away from the border."""
    kernel = numbers(kernel_shape(g))
    sums = np.asarray(phase_sums(kernel, g))
    groups = g.feature_group_count
    outputs, inputs = g.out_features // groups, g.in_features // groups
    for j in range(g.out_features):
        y = np.zeros((*g.output_shape, g.out_features))
        y[..., j] = 1
        image = (dense(g, kernel).T @ y.ravel()).reshape(*g.input_shape, g.in_features)
        margins = [-(-axis.span // axis.input_dilation) for axis in g.axes]
        image = image[tuple(slice(m, -m) for m in margins)].reshape(-1, g.in_features)
        first = j // outputs * inputs
        for i in range(inputs):
            found = np.unique(image[:, first + i].round(10))
            assert set(found) <= set(sums[:, i, j].round(10))


@pytest.mark.parametrize("g", GEOMETRIES, ids=str)
def test_even_kernel_is_the_nearest_with_equal_sums(g):
    """The projection onto the kernels with equal phase sums, by NumPy's least squares."""
    kernel = numbers(kernel_shape(g))
    even = np.asarray(even_kernel(kernel, g))
    sums = np.asarray(phase_sums(even, g))
    np.testing.assert_allclose(sums, np.broadcast_to(sums[:1], sums.shape), atol=1e-14)
    units = np.eye(np.prod(g.kernel_shape)).reshape(-1, *g.kernel_shape, 1, 1)
    one = g.with_features(1, 1)
    constraints = np.stack([np.diff(np.asarray(phase_sums(unit, one))[:, 0, 0]) for unit in units], 1)
    columns = kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1])
    expected = columns - np.linalg.pinv(constraints) @ (constraints @ columns)
    np.testing.assert_allclose(even.reshape(expected.shape), expected, atol=1e-13)
    np.testing.assert_allclose(even_kernel(even, g), even, atol=1e-14)


def test_an_even_kernel_keeps_constant_maps_constant():
    g = GEOMETRIES[2]
    kernel = numbers(kernel_shape(g))
    inner = [slice(3, -3)] * 2

    def spread(kernel):
        ones = np.ones(g.matrix_shape[0])
        image = (dense(g, np.asarray(kernel)).T @ ones).reshape(*g.input_shape, -1)
        return np.ptp(image[tuple(inner)], axis=(0, 1)).max()

    assert spread(kernel) > 0.1
    assert spread(even_kernel(kernel, g)) < 1e-14


def test_the_phase_sums_of_a_resize_convolution_are_equal():
    """Nearest upsampling by s, then a kernel, is a transposed convolution with the kernel * box(s)."""
    taps, s = numbers((3,)), 2
    together = np.convolve(taps, np.ones(s))
    g = ConvGeometry((20,), (len(together),), strides=s)
    sums = phase_sums(together[:, None, None], g).ravel()
    np.testing.assert_allclose(sums, [taps.sum()] * s, rtol=1e-14)
    assert not is_even(ConvGeometry((20,), (3,), strides=s))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_dtypes_and_jit(dtype):
    g = GEOMETRIES[0]
    kernel = jnp.asarray(numbers(kernel_shape(g)), jnp.dtype(dtype))
    even = jax.jit(even_kernel, static_argnums=1)(kernel, g)
    assert even.dtype == kernel.dtype
    np.testing.assert_allclose(
        np.asarray(even).astype(complex), even_kernel(np.asarray(kernel).astype(complex), g),
        atol=16 * float(jnp.finfo(dtype).eps),
    )  # fmt: skip


def test_a_program_may_close_over_the_kernel():
    """Its numbers are known while JAX traces, and checked then too."""
    g = GEOMETRIES[0]
    kernel = jnp.asarray(numbers(kernel_shape(g)))
    np.testing.assert_array_equal(jax.jit(lambda: even_kernel(kernel, g))(), even_kernel(kernel, g))
    missing = kernel * np.nan
    with pytest.raises(GeometryError, match="`kernel` must be finite"):
        jax.jit(lambda: even_kernel(missing, g))()


def test_numbers_of_64_bits_are_taken_without_x64():
    """NumPy's arrays are float64; JAX rounds them without a warning, as elsewhere."""
    g = GEOMETRIES[0]
    with jax.enable_x64(False):
        assert even_kernel(numbers(kernel_shape(g)), g).dtype == jnp.float32


@pytest.mark.parametrize("options", [{"strides": 4}, {"strides": 2, "kernel_dilation": 2}])
def test_holes_cannot_be_cured(options):
    g = ConvGeometry((12,), (3,), **options)
    assert overlap(g).min() == 0
    with pytest.raises(GeometryError, match="phases without taps on axis 0"):
        even_kernel(numbers(kernel_shape(g)), g)
