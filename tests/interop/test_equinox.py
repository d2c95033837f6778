"""Equinox's layers and ours give the same numbers, in both directions; what differs is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossing import assert_same, layers, numbers, sweep

from jaxconv import Convolution, GeometryError, from_equinox, to_equinox

SIZES = {1: (9,), 2: (8, 7), 3: (6, 5, 7), 4: (5, 3, 4, 3)}
KEY = jax.random.key(0)


def apply(layer, x):
    """An Equinox layer, which takes one map and channels first, on a channels-last batch."""
    return np.moveaxis(np.asarray(jax.vmap(layer)(jnp.asarray(np.moveaxis(x, -1, 1)))), 1, -1)


def check(layer, rng):
    """Reads a layer, writes it and reads it again, and compares each time."""
    n = layer.num_spatial_dims
    x = numbers(rng, (2, *SIZES[n], layer.in_channels))
    expected = apply(layer, x)
    ours = from_equinox(layer)
    assert_same(ours, x, expected)
    back = to_equinox(ours)
    np.testing.assert_allclose(apply(back, x), expected, atol=1e-12)
    np.testing.assert_array_equal(back.weight, layer.weight)
    assert_same(from_equinox(back), x, expected)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(36, n=[1, 2, 3, 4], kernel_size=[1, 2, 3, 4], stride=[1, 2, 3], dilation=[1, 2], groups=[1, 2],
          padding=["SAME", "SAME_LOWER", "VALID", 2, "pairs"], use_bias=[True, False],
          padding_mode=["ZEROS", "REFLECT", "REPLICATE", "CIRCULAR"]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv(case, rng):
    n, groups = case.pop("n"), case["groups"]
    if case["padding"] == "pairs":
        case["padding"] = ((2, 1), (0, 3), (1, 1), (2, 0))[:n]
    if case["dilation"] * (case["kernel_size"] - 1) + 1 > min(SIZES[n]):
        case |= {"dilation": 1, "kernel_size": min(case["kernel_size"], min(SIZES[n]))}
    check(eqx.nn.Conv(n, 2 * groups, 3 * groups, key=KEY, **case), rng)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(40, n=[1, 2, 3, 4], kernel_size=[1, 2, 3, 4], stride=[1, 2, 3], dilation=[1, 2], groups=[1, 2],
          padding=["SAME", "SAME_LOWER", "VALID", 1, "pairs"], use_bias=[True, False],
          output_padding=[0, 1, 2], padding_mode=["ZEROS", "CIRCULAR"]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv_transpose(case, rng):
    n, groups = case.pop("n"), case["groups"]
    if case["padding"] == "pairs":
        case["padding"] = ((2, 1), (0, 2), (-1, 1), (2, 0))[:n]
    case["output_padding"] = min(case["output_padding"], case["stride"] - 1)
    if case["padding_mode"] == "CIRCULAR":
        case["output_padding"] = 0
        if case["padding"] not in ("SAME", "SAME_LOWER"):
            case["padding"] = "SAME"
    check(eqx.nn.ConvTranspose(n, 2 * groups, 3 * groups, key=KEY, **case), rng)


def test_numbered_classes(rng):
    for n in (1, 2, 3):
        layer = getattr(eqx.nn, f"ConvTranspose{n}d")(2, 3, 3, 2, output_padding=1, key=KEY)
        check(layer, rng)
        assert type(to_equinox(from_equinox(layer))) is type(layer)


def test_dtype(rng):
    layer = eqx.nn.Conv1d(2, 3, 3, dtype=jnp.float32, key=KEY)
    assert to_equinox(from_equinox(layer)).weight.dtype == jnp.float32
    with pytest.raises(GeometryError, match="computes in the dtype of its kernel"):
        to_equinox(layers(rng, 1, False, dtype=jnp.float32))


def test_what_has_no_equivalent_is_refused(rng):
    with pytest.raises(
        TypeError, match=r"one of Conv, ConvTranspose of equinox.nn, got equinox.*Linear; see dense_to_conv"
    ):
        from_equinox(eqx.nn.Linear(2, 3, key=KEY))

    class Mine(eqx.nn.Conv2d):
        def __call__(self, x):
            return x

    with pytest.raises(TypeError, match="overrides `__call__`"):
        from_equinox(Mine(1, 1, 3, key=KEY))
    for options, reason in (
        ({"input_dilation": 2}, "equinox has no input dilation"),
        ({"padding": ((-1, 3), (0, 0)), "padding_mode": "circular"}, "cannot crop with circular"),
    ):
        with pytest.raises(GeometryError, match=reason):
            to_equinox(layers(rng, 2, False, **options))
    for options, reason in (
        ({"padding": 1, "padding_mode": "reflect"}, "no reflect padding"),
        ({"padding": 3, "padding_mode": "circular"}, "only with 'SAME' and 'SAME_LOWER'"),
        ({"input_dilation": 2}, "equinox has no input dilation"),
    ):
        with pytest.raises(GeometryError, match=reason):
            to_equinox(layers(rng, 2, True, **options))
    assert to_equinox(Convolution(jnp.ones((3, 1, 1)), padding="FULL")).padding == ((2, 2),)
