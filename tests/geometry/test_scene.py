"""Scenes: what the window covers at every output cell, against loops and `numpy.pad`."""

import numpy as np
import oracles
import pytest

from jaxconv import ConvGeometry, GeometryError, SizeError
from jaxconv.geometry.scene import cell_at, drawn_positions, scenes

GEOMETRIES = [
    ConvGeometry((6,), (3,), strides=2, padding=1),
    ConvGeometry((5, 4), (3, 2), strides=(2, 1), padding=((1, 0), (2, 1))),
    ConvGeometry((4, 5), (2, 2), padding=((-1, 2), (1, -1)), kernel_dilation=(2, 1)),
    ConvGeometry((3, 2), (2, 2), input_dilation=(2, 3), padding=1, strides=(1, 2)),
    ConvGeometry((2, 3, 4), (2, 1, 3), padding=((0, 1), (0, 0), (1, 1)), strides=(1, 2, 1)),
    ConvGeometry((3, 3), (2, 2), in_features=4, out_features=6, feature_group_count=2),
    ConvGeometry((4, 3), (3, 3), padding=((2, 1), (0, 4)), padding_mode="circular"),
    ConvGeometry((4, 3), (3, 3), padding=((2, 1), (0, 4)), padding_mode="reflect"),
    ConvGeometry((4, 3), (3, 3), padding=((2, 1), (-1, 4)), padding_mode="replicate"),
]


@pytest.mark.parametrize("g", GEOMETRIES, ids=repr)
def test_scenes_match_rows_of_the_matrix(g, rng):
    kernel = rng.integers(1, 9, size=g.kernel_array_shape)
    C = oracles.dense(g, kernel)
    steps = scenes(g)
    assert [scene.row for scene in steps] == list(range(len(C)))
    rows = np.zeros_like(C)
    for scene in steps:
        for entry in scene.entries:
            rows[scene.row, entry.column] += kernel[entry.kernel_index]
    np.testing.assert_array_equal(rows, C)


@pytest.mark.parametrize("g", [g for g in GEOMETRIES if g.padding_mode == "zeros"], ids=repr)
def test_transposed_scenes_match_rows_of_the_transposed_matrix(g, rng):
    kernel = rng.integers(1, 9, size=g.kernel_array_shape)
    C = oracles.dense(g, kernel)
    rows = np.zeros_like(C.T)
    for scene in scenes(g, transposed=True):
        for entry in scene.entries:
            rows[scene.row, entry.column] += kernel[entry.kernel_index]
    np.testing.assert_array_equal(rows, C.T)


@pytest.mark.parametrize("g", GEOMETRIES, ids=repr)
def test_window_positions_match_loops(g):
    outputs = list(np.ndindex(*g.output_shape))
    steps = scenes(g)
    for scene, output in zip(steps[:: g.out_features], outputs, strict=True):
        assert scene.output == output
        expected = [
            tuple(o * s + t * d for o, s, t, d in zip(output, g.strides, tap, g.kernel_dilation, strict=True))
            for tap in np.ndindex(*g.kernel_shape)
        ]
        assert [read.position for read in scene.reads] == expected


@pytest.mark.parametrize("g", GEOMETRIES, ids=repr)
def test_cells_match_numpy_pad(g):
    by_axis = [
        oracles.padded_cells(axis.size, axis.input_dilation, axis.padding, axis.padding_mode)
        for axis in g.axes
    ]
    for position in np.ndindex(*map(len, by_axis)):
        cells = tuple(axis[at] for axis, at in zip(by_axis, position, strict=True))
        cell = cell_at(g, position)
        assert cell.cell == (None if -1 in cells else cells)
        assert cell.kind != "cropped"
        assert (cell.kind in ("input", "padding")) or cell.cell is None


def test_kinds_of_cells():
    g = ConvGeometry((3,), (2,), padding=((1, 2),), input_dilation=2)
    kinds = [cell_at(g, (at,)).kind for at in drawn_positions(g.axes[0])]
    assert kinds == ["padding", *["input", "inserted"] * 2, "input", "padding", "padding"]
    g = ConvGeometry((5,), (2,), padding=((-1, -2),))
    kinds = [cell_at(g, (at,)).kind for at in drawn_positions(g.axes[0])]
    assert kinds == ["cropped", "input", "input", "cropped", "cropped"]


def test_features_are_those_of_the_group():
    g = ConvGeometry((3, 3), (2, 2), in_features=4, out_features=6, feature_group_count=2)
    first = scenes(g)[: g.out_features]
    assert [scene.output_feature for scene in first] == list(range(6))
    assert [list(scene.input_features) for scene in first] == [[0, 1]] * 3 + [[2, 3]] * 3
    assert first[4].kernel_index((1, 0), 3) == (1, 0, 1, 4)
    back = scenes(g, transposed=True)[2]  # the third input feature reads the second group's outputs
    assert list(back.input_features) == [3, 4, 5]
    assert back.kernel_index((1, 0), 4) == (1, 0, 0, 4)


def test_unsupported_geometries_are_refused():
    with pytest.raises(GeometryError, match="only zero padding has an equivalent direct convolution"):
        scenes(ConvGeometry((4,), (3,), padding=1, padding_mode="circular"), transposed=True)
    with pytest.raises(SizeError, match="at most 1,000,000"):
        scenes(ConvGeometry((2000, 2000), (3, 3)))
