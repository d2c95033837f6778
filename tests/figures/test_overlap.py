"""The picture of the overlap: its numbers and its colours."""

import re

import numpy as np
import pytest

from jaxconv import ConvGeometry
from jaxconv.figures import overlap_figure
from jaxconv.figures.display import Rectangle, Text


def texts(picture):
    return [item.text for item in picture.display.items if isinstance(item, Text)]


def test_one_axis_shows_taps_and_counts():
    picture = overlap_figure(ConvGeometry((7,), (3,), strides=2))
    assert [text for text in texts(picture) if text.isdigit()] == list("1121211")
    assert [text for text in texts(picture) if re.fullmatch(r"t\d", text)] == ["t0", "t1", "t2"] * 3
    assert texts(picture)[0] == "k = 3, s = 2: uneven overlap"
    assert "1 to 2 taps" in picture.title


def test_two_axes_show_the_products_of_the_counts():
    picture = overlap_figure(ConvGeometry((7, 6), (3, 2), strides=2))
    expected = np.outer([1, 1, 2, 1, 2, 1, 1], [1] * 6).ravel()
    assert [int(text) for text in texts(picture) if text.isdigit()] == expected.tolist()
    fills = [item.fill for item in picture.display.items if isinstance(item, Rectangle)]
    assert len(set(fills)) == 2
    assert all((fills[0] == fill) == (count == 1) for fill, count in zip(fills, expected, strict=True))


def test_holes_are_empty(tmp_path):
    picture = overlap_figure(ConvGeometry((9,), (2,), strides=4), theme="dark")
    rectangles = [item for item in picture.display.items if isinstance(item, Rectangle)]
    assert [item.fill for item in rectangles[-9:]].count("empty") == 5
    assert picture.save(tmp_path / "overlap.png").stat().st_size > 0


@pytest.mark.parametrize("size", [(40, 40), (20, 15)])
def test_large_maps_stay_on_the_page(size):
    picture = overlap_figure(ConvGeometry(size, (5, 5), strides=3))
    assert picture.display.width < 520
    assert picture.display.height < 520
