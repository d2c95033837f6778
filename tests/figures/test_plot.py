"""`jaxconv.figures.plot`: that the picture is the matrix, on any axes."""

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib import pyplot

from jaxconv import ConvGeometry, conv_matrix
from jaxconv.figures import plot
from jaxconv.figures.canvas import NO_ENTRY, by
from jaxconv.matrix.coordinates import coordinates

GEOMETRIES = [
    ConvGeometry((8,), (3,)),
    ConvGeometry((6, 6), (3, 3)),
    ConvGeometry((7, 7), (3, 3), in_features=2, out_features=2, strides=2, padding=1),
    ConvGeometry((5,), (3,), padding=2, padding_mode="circular"),
]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def matrix(g, rng):
    return conv_matrix(jnp.asarray(rng.normal(size=g.kernel_array_shape)), g)


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("g", GEOMETRIES, ids=str)
def test_the_picture_shows_taps_and_values(g, transposed, order, rng):
    C = matrix(g, rng).T if transposed else matrix(g, rng)
    shown = plot(C, colour="value", order=order).images[0].get_array()
    np.testing.assert_array_equal(shown.filled(0), C.todense(order))
    assert (~shown.mask).sum() == C.nnz
    shown = plot(C, order=order).images[0].get_array()
    at = coordinates(g, transposed, order)
    np.testing.assert_array_equal(shown[at.row, at.column], at.tap)
    assert (~shown.mask).sum() == C.nnz


def test_title_labels_and_tap_names(rng):
    ax = plot(matrix(GEOMETRIES[0], rng))
    assert ax.get_title() == f"$C$   {by(6, 8)}, 18 entries"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input cell (8)", "output cell (6)")
    assert [text.get_text() for text in ax.texts[:3]] == ["w0", "w1", "w2"]
    ax = plot(matrix(GEOMETRIES[2], rng).T)
    assert ax.get_title().startswith(r"$C^\mathsf{T}$")
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        f"output cell ({by(4, 4, 2)} features)",
        f"input cell ({by(7, 7, 2)} features)",
    )


def test_taps_have_colours_of_their_own(rng):
    image = plot(matrix(GEOMETRIES[1], rng)).images[0]
    colours = {tuple(image.cmap(image.norm(tap))) for tap in range(9)}
    assert len(colours) == 9
    assert tuple(image.cmap.get_bad()) not in colours


def test_axes_of_the_caller_are_used(rng):
    figure, (first, second) = pyplot.subplots(1, 2, figsize=(9, 4))
    before = pyplot.get_fignums()
    assert plot(matrix(GEOMETRIES[0], rng), ax=first) is first
    assert plot(matrix(GEOMETRIES[1], rng), ax=second) is second
    assert pyplot.get_fignums() == before
    assert first.texts
    assert not second.texts  # its cells are too small for names
    figure.canvas.draw()


def test_a_large_matrix_shows_where_its_entries_are(rng):
    C = matrix(ConvGeometry((40, 60), (5, 5)), rng)
    ax = plot(C, colour="value")
    image = ax.images[0]
    shown = image.get_array()
    assert len(ax.figure.axes) == 1  # no scale
    assert {tuple(image.cmap(image.norm(value))) for value in shown.compressed()} == {tuple(image.cmap(0))}
    assert 0 < (~shown.mask).sum() < shown.size
    assert tuple(image.cmap.get_bad()) == pytest.approx(np.array([0xDC, 0xDE, 0xDA, 255]) / 255)
    assert NO_ENTRY == "#dcdeda"
