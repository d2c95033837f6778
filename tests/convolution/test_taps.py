"""The depthwise gradient by parts of a map: every row counts once, whatever the number of parts."""

import jax
import numpy as np
import pytest

from jaxconv import ConvGeometry, conv_kernel_vjp
from jaxconv.convolution.formulations import taps


def loops(x, y, g):
    """The definition, one position and one tap at a time."""
    x = np.pad(x, [(0, 0), *g.padding, (0, 0)])
    kernel = np.zeros(g.kernel_array_shape)
    for tap in np.ndindex(*g.kernel_shape):
        for position in np.ndindex(*g.output_shape):
            cell = tuple(
                p * s + t * d for p, s, t, d in zip(position, g.strides, tap, g.kernel_dilation, strict=True)
            )
            kernel[tap] += (x[:, *cell] * y[:, *position]).sum(0)
    return kernel


def integers(g, rng):
    """Maps of small integers, whose sums are exact."""
    shapes = ((2, *g.input_shape, g.in_features), (2, *g.output_shape, g.out_features))
    return (rng.integers(-9, 10, shape).astype(np.float64) for shape in shapes)


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (1, {}),
        (5, {}),
        (8, {}),
        (9, {}),
        (19, {"strides": 2}),
        (17, {"kernel_dilation": 2, "padding": ((2, 1), (0, 3))}),
    ],
    ids=str,
)
def test_the_gradient_is_exact(size, options, rng):
    options = {"padding": "SAME"} | options
    g = ConvGeometry((size, 6), (3, 2), in_features=3, out_features=3, feature_group_count=3, **options)
    x, y = integers(g, rng)
    np.testing.assert_array_equal(conv_kernel_vjp(x, y, geometry=g, method="taps"), loops(x, y, g))


def test_a_row_that_two_parts_read_counts_once(rng):
    """Infinities included, which a product with zero would turn into NaNs."""
    g = ConvGeometry((9, 4), (1, 1), in_features=2, out_features=2, feature_group_count=2)
    assert [repeated for *_, repeated in taps._parts(9, taps.MAX_ADDED_PARTS)][-1] > 0
    x, y = integers(g, rng)
    x[:, 7] = np.inf
    y[:, 7] = 1.0
    assert np.isposinf(conv_kernel_vjp(x, y, geometry=g, method="taps")).all()


@pytest.mark.parametrize("most", [1, 3, 8])
def test_parts_cover_an_axis(most):
    for size in range(1, 40):
        parts = taps._parts(size, most)
        new = [cell for first, length, again in parts for cell in range(first + again, first + length)]
        assert new == list(range(size))
        assert len(parts) <= most
        assert len({length for _, length, _ in parts}) == 1


def test_products_are_fused(optimized):
    """XLA stores no product of the maps: of a size that nothing divides, temporaries stay near two maps."""
    g = ConvGeometry(
        (61, 61), (3, 3), in_features=16, out_features=16, feature_group_count=16, padding="SAME"
    )
    x = jax.ShapeDtypeStruct((2, 61, 61, 16), np.float32)
    program = jax.jit(lambda x, y: conv_kernel_vjp(x, y, geometry=g, method="taps")).lower(x, x).compile()
    one_map = 2 * 61 * 61 * 16 * 4
    assert program.memory_analysis().temp_size_in_bytes < 3.5 * one_map
