"""Functions that are not convolutions: what `identify` says, and the outputs that it names."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import shift

from jaxconv import GeometryError, OptionError, avg_pool, identify, max_pool, resize

SIZES = {"dtype": "float64"}


def test_position_dependence_names_two_outputs_that_disagree(rng):
    """A locally connected layer with one weight changed: the outputs that are named show it."""
    weights = np.tile(rng.normal(size=3), (10, 1))
    weights[6, 1] += 0.5

    def box(x):
        x = np.asarray(x)[..., 0]
        return np.stack([x[:, o : o + 3] @ weights[o] for o in range(10)], 1)[..., None]

    with pytest.raises(GeometryError, match="depends on the position") as error:
        identify(box, (12,), **SIZES)
    message = str(error.value)
    first, second = (int(o) for o in re.findall(r"\((\d+),\) of feature 0", message))
    assert (first, second) == (5, 6)
    numbers = [float(number) for number in re.findall(r"weights (\S+) and (\S+)\.$", message)[0]]
    np.testing.assert_allclose(numbers, [weights[5, 1], weights[6, 1]], rtol=1e-3)


def test_dependence_on_one_axis_only(rng):
    window = rng.normal(size=(1, 1, 9, 1))
    with pytest.raises(GeometryError, match=r"position 0 and 1 of axis 1"):
        identify(lambda x: np.asarray(x) * window, (9, 9), **SIZES)


@pytest.mark.parametrize("cells", [3, 5, 9, 12])
def test_a_diagonal_is_not_a_convolution(cells, rng):
    """Whatever strides would explain its few weights."""
    diagonal = rng.normal(size=(cells, 1))
    with pytest.raises(GeometryError, match="depends on the position"):
        identify(lambda x: np.asarray(x) * diagonal, (cells,), **SIZES)


@pytest.mark.parametrize("shape", [(2, 3), (4, 4), (6, 9), (10, 7)])
def test_a_dense_matrix_is_not_a_convolution(shape, rng):
    matrix = rng.normal(size=shape)
    with pytest.raises(GeometryError, match="depends on the position"):
        identify(lambda x: np.einsum("oi,bic->boc", matrix, np.asarray(x)), shape[1:], **SIZES)


def test_the_stride_that_explains_most(rng):
    """A layer of stride 2 with one weight changed, and interpolation between the corners."""
    weights = np.tile(rng.normal(size=3), (8, 1))
    weights[5, 1] += 0.5
    read = 2 * np.arange(8)[:, None] + np.arange(3)
    matrix = np.zeros((8, 17))
    np.put_along_axis(matrix, read, weights, 1)
    with pytest.raises(GeometryError, match=r"for stride 2, .* are \(4,\) of feature 0 and \(5,\)"):
        identify(lambda x: np.einsum("oi,bic->boc", matrix, np.asarray(x)), (17,), **SIZES)
    places = np.linspace(0, 7, 16)
    matrix = np.maximum(1 - abs(places[:, None] - np.arange(8)), 0)
    with pytest.raises(GeometryError, match="for stride 1, "):
        identify(lambda x: np.einsum("oi,bic->boc", matrix, np.asarray(x)), (8,), **SIZES)


def test_border_of_an_average_without_padding():
    """The windows at the border are divided by fewer cells."""
    identify(lambda x: avg_pool(x, (3,), strides=1, padding=1, count_include_pad=True), (9,), **SIZES)
    with pytest.raises(GeometryError, match="depends on the position"):
        identify(lambda x: avg_pool(x, (3,), strides=1, padding=1, count_include_pad=False), (9,), **SIZES)


def test_other_operators(rng):
    """What is a convolution among resizing, flipping, shearing and subsampling."""
    nearest = identify(lambda x: resize(x, (16,), "nearest"), (8,), **SIZES)
    assert nearest.transposed
    assert nearest.kernel.ravel().tolist() == [1, 1]
    every = identify(lambda x: x[:, 1::3], (10,), **SIZES)
    assert (every.kernel_shape, every.strides, every.padding) == ((1,), (3,), ((-1, -1),))
    moved = identify(lambda x: shift(np.asarray(x), (0, 2, 0), order=0), (9,), **SIZES)
    assert (moved.kernel_shape, moved.padding) == ((1,), ((2, -2),))
    with pytest.raises(GeometryError, match="depends on the position"):
        identify(lambda x: x[:, ::-1], (9,), **SIZES)
    with pytest.raises(GeometryError, match="depends on the position"):  # each row is shifted further
        identify(lambda x: jnp.stack([jnp.roll(x[:, row], row, 1) for row in range(6)], 1), (6, 7), **SIZES)
    with pytest.raises(GeometryError, match="depends on the position"):
        identify(lambda x: jnp.swapaxes(x, 1, 2), (6, 6), **SIZES)


def test_nonlinear(rng):
    for f in (jnp.tanh, jnp.abs, lambda x: max_pool(x, (2,)), lambda x: x * x[:, :1]):
        with pytest.raises(GeometryError, match=r"not linear: .* of feature 0 do not add up"):
            identify(f, (8,), **SIZES)


def test_one_mode_for_all_axes(rng):
    """Two convolutions after each other are not one if they pad differently."""

    def box(x):
        mirrored = np.pad(np.asarray(x), ((0, 0), (1, 1), (0, 0), (0, 0)), mode="reflect")
        x = sum(weight * mirrored[:, t : t + 9] for t, weight in enumerate((1.0, 2.0, 4.0)))
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
        return sum(weight * padded[:, :, t : t + 8] for t, weight in enumerate((1.0, -2.0, 5.0)))

    with pytest.raises(GeometryError, match="axis 0 fits reflect padding; axis 1 fits zeros"):
        identify(box, (9, 8), **SIZES)


def test_random_functions():
    noise = np.random.default_rng(0)
    with pytest.raises(OptionError, match="must return the same for the same maps"):
        identify(lambda x: x * noise.normal(), (8,), **SIZES)


def test_a_function_that_mixes_the_batch():
    with pytest.raises((GeometryError, OptionError), match=r"mix the maps|not linear"):
        identify(lambda x: x - jnp.roll(x, 1, 0), (8,), **SIZES)


def test_zeros():
    with pytest.raises(GeometryError, match="does not depend on its input"):
        identify(lambda x: 0 * x + 3, (8,), **SIZES)


def test_a_bias_that_depends_on_the_position(rng):
    ramp = np.arange(8.0)[:, None]
    with pytest.raises(GeometryError, match=r"at \(0,\) and \(1,\) are 0 and 1"):
        identify(lambda x: x + ramp, (8,), **SIZES)
