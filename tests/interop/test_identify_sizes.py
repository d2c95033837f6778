"""What one size cannot tell apart: all that fits, the size that decides, and what no size decides."""

import jax.numpy as jnp
import numpy as np
import pytest
from boxes import box_of, matrix_of

from jaxconv import ConvGeometry, Convolution, identify


def found_for(layer, shape):
    return identify(layer, shape, layer.in_features, dtype="float64")


def geometries(found):
    shape = found.identification.input_shape
    return [other.layer.geometry(shape) for other in found.identification.alternatives]


def test_high_padding_of_a_stride(rng):
    """Both paddings have the same windows at 6 cells; the deciding sizes do decide."""
    kernel = rng.normal(size=(3, 1, 1))
    one, other = (Convolution(kernel, strides=2, padding=((1, high),)) for high in (1, 0))
    assert found_for(one, (6,)).identification.geometry.padding == ((1, 1),)
    found = found_for(other, (6,))
    assert found.identification.geometry.padding == ((1, 1),)
    assert other.geometry((6,)) in geometries(found)
    for fitting in found.identification.alternatives:
        sizes = fitting.deciding_shape
        here, there = matrix_of(found, sizes), matrix_of(fitting.layer, sizes)
        assert here.shape != there.shape or not np.allclose(here, there)


def test_same_is_a_word_or_cells(rng):
    layer = Convolution(rng.normal(size=(3, 1, 1)), strides=2, padding="SAME")
    found = found_for(layer, (6,))
    first = found.identification.alternatives[0]
    assert (found.padding, first.layer.padding, first.deciding_shape) == (((0, 1),), "SAME", (7,))
    assert found.geometry((7,)) != layer.geometry((7,)) == first.layer.geometry((7,))


def test_circular_padding_of_a_small_map(rng):
    """At any size, circular padding is a zero-padded kernel of almost twice the size; the fewest taps win."""
    layer = Convolution(rng.normal(size=(3, 1, 1)), padding=1, padding_mode="circular")
    found = found_for(layer, (6,))
    assert found.padding_mode == "circular"
    (zeros,) = [one for one in found.identification.alternatives if one.layer.padding_mode == "zeros"]
    assert zeros.layer.kernel_shape == (11,)
    assert zeros.deciding_shape == (7,)


def test_two_cells_reflect_and_wrap_alike(rng):
    layer = Convolution(rng.normal(size=(2, 1, 1)), padding=((1, 1),), padding_mode="reflect")
    found = found_for(layer, (2,))
    assert layer.geometry((2,)) in [found.identification.geometry, *geometries(found)]


def test_dilation_and_zeros_between_taps(rng):
    """The same function at every size: the fewer taps are returned, and a note says so."""
    taps = rng.normal(size=(3, 1, 1))
    dilated = Convolution(taps, kernel_dilation=4)
    spread = np.zeros((9, 1, 1))
    spread[::4] = taps
    for layer in (dilated, Convolution(spread)):
        found = found_for(layer, (20,))
        assert (found.kernel_dilation, found.kernel.shape) == ((4,), (3, 1, 1))
        np.testing.assert_array_equal(found.kernel, taps)
        (note,) = found.identification.notes
        assert "dilation 2 with 5 taps or 1 with 9 taps" in note


def test_zeros_inside_and_at_the_border_of_a_kernel():
    kernel = jnp.array([0.0, 2.0, 0.0, 0.0, 3.0, -1.0, 0.0]).reshape(7, 1, 1)
    found = found_for(Convolution(kernel, padding=3, strides=2), (15,))
    assert found.kernel.ravel().tolist() == [2, 0, 0, 3, -1]
    assert found.padding == ((2, 2),)
    assert found.kernel_dilation == (1,)


def test_a_common_factor_of_stride_and_dilation(rng):
    """Every second tap only meets zeros."""
    kernel = rng.normal(size=(5, 1, 1))
    found = found_for(Convolution(kernel, strides=2, input_dilation=2, padding=2), (9,))
    assert (found.strides, found.input_dilation, found.padding) == ((1,), (1,), ((1, 1),))
    np.testing.assert_array_equal(found.kernel, kernel[::2])


@pytest.mark.parametrize("transposed", [False, True])
def test_one_cell_shows_little(transposed, rng):
    """A kernel whose border only meets padding, and the note that it may be larger."""
    g = ConvGeometry((1,), (3,), padding=1)
    found = identify(*box_of(g, rng.normal(size=(3, 1, 1)), transposed), dtype="float64")
    assert found.kernel_shape == (1,)
    notes = " ".join(found.identification.notes)
    assert "neither strides nor dilation" in notes
    assert "the kernel may be larger" in notes


def test_a_kernel_as_large_as_the_map(rng):
    """No window lies inside of the map, so that the padding modes are told apart by the whole matrix."""
    for mode in ("reflect", "replicate"):
        layer = Convolution(rng.normal(size=(5, 1, 1)), padding=2, padding_mode=mode, input_dilation=2)
        found = found_for(layer, (4,))
        assert layer.geometry((4,)) in [found.identification.geometry, *geometries(found)], mode


@pytest.mark.parametrize(("cells", "taps", "dilation", "stride"), [
    (5, 3, 2, 1), (7, 7, 1, 1), (7, 7, 1, 2), (7, 3, 3, 2), (9, 3, 4, 1), (13, 3, 6, 1), (8, 3, 3, 1),
])  # fmt: skip
@pytest.mark.parametrize("transposed", [False, True])
def test_circular_windows_as_large_as_the_input(cells, taps, dilation, stride, transposed, rng):
    """Hardly any window lies in the interior, so that no two neighbours show the kernel and the stride."""
    kernel, padding = rng.normal(size=taps), dilation * (taps - 1) // 2
    matrix = np.zeros(((cells - 1) // stride + 1, cells))
    for out in range(len(matrix)):
        for tap in range(taps):
            matrix[out, (out * stride + tap * dilation - padding) % cells] += kernel[tap]
    if transposed:
        matrix = matrix.T
    found = identify(lambda x: matrix @ np.asarray(x), matrix.shape[1:], dtype="float64")
    assert found.padding_mode == "circular"
    geometry = found.identification.geometry
    assert (geometry.kernel_shape, geometry.kernel_dilation) == ((taps,), (dilation,))
    assert (geometry.strides, geometry.padding) == ((stride,), ((padding, padding),))


def test_a_padding_mode_that_no_window_reads(rng):
    """Two taps of stride 3 with one cell of padding, which a window reads at 10 cells and not at 8 or 9."""
    layer = Convolution(rng.normal(size=(2, 1, 1)), strides=3, padding=((0, 1),), padding_mode="circular")
    for cells in (8, 9):
        (note,) = found_for(layer, (cells,)).identification.notes
        assert "the mode of the high padding" in note
    shown = found_for(layer, (10,))
    assert (shown.padding_mode, shown.identification.notes) == ("circular", ())
    assert found_for(Convolution(layer.kernel), (9,)).identification.notes == ()


def test_few_cells_are_noted():
    """On 3 cells the answer is one of more convolutions than a list can have."""
    layer = Convolution(np.ones((1, 1, 1)))
    (note,) = found_for(layer, (3,)).identification.notes
    assert "3 cells" in note
    assert found_for(layer, (5,)).identification.notes == ()
