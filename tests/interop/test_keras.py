"""Keras's layers and ours give the same numbers, in both directions; what differs is refused."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossing import assert_same, layers, numbers, sweep

from jaxconv import Convolution, GeometryError, from_keras, to_keras

pytestmark = pytest.mark.peers

os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when it is imported
keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'jaxconv[peers]'")
SIZES = {1: (9,), 2: (8, 7), 3: (6, 5, 7)}


def apply(layer, x):
    """Applies a Keras layer to a channels-last map."""
    first = layer.data_format == "channels_first"
    x = jnp.asarray(np.moveaxis(x, -1, 1) if first else x)
    y = np.asarray(layer(x))
    return np.moveaxis(y, 1, -1) if first else y


def fill(layer, rng, shape):
    """Builds a layer for channels-last maps of a shape, all its numbers random."""
    *spatial, features = shape
    layer.build((2, features, *spatial) if layer.data_format == "channels_first" else (2, *shape))
    layer.set_weights([numbers(rng, weight.shape) for weight in layer.weights])
    return layer


def check(layer, rng, shape):
    """Reads a layer, writes it and reads it again, and compares each time."""
    x = numbers(rng, (2, *shape))
    expected = apply(fill(layer, rng, shape), x)
    ours = from_keras(layer)
    assert_same(ours, x, expected)
    back = to_keras(ours, data_format=layer.data_format)
    np.testing.assert_allclose(apply(back, x), expected, atol=1e-12)
    assert_same(from_keras(back), x, expected)
    return back


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(36, n=[1, 2, 3], kernel_size=[1, 2, 3, 4], step=[(1, 1), (2, 1), (3, 1), (1, 2)], groups=[1, 2],
          padding=["valid", "same", "causal"], use_bias=[True, False],
          data_format=["channels_last", "channels_first"]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv(case, rng):
    n, groups, (strides, dilation) = case.pop("n"), case["groups"], case.pop("step")
    if n > 1 and case["padding"] == "causal":
        case["padding"] = "same"
    if dilation * (case["kernel_size"] - 1) + 1 > min(SIZES[n]):
        dilation = 1
    kind = getattr(keras.layers, f"Conv{n}D")
    layer = kind(3 * groups, strides=strides, dilation_rate=dilation, dtype="float64", **case)
    assert type(check(layer, rng, (*SIZES[n], 2 * groups))) is kind


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(40, n=[1, 2, 3], kernel_size=[1, 2, 3, 4, 5], step=[(1, 1), (2, 1), (3, 1), (1, 2)],
          padding=["valid", "same"], output_padding=[None, 0, 1, 2], use_bias=[True, False],
          data_format=["channels_last", "channels_first"]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv_transpose(case, rng):
    n, (strides, dilation), a = case.pop("n"), case.pop("step"), case["output_padding"]
    kind = getattr(keras.layers, f"Conv{n}DTranspose")
    if a is not None and a >= strides:
        case["output_padding"] = strides - 1
    layer = kind(3, strides=strides, dilation_rate=dilation, dtype="float64", **case)
    assert type(check(layer, rng, (*SIZES[n], 2))) is kind


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise(n, multiplier, data_format, rng):
    """A convolution with as many groups as features."""
    kind = getattr(keras.layers, f"DepthwiseConv{n}D")
    for options in ({"strides": 2}, {"dilation_rate": 2, "padding": "same"}):
        layer = kind(3, depth_multiplier=multiplier, data_format=data_format, dtype="float64", **options)
        assert check(layer, rng, (*SIZES[n], 4)).groups == 4


def test_mixed_precision(rng):
    layer = fill(keras.layers.Conv1D(3, 3, dtype="mixed_bfloat16"), rng, (9, 2))
    ours = from_keras(layer)
    assert (ours.kernel.dtype, ours.dtype) == (jnp.float32, jnp.bfloat16)
    x = jnp.asarray(numbers(rng, (2, 9, 2)), jnp.float32)
    with jax.numpy_dtype_promotion("standard"):  # Keras promotes
        gap = abs((ours(x) - layer(x)).astype(jnp.float32))
    assert gap.max() <= 2 * float(jnp.finfo(jnp.bfloat16).eps) * abs(ours(x).astype(jnp.float32)).max()
    assert to_keras(ours).dtype_policy.name == "mixed_bfloat16"
    with pytest.raises(GeometryError, match="stores float64 and computes in bfloat16"):
        to_keras(Convolution(jnp.ones((3, 1, 1)), dtype=jnp.bfloat16))


def test_what_has_no_equivalent_is_refused():
    with pytest.raises(GeometryError, match="until it is built"):
        from_keras(keras.layers.Conv1D(1, 3))
    layer = keras.layers.Conv1D(1, 3, activation="relu")
    layer.build((1, 9, 2))
    with pytest.raises(
        GeometryError, match=r"'relu', which is not part of a convolution: .* apply it afterwards"
    ):
        from_keras(layer)
    with pytest.raises(TypeError, match="two of them"):
        from_keras(keras.layers.SeparableConv2D(1, 3))
    with pytest.raises(
        TypeError, match=r"one of Conv1D, .*DepthwiseConv2D of keras.layers, got keras.*Dense"
    ):
        from_keras(keras.layers.Dense(3))

    for method in ("call", "convolution_op"):
        mine = type("Mine", (keras.layers.Conv1D,), {method: lambda self, x, *_: x})
        with pytest.raises(TypeError, match=f"overrides `{method}`"):
            from_keras(mine(1, 3))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"padding": 1, "kernel_shape": (2, 2)}, "no padding in cells: use layers.ZeroPadding"),
        ({"padding": "SAME_LOWER", "strides": 2}, "no padding in cells"),
        ({"padding": 1, "padding_mode": "reflect"}, "no reflect padding: pad first"),
        ({"input_dilation": 2}, "Keras has no input dilation"),
        ({"strides": 2, "kernel_dilation": 2}, "no strides together with"),
        ({"transposed": True, "padding": 2}, "use 'valid' and crop the result"),
        ({"transposed": True, "groups": 2}, "Keras's transposed convolution has no groups"),
    ],
    ids=str,
)
def test_what_keras_lacks_is_refused(options, reason, rng):
    with pytest.raises(GeometryError, match=reason):
        to_keras(layers(rng, 2, options.pop("transposed", False), **options))


def test_four_axes_are_refused():
    with pytest.raises(GeometryError, match="4-dimensional"):
        to_keras(Convolution(jnp.ones((1, 1, 1, 1, 1, 1))))
