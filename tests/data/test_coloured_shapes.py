"""Coloured shapes, against their corners; colours and clutter say nothing about the class."""

from itertools import pairwise

import numpy as np
import pytest

from jaxconv.data import Shapes, shapes
from jaxconv.errors import OptionError


def inside(shape, y, x, radius, angle):
    """Tests a point by the corners of a shape: it is on the inner side of every edge."""
    if shape == "disc":
        return np.hypot(y, x) <= radius
    n = {"square": 4, "triangle": 3}[shape]
    turns = angle + np.pi / n + 2 * np.pi * np.arange(n + 1) / n
    corners = radius * np.stack([np.sin(turns), np.cos(turns)], -1)
    return all((b[1] - a[1]) * (y - a[0]) - (b[0] - a[0]) * (x - a[1]) >= 0 for a, b in pairwise(corners))


@pytest.mark.parametrize("shape", ["disc", "square", "triangle"])
def test_shapes_are_their_corners(shape, rng):
    from jaxconv.data.coloured_shapes import _inside

    y, x = np.indices((40, 50), np.float32) - np.float32([[[20.3]], [[24.6]]])
    radius, angle = rng.uniform(6, 14), rng.uniform(0, 2 * np.pi)
    found = _inside(shape, y, x, radius, angle)
    expected = np.array(
        [[inside(shape, *p, radius, angle) for p in zip(*row, strict=True)] for row in zip(y, x, strict=True)]
    )
    np.testing.assert_array_equal(found, expected)
    assert 50 < found.sum() < 700


def test_ripple_rotated_by_half_a_turn_is_negated():
    from jaxconv.data.coloured_shapes import _ripple

    y, x = np.indices((31, 41), np.float32) - np.float32([[[15]], [[20]]])
    ripple = _ripple(y, x, np.random.default_rng(0))
    # sin is odd to its last bit or two.
    np.testing.assert_allclose(ripple, -ripple[::-1, ::-1], rtol=0, atol=4 * np.finfo(np.float32).eps)
    assert abs(ripple).max() > 0.3


def test_colours_do_not_tell_the_class():
    pictures = [shapes("train", clutter=0)[i] for i in range(60)]
    colours = np.array(
        [p.image[p.label == c].mean(0) for p in pictures for c in (1, 2, 3) if (p.label == c).any()]
    )
    assert (abs(colours.mean(0) - 0.5) < 0.1).all()
    assert (np.concatenate([p.image[p.label == 0] for p in pictures]) == 0.5).all()


def test_numbers_outside_their_range():
    for options, words in (
        ({"canvas": (4,)}, "`canvas` must be"),
        ({"radii": (5, 2)}, "`radii` must be"),
        ({"count": -1}, "count=-1"),
        ({"examples": 0}, "examples=0"),
    ):
        with pytest.raises(OptionError, match=words):
            Shapes(**options)
