"""`identify` on layers of PyTorch and Keras, called in their own layouts."""

import os

import numpy as np
import pytest
from crossing import numbers, sweep

from jaxconv import GeometryError, OptionError, from_keras, from_torch, identify

pytestmark = pytest.mark.peers


def agrees(one, other, shape, rng):
    """Whether two layers return the same for random maps of a shape."""
    x = numbers(rng, (2, *shape, one.in_features))
    y, expected = one(x), other(x)
    return y.shape == expected.shape and np.allclose(y, expected, rtol=0, atol=1e-11)


def compare(layer, read, shape, rng, **options):
    """Asserts that a layer is found to be what its reader reads, or a layer that fits equals it at any size.

    Without strides a transposed layer is a forward one, one tap has no dilation, and so on.
    """
    found = identify(layer, shape, read.in_features, **options)
    assert agrees(found, read, shape, rng)
    fitting = [found, *(other.layer for other in found.identification.alternatives)]
    if (read.transposed, read.geometry(shape)) not in [
        (one.transposed, one.geometry(shape)) for one in fitting
    ]:
        larger = tuple(size + 3 for size in shape)
        assert any(agrees(one, read, larger, rng) for one in fitting)
    return found


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxconv[torch]'")


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "case",
    sweep(8, kernel_size=[1, 2, 3], stride=[1, 2], dilation=[1, 2], padding=[0, 1], groups=[1, 2],
          bias=[True, False], mode=["zeros", "circular", "reflect", "replicate"]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_torch(case, transposed, torch, rng):
    mode = "zeros" if transposed else case["mode"]
    options = {name: value for name, value in case.items() if name != "mode"}
    kind = torch.nn.ConvTranspose2d if transposed else torch.nn.Conv2d
    layer = kind(2, 4, padding_mode=mode, **options).double()
    found = compare(layer, from_torch(layer), (11, 10), rng)
    assert found.identification.calls == 4


def test_torch_single_precision_and_sequences(torch, rng):
    """Several layers after each other, without activations, are one convolution."""
    first, second = torch.nn.Conv1d(2, 3, 3, bias=False), torch.nn.Conv1d(3, 2, 2, stride=2)
    found = identify(torch.nn.Sequential(first, second), (20,), 2)
    assert found.identification.geometry.kernel_shape == (4,)
    assert found.strides == (2,)
    assert found.kernel.dtype == "float32"
    np.testing.assert_allclose(found.bias, second.bias.detach().numpy(), rtol=1e-6)


def test_torch_layers_take_batches(torch):
    """A layer that flattens each map is not called with single maps, which it would return as they are."""
    with pytest.raises(GeometryError, match=r"shape \(4, 16\) for maps of shape \(4, 8, 2\)"):
        identify(torch.nn.Flatten(), (8,), 2)


def test_complex_torch_layer(torch):
    layer = torch.nn.Conv1d(2, 3, 3, dtype=torch.complex64)
    found = identify(layer, (12,), 2)
    expected = layer.weight.detach().numpy().transpose(2, 1, 0)
    assert found.kernel.dtype == "complex64"
    np.testing.assert_allclose(found.kernel, expected, rtol=0, atol=1e-6)


def test_torch_functions_are_called_as_they_are(torch, rng):
    weight = torch.from_numpy(rng.normal(size=(3, 2, 4)))

    def upsample(y):
        y = torch.from_numpy(np.array(y)).movedim(-1, 1)
        return torch.nn.functional.conv_transpose1d(y, weight, stride=2).movedim(1, -1)

    found = identify(upsample, (9,), 3, dtype="float64")
    assert found.transposed
    assert found.strides == (2,)
    np.testing.assert_allclose(found.kernel, np.moveaxis(weight.numpy(), (0, 1), (-1, -2)), atol=1e-15)


def test_torch_dropout_is_random(torch):
    layer = torch.nn.Sequential(torch.nn.Conv1d(1, 1, 3), torch.nn.Dropout(0.5))
    with pytest.raises(OptionError, match="evaluation mode"):
        identify(layer, (40,))
    assert identify(layer.eval(), (40,)).kernel_shape == (3,)


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", reason="Keras is not installed: pip install 'jaxconv[peers]'")


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Conv2D", {"strides": 2, "padding": "same"}),
        ("Conv2D", {"dilation_rate": (1, 2), "groups": 2}),
        ("Conv2DTranspose", {"strides": 2, "padding": "same"}),
        ("Conv2DTranspose", {"strides": (3, 1), "output_padding": (1, 0)}),
        ("DepthwiseConv2D", {"depth_multiplier": 2}),
    ],
)
def test_keras(kind, options, data_format, keras, rng):
    arguments = ((3, 2),) if kind == "DepthwiseConv2D" else (4, (3, 2))
    layer = getattr(keras.layers, kind)(*arguments, data_format=data_format, dtype="float64", **options)
    layer.build((None, 11, 10, 2) if data_format == "channels_last" else (None, 2, 11, 10))
    layer.set_weights([numbers(rng, weight.shape) for weight in layer.weights])
    compare(layer, from_keras(layer), (11, 10), rng, dtype="float64")
