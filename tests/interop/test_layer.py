"""`Convolution`: what it computes, under jax's transformations, and what it refuses."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossing import layers, numbers
from oracles import apply, assert_rounds_to, dense, terms

from jaxconv import ConvGeometry, Convolution, GeometryError, to_equinox, to_flax

OPTIONS = [
    {},
    {"strides": 2, "padding": "SAME"},
    {"strides": (2, 3), "padding": ((1, 0), (2, 2)), "kernel_dilation": (1, 2), "groups": 2},
    {"padding": 2, "padding_mode": "reflect"},
    {"input_dilation": 2, "padding": ((1, 2), (1, 0))},
]


def of_geometry(layer, x):
    """What the definition makes of the layer's geometry, in NumPy loops, for `assert_rounds_to`."""
    g, spatial = layer.geometry(x.shape[1:-1]), x.shape[1:-1]
    kernel = np.asarray(layer.kernel)
    out = (*(g.input_shape if layer.transposed else g.output_shape), layer.out_features)
    assert spatial == (g.output_shape if layer.transposed else g.input_shape)
    parts = [(dense(g, kernel), x), (dense(g, abs(kernel)), abs(x)), (terms(g), np.ones(x.shape))]
    value, size, count = (apply(C.T if layer.transposed else C, x, 1, out) for C, x in parts)
    bias = np.asarray(layer.bias)
    return value + bias, size + abs(bias), count + 1


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_layer_matches_matrix_plus_bias(options, transposed, rng):
    layer = layers(rng, 2, transposed, **options)
    x = numbers(rng, (2, 6, 5, layer.in_features))
    expected = of_geometry(layer, x)
    assert_rounds_to(layer(x), expected)
    settled = layer.at((6, 5))
    assert not settled.depends_on_size
    assert settled.geometry((6, 5)) == layer.geometry((6, 5))
    assert_rounds_to(settled(x), expected)


@pytest.mark.parametrize("transposed", [False, True])
def test_transformations(transposed, rng):
    """jit and vmap over layers, gradients in every number; any batch."""
    layer = layers(rng, 2, transposed, strides=2, padding=1)
    x = jnp.asarray(numbers(rng, (3, 2, 6, 5, layer.in_features)))
    y = layer(x)
    np.testing.assert_allclose(jax.jit(lambda layer, x: layer(x))(layer, x), y, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(layer(x[0, 0]), y[0, 0], rtol=1e-13, atol=1e-13)
    assert layer(x[:0]).shape == (0, *y.shape[1:])
    stacked = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), layer)
    both = jax.vmap(lambda layer: layer(x))(stacked)
    np.testing.assert_allclose(both, [y, 2 * y], rtol=1e-12, atol=1e-12)
    gradient = jax.grad(lambda layer: (layer(x) ** 2).sum() / 2)(layer)
    assert isinstance(gradient, Convolution)
    np.testing.assert_allclose(gradient.bias, y.sum((0, 1, 2, 3)), rtol=1e-12)
    # Euler's identity: the layer is linear in its numbers.
    products = jax.tree.map(lambda a, b: (a * b).sum(), gradient, layer)
    np.testing.assert_allclose(products.kernel + products.bias, (y**2).sum(), rtol=1e-12)
    _, tangent = jax.jvp(lambda layer: layer(x), (layer,), (layer,))
    np.testing.assert_allclose(tangent, y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("of", ["kernel", "bias"])
def test_a_batch_of_layers_is_for_vmap(of, rng):
    """Stacked kernels of one axis have the shape of one with two axes, which they are not taken for."""
    layer = layers(rng, 1, False, padding=1)
    x = jnp.asarray(numbers(rng, (2, 9, layer.in_features)))
    batch = dataclasses.replace(layer)
    object.__setattr__(batch, of, jnp.stack([getattr(layer, of), 2 * getattr(layer, of)]))
    assert (batch.ndim, batch.kernel_shape, batch.spans) == (1, layer.kernel_shape, layer.spans)
    assert batch.geometry((9,)) == layer.geometry((9,))
    for use in (lambda layer: layer(x), lambda layer: layer.at((9,)), to_flax, to_equinox):
        with pytest.raises(GeometryError, match=r"this is a batch of layers, .* jax.vmap, as in"):
            use(batch)


@pytest.mark.parametrize("transposed", [False, True])
def test_it_lowers_for_every_platform(transposed, rng):
    platforms = ("cpu", "cuda", "tpu")
    layer = jax.tree.map(lambda a: a.astype(jnp.float32), layers(rng, 2, transposed, strides=2, padding=1))
    x = jax.ShapeDtypeStruct((2, 6, 5, layer.in_features), np.float32)
    exported = jax.export.export(jax.jit(lambda x: layer(x)), platforms=platforms)(x)
    assert exported.platforms == platforms


def test_sixteen_bit_numbers_and_mixed_ones(rng):
    layer = layers(rng, 1, False, padding=1)
    x = numbers(rng, (2, 9, 2))
    half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), layer)
    assert half(jnp.asarray(x).astype(jnp.bfloat16)).dtype == jnp.bfloat16
    with pytest.raises(TypeError, match="share one dtype"):
        half(x)
    mixed = dataclasses.replace(layer, dtype=jnp.float32)
    assert mixed(x).dtype == jnp.float32
    np.testing.assert_allclose(mixed(x), layer(x), rtol=1e-4, atol=1e-4)


def test_padding_words_resolve_where_no_size_is_needed():
    kernel = jnp.ones((3, 4, 2, 5))
    assert Convolution(kernel).padding == ((0, 0), (0, 0))
    assert Convolution(kernel, padding="SAME").padding == ((1, 1), (1, 2))
    assert Convolution(kernel, padding="SAME", strides=2).padding == "SAME"
    assert Convolution(kernel, padding="CAUSAL", strides=2).padding == ((2, 0), (3, 0))
    up = Convolution(kernel, padding="SAME", strides=4, transposed=True)
    assert (up.padding, up.output_padding) == (((0, 0), (0, 0)), (1, 0))
    assert up.geometry((3, 5)) == ConvGeometry.of_transposed(
        (3, 5), (3, 4), in_features=2, out_features=5, strides=4, padding="SAME"
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"output_padding": 1}, "only a transposed layer has"),
        ({"transposed": True, "strides": 2, "output_padding": 2}, r"must lie in \[0, strides\)"),
        (
            {"transposed": True, "strides": 2, "output_padding": 1, "padding": "SAME"},
            "fixes the size already",
        ),
        ({"feature_group_count": 2}, "`out_features` must be divisible"),
        ({"padding": "sam"}, "did you mean 'SAME'"),
        ({"padding": (1, 2)}, "A pair is nested"),
        ({"bias": jnp.ones(2)}, r"\(out_features,\) = \(5,\), got shape \(2,\)"),
        ({"bias": jnp.ones(5), "transposed": True}, r"= \(4,\), got shape \(5,\)"),
        ({"padding_mode": "mirror"}, "padding_mode"),
    ],
    ids=str,
)
def test_bad_numbers_are_refused(options, reason):
    with pytest.raises(GeometryError, match=reason):
        Convolution(jnp.ones((3, 4, 5)), **options)


def test_bad_kernels_are_refused():
    with pytest.raises(GeometryError, match="with a spatial axis"):
        Convolution(jnp.ones((4, 5)))
    with pytest.raises(TypeError, match="floating or complex"):
        Convolution(jnp.ones((3, 4, 5), int))
    with pytest.raises(TypeError, match="share one dtype"):
        Convolution(jnp.ones((3, 4, 5)), jnp.ones(5, jnp.float32))
    layer = Convolution(jnp.ones((3, 4, 5)))
    with pytest.raises(GeometryError, match="spans 3 cells"):
        layer(jnp.ones((2, 4)))
    with pytest.raises(GeometryError, match="least 2 axes"):
        layer(jnp.ones(4))
    with pytest.raises(TypeError, match="input_shape"):
        layer.geometry(5)
