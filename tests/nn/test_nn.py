"""The layers, against loops that know nothing of the library."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import jaxconv
from jaxconv.errors import GeometryError, OptionError
from jaxconv.nn import (
    AvgPool,
    Conv,
    ConvTranspose,
    MaxPool,
    Normalization,
    Unpool,
    bilinear,
    conv_lecun_normal,
    conv_transpose_lecun_normal,
)


def pairs(output_shape, input_shape, kernel_shape, strides, low, dilation):
    """Every (output, input, tap) that a forward convolution connects."""
    for o in np.ndindex(*output_shape):
        for t in np.ndindex(*kernel_shape):
            i = tuple(o[a] * strides[a] + t[a] * dilation[a] - low[a] for a in range(len(o)))
            if all(0 <= i[a] < input_shape[a] for a in range(len(i))):
                yield o, i, t


def features(groups, per_in, per_out):
    """Every (input feature, its row of the kernel, output feature) of a forward convolution."""
    for g, i, o in itertools.product(range(groups), range(per_in), range(per_out)):
        yield g * per_in + i, i, g * per_out + o


CASES = [
    # layer in, layer out, kernel, strides, padding, dilation, groups, input of the layer
    (3, 2, (3,), (1,), ((0, 0),), (1,), 1, (6,)),
    (4, 6, (3, 2), (2, 3), ((1, 0), (2, 1)), (1, 1), 2, (5, 6)),
    (2, 4, (2, 3), (1, 2), ((0, 2), (1, 1)), (3, 1), 2, (6, 7)),
    (2, 1, (2, 1, 3), (2, 1, 2), ((1, 1), (0, 0), (0, 1)), (1, 1, 1), 1, (3, 2, 4)),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conv_matches_loops(case, rng):
    inputs, outputs, kernel_shape, strides, padding, dilation, groups, shape = case
    layer = Conv(
        inputs,
        outputs,
        kernel_shape,
        strides=strides,
        padding=padding,
        kernel_dilation=dilation,
        feature_group_count=groups,
        bias_init=nnx.initializers.normal(1.0),
        param_dtype=jnp.float64,
        rngs=nnx.Rngs(0),
    )
    kernel, bias = np.asarray(layer.kernel[...]), np.asarray(layer.bias[...])
    assert kernel.shape == (*kernel_shape, inputs // groups, outputs)
    x = rng.normal(size=(2, *shape, inputs))
    y = np.asarray(layer(jnp.asarray(x)))
    expected = np.zeros(y.shape) + bias
    low = [pad[0] for pad in padding]
    for o, i, t in pairs(y.shape[1:-1], shape, kernel_shape, strides, low, dilation):
        for f_in, row, f_out in features(groups, inputs // groups, outputs // groups):
            expected[:, *o, f_out] += x[:, *i, f_in] * kernel[*t, row, f_out]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-13 * abs(expected).max())


@pytest.mark.parametrize("output_padding", [0, 1])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_conv_transpose_matches_loops(case, output_padding, rng):
    """Adds every input times the kernel into the place where the forward convolution read."""
    inputs, outputs, kernel_shape, strides, padding, dilation, groups, shape = case
    a = tuple(min(output_padding, s - 1) for s in strides)
    layer = ConvTranspose(
        inputs,
        outputs,
        kernel_shape,
        strides=strides,
        padding=padding,
        kernel_dilation=dilation,
        feature_group_count=groups,
        output_padding=a,
        bias_init=nnx.initializers.normal(1.0),
        param_dtype=jnp.float64,
        rngs=nnx.Rngs(0),
    )
    kernel, bias = np.asarray(layer.kernel[...]), np.asarray(layer.bias[...])
    assert kernel.shape == (*kernel_shape, outputs // groups, inputs)  # the forward layout
    y = rng.normal(size=(2, *shape, inputs))
    x = np.asarray(layer(jnp.asarray(y)))
    sizes = zip(strides, shape, dilation, kernel_shape, padding, a, strict=True)
    assert x.shape[1:-1] == tuple(s * (i - 1) + d * (k - 1) + 1 - sum(p) + a for s, i, d, k, p, a in sizes)
    expected = np.zeros(x.shape) + bias
    low = [pad[0] for pad in padding]
    for o, i, t in pairs(shape, x.shape[1:-1], kernel_shape, strides, low, dilation):
        for f_in, row, f_out in features(groups, outputs // groups, inputs // groups):
            expected[:, *i, f_in] += y[:, *o, f_out] * kernel[*t, row, f_out]
    np.testing.assert_allclose(x, expected, rtol=0, atol=1e-13 * abs(expected).max())


def test_conv_transpose_takes_every_size_of_one_output(rng):
    layer = ConvTranspose(2, 3, (3,), strides=3, padding=1, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    y = jnp.asarray(rng.normal(size=(4, 2)))
    sizes = list(jaxconv.ConvGeometry((10,), (3,), strides=3, padding=1).input_sizes[0])
    assert [layer(y, input_shape=(size,)).shape for size in sizes] == [(size, 3) for size in sizes]
    assert len(sizes) == 3
    with pytest.raises(GeometryError, match="input_shape"):
        layer(y, input_shape=(sizes[-1] + 1,))


@pytest.mark.parametrize(("kernel", "stride", "groups"), [(4, 2, 1), (3, 1, 4), (6, 3, 1)])
def test_outputs_start_with_unit_variance(kernel, stride, groups):
    """Away from the border."""
    layer = ConvTranspose(
        64, 48, (kernel, kernel), strides=stride, feature_group_count=groups, rngs=nnx.Rngs(1)
    )
    y = jax.random.normal(jax.random.key(0), (4, 12, 12, 64), jnp.float32)
    inside = layer(y)[:, kernel:-kernel, kernel:-kernel]
    assert abs(inside.var() - 1) < 0.06
    layer = Conv(64, 48, (kernel, kernel), feature_group_count=groups, rngs=nnx.Rngs(1))
    assert abs(layer(y).var() - 1) < 0.06


def test_initializers_count_what_an_output_sums():
    key = jax.random.key(0)
    kernel = conv_lecun_normal((3, 2), input_dilation=(2, 1))(key, (3, 2, 50, 400), jnp.float64)
    assert abs(kernel.var() * 50 * (3 / 2) * 2 - 1) < 0.03
    kernel = conv_transpose_lecun_normal((2, 5), (4, 3), 2)(key, (2, 5, 40, 300), jnp.float64)
    assert abs(kernel.var() * (300 / 2) * 1 * (5 / 3) - 1) < 0.03  # no axis counts as less than one


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("less", [0, 1])
def test_bilinear_keeps_a_ramp(factor, less):
    """Linear interpolation is exact on linear data, features apart."""
    layer = ConvTranspose(
        2,
        2,
        (2 * factor - less,),
        strides=factor,
        kernel_init=bilinear(factor),
        use_bias=False,
        param_dtype=jnp.float64,
        rngs=nnx.Rngs(0),
    )
    ramp = np.arange(9.0)
    x = np.asarray(layer(jnp.asarray(np.stack([ramp, 3 - 2 * ramp], -1))))[2 * factor : -2 * factor]
    step = np.diff(x, axis=0)
    np.testing.assert_allclose(step, np.broadcast_to([1 / factor, -2 / factor], step.shape), atol=1e-12)


def test_gradients_through_the_transpose_are_the_convolution(rng):
    layer = ConvTranspose(2, 3, (3, 3), strides=2, padding="SAME", param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    y, x = rng.normal(size=(5, 4, 2)), rng.normal(size=(9, 8, 3))
    gradient = jax.grad(lambda y: (layer(y, (9, 8)) * x).sum())(jnp.asarray(y))
    expected = jaxconv.conv(x, layer.kernel[...], strides=2, padding="SAME")
    np.testing.assert_allclose(gradient, expected, atol=1e-12)


def test_dtype_casts_and_its_absence_refuses():
    layer = Conv(2, 3, (3,), rngs=nnx.Rngs(0))
    assert layer.kernel.dtype == jnp.float32
    assert layer(jnp.ones((5, 2), jnp.float32)).dtype == jnp.float32
    with pytest.raises(TypeError, match="float16"):
        layer(jnp.ones((5, 2), jnp.float16))
    half = ConvTranspose(2, 3, (3,), dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    assert half(jnp.ones((5, 2), jnp.float32)).dtype == jnp.bfloat16


def test_bad_layers_say_what_is_wrong():
    rngs = nnx.Rngs(0)
    with pytest.raises(TypeError, match=r"\(3, 3\)"):
        Conv(2, 3, 3, rngs=rngs)
    with pytest.raises(GeometryError, match="feature_group_count=2"):
        ConvTranspose(3, 4, (3,), feature_group_count=2, rngs=rngs)
    with pytest.raises(GeometryError, match="nested"):
        Conv(2, 3, (3,), padding=(1, 1), rngs=rngs)
    with pytest.raises(GeometryError, match="did you mean 'SAME'"):
        Conv(2, 3, (3,), padding="sam", rngs=rngs)
    with pytest.raises(GeometryError, match="output_padding"):
        ConvTranspose(2, 3, (3,), strides=2, output_padding=-1, rngs=rngs)
    with pytest.raises(GeometryError, match="as many features"):
        ConvTranspose(2, 3, (4,), strides=2, kernel_init=bilinear(2), rngs=rngs)


BAD = {  # what a layer refuses when it is made, before any map is there
    Conv: [
        ({"in_features": 0}, "`in_features`"),
        ({"strides": (1, 2)}, "`strides`"),
        ({"kernel_dilation": 0}, "`kernel_dilation`"),
        ({"padding_mode": "mirror"}, "padding_mode"),
        ({"precision": "huge"}, "`precision`"),
        ({"dtype": jnp.int32}, "`dtype` must be floating or complex"),
        ({"param_dtype": jnp.int32}, "`param_dtype` must be floating or complex"),
        ({"use_bias": "no"}, "`use_bias` must be True or False, got 'no'"),
        ({"use_bias": 1}, "`use_bias` must be True or False, got 1"),
    ],
    ConvTranspose: [
        ({"out_features": 0}, "`out_features` must be at least 1"),
        ({"out_features": 3, "feature_group_count": 2}, "`out_features` must be divisible by"),
        ({"use_bias": None}, "`use_bias` must be True or False"),
        ({"output_padding": 1}, r"`output_padding` .* it must lie in \[0, strides\) = \[0, 1\), got 1"),
        ({"strides": 2, "output_padding": 2}, r"\[0, strides\) = \[0, 2\), got 2"),
        ({"strides": 2, "padding": "SAME", "output_padding": 1}, "'SAME' fixes the size already"),
        ({"precision": "huge"}, "`precision`"),
        ({"dtype": jnp.int32}, "`dtype` must be floating or complex"),
    ],
    MaxPool: [
        ({"window": 2}, "`window` needs a tuple"),
        ({"window": (0,)}, "`window` must be at least 1"),
        ({"window": (2.5,)}, "`window` must contain only integers"),
        ({"strides": 0}, "`strides` must be at least 1"),
        ({"strides": (1, 1)}, "`strides` needs one int for the only"),
        ({"dilation": -1}, "`dilation` must be at least 1"),
        ({"padding": "smae"}, "did you mean 'SAME'"),
        ({"padding": ((1, 1), (0, 0))}, "`padding` needs one int"),
        ({"padding": ((-1, 0),), "ceil_mode": True}, "crop `x` first"),
        ({"padding": 2}, "only padding"),
        ({"stride": 2}, "stride"),
        ({"ceil_mode": "no"}, "`ceil_mode` must be True or False"),
        ({"return_switches": "no"}, "`return_switches` must be True or False"),
    ],
    AvgPool: [
        ({"window": ()}, "`window` needs at least one"),
        ({"padding": 2, "count_include_pad": False}, "only padding"),
        ({"count_include_pad": "no"}, "`count_include_pad` must be True or False"),
    ],
    Normalization: [
        ({"kind": "layer"}, "`kind`"),
        ({"features": 0}, "`features` must be at least 1"),
        ({"features": 2.0}, "`features` must be an integer"),
    ],
}
GOOD = {
    Conv: {"in_features": 2, "out_features": 2, "kernel_shape": (3,), "rngs": nnx.Rngs(0)},
    ConvTranspose: {"in_features": 2, "out_features": 2, "kernel_shape": (3,), "rngs": nnx.Rngs(0)},
    MaxPool: {"window": (2,)},
    AvgPool: {"window": (2,)},
    Normalization: {"kind": "batch", "features": 2, "rngs": nnx.Rngs(0)},
}


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [(layer, *bad) for layer, every in BAD.items() for bad in every],
    ids=lambda value: str(value) if isinstance(value, dict) else getattr(value, "__name__", ""),
)
def test_bad_options_are_refused_when_the_layer_is_made(layer, options, message):
    layer(**GOOD[layer])
    out_of_range = OptionError if layer is Normalization else GeometryError
    with pytest.raises((out_of_range, TypeError), match=message):
        layer(**GOOD[layer] | options)


def test_options_that_fit_some_map_are_accepted():
    """Padding that crops, or that is wider than the window where a mean counts it."""
    x = jnp.arange(9.0)[:, None]
    assert MaxPool((2,), padding=((-3, -2),))(x).shape == (2, 1)
    assert AvgPool((2,), padding=((3, 4),))(x).shape == (8, 1)
    assert MaxPool((3,), padding="FULL", strides=1)(x).shape == (11, 1)
    assert MaxPool([2], dilation=4, padding=((4, 0),))(x).shape == (5, 1)


def test_bad_initializers_are_refused_when_they_are_made():
    for strides in (2, (2,), np.array([2])):
        assert bilinear(strides)(None, (3, 1, 1)).ravel().tolist() == [0.5, 1.0, 0.5]
    with pytest.raises(GeometryError, match="`strides` must be at least 1"):
        bilinear(0)
    with pytest.raises(TypeError, match="`strides` must contain only integers"):
        bilinear((2, 1.5))
    with pytest.raises(GeometryError, match="`kernel_shape` must be at least 1"):
        conv_lecun_normal((0,))
    with pytest.raises(GeometryError, match="`feature_group_count` must be at least 1"):
        conv_transpose_lecun_normal((3,), 2, 0)


def test_functional_style_under_jit(rng):
    layer = ConvTranspose(2, 3, (3,), strides=2, rngs=nnx.Rngs(0))
    graph, parameters = nnx.split(layer)
    y = jnp.asarray(rng.normal(size=(4, 5, 2)).astype(np.float32))
    jitted = jax.jit(lambda parameters, y: nnx.merge(graph, parameters)(y, (12,)))
    np.testing.assert_allclose(jitted(parameters, y), layer(y, (12,)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["batch", "group"])
def test_normalization(rng, kind):
    layer = Normalization(kind, 16, rngs=nnx.Rngs(0))
    x = rng.normal(3, 2, size=(2, 3, 5, 4, 16))
    y = layer(jnp.asarray(x.astype(np.float32)))
    grouped = x.reshape(2, 3, 20, 8, 2)
    axes = (2, 4) if kind == "group" else (0, 1, 2)
    deviation = np.sqrt(
        grouped.var(axes, keepdims=True) + 1e-5 * (kind == "batch") + 1e-6 * (kind == "group")
    )
    expected = (grouped - grouped.mean(axes, keepdims=True)) / deviation
    np.testing.assert_allclose(y, expected.reshape(x.shape), atol=1e-5)
    assert layer(jnp.asarray(x, jnp.bfloat16)).dtype == jnp.bfloat16
    layer.eval()
    assert layer(jnp.asarray(x, jnp.bfloat16)).dtype == jnp.bfloat16
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(nnx.state(layer)))


def test_statistics_are_those_of_the_whole_sharded_batch(rng):
    layer = Normalization("batch", 3, rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)

    @jax.jit
    def run(state, x):
        layer = nnx.merge(graph, state, copy=True)
        return layer(x), nnx.state(layer)

    x = (
        rng.normal(size=(8, 4, 5, 3)).astype(np.float32)
        * np.arange(1, 9, dtype=np.float32)[:, None, None, None]
    )
    mesh = Mesh(np.array(jax.devices()), "batch")
    sharded = jax.device_put(x, NamedSharding(mesh, PartitionSpec("batch")))
    for whole, parts in zip(
        jax.tree.leaves(run(state, x)), jax.tree.leaves(run(state, sharded)), strict=True
    ):
        np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_pooling_layers_are_the_functions(rng):
    x = jnp.asarray(rng.normal(size=(2, 7, 6, 3)))
    options = {"strides": 2, "padding": 1, "ceil_mode": True}
    y, switches = MaxPool((3, 2), return_switches=True, **options)(x)
    expected, where = jaxconv.max_pool(x, (3, 2), return_switches=True, **options)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(switches, where)
    np.testing.assert_array_equal(Unpool()(y, switches, (7, 6)), jaxconv.unpool(y, where, (7, 6)))
    averaged = AvgPool((3, 2), count_include_pad=False, **options)(x)
    np.testing.assert_array_equal(averaged, jaxconv.avg_pool(x, (3, 2), count_include_pad=False, **options))
