"""`identify` on the layers that the readers take: it finds what `from_lax_conv` and the others read."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossing import layers, numbers, sweep
from flax import nnx
from jax import lax

from jaxconv import (
    Convolution,
    conv_matrix,
    from_equinox,
    from_flax,
    from_lax_conv,
    from_lax_conv_transpose,
    identify,
    nn,
)

LAYOUTS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC")}
SHAPES = {1: (12,), 2: (12, 11)}


def with_numbers(layer, rng):
    """Fills a layer of flax with random numbers: a bias of zeros is not one."""
    for name in ("kernel", "bias"):
        if (parameter := getattr(layer, name)) is not None:
            parameter[...] = jnp.asarray(rng.normal(size=parameter.shape))
    return layer


def identified(f, layer, shape, rng, exact=True):
    """Asserts that `f` is found to be `layer`, at this size or among what fits, and computes the same."""
    found = identify(f, shape, layer.in_features, dtype="float64")
    g = layer.geometry(shape)
    fitting = [found, *(other.layer for other in found.identification.alternatives)]
    assert (layer.transposed, g) in [(one.transposed, one.geometry(shape)) for one in fitting]
    x = jnp.asarray(numbers(rng, (2, *shape, layer.in_features)))
    np.testing.assert_allclose(found(x), layer(x), rtol=0, atol=1e-11)
    if exact and g == found.identification.geometry:
        np.testing.assert_allclose(found.kernel, layer.kernel, rtol=0, atol=1e-13)
    if layer.bias is not None:
        np.testing.assert_allclose(found.bias, layer.bias, rtol=0, atol=1e-13)
    return found


@pytest.mark.parametrize(
    "case",
    sweep(12, n=[1, 2], taps=[2, 3], stride=[1, 2], padding=["SAME", "VALID", (2, 0)],
          dilations=[(1, 1), (1, 2), (2, 1), (3, 2)], groups=[1, 2]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_lax_conv(case, rng):
    n, (f, d), padding = case["n"], case["dilations"], case["padding"]
    padding = [padding, (1, 1)][:n] if isinstance(padding, tuple) else [(0, 0)] * n if f > 1 else padding
    kernel = jnp.asarray(numbers(rng, (*(case["taps"],) * n, 2, 3 * case["groups"])))
    arguments = ((case["stride"],) * n, padding, (f,) * n, (d,) * n, LAYOUTS[n], case["groups"])
    layer = from_lax_conv(jnp.transpose(kernel, range(n + 2)), *arguments)
    found = identify(
        lambda x: lax.conv_general_dilated(x, kernel, *arguments),
        SHAPES[n], layer.in_features, dtype="float64",
    )  # fmt: skip
    x = jnp.asarray(numbers(rng, (2, *SHAPES[n], layer.in_features)))
    np.testing.assert_allclose(found(x), layer(x), rtol=0, atol=1e-11)
    if f == 1:
        fitting = [found, *(other.layer for other in found.identification.alternatives)]
        assert layer.geometry(SHAPES[n]) in [one.geometry(SHAPES[n]) for one in fitting]
        np.testing.assert_array_equal(found.kernel, kernel)
    elif case["stride"] == 1:
        assert found.transposed


@pytest.mark.parametrize(
    "case",
    sweep(12, n=[1, 2], taps=[2, 3, 4], stride=[2, 3], d=[1, 2], flip=[False, True],
          consistent=[False, True], padding=["SAME", "VALID", (1, 2), (3, 0)]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_lax_conv_transpose(case, rng):
    n, padding = case["n"], case["padding"]
    padding = [padding] * n if isinstance(padding, tuple) else padding
    rhs = jnp.asarray(numbers(rng, (*range(case["taps"], case["taps"] + n), 2, 2)))
    options = {"rhs_dilation": (case["d"],) * n, "transpose_kernel": case["flip"],
               "use_consistent_padding": case["consistent"]}  # fmt: skip
    arguments = ((case["stride"],) * n, padding)
    layer = from_lax_conv_transpose(rhs, *arguments, **options)
    found = identified(lambda y: lax.conv_transpose(y, rhs, *arguments, **options), layer, SHAPES[n], rng)
    assert found.transposed


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2, "padding": "SAME"},
        {"padding": "CAUSAL", "kernel_dilation": 2},
        {"padding": "CIRCULAR", "strides": 2},
        {"padding": "REFLECT"},
        {"feature_group_count": 2, "use_bias": False, "padding": ((2, 1),)},
    ],
    ids=str,
)
def test_flax_conv(options, rng):
    layer = nnx.Conv(4, 6, (3,), rngs=nnx.Rngs(0), param_dtype=jnp.float64, **options)
    with_numbers(layer, rng)
    identified(layer, from_flax(layer), (13,), rng)


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2, "padding": "SAME"},
        {"strides": 3, "padding": "VALID", "kernel_dilation": 2},
        {"strides": 2, "padding": ((1, 2),), "transpose_kernel": True, "use_bias": False},
        {"strides": 2, "padding": "CIRCULAR"},
        {"strides": 2, "padding": "CIRCULAR", "transpose_kernel": True},
    ],
    ids=str,
)
def test_flax_conv_transpose(options, rng):
    layer = nnx.ConvTranspose(2, 3, (4,), rngs=nnx.Rngs(0), param_dtype=jnp.float64, **options)
    with_numbers(layer, rng)
    found = identified(layer, from_flax(layer), (12,), rng)
    assert found.transposed


@pytest.mark.parametrize(
    ("transposed", "padding_mode"),
    [(False, "ZEROS"), (False, "CIRCULAR"), (False, "REFLECT"), (False, "REPLICATE"), (True, "ZEROS"),
     (True, "CIRCULAR")],
)  # fmt: skip
def test_equinox(transposed, padding_mode, rng):
    """Called in its own layout: one channels-first map."""
    kind = eqx.nn.ConvTranspose2d if transposed else eqx.nn.Conv2d
    padding = "SAME" if transposed else ((1, 0), (2, 1))
    layer = kind(4, 2, (3, 2), (2, 1), padding=padding, groups=2, padding_mode=padding_mode,
                 key=jax.random.key(0), dtype=jnp.float64)  # fmt: skip
    identified(layer, from_equinox(layer), (12, 11), rng)


@pytest.mark.parametrize("make", [nn.Conv, nn.ConvTranspose])
def test_own_layers(make, rng):
    layer = make(2, 4, (3, 2), strides=2, padding=1, rngs=nnx.Rngs(0), param_dtype=jnp.float64)
    with_numbers(layer, rng)
    identified(layer, from_flax(layer), (9, 8), rng)


def test_own_matrices_and_layers(rng):
    layer = layers(rng, 1, True, strides=2, padding=1)
    identified(layer, layer, (9,), rng)
    g = layer.geometry((9,))
    bare = Convolution(layer.kernel, transposed=True, output_padding=g.output_padding, **g.options)
    identified(conv_matrix(layer.kernel, g).T, bare, (9,), rng)


def test_a_dense_layer_over_the_features_is_one_tap(rng):
    weights = jnp.asarray(rng.normal(size=(3, 5)))
    found = identify(lambda x: x @ weights, (4, 4), 3, dtype="float64")
    assert found.kernel_shape == (1, 1)
    np.testing.assert_array_equal(found.kernel[0, 0], weights)


def test_a_dense_layer_over_the_map_is_one_window(rng):
    weights = jnp.asarray(rng.normal(size=(4 * 5 * 2, 3)))
    found = identify(lambda x: (x.reshape(*x.shape[:-3], 40) @ weights)[..., None, None, :], (4, 5), 2,
                     dtype="float64")  # fmt: skip
    np.testing.assert_array_equal(found.kernel, np.asarray(weights).reshape(4, 5, 2, 3))
    assert any("one output shows neither stride" in note for note in found.identification.notes)
