"""Everything under `jax.disable_jit`, with which one finds where a NaN comes from, against itself."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxconv
from jaxconv import ConvGeometry, models, nn

pytestmark = pytest.mark.slow

GEOMETRY = ConvGeometry((5,), (3,), strides=2, padding=1, in_features=2, out_features=2)
ARGUMENTS = GEOMETRY.options
SWITCHES = jnp.array([[1, 0], [4, 3]])


def matrix(kernel):
    return jaxconv.conv_matrix(kernel, GEOMETRY)


def operator_product(make):
    return lambda kernel, x: make(kernel).mv(x.ravel())


# Every public function of arrays: what to call, and the shapes of what it is given.
FUNCTIONS = {
    "ConvMatrix": (lambda k, y: (matrix(k).T @ y.ravel(), matrix(k).todense()), (3, 2, 2), (3, 2)),
    "ConvMatrixOperator": (
        operator_product(lambda k: jaxconv.ConvMatrixOperator(matrix(k))), (3, 2, 2), (5, 2)
    ),
    "ConvOperator": (operator_product(lambda k: jaxconv.ConvOperator(k, GEOMETRY)), (3, 2, 2), (5, 2)),
    "Convolution": (lambda k, x: jaxconv.Convolution(k, strides=2, padding=1)(x), (3, 2, 2), (5, 2)),
    "avg_pool": (lambda x: jaxconv.avg_pool(x, (2,), padding=1, count_include_pad=False), (5, 2)),
    "conv": (lambda x, k: jaxconv.conv(x, k, **ARGUMENTS), (5, 2), (3, 2, 2)),
    "conv_kernel_vjp": (
        lambda x, y: jaxconv.conv_kernel_vjp(x, y, (3, 2, 2), **ARGUMENTS), (5, 2), (3, 2)
    ),
    "conv_matrix": (lambda k, x: matrix(k)(x), (3, 2, 2), (5, 2)),
    "conv_to_dense": (jaxconv.conv_to_dense, (3, 2, 2)),
    "conv_transpose": (
        lambda y, k: jaxconv.conv_transpose(y, k, input_shape=(5,), **ARGUMENTS), (3, 2), (3, 2, 2)
    ),
    "convolve": (lambda x, w: jaxconv.convolve(x, w, padding="SAME"), (5, 2), (3,)),
    "correlate": (lambda x, w: jaxconv.correlate(x, w, padding=2, padding_mode="reflect"), (5, 2), (3,)),
    "dense_to_conv": (lambda w: jaxconv.dense_to_conv(w, (3,)), (6, 2)),
    "depth_to_space": (lambda x: jaxconv.depth_to_space(x, (2,)), (5, 2)),
    "effective_receptive_field": (
        lambda k: jaxconv.effective_receptive_field(
            lambda x: jaxconv.conv(x, k), (5,), features=2, key=jax.random.key(0), samples=2, dtype=float
        ),
        (3, 2, 2),
    ),
    "filter_kernel": (lambda w: jaxconv.filter_kernel(w, 2), (3,)),
    "fold": (lambda p: jaxconv.fold(p, (5,), (2,), strides=2), (2, 4)),
    "lp_pool": (lambda x: jaxconv.lp_pool(x, (2,), p=3), (5, 2)),
    "max_pool": (lambda x: jaxconv.max_pool(x, (3,), strides=2, return_switches=True), (5, 2)),
    "pool_matrix": (lambda x: jaxconv.pool_matrix((5,), (2,), features=2)(x), (5, 2)),
    "resize": (lambda x: jaxconv.resize(x, (4,), "bilinear"), (5, 2)),
    "resize_matrix": (lambda x: jaxconv.resize_matrix((5,), (4,), "bilinear", features=2)(x), (5, 2)),
    "sliding_windows": (lambda x: jaxconv.sliding_windows(lambda x: x**2, x, (3,)), (1, 5, 2)),
    "space_to_depth": (lambda x: jaxconv.space_to_depth(x, (2,)), (4, 2)),
    "transposed_kernel": (lambda k: jaxconv.transposed_kernel(k, 1), (3, 2, 2)),
    "unfold": (lambda x: jaxconv.unfold(x, (2,), strides=2), (5, 2)),
    "unfold_matrix": (lambda x: jaxconv.unfold_matrix((5,), (2,), strides=2, features=2)(x), (5, 2)),
    "unpool": (lambda y: jaxconv.unpool(y, SWITCHES, (5,)), (2, 2)),
}  # fmt: skip

# Made of integers alone.
CONSTANTS = {
    "bilinear_kernel": lambda: jaxconv.bilinear_kernel((2,), 2),
    "binomial_filter": lambda: jaxconv.binomial_filter((3,)),
    "box_filter": lambda: jaxconv.box_filter((3,)),
    "edge_filter": lambda: jaxconv.edge_filter(1),
    "gaussian_filter": lambda: jaxconv.gaussian_filter((3,), 1.0),
    "sharpen_filter": lambda: jaxconv.sharpen_filter(1),
    "sobel_filter": lambda: jaxconv.sobel_filter(0, 1),
}

NO_ARRAYS = {
    "CONV_KERNEL_VJP_METHODS", "CONV_METHODS", "CONV_TRANSPOSE_METHODS", "RELATIONSHIPS",
    "AxisGeometry", "ConvGeometry", "ConfigError", "DataError", "GeometryError", "JaxconvError",
    "OptionError", "ReceptiveField", "SizeError",
    "IntPerAxis", "Padding", "PaddingMode", "dot_test", "explain",
    "pool_geometry", "receptive_field", "resize_geometry", "symbols", "unfold_geometry",
    "from_equinox", "from_flax", "from_keras", "from_lax_conv", "from_lax_conv_transpose", "from_torch",
    "to_equinox", "to_flax", "to_keras", "to_lax_conv", "to_lax_conv_transpose", "to_torch",
    "identify", "IdentifiedConvolution", "distance_from_transpose",
}  # fmt: skip
ELSEWHERE = {"fully_convolutional", "verify"}  # below


def unpooled(x):
    y, switches = nn.MaxPool((2,), return_switches=True)(x)
    return nn.Unpool()(y, switches, (4,))


def unrolled(rngs):
    model = nnx.Sequential(
        nn.Conv(2, 2, (2,), param_dtype=jnp.float64, rngs=rngs), lambda x: x.reshape(x.shape[0], -1)
    )
    return nn.fully_convolutional(model, (2,))


LAYERS = {
    "AvgPool": (lambda: nn.AvgPool((2,)), (4, 2)),
    "BidirectionalSweep": (lambda: nn.BidirectionalSweep(1, 1, rngs=nnx.Rngs(0)), (3, 1)),
    "Conv": (lambda: nn.Conv(2, 2, (2,), rngs=nnx.Rngs(0)), (4, 2)),
    "ConvTranspose": (lambda: nn.ConvTranspose(2, 2, (2,), rngs=nnx.Rngs(0)), (4, 2)),
    "FullyConvolutional": (lambda: unrolled(nnx.Rngs(0)), (1, 4, 2)),
    "MaxPool": (lambda: nn.MaxPool((2,)), (4, 2)),
    "Normalization": (lambda: nn.Normalization("group", 2, rngs=nnx.Rngs(0)), (1, 4, 2)),
    "ReNet": (lambda: nn.ReNet(1, 1, patch=(2, 2), rngs=nnx.Rngs(0)), (1, 4, 4, 1)),
    "SpectralNorm": (lambda: nn.SpectralNorm(nn.Conv(1, 1, (2,), rngs=nnx.Rngs(0)), steps=2), (4, 1)),
    "Sweep": (lambda: nn.Sweep(1, 1, cell="tanh", reverse=True, rngs=nnx.Rngs(0)), (3, 1)),
    "Unpool": (lambda: unpooled, (4, 2)),
    "sweep": (lambda: lambda x: nn.sweep(x, jnp.ones((1, 3)), cell="gru"), (3, 1, 3)),
}
WITH_PARAMETERS = {
    "BidirectionalSweep",
    "Conv",
    "ConvTranspose",
    "Normalization",
    "ReNet",
    "SpectralNorm",
    "Sweep",
}
NO_LAYERS = {
    "Norm", "bilinear", "block_orthogonal", "conv_lecun_normal", "conv_transpose_lecun_normal",
    "delta_orthogonal", "even_transposed", "fully_convolutional",
}  # fmt: skip

MODELS = {
    "deconvnet": {"blocks": ((2, 1),), "dense": 2, "window": 2, "norm": "none"},
    "fcn8s": {"blocks": ((2, 1),) * 3, "dense": 2, "window": 1},
    "fcn16s": {"blocks": ((2, 1),) * 2, "dense": 2, "window": 1},
    "fcn32s": {"blocks": ((2, 1),), "dense": 2, "window": 1},
    "renet": {"patches": ((2, 2),), "units": 1, "dense": (2,)},
    "reseg": {"blocks": ((2, 1),), "layers": 1, "units": 1, "filters": 2},
    "unet": {"features": (2, 2), "depth": 1},
    "vgg16": {"blocks": ((2, 1),), "dense": 2, "window": 1, "dropout": 0.0},
}


def scalar(function):
    """Of all that a function of floats returns; switches are integers, which no derivative minds."""
    return lambda *arrays: sum(
        (leaf.astype(float) * jnp.arange(1.0, leaf.size + 1).reshape(leaf.shape)).sum()
        for leaf in jax.tree.leaves(function(*arrays))
    )


def same(function, *arrays):
    """The value and all gradients agree with jit and without."""
    compute = jax.value_and_grad(scalar(function), tuple(range(len(arrays))))
    expected = jax.jit(compute)(*arrays)
    with chex.fake_jit():
        got = compute(*arrays)
    # Not closer: flax normalises numbers of 64 bits in 32, and jit adds those up in another order.
    chex.assert_trees_all_close(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, rng):
    function, *shapes = FUNCTIONS[name]
    same(function, *(jnp.asarray(rng.normal(size=shape)) for shape in shapes))


def random_module(make, rng):
    """A module of random float64 parameters; its own would each need a program to draw them."""
    graph, state = nnx.split(nnx.eval_shape(make))
    return nnx.merge(graph, jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), state))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, rng):
    make, shape = LAYERS[name]
    layer = random_module(make, rng) if name in WITH_PARAMETERS else make()
    same(layer, jnp.asarray(rng.normal(size=shape)))


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", MODELS)
def test_models(name, rng):
    model = random_module(lambda: models.MODELS[name](1, 2, **MODELS[name], rngs=nnx.Rngs(0)), rng)
    same(model, jnp.asarray(rng.normal(size=(1, 4, 4, 1))))


def test_nothing_is_left_out():
    rooms = jaxconv, jaxconv.geometry, jaxconv.interop, jaxconv.operators
    public = {name for room in rooms for name in room.__all__} | {"fully_convolutional"}
    public |= {"ConvMatrixOperator", "ConvOperator"}  # of an extra
    assert public == {*FUNCTIONS, *CONSTANTS, *NO_ARRAYS, *ELSEWHERE}
    assert set(nn.__all__) == {*LAYERS, *NO_LAYERS}
    assert set(models.MODELS) == {*MODELS}


def test_what_is_made_without_jit():
    def make():
        constants = {name: function() for name, function in CONSTANTS.items()}
        return constants | {"unrolled": unrolled(nnx.Rngs(0))(jnp.ones((1, 4, 2)))}

    with chex.fake_jit():
        got = make()
    chex.assert_trees_all_close(got, make(), rtol=1e-9)


@pytest.mark.parametrize("method", [name for name in jaxconv.CONV_METHODS if name != "onednn"])
def test_formulations(method, rng):
    x, kernel = jnp.asarray(rng.normal(size=(5, 2))), jnp.asarray(rng.normal(size=(3, 2, 2)))
    expected = jaxconv.conv(x, kernel, **ARGUMENTS, method=method)
    with jax.disable_jit():
        got = jaxconv.conv(x, kernel, **ARGUMENTS, method=method)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
