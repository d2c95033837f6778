"""Pictures of spectra, and of a transpose beside an inverse."""

import numpy as np
import oracles
import pytest

from jaxconv import ConvGeometry, GeometryError
from jaxconv.figures import draw_spectrum, inverse_figure, spectrum_figure


def test_a_circulant_spectrum_has_all_values_and_a_map(tmp_path):
    g = ConvGeometry((6, 5), (3, 2), in_features=2, padding="SAME", padding_mode="circular")
    kernel = oracles.numbers(g.kernel_array_shape)
    figure = spectrum_figure(kernel, g)
    values = np.linalg.svd(oracles.dense(g, kernel), compute_uv=False)
    drawn = figure.axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, values, atol=1e-12)
    (image,) = figure.axes[1].images
    picture = image.get_array()
    assert picture.shape == (6, 5)
    assert picture.max() == pytest.approx(values[0])
    low, high = image.get_extent()[:2]
    assert (high - low) / 5 == pytest.approx(1)  # a cell per frequency, with 0 in the middle of one
    centre = picture[int(0 - image.get_extent()[3]), int(0 - low)]
    assert centre == pytest.approx(np.linalg.norm(kernel.sum((0, 1))))
    assert draw_spectrum(tmp_path / "a.png", kernel, g).stat().st_size > 0


def test_other_spectra_have_no_map():
    small = ConvGeometry((5,), (3,), padding="SAME")
    kernel = oracles.numbers((3, 1, 1))
    figure = spectrum_figure(kernel, small)
    values = np.linalg.svd(oracles.dense(small, kernel), compute_uv=False)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), values, atol=1e-13)
    assert len(figure.axes) == 1
    assert "all 5" in figure.axes[0].get_title()
    spectrum_figure(np.zeros((3, 1, 1)), small)


def test_inverses_have_their_errors():
    original = oracles.numbers((4, 4))
    figure = inverse_figure(original, {"half": original / 2, "small": original[:2]}, columns=2)
    drawn = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in drawn] == ["original", "half", "small"]
    assert [ax.get_xlabel() for ax in drawn] == ["", "error 0.5", ""]
    with pytest.raises(GeometryError, match=r"'wrong' has shape \(4,\)"):
        inverse_figure(original, {"wrong": original[0]})
