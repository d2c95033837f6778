"""Unrolled classifiers, against the classifier on one crop after the other."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax
from lowering import lower

import jaxconv
from jaxconv import GeometryError, fully_convolutional
from jaxconv.nn import AvgPool, Conv, ConvTranspose, MaxPool


def flatten(x):
    return x.reshape(x.shape[0], -1)


def flatten_like_torch(x):
    return flatten(jnp.moveaxis(x, -1, 1))


def flatten_backwards(x):
    return flatten(x)[:, ::-1]


def max_pool(window, strides, padding="VALID"):
    return partial(jaxconv.max_pool, window=window, strides=strides, padding=padding)


def random_bias(key, shape, dtype):
    return jax.random.normal(key, shape, dtype)


@pytest.fixture
def layers():
    """Layers in float64 with random biases: what each test builds of."""
    rngs = nnx.Rngs(7)
    options = {"param_dtype": jnp.float64, "bias_init": random_bias, "rngs": rngs}

    class Layers:
        conv = staticmethod(partial(Conv, **options))
        flax_conv = staticmethod(partial(nnx.Conv, **options))
        linear = staticmethod(partial(nnx.Linear, **options))
        dropout = staticmethod(partial(nnx.Dropout, rngs=rngs))
        norm = staticmethod(partial(nnx.BatchNorm, param_dtype=jnp.float64, rngs=rngs))

    return Layers


def lenet(layers):
    pool = max_pool((2, 2), (2, 2))
    return nnx.Sequential(
        layers.conv(1, 4, (3, 3)), nnx.relu, pool, layers.flax_conv(4, 5, (2, 2), padding=0), nnx.relu, pool,
        flatten, layers.linear(5 * 2 * 2, 7), nnx.relu, layers.linear(7, 3),
    ), (12, 13), (4, 4)  # fmt: skip


def torch_order(layers):
    """Flattened channels-first; strides and windows differ between the axes; rows are left unread."""
    conv = layers.conv(3, 4, (3, 2), strides=(2, 1), kernel_dilation=(1, 2))
    return nnx.Sequential(
        conv, nnx.relu, max_pool((3, 2), (1, 3)), flatten_like_torch,
        layers.linear(4 * 2 * 3, 6), nnx.relu, layers.linear(6, 2),
    ), (10, 11), (2, 3)  # fmt: skip


def all_kinds(layers):
    """Nested, normalised, dropped out, grouped, pointwise 'SAME', and one that divides its window."""
    norm = layers.norm(6, use_running_average=True)
    norm.mean = nnx.BatchStat(jnp.arange(6.0) - 2.5)
    norm.var = nnx.BatchStat(jnp.arange(6.0) + 0.5)
    norm.scale[...] = jnp.array([1.0, -2.0, 0.5, 3.0, 1.5, -1.0])
    stem = nnx.Sequential(layers.flax_conv(2, 6, (1, 1), feature_group_count=2), norm, nnx.relu)
    halved = layers.flax_conv(6, 4, (2, 2), strides=2, padding="SAME")
    return nnx.Sequential(
        stem, halved, layers.dropout(0.5, deterministic=True), layers.linear(4, 4), flatten_backwards,
        layers.linear(4 * 3 * 2, 5), nnx.relu, layers.dropout(0.0), layers.linear(5, 5), layers.linear(5, 2),
    ), (6, 4), (2, 2)  # fmt: skip


def one_axis(layers):
    return nnx.Sequential(
        layers.conv(2, 3, (4,), strides=3), nnx.relu, flatten, layers.linear(9, 4), nnx.relu
    ), (10,), (3,)  # fmt: skip


def three_axes(layers):
    return nnx.Sequential(
        layers.conv(1, 2, (2, 2, 1), strides=(1, 2, 1)), nnx.relu, flatten, layers.linear(24, 3)
    ), (3, 4, 3), (1, 2, 1)  # fmt: skip


def dense_only(layers):
    layers = flatten, layers.linear(24, 5), nnx.relu, layers.linear(5, 2)
    return nnx.Sequential(*layers), (3, 4), (1, 1)


def convolutions_only(layers):
    layers = layers.conv(2, 3, (3, 2)), nnx.relu, layers.conv(3, 2, (2, 3)), flatten
    return nnx.Sequential(*layers), (4, 4), (1, 1)


def pooling_layers(layers):
    """The library's own; the second pads nothing on this window, whatever its options say."""
    return nnx.Sequential(
        layers.conv(2, 3, (2, 3)), MaxPool((3, 2), strides=(2, 1)), nnx.relu,
        AvgPool((1, 2), strides=2, padding="SAME", ceil_mode=True), flatten, layers.linear(3 * 3 * 3, 2),
    ), (12, 9), (4, 2)  # fmt: skip


CASES = [
    lenet, torch_order, all_kinds, one_axis, three_axes, dense_only, convolutions_only, pooling_layers
]  # fmt: skip


def magnitudes(model):
    """The model with all numbers positive: applied to |x| it sums the magnitudes of what is summed.

    Rectifiers and maxima are monotone and stretch no distance, so the bound passes through them.
    """
    copy = nnx.clone(model)
    for _, variable in nnx.iter_graph(copy):
        if isinstance(variable, nnx.Param):
            variable[...] = abs(variable[...])
        if isinstance(variable, nnx.BatchNorm):
            variable.mean[...] = -abs(variable.mean[...])
    return copy


def terms(model):
    """Numbers that are added on the longest way, one more for the rounding of each product and bias."""
    return sum(np.prod(p.shape[:-1]) + 3 for p in jax.tree.leaves(nnx.state(model, nnx.Param)))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_every_window_by_loops(case, layers, rng):
    model, window, strides = case(layers)
    unrolled = fully_convolutional(model, window)
    assert (unrolled.window, unrolled.strides) == (window, strides)
    features = {"lenet": 1, "torch_order": 3, "three_axes": 1}.get(case.__name__, 2)
    # one cell more than two, three, ... windows: the last cells are no window's
    spatial = tuple(w + (n + 1) * s + (s > 1) for n, (w, s) in enumerate(zip(window, strides, strict=True)))
    x = jnp.asarray(rng.normal(size=(2, *spatial, features)))
    got = unrolled(x)
    starts = [range(0, size - w + 1, s) for size, w, s in zip(spatial, window, strides, strict=True)]
    assert all(n in (len(r), len(r) + 1) for n, r in zip(got.shape[1:-1], starts, strict=True))
    crops = [
        x[(slice(None), *(slice(start, start + w) for start, w in zip(corner, window, strict=True)))]
        for corner in itertools.product(*starts)
    ]
    shape = (len(crops), len(x), -1)
    one_by_one = nnx.jit(lambda model, crops: model(jnp.concatenate(crops)).reshape(shape))
    expected, magnitude = one_by_one(model, crops), one_by_one(magnitudes(model), list(map(abs, crops)))
    for index, values, bound in zip(np.ndindex(*map(len, starts)), expected, magnitude, strict=True):
        gap = abs(got[(slice(None), *index)] - values)
        assert (gap <= 2 * terms(model) * np.finfo(float).eps * bound).all(), index


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_other_dtypes_pass_their_own_check(dtype, rng):
    options = {"param_dtype": dtype, "rngs": nnx.Rngs(0)}
    model = nnx.Sequential(
        Conv(1, 8, (3, 3), **options), nnx.relu, max_pool((2, 2), (2, 2)), flatten,
        nnx.Linear(72, 16, **options), jnp.tanh, nnx.Linear(16, 4, **options),
    )  # fmt: skip
    unrolled = fully_convolutional(model, (8, 8))
    y = unrolled(jnp.asarray(rng.normal(size=(1, 10, 8, 1))).astype(dtype))
    assert y.dtype == dtype
    assert y.shape == (1, 2, 1, 4)


def test_a_computation_in_bfloat16_with_parameters_in_float32():
    rngs = nnx.Rngs(0)
    options = {"dtype": jnp.bfloat16, "rngs": rngs}
    model = nnx.Sequential(
        nnx.Conv(3, 8, (3, 3), padding="VALID", **options), nnx.relu, flatten, nnx.Linear(32, 4, **options)
    )
    unrolled = fully_convolutional(model, (4, 4))
    assert unrolled(jnp.ones((1, 5, 5, 3), jnp.float32)).dtype == jnp.bfloat16


def test_it_has_parameters_of_its_own_and_learns(layers, rng):
    model, window, _ = one_axis(layers)
    unrolled = fully_convolutional(model, window)
    x = jnp.asarray(rng.normal(size=(1, *window, 2)))
    before = model(x)
    gradients = nnx.grad(lambda net: (net(x) ** 2).sum())(unrolled)
    assert all(abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradients))
    for _, variable in nnx.iter_graph(unrolled):
        if isinstance(variable, nnx.Param):
            variable[...] = variable[...] + 1.0
    assert (model(x) == before).all()


def test_transformations_and_lowering(layers, rng):
    model, window, _ = one_axis(layers)
    unrolled = fully_convolutional(model, window)
    x = jnp.asarray(rng.normal(size=(3, 17, 2)))
    y = unrolled(x)
    np.testing.assert_allclose(jax.jit(unrolled)(x), y, rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(unrolled)(x[:, None])[:, 0], y, rtol=1e-12)
    assert lower(unrolled, jax.ShapeDtypeStruct((2, 17, 2), np.float64)) == [(2, 3, 4)]


def mean(x):
    return x.mean((1, 2))


def refusals(layers):
    """Models that cannot be unrolled, and what is said of each."""
    conv, linear = layers.conv(1, 2, (3, 3)), layers.linear(2 * 36, 3)
    end = (flatten, linear)
    yield r"layer 0 \(Conv\) pads its map by", layers.conv(1, 2, (3, 3), padding=1), *end
    yield "pads its map", conv, layers.flax_conv(2, 2, (3, 3)), *end  # flax's default is SAME
    yield "pads its map", conv, layers.flax_conv(2, 2, (3, 3), padding="CIRCULAR"), *end
    pooled = (flatten, layers.linear(2 * 9, 3))
    yield r"layer 1 \(MaxPool\) pads its map by .*ceil_mode=False", conv, MaxPool((2, 2), padding=1), *pooled
    yield r"layer 1 \(AvgPool\) pads its map by", conv, AvgPool((4, 4), ceil_mode=True), *pooled
    yield "returns switches", conv, MaxPool((2, 2), return_switches=True), *pooled
    yield "inserts zeros", layers.conv(1, 2, (3, 3), input_dilation=2), *end
    yield r"layer 1 \(Dropout\) drops at random; call model.eval\(\)", conv, layers.dropout(0.5), *end
    yield "normalises over positions and batch; call", conv, layers.norm(2), *end
    instance_norm = nnx.InstanceNorm(2, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    yield "normalises over positions: a larger map", conv, instance_norm, *end
    norm = layers.norm(72, use_running_average=True)
    yield "for every cell of a flattened map", conv, flatten, norm, linear
    yield r"layer 1 \(mean\) returns .* but is not a flattening", conv, mean, layers.linear(2, 3)
    yield "not a flattening", conv, lambda x: flatten(nnx.relu(x)), linear
    keep = lambda x: x.mean((1, 2), keepdims=True)  # noqa: E731
    yield "one output, however large", conv, keep, flatten, layers.linear(2, 3)
    yield "off by", conv, lambda x: x - keep(x), *end
    yield "off by", conv, max_pool((2, 2), (1, 1), "SAME"), *end
    third = max_pool((3, 3), (3, 3), "SAME")  # pads nothing on the window: 6 cells are two windows of 3
    yield "off by", conv, third, flatten, layers.linear(2 * 4, 3)
    yield "off by", conv, flatten, nnx.softmax, linear
    yield "off by", conv, lambda x: jnp.cumsum(x, 1), *end
    yield "must end in one vector", conv, nnx.relu
    yield "must end in one vector", conv, flatten
    yield "nothing to unroll", nnx.relu, flatten


def test_layers_that_depend_on_the_map_size_are_refused(layers):
    for message, *some in refusals(layers):
        with pytest.raises(GeometryError, match=message):
            fully_convolutional(nnx.Sequential(*some), (8, 8), in_features=1)


def test_bad_models(layers):
    conv = layers.conv(1, 2, (3, 3))
    with pytest.raises(GeometryError, match=r"layer 2 \(Linear\) does not take \(1, 120\)"):
        fully_convolutional(nnx.Sequential(conv, flatten, layers.linear(2 * 36, 3)), (12, 8))
    with pytest.raises(TypeError, match=r"flax.nnx.Sequential, got Conv"):
        fully_convolutional(conv, (8, 8))
    up = ConvTranspose(2, 2, (3, 3), param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    with pytest.raises(TypeError, match=r"layer 1 \(ConvTranspose\) cannot be unrolled"):
        fully_convolutional(nnx.Sequential(conv, up, flatten, layers.linear(128, 3)), (8, 8))
    with pytest.raises(TypeError, match="input_shape"):
        fully_convolutional(nnx.Sequential(conv, flatten), 8)


def test_a_pooling_of_lax_is_a_function_like_any(layers, rng):
    """Nothing is known of a function but what it does: lp pooling, thresholds, normalised features."""

    def l2_pool(x):
        return jnp.sqrt(lax.reduce_window(x * x, 0.0, lax.add, (1, 3, 2, 1), (1, 2, 1, 1), "VALID"))

    def normalised(x):
        return x / (1 + abs(x).sum(-1, keepdims=True))

    model = nnx.Sequential(
        layers.conv(1, 3, (2, 2)), l2_pool, normalised, flatten, layers.linear(36, 4), nnx.log_softmax
    )
    unrolled = fully_convolutional(model, (8, 6))
    assert unrolled.strides == (2, 1)
    x = jnp.asarray(rng.normal(size=(1, 12, 8, 1)))
    np.testing.assert_allclose(unrolled(x)[:, 2, 1], model(x[:, 4:, 1:7]), rtol=1e-12)
