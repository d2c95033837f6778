"""The printed calls, run as printed in the library they are for, give C x and C-transposed y."""

import os

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jaxconv import ConvGeometry, conv_matrix, transposed_kernel
from jaxconv.interop.calls import calls, transposed_calls

GEOMETRIES = [
    ConvGeometry((6,), (3,), strides=2, padding=1),
    ConvGeometry((7, 6), (3, 2), strides=(2, 1), padding=((1, 1), (0, 0)), in_features=2, out_features=3),
    ConvGeometry((9, 8), (3, 3), kernel_dilation=(2, 1), padding=2, in_features=4, out_features=6,
                 feature_group_count=2),
    ConvGeometry((4, 5, 4), (2, 3, 2), strides=2, padding=1, in_features=2, out_features=2),
    ConvGeometry((6,), (3,), padding=((2, -1),), input_dilation=2),
    ConvGeometry((6, 6), (3, 3), padding=1, padding_mode="circular"),
    ConvGeometry((5, 4), (2, 3), padding=((6, -1), (0, 2)), padding_mode="reflect", input_dilation=(1, 2),
                 strides=2),
    ConvGeometry((7, 6), (3, 4), strides=(2, 3), padding="SAME", in_features=2, out_features=3),
    ConvGeometry((5,), (3,), padding="CAUSAL", kernel_dilation=2, in_features=2, out_features=3),
    ConvGeometry((4,), (3,), padding=2, padding_mode="replicate", in_features=2, feature_group_count=2,
                 out_features=4),
]  # fmt: skip
PEERS = [pytest.param(library, marks=pytest.mark.peers) for library in ("torch", "keras")]
LIBRARIES = ["lax", "flax", *PEERS, "equinox"]


def run(code, library, operand, kernel, g, transposed):
    """Evaluates the printed call on channels-last numbers."""
    special = {"torch": run_torch, "keras": run_keras, "equinox": run_equinox}
    if library in special:
        return special[library](code, operand, kernel, g, transposed)
    scope = {"lax": lax, "jax": jax, "jnp": jnp, "nnx": nnx, "rngs": nnx.Rngs(0), "N": operand.shape[0]}
    scope |= {"x": operand, "y": operand, "kernel": kernel}
    if library == "flax" and "# on x = " in code:
        operand = eval(code.partition("# on x = ")[2], scope)
    result = eval(code, scope)
    if library == "flax":
        result.kernel = nnx.Param(kernel)
        result.dtype = result.param_dtype = kernel.dtype
        result = result(operand)
    return np.asarray(result)


def run_torch(code, operand, kernel, g, transposed):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxconv[torch]'")
    layer = eval(code, {"nn": torch.nn}).double()
    n = g.ndim
    axes = (n + 1, n, *range(n))  # (*taps, in, out) -> (out, in, *taps), ConvTranspose's own layout too
    weight = np.asarray(kernel).transpose(axes)
    if transposed:
        assert layer.weight.shape == weight.shape
    layer.weight = torch.nn.Parameter(torch.tensor(weight.copy()))
    features_first = torch.tensor(np.moveaxis(np.asarray(operand), -1, 1).copy())
    return np.moveaxis(layer(features_first).detach().numpy(), 1, -1)


def run_keras(code, operand, kernel, g, transposed):
    os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when it is imported
    keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'jaxconv[peers]'")
    layer = eval(code, {"layers": keras.layers})
    layer.dtype_policy = keras.DTypePolicy("float64")
    layer.build(operand.shape)
    layer.set_weights([kernel])
    return np.asarray(layer(operand))


def run_equinox(code, operand, kernel, g, transposed):
    layer = eval(code, {"eqx": eqx, "key": jax.random.key(0)})
    if transposed:
        kernel = transposed_kernel(kernel, g.feature_group_count)
    layer = eqx.tree_at(lambda layer: layer.weight, layer, jnp.moveaxis(kernel, (-1, -2), (0, 1)))
    return np.moveaxis(np.asarray(jax.vmap(layer)(jnp.moveaxis(operand, -1, 1))), 1, -1)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("g", GEOMETRIES, ids=str)
@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transpose"])
def test_printed_calls_compute_the_convolution(g, library, transposed, rng):
    code = (transposed_calls if transposed else calls)(g)[library]
    if code.startswith("#"):
        uneven = any(low != high for low, high in g.padding)
        cells = library == "keras" or (library == "torch" and uneven)  # keras has words only
        assert g.padding_mode != "zeros" or max(g.input_dilation) > 1 or library == "flax" or cells
        return
    kernel = jnp.asarray(rng.normal(size=g.kernel_array_shape))
    C = conv_matrix(kernel, g)
    C = C.T if transposed else C
    source = (g.output_shape, g.out_features) if transposed else (g.input_shape, g.in_features)
    operand = jnp.asarray(rng.normal(size=(2, *source[0], source[1])))
    got, expected = run(code, library, operand, kernel, g, transposed), np.asarray(C(operand))
    np.testing.assert_allclose(got, expected, atol=1e-13 * kernel.size)


def test_comments_name_what_is_missing():
    grouped = ConvGeometry((4,), (3,), in_features=2, out_features=2, feature_group_count=2)
    assert transposed_calls(grouped)["flax"] == "# nnx.ConvTranspose has no groups"
    assert "dilation_rate" in calls(ConvGeometry((9,), (3,), strides=2, kernel_dilation=2))["keras"]
    assert "no input dilation" in calls(ConvGeometry((9,), (3,), input_dilation=2))["equinox"]
    assert "both sides alike" in calls(ConvGeometry((4,), (3,), padding=((0, 1),)))["torch"]
    assert "does not repeat" in calls(ConvGeometry((3,), (3,), padding=3, padding_mode="reflect"))["torch"]
    assert "4-dimensional" in calls(ConvGeometry((2,) * 4, (1,) * 4))["torch"]
