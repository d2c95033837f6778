"""Layers made of one `geometry` instead of sizes and options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from oracles import dense, numbers

from jaxconv import ConvGeometry, GeometryError
from jaxconv.nn import Conv, ConvTranspose, fully_convolutional

GEOMETRIES = [
    ConvGeometry((7,), (3,), strides=2, padding=((1, 0),), in_features=2, out_features=3),
    ConvGeometry((5, 4), (3, 2), strides=(2, 3), padding="SAME", in_features=4, out_features=2,
                 feature_group_count=2),
    ConvGeometry((4, 5), (2, 3), padding=((2, -1), (0, 1)), padding_mode="circular", in_features=2,
                 kernel_dilation=(2, 1)),
    ConvGeometry((3, 4), (2, 3), input_dilation=(2, 1), padding=1, out_features=3),
]  # fmt: skip


@pytest.mark.parametrize("g", GEOMETRIES, ids=str)
@pytest.mark.parametrize("layer_class", [Conv, ConvTranspose])
def test_layer_multiplies_by_the_matrix(layer_class, g):
    layer = layer_class(
        geometry=g, bias_init=nnx.initializers.normal(1.0), param_dtype=jnp.float64, rngs=nnx.Rngs(0)
    )
    C, sides = dense(g, np.asarray(layer.kernel[...])), [(*g.input_shape, g.in_features)]
    sides.append((*g.output_shape, g.out_features))
    if layer_class is ConvTranspose:
        C, sides = C.T, sides[::-1]
    assert (layer.in_features, layer.out_features) == (sides[0][-1], sides[1][-1])
    x = numbers((2, *sides[0]))
    expected = (x.reshape(2, -1) @ C.T).reshape(2, *sides[1]) + np.asarray(layer.bias[...])
    np.testing.assert_allclose(layer(jnp.asarray(x)), expected, rtol=0, atol=1e-13 * abs(expected).max())
    np.testing.assert_allclose(layer.as_convolution()(x), expected, rtol=0, atol=1e-13 * abs(expected).max())


def test_parameters_are_those_of_the_options():
    g = GEOMETRIES[1]
    by_options = Conv(
        4, 2, (3, 2), strides=(2, 3), padding="SAME", feature_group_count=2, rngs=nnx.Rngs(7)
    ).kernel
    np.testing.assert_array_equal(Conv(geometry=g, rngs=nnx.Rngs(7)).kernel[...], by_options[...])


def test_another_size_is_refused():
    g = GEOMETRIES[0]
    with pytest.raises(GeometryError, match=r"`x` must be a map of the spatial shape \(7,\).* got \(8,\)"):
        Conv(geometry=g, rngs=nnx.Rngs(0))(jnp.ones((5, 8, 2), jnp.float32))
    layer = ConvTranspose(geometry=g, rngs=nnx.Rngs(0))
    y = jnp.ones((*g.output_shape, 3), jnp.float32)
    assert layer(y).shape == layer(y, input_shape=[7]).shape == (7, 2)
    with pytest.raises(GeometryError, match=r"`y` must be a map of the spatial shape \(3,\).* got \(6,\)"):
        layer(jnp.ones((6, 3), jnp.float32))
    with pytest.raises(GeometryError, match=r"`input_shape` must be \(7,\)"):
        layer(y, input_shape=(6,))
    with pytest.raises(GeometryError, match="`x` has 3 features"):
        Conv(geometry=g, rngs=nnx.Rngs(0))(jnp.ones((7, 3), jnp.float32))


@pytest.mark.parametrize("layer_class", [Conv, ConvTranspose])
def test_options_beside_a_geometry_are_refused(layer_class):
    g, rngs = GEOMETRIES[0], nnx.Rngs(0)
    with pytest.raises(GeometryError, match="already fixes `in_features`; leave out one of the two"):
        layer_class(2, geometry=g, rngs=rngs)
    with pytest.raises(GeometryError, match="already fixes `in_features`, `out_features`, `kernel_shape`"):
        layer_class(2, 3, (3,), geometry=g, rngs=rngs)
    with pytest.raises(GeometryError, match="already fixes `strides`"):
        layer_class(geometry=g, strides=1, rngs=rngs)
    with pytest.raises(TypeError, match="`geometry` must be"):
        layer_class(geometry=(7,), rngs=rngs)
    with pytest.raises(TypeError, match="`kernel_shape` is missing"):
        layer_class(2, 3, rngs=rngs)
    with pytest.raises(TypeError, match="`in_features` is missing"):
        layer_class(rngs=rngs)
    with pytest.raises(GeometryError, match="already fixes `output_padding`"):
        ConvTranspose(geometry=g, output_padding=1, rngs=rngs)


def test_layer_splits_and_merges():
    layer = Conv(geometry=GEOMETRIES[0], rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)
    x = jnp.ones((7, 2), jnp.float32)
    np.testing.assert_array_equal(jax.jit(lambda s: nnx.merge(graph, s)(x))(state), jax.jit(layer)(x))


def test_unrolled_layer_takes_every_size():
    """As a fully convolutional network a layer is given maps of other sizes."""
    g = ConvGeometry((6, 6), (3, 3), out_features=2)
    rngs = nnx.Rngs(0)
    flatten = lambda x: x.reshape(x.shape[0], -1)  # noqa: E731
    model = nnx.Sequential(Conv(geometry=g, rngs=rngs), nnx.relu, flatten, nnx.Linear(32, 5, rngs=rngs))
    network = fully_convolutional(model, (6, 6))
    assert network(jnp.ones((1, 9, 7, 1), jnp.float32)).shape == (1, 4, 2, 5)
