"""How far `lax.conv_transpose` is from C-transposed: compared with the transpose that jax derives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxconv import Convolution, identify
from jaxconv.interop.identification.distance import distance_from_transpose, distances_from_words

OUTPUTS = 5
LAYOUT = ("NWC", "WIO", "NWC")


def transpose(kernel, stride, padding, size, y):
    """The transpose that jax derives from the forward convolution of lax."""
    forward = lambda x: lax.conv_general_dilated(x, kernel, (stride,), padding, dimension_numbers=LAYOUT)  # noqa: E731
    return jax.linear_transpose(forward, jax.ShapeDtypeStruct((1, size, 1), y.dtype))(y)[0]


@pytest.mark.parametrize(
    ("taps", "stride", "padding", "flip"),
    [
        case
        for number, case in enumerate(
            itertools.product((2, 3, 4), (1, 2, 3), ("SAME", "VALID", ((1, 1),), ((2, 0),)), (False, True))
        )
        if number % 5 == 0
    ],
)
def test_the_words_describe_what_lax_returns(taps, stride, padding, flip, rng):
    """Shifted by as many cells, with as many cells more and the kernel flipped back, it is the transpose."""
    kernel = jnp.asarray(rng.normal(size=(taps, 1, 1)))
    f = lambda y: lax.conv_transpose(y, kernel, (stride,), padding, transpose_kernel=flip)  # noqa: E731
    found = identify(f, (OUTPUTS,), dtype="float64")
    forward = Convolution(kernel, strides=stride, padding=padding)
    distance = distance_from_transpose(found, forward, (OUTPUTS,))
    assert distance.kernel == ("equal" if flip else "flipped")
    y = jnp.asarray(rng.normal(size=(1, OUTPUTS, 1)))
    got = np.ravel(f(y))
    size = len(got) - distance.extra_cells[0]
    expected = np.ravel(transpose(kernel if flip else kernel[::-1], stride, padding, size, y))
    assert len(expected) == size
    width = 3 * taps * stride + size  # zeros on both sides, so that every shift has cells to compare
    there = np.pad(expected, width)
    shift = distance.shift[0]
    here = there[width - shift : width - shift + len(got)]
    inside = (np.arange(len(got)) - shift >= 0) & (np.arange(len(got)) - shift < size)
    np.testing.assert_allclose(got[inside], here[inside], rtol=0, atol=1e-13)
    assert bool(distance) == (got.shape == expected.shape and np.allclose(got, expected) and flip)


def test_words():
    kernel = jnp.arange(1.0, 5.0).reshape(4, 1, 1)
    found = identify(lambda y: lax.conv_transpose(y, kernel, (2,), "SAME", transpose_kernel=True), (5,),
                     dtype="float64")  # fmt: skip
    distances = distances_from_words(found, (5,))
    assert [word for word, distance in distances.items() if distance] == ["SAME", "SAME_LOWER"]
    assert str(distances["VALID"]) == "shifted by 1 cell towards the low end, 2 cells short"


def test_other_options_are_named(rng):
    layer = Convolution(rng.normal(size=(3, 2, 1)), strides=2, transposed=True)
    other = Convolution(rng.normal(size=(3, 1, 1)), strides=3)
    assert str(distance_from_transpose(layer, other, (5,))) == "other features and strides"
    other = Convolution(rng.normal(size=(3, 2, 1)), strides=2)
    distance = distance_from_transpose(layer, other, (5,))
    assert (str(distance), bool(distance)) == ("other kernel", False)
    equal = Convolution(layer.kernel, strides=2)
    assert str(distance_from_transpose(layer, equal, (5,))) == "equal"


def test_axes_are_named(rng):
    kernel = rng.normal(size=(3, 3, 1, 1))
    layer = Convolution(kernel, strides=2, padding=((0, 0), (1, 1)), transposed=True)
    distance = distance_from_transpose(layer, Convolution(kernel, strides=2, padding=1), (4, 4))
    assert str(distance) == "shifted by 1 cell towards the high end on axis 0, 1 cell too many on axis 0"
