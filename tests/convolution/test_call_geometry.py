"""The geometries that calls keep are those that they would build anew, and bad options stay refused."""

import numpy as np
import pytest

from jaxconv import ConvGeometry, GeometryError
from jaxconv.convolution.call_geometry import geometry_of, transposed_geometry_of

OPTIONS = {
    "strides": 1,
    "padding": "SAME",
    "padding_mode": "zeros",
    "input_dilation": 1,
    "kernel_dilation": 1,
    "feature_group_count": 1,
}
X, KERNEL = (2, 5, 6, 3), (3, 2, 3, 4)


def test_equal_calls_share_a_geometry():
    first = geometry_of(X, KERNEL, **OPTIONS)
    assert first == ConvGeometry((5, 6), (3, 2), in_features=3, out_features=4, padding="SAME")
    assert geometry_of(X, KERNEL, **OPTIONS) is first
    assert geometry_of(X, KERNEL, **OPTIONS | {"strides": (1, 1)}) == first
    assert geometry_of(X, KERNEL, **OPTIONS | {"strides": 2}).output_shape == (3, 3)


@pytest.mark.parametrize("value", [[2, 1], np.array([2, 1]), (np.int32(2), 1)], ids=repr)
def test_what_cannot_be_a_key_is_resolved(value):
    assert geometry_of(X, KERNEL, **OPTIONS | {"strides": value}).strides == (2, 1)


@pytest.mark.parametrize("value", [True, 1.0, (True, 1), (1, 1.0), ((1,), 1)], ids=repr)
def test_values_equal_to_a_kept_one_are_refused(value):
    """As keys, True and 1.0 equal 1."""
    for accepted in (1, (1, 1)):
        geometry_of(X, KERNEL, **OPTIONS | {"strides": accepted})
    with pytest.raises(TypeError, match="`strides`"):
        geometry_of(X, KERNEL, **OPTIONS | {"strides": value})


def test_errors_are_raised_each_time():
    for _ in range(2):
        with pytest.raises(GeometryError, match="`x` has 3 features"):
            geometry_of(X, (3, 2, 5, 4), **OPTIONS)
        with pytest.raises(GeometryError, match="`output_padding`"):
            transposed_geometry_of((2, 5, 6, 4), KERNEL, (5, 6), 1, **OPTIONS)


def test_transposed_geometries_are_kept_apart():
    y = (2, 3, 3, 4)
    small = transposed_geometry_of(y, KERNEL, None, None, **OPTIONS | {"strides": 2, "padding": 1})
    large = transposed_geometry_of(y, KERNEL, None, 1, **OPTIONS | {"strides": 2, "padding": 1})
    assert [a - b for a, b in zip(large.input_shape, small.input_shape, strict=True)] == [1, 1]
