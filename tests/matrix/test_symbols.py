"""C in symbols."""

import numpy as np
import pytest

from jaxconv import ConvGeometry, GeometryError, SizeError, conv_matrix, symbols


@pytest.mark.parametrize(
    "g",
    [
        ConvGeometry((4, 4), (3, 3)),
        ConvGeometry((4, 3), (2, 2), padding=((1, 0), (0, 2)), strides=(2, 1)),
        ConvGeometry((4,), (3,), padding=2, padding_mode="reflect"),
        ConvGeometry((3,), (2,), in_features=4, out_features=6, feature_group_count=2),
    ],
    ids=str,
)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_symbols_evaluate_to_the_matrix(g, transposed, order, rng):
    kernel = rng.normal(size=g.kernel_array_shape)
    names = [f"k[{n}]" for n in range(kernel.size)]
    lines = symbols(g, names, transposed=transposed, order=order).splitlines()
    table = [[eval(entry, {"k": kernel.ravel()}) for entry in line.split()] for line in lines]
    C = conv_matrix(kernel, g)
    np.testing.assert_allclose(table, (C.T if transposed else C).todense(order), rtol=4 * np.finfo(float).eps)


def test_features_are_named():
    assert symbols(ConvGeometry((1,), (1,), in_features=2, out_features=2)) == "w0,00 w0,10\nw0,01 w0,11"


def test_names_of_many_features_do_not_collide():
    g = ConvGeometry((1,), (1,), in_features=12, out_features=12)
    entries = symbols(g).split()
    assert len(set(entries)) == 144
    assert entries[1] == "w0,1_0"


def test_bad_arguments_are_refused():
    with pytest.raises(SizeError, match="Draw it"):
        symbols(ConvGeometry((65,), (1,)))
    with pytest.raises(GeometryError, match="3 kernel entries, got 2"):
        symbols(ConvGeometry((4,), (3,)), "xy")
