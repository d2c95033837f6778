"""The rule of composition, against products of dense matrices on random axes of every kind."""

import itertools

import numpy as np
import pytest
from oracles import dense

from jaxconv import AxisGeometry, ConvGeometry, GeometryError
from jaxconv.geometry.arguments import PADDING_MODES
from jaxconv.geometry.composition import (
    compose,
    high_border_agrees,
    interior,
    low_border_agrees,
    without_common_stride,
)

PAIRS = 1500


def draw(rng, size, modes):
    """Draws a geometry of one axis with a given input size; None if no kernel fits."""
    number = lambda low, high: int(rng.integers(low, high, endpoint=True))  # noqa: E731
    try:
        return ConvGeometry(
            (size,), (number(1, 4),), strides=number(1, 3), padding=((number(-1, 4), number(-1, 4)),),
            kernel_dilation=number(1, 3), input_dilation=int(rng.choice([1, 1, 1, 2, 3])),
            padding_mode=str(rng.choice(modes)),
        )  # fmt: skip
    except GeometryError:
        return None


def pairs(modes, seed):
    """Yields pairs of geometries, the second of the first one's output size."""
    rng, found = np.random.default_rng(seed), 0
    while found < PAIRS:
        first = draw(rng, int(rng.integers(2, 9)), modes)
        second = first and draw(rng, first.output_shape[0], modes)
        if second:
            found += 1
            yield first, second


def kernels(*geometries):
    """Returns taps without coincidences for each geometry."""
    return [np.sqrt(np.arange(2.0 + n, 2 + n + 7 * g.kernel_shape[0], 7)) for n, g in enumerate(geometries)]


def product(first, second):
    """Returns C2 C1."""
    k1, k2 = (kernel[:, None, None] for kernel in kernels(first, second))
    return dense(second, k2) @ dense(first, k1)


def agrees_with_one(first, second, mode):
    """Whether C2 C1 is the matrix of the convolution that the two are in the interior, borders included."""
    (one, first_taps), (two, second_taps) = (without_common_stride(g.axes[0]) for g in (first, second))
    k1, k2 = kernels(first, second)
    axis, steps = interior(one, two, mode)
    joined = np.zeros(axis.kernel)
    for (t, a), (u, b) in itertools.product(enumerate(k1[first_taps]), enumerate(k2[second_taps])):
        joined[t * steps[0] + u * steps[1]] += a * b
    g = ConvGeometry(
        first.input_shape, (axis.kernel,), strides=axis.stride, padding=(axis.padding,), padding_mode=mode,
        kernel_dilation=axis.dilation, input_dilation=axis.input_dilation,
    )  # fmt: skip
    return np.allclose(dense(g, joined[:, None, None]), product(first, second), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("modes", [("zeros",), PADDING_MODES], ids=["zeros", "all modes"])
def test_the_rule_is_exact(modes):
    """What it takes is the convolution of the interior; what it refuses is not, with any padding mode."""
    taken = refused = 0
    for first, second in pairs(modes, len(modes)):
        target = product(first, second)
        if not target.any():
            continue  # zero for all kernels: may be refused
        try:
            (axis,) = compose(first, second).axes
        except GeometryError as error:
            if "common factor" in str(error):
                continue
            refused += 1
            for mode in PADDING_MODES:
                assert not agrees_with_one(first, second, mode), (first, second, mode)
        else:
            taken += 1
            assert (axis.out_size, axis.size) == target.shape
            assert any(agrees_with_one(first, second, mode) for mode in PADDING_MODES), (first, second)
    assert min(taken, refused) > 300


def test_the_closed_rule_is_sufficient_and_nearly_necessary():
    """Where both inequalities hold, two zero-padded axes are one; few pairs are one although they do not."""
    needless = total = 0
    for first, second in pairs(("zeros",), 7):
        axes = first.axes[0], second.axes[0]
        if np.gcd(first.strides[0], second.input_dilation[0]) > 1:
            continue
        if np.gcd(first.strides[0], first.input_dilation[0]) > 1:
            continue
        if np.gcd(second.strides[0], second.input_dilation[0]) > 1:
            continue
        agrees = low_border_agrees(*axes) and high_border_agrees(*axes)
        one = agrees_with_one(first, second, "zeros")
        assert one or not agrees, (first, second)
        total += not agrees
        needless += one and not agrees
    assert total > 200
    assert 0 < needless < 0.2 * total


def test_a_stride_may_skip_the_windows_at_the_border():
    """Refused by the closed rule, but only window -3 is read, which ends before the input."""
    first = ConvGeometry((6,), (3,), padding=1)
    second = ConvGeometry((6,), (1,), padding=((3, 0),), strides=3)
    assert not low_border_agrees(first.axes[0], second.axes[0])
    assert compose(first, second) == ConvGeometry((6,), (3,), padding=((4, 1),), strides=3)


STRETCHED = list(itertools.product((1, 3, 5), (2, 4, 6), (0, 1, 4), (1, 2, 3), (2, 4)))


def test_without_a_common_stride_the_matrix_is_the_same():
    for k, s, low, d, f in STRETCHED:
        check_reduction(k, s, low, d, f)


def check_reduction(k, s, low, d, f):
    kernel = np.arange(1.0, k + 1)[:, None, None]
    g = ConvGeometry((5,), (k,), strides=s, padding=((low, 9),), kernel_dilation=d, input_dilation=f)
    axis, taps = without_common_stride(g.axes[0])
    reduced = ConvGeometry(
        (5,), (axis.kernel,), strides=axis.stride, padding=(axis.padding,), kernel_dilation=axis.dilation,
        input_dilation=axis.input_dilation,
    )  # fmt: skip
    np.testing.assert_array_equal(dense(reduced, kernel[taps]), dense(g, kernel))
    assert np.gcd(axis.stride, axis.input_dilation) == 1 or axis == g.axes[0]


def test_natural_padding_is_kept():
    """Words stay words: VALID after VALID is VALID, and the cells that no window reaches stay."""
    composed = compose(ConvGeometry((10,), (3,), strides=2), ConvGeometry((4,), (2,), strides=2))
    assert composed == ConvGeometry((10,), (5,), strides=4)
    assert composed.unused == (1,)
    assert compose(ConvGeometry((9, 9), (1, 3)), ConvGeometry((9, 7), (3, 1))) == ConvGeometry((9, 9), (3, 3))


def test_sizes_beyond_memory():
    """The rule lists windows of the borders only."""
    size = 10**12
    first = ConvGeometry((size,), (3,), padding=2)
    composed = compose(first, ConvGeometry(first.output_shape, (3,), padding=1))
    assert composed.axes[0] == AxisGeometry(size, 5, padding=(3, 3))
    same = ConvGeometry((size,), (3,), padding=1)
    with pytest.raises(GeometryError, match="low border"):
        compose(same, same)
