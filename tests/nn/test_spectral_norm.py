"""SpectralNorm against dense singular values, and what it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from oracles import dense, numbers

from jaxconv import ConvGeometry, GeometryError
from jaxconv.nn import Conv, ConvTranspose, SpectralNorm


def layer(kind, **options):
    sizes = {"in_features": 2, "out_features": 3, "kernel_shape": (3, 3)}
    made = kind(**sizes, **options, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    made.kernel[...] = jnp.asarray(numbers(made.kernel.shape))
    made.bias[...] = jnp.asarray(numbers(made.bias.shape))
    return made


CASES = {
    "zeros": (lambda: layer(Conv, padding="SAME"), ConvGeometry((5, 4), (3, 3), padding="SAME")),
    "circular, strided": (
        lambda: layer(Conv, padding="SAME", padding_mode="circular", strides=2),
        ConvGeometry((6, 4), (3, 3), padding="SAME", padding_mode="circular", strides=2),
    ),
    "transposed": (
        lambda: layer(ConvTranspose, padding="SAME", strides=2),
        ConvGeometry((6, 4), (3, 3), padding="SAME", strides=2),
    ),
}


def case(name):
    """The layer, its forward geometry, and the shape of its input."""
    make, g = CASES[name]
    made = make()
    transposed = isinstance(made, ConvTranspose)
    g = g.with_features(*((3, 2) if transposed else (2, 3)))
    return made, g, g.output_shape if transposed else g.input_shape


@pytest.mark.parametrize("name", CASES)
def test_the_largest_singular_value_is_the_bound(name):
    conv, g, shape = case(name)
    C = dense(g, np.asarray(conv.kernel[...]))
    norm = np.linalg.svd(C, compute_uv=False)[0]
    before = np.asarray(conv.kernel[...])
    module = SpectralNorm(conv, bound=0.7, input_shape=shape)
    np.testing.assert_allclose(module.normalized_kernel(), before * 0.7 / norm, rtol=1e-10)
    x = numbers((2, *shape, conv.in_features))
    bias = np.asarray(conv.bias[...])
    for bounded in (module, SpectralNorm(conv, bound=0.7)):
        np.testing.assert_allclose(
            np.asarray(bounded(x)) - bias, (np.asarray(conv(x)) - bias) * 0.7 / norm, rtol=1e-9, atol=1e-10
        )
    np.testing.assert_array_equal(conv.kernel[...], before)  # the parameter is untouched
    loose = SpectralNorm(conv, bound=norm * 2, input_shape=shape)
    np.testing.assert_array_equal(loose(x), conv(x))


def test_it_trains_under_jit_and_the_bound_holds():
    """The gradient is that of differences; after steps of descent the norm is the bound."""
    conv, g, shape = case("zeros")
    module = SpectralNorm(conv, bound=0.5, input_shape=shape)
    x, target = numbers((2, *shape, 2), seed="x"), numbers((2, *shape, 3), seed="t")
    loss = lambda module: jnp.mean((module(x) - target) ** 2)  # noqa: E731
    step = nnx.jit(nnx.value_and_grad(loss))
    start, gradient = step(module)
    slope = gradient["conv"]["kernel"][...]
    direction, size = numbers(slope.shape, seed="d"), 1e-6
    kernel = np.asarray(conv.kernel[...])
    values = []
    for sign in (1, -1):
        conv.kernel[...] = kernel + sign * size * direction
        values.append(float(step(module)[0]))
    np.testing.assert_allclose((slope * direction).sum(), (values[0] - values[1]) / (2 * size), rtol=1e-5)
    conv.kernel[...] = kernel
    for _ in range(5):
        _, gradient = step(module)
        conv.kernel[...] -= 3 * gradient["conv"]["kernel"][...]
    assert step(module)[0] < start
    norm = np.linalg.norm(dense(g, np.asarray(module.normalized_kernel())), 2)
    np.testing.assert_allclose(norm, 0.5, rtol=1e-9)


def test_a_zero_kernel_stays_zero():
    conv, _, shape = case("zeros")
    conv.kernel[...] = jnp.zeros(conv.kernel.shape)
    module = SpectralNorm(conv, input_shape=shape)
    x = numbers((1, *shape, 2))
    np.testing.assert_array_equal(module(x), np.broadcast_to(conv.bias[...], (1, *shape, 3)))
    gradient = nnx.grad(lambda module: module(x).sum())(module)["conv"]["kernel"][...]
    assert np.isfinite(gradient).all()


def test_a_transpose_can_be_told_the_size_of_its_result():
    conv, _, shape = case("transposed")
    y = numbers((*shape, 2))
    module = SpectralNorm(conv, bound=0.1)
    assert module(y, input_shape=(5, 3)).shape == (5, 3, 3)
    g = ConvGeometry((5, 3), (3, 3), padding="SAME", strides=2, in_features=3, out_features=2)
    norm = np.linalg.norm(dense(g, np.asarray(conv.kernel[...])), 2)
    bias = np.asarray(conv.bias[...])
    expected = (np.asarray(conv(y, input_shape=(5, 3))) - bias) * 0.1 / norm
    np.testing.assert_allclose(
        np.asarray(module(y, input_shape=(5, 3))) - bias, expected, rtol=1e-9, atol=1e-10
    )


def test_parameters_are_those_of_the_layer():
    conv, _, shape = case("zeros")
    state = nnx.state(SpectralNorm(conv, input_shape=shape), nnx.Param)
    assert set(state) == {"conv"}
    assert set(state["conv"]) == {"kernel", "bias"}
    assert jax.tree.all(jax.tree.map(jnp.array_equal, state["conv"], nnx.state(conv, nnx.Param)))


def test_a_dtype_of_the_layer_is_kept():
    conv, _, shape = case("zeros")
    half = Conv(2, 3, (3, 3), padding="SAME", dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    x = jnp.ones((*shape, 2), jnp.float32)
    assert SpectralNorm(half, 0.1)(x).dtype == jnp.bfloat16
    with pytest.raises(GeometryError, match="`x` has 5 features"):
        SpectralNorm(conv)(jnp.ones((*shape, 5)))
