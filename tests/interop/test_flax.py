"""flax.nnx's layers, this library's own, and what `from_flax` makes of them give the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crossing import assert_same, layers, numbers, sweep
from flax import nnx

import jaxconv
from jaxconv import Convolution, GeometryError, from_flax, to_flax

SIZES = {1: (9,), 2: (8, 7), 3: (6, 5, 7)}
FLOAT64 = {"param_dtype": jnp.float64, "bias_init": nnx.initializers.normal()}


def per_axis(value, n):
    """Numbers that differ from axis to axis, the first as given."""
    return tuple(value if axis % 2 == 0 else max(1, value - 1) for axis in range(n))


def check(layer, x):
    """Reads a layer, writes it and reads it again, and compares each time."""
    expected = np.asarray(layer(jnp.asarray(x)))
    ours = from_flax(layer)
    assert_same(ours, x, expected)
    back = to_flax(ours)
    np.testing.assert_allclose(back(jnp.asarray(x)), expected, atol=1e-12)
    assert_same(from_flax(back), x, expected)
    return back


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(40, n=[1, 2, 3], taps=[1, 2, 3, 4], strides=[1, 2, 3], kernel_dilation=[1, 2], groups=[1, 2],
          padding=["SAME", "VALID", "SAME_LOWER", "CIRCULAR", "REFLECT", "CAUSAL", 1, "pairs"],
          input_dilation=[1, 2], use_bias=[True, False], mask=[False, True]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv(case, rng):
    n, groups, padding = case["n"], case["groups"], case["padding"]
    f = per_axis(case["input_dilation"], n)
    if padding == "pairs":
        padding = ((2, -1), 1, (0, 2))[:n]
    kernel = per_axis(case["taps"], n)
    mask = jnp.asarray(rng.integers(0, 2, (*kernel, 2, 3 * groups)), float) if case["mask"] else None
    layer = nnx.Conv(
        2 * groups, 3 * groups, kernel, per_axis(case["strides"], n), padding=padding, input_dilation=f,
        kernel_dilation=per_axis(case["kernel_dilation"], n), feature_group_count=groups,
        use_bias=case["use_bias"], mask=mask, rngs=nnx.Rngs(0), **FLOAT64,
    )  # fmt: skip
    x = numbers(rng, (2, *SIZES[n], 2 * groups))
    if isinstance(padding, str) and (max(f) > 1 or (padding == "CAUSAL" and n > 1)):
        with pytest.raises(GeometryError, match=r"nnx\.Conv itself refuses"):
            from_flax(layer)
        with pytest.raises(ValueError, match=r"padding"):
            layer(jnp.asarray(x))
    else:
        assert check(layer, x).use_bias == case["use_bias"]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(40, n=[1, 2, 3], taps=[1, 2, 3, 4, 6], strides=[1, 2, 3], kernel_dilation=[1, 2],
          padding=["SAME", "VALID", "CIRCULAR", 1, ((3, 0), 2, (0, 4))], transpose_kernel=[True, False],
          use_bias=[True, False], mask=[False, True]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv_transpose(case, rng):
    n, kernel, padding = case["n"], per_axis(case["taps"], case["n"]), case["padding"]
    padding = padding[:n] if isinstance(padding, tuple) else padding
    features = (3, 2) if case["transpose_kernel"] else (2, 3)
    mask = jnp.asarray(rng.integers(0, 2, (*kernel, *features)), float) if case["mask"] else None
    layer = nnx.ConvTranspose(
        2, 3, kernel, per_axis(case["strides"], n), padding=padding,
        kernel_dilation=per_axis(case["kernel_dilation"], n), transpose_kernel=case["transpose_kernel"],
        use_bias=case["use_bias"], mask=mask, rngs=nnx.Rngs(0), **FLOAT64,
    )  # fmt: skip
    check(layer, numbers(rng, (2, *(size + 4 for size in SIZES[n]), 2)))


@pytest.mark.parametrize("transposed", [False, True])
def test_layers_of_this_library(transposed, rng):
    options = {"strides": (2, 3), "padding": ((1, 0), (2, 2)), "kernel_dilation": (1, 2),
               "feature_group_count": 2, "rngs": nnx.Rngs(0)} | FLOAT64  # fmt: skip
    if transposed:
        layer = jaxconv.nn.ConvTranspose(4, 6, (3, 2), output_padding=(1, 2), **options)
    else:
        layer = jaxconv.nn.Conv(4, 6, (3, 2), padding_mode="circular", **options)
    x = numbers(rng, (2, 8, 9, 4))
    assert_same(from_flax(layer), x, np.asarray(layer(x)))
    word = type(layer)(4, 6, (3, 2), strides=2, padding="SAME", rngs=nnx.Rngs(0), **FLOAT64)
    assert_same(from_flax(word), x, np.asarray(word(x)))


def test_mixed_precision(rng):
    x = jnp.asarray(numbers(rng, (2, 9, 2)), jnp.float32)
    for kind in (nnx.Conv, nnx.ConvTranspose):
        layer = kind(2, 3, (3,), dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
        ours = from_flax(layer)
        assert ours(x).dtype == jnp.bfloat16
        assert ours.kernel.dtype == jnp.float32
        with jax.numpy_dtype_promotion("standard"):  # flax promotes
            expected = layer(x).astype(jnp.float32)
        gap = abs(ours(x).astype(jnp.float32) - expected)
        assert gap.max() <= 2 * float(jnp.finfo(jnp.bfloat16).eps) * abs(expected).max()
        assert to_flax(ours).dtype == jnp.bfloat16


def test_what_has_no_equivalent_is_refused():
    rngs = nnx.Rngs(0)
    for padding in ("CAUSAL", "REFLECT"):
        layer = nnx.ConvTranspose(1, 1, (3,), 2, padding=padding, rngs=rngs)
        with pytest.raises(
            GeometryError, match=f"'{padding}' padding, which nnx.ConvTranspose itself refuses"
        ):
            from_flax(layer)
        with pytest.raises((ValueError, RuntimeError), match=r"[Pp]adding"):
            layer(jnp.ones((1, 5, 1), jnp.float32))
    with pytest.raises(
        TypeError, match=r"one of Conv, ConvTranspose of flax.nnx and jaxconv.nn, got flax.*LinearGeneral"
    ):
        from_flax(nnx.LinearGeneral(2, 3, rngs=rngs))

    for cls in (nnx.Conv, jaxconv.nn.Conv):
        mine = type("Mine", (cls,), {"__call__": lambda self, x: x})
        with pytest.raises(TypeError, match="overrides `__call__`"):
            from_flax(mine(1, 1, (3,), rngs=rngs))
    own = {"conv_general_dilated": lambda *_, **__: None, "promote_dtype": lambda *_, **__: None}
    for name, value in (own | {"preferred_element_type": jnp.float32}).items():
        with pytest.raises(GeometryError, match=r"of its own|preferred_element_type"):
            from_flax(nnx.Conv(1, 1, (3,), rngs=rngs, **{name: value}))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"padding": 1, "padding_mode": "replicate"}, "nnx.Conv has no replicate padding"),
        ({"padding": 3, "padding_mode": "circular"}, "always pads"),
        (
            {"padding": "SAME", "strides": 2, "padding_mode": "circular"},
            r"call `layer.at\(input_shape\)` first",
        ),
        ({"padding": "SAME", "strides": 2, "input_dilation": 2}, r"call `layer.at\(input_shape\)` first"),
        ({"transposed": True, "groups": 2}, "nnx.ConvTranspose has no groups"),
        ({"transposed": True, "input_dilation": 2}, "no input dilation"),
        ({"transposed": True, "padding_mode": "circular", "padding": 3}, "no circular padding"),
    ],
    ids=str,
)
def test_what_flax_lacks_is_refused(options, reason, rng):
    with pytest.raises(GeometryError, match=reason):
        to_flax(layers(rng, 2, options.pop("transposed", False), **options))


def test_four_axes(rng):
    x = numbers(rng, (2, 3, 4, 3, 4, 2))
    layer = nnx.Conv(2, 3, (2, 1, 3, 2), (1, 2, 1, 2), padding="SAME", rngs=nnx.Rngs(0), **FLOAT64)
    ours = from_flax(layer)
    assert_same(ours, x, np.asarray(layer(jnp.asarray(x))))
    transposed = Convolution(ours.kernel, strides=ours.strides, padding=1, transposed=True)
    assert jax.tree.leaves(transposed)[0] is ours.kernel
