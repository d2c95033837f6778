"""The messages of bad calls of readers, writers and `Convolution`."""

import importlib.util
import os
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from messages import BadCall, check

from jaxconv import (
    ConvGeometry,
    Convolution,
    GeometryError,
    from_equinox,
    from_flax,
    from_keras,
    from_lax_conv,
    from_lax_conv_transpose,
    from_torch,
    nn,
    to_equinox,
    to_flax,
    to_keras,
    to_lax_conv,
    to_lax_conv_transpose,
    to_torch,
)
from jaxconv.errors import MissingExtraError

KERNEL = np.ones((3, 4, 5), np.float32)
TORCH = np.ones((8, 4, 3), np.float32)  # (out, in, *kernel_shape)


def made(**options):
    return Convolution(np.ones((3, 3, 2, 2), np.float32), **options)


def flax_layer(cls=nnx.Conv, **options):
    return cls(2, 3, (3, 3), rngs=nnx.Rngs(0), **options)


def batch():
    return jax.vmap(lambda k: Convolution(k))(np.ones((2, 3, 4, 5), np.float32))


class Changed(nnx.Conv):
    def __call__(self, x):
        return x


CONVOLUTION = [
    BadCall("no spatial axis", lambda: Convolution(KERNEL[0]), ("`kernel`", "spatial axis"), GeometryError),
    BadCall("no kernel", lambda: Convolution(None), ("`kernel`", "array of numbers", "None"), TypeError),
    BadCall("a word", lambda: Convolution("abc"), ("`kernel`", "array of numbers", "'abc'"), TypeError),
    BadCall("ragged", lambda: Convolution([[1.0], [2.0, 3.0]]), ("`kernel`", "unequal"), TypeError),
    BadCall("a bias of words", lambda: Convolution(KERNEL, "abc"), ("`bias`", "'abc'"), TypeError),
    BadCall("no map", lambda: Convolution(KERNEL)(None), ("`x`", "array of numbers"), TypeError),
    BadCall(
        "a geometry as bias",
        lambda: Convolution(KERNEL, ConvGeometry((5, 5), (3, 3))),
        ("`bias`", "ConvGeometry", "**geometry.options"),
        TypeError,
    ),
    BadCall("integers", lambda: Convolution(KERNEL.astype("int32")), ("`kernel`", "astype"), TypeError),
    BadCall(
        "two dtypes", lambda: Convolution(KERNEL, np.ones(5, np.float16)), ("bias", "float16"), TypeError
    ),
    BadCall("bias", lambda: Convolution(KERNEL, KERNEL[0, 0, :2]), ("`bias`", "(5,)"), GeometryError),
    BadCall(
        "PyTorch's kernel and bias",
        lambda: Convolution(TORCH, np.ones(8, np.float32)),
        ("`kernel`", "jnp.moveaxis(kernel, (0, 1), (-1, -2))"),
        GeometryError,
    ),
    BadCall(
        "PyTorch's kernel and a map",
        lambda: Convolution(np.ones((8, 3, 5, 4), np.float32))(np.ones((1, 9, 9, 3), np.float32)),
        ("`x`", "`kernel`", "jnp.moveaxis(kernel, (0, 1), (-1, -2))"),
        GeometryError,
    ),
    BadCall("features", lambda: Convolution(KERNEL)(np.ones((9, 3), np.float32)), ("`x`",), GeometryError),
    BadCall(
        "a channels-first map",
        lambda: made()(np.ones((1, 2, 9, 9), np.float32)),
        ("`x`", "jnp.moveaxis(x, 1, -1)"),
        GeometryError,
    ),
    BadCall("transposed", lambda: Convolution(KERNEL, transposed="no"), ("`transposed`", "'no'"), TypeError),
    BadCall("forward", lambda: Convolution(KERNEL, output_padding=1), ("`output_padding`",), GeometryError),
    BadCall(
        "a large output_padding",
        lambda: Convolution(KERNEL, transposed=True, strides=2, output_padding=2),
        ("`output_padding`", "[0, 2)"),
        GeometryError,
    ),
    BadCall(
        "SAME and output_padding",
        lambda: Convolution(KERNEL, transposed=True, strides=2, padding="SAME", output_padding=1),
        ("`output_padding`", "'SAME'"),
        GeometryError,
    ),
    BadCall("groups", lambda: Convolution(KERNEL, feature_group_count=2), ("`out_features`",), GeometryError),
    BadCall("mode", lambda: Convolution(KERNEL, padding_mode="mirror"), ("`padding_mode`",), GeometryError),
    BadCall("dtype", lambda: Convolution(KERNEL, dtype=int), ("`dtype`",), TypeError),
    BadCall("precision", lambda: Convolution(KERNEL, precision="best"), ("`precision`",), GeometryError),
    BadCall("a batch of layers", lambda: batch().at((9,)), ("batch of layers", "jax.vmap"), GeometryError),
    BadCall("an int", lambda: Convolution(KERNEL).geometry(5), ("`input_shape`", "tuple"), TypeError),
]
LAX = [
    BadCall(
        "batch groups",
        lambda: from_lax_conv(KERNEL, (1,), "SAME", batch_group_count=2),
        ("`batch_group_count`", "split the batch"),
        GeometryError,
    ),
    BadCall("word", lambda: from_lax_conv(KERNEL, (1,), "FULL"), ("`padding`", "'SAME'"), GeometryError),
    BadCall(
        "word with dilation",
        lambda: from_lax_conv(KERNEL, (1,), "SAME", lhs_dilation=(2,)),
        ("`padding`", "`lhs_dilation`"),
        GeometryError,
    ),
    BadCall(
        "no axis", lambda: from_lax_conv(KERNEL[0], (), "SAME"), ("`rhs`", "spatial axis"), GeometryError
    ),
    BadCall(
        "layout",
        lambda: from_lax_conv(KERNEL, (1,), "SAME", dimension_numbers=("NH", "HIO", "NHC")),
        ("`dimension_numbers`", "NWC"),
        GeometryError,
    ),
    BadCall(
        "no layout",
        lambda: from_lax_conv_transpose(np.ones((1,) * 6), (1,) * 4, "SAME"),
        ("`dimension_numbers`",),
        GeometryError,
    ),
    BadCall(
        "transposed word",
        lambda: from_lax_conv_transpose(KERNEL, (2,), "SAME_LOWER"),
        ("`padding`", "'VALID'"),
        GeometryError,
    ),
    BadCall(
        "bias", lambda: to_lax_conv(Convolution(KERNEL, KERNEL[0, 0])), ("`layer`", "bias"), GeometryError
    ),
    BadCall("forward", lambda: to_lax_conv_transpose(made()), ("`layer`", "to_lax_conv"), GeometryError),
    BadCall("mode", lambda: to_lax_conv(made(padding_mode="circular")), ("jnp.pad",), GeometryError),
    BadCall("not a layer", lambda: to_lax_conv(3), ("`layer`", "int"), TypeError),
]
FLAX = [
    BadCall(
        "another layer", lambda: from_flax(nnx.BatchNorm(3, rngs=nnx.Rngs(0))), ("`layer`", "Conv"), TypeError
    ),
    BadCall(
        "dense",
        lambda: from_flax(nnx.Linear(3, 2, rngs=nnx.Rngs(0))),
        ("`layer`", "dense_to_conv"),
        TypeError,
    ),
    BadCall("the class", lambda: from_flax(nnx.Conv), ("`layer`", "instance"), TypeError),
    BadCall(
        "Sequential",
        lambda: from_flax(nnx.Sequential(flax_layer())),
        ("`layer`", "one of its layers"),
        TypeError,
    ),
    BadCall("a Convolution", lambda: from_flax(made()), ("`layer`", "no conversion"), TypeError),
    BadCall("of Equinox", lambda: from_flax(eqx.nn.Identity()), ("`layer`", "from_equinox"), TypeError),
    BadCall("overridden", lambda: from_flax(flax_layer(Changed)), ("`layer`", "`__call__`"), TypeError),
    BadCall(
        "a word with dilation",
        lambda: from_flax(flax_layer(input_dilation=2, padding="SAME")),
        ("`layer`", "'SAME'"),
        GeometryError,
    ),
    BadCall(
        "CAUSAL", lambda: from_flax(flax_layer(padding="CAUSAL")), ("`layer`", "'CAUSAL'"), GeometryError
    ),
    BadCall(
        "transposed CAUSAL",
        lambda: from_flax(flax_layer(nnx.ConvTranspose, padding="CAUSAL")),
        ("`layer`", "'CAUSAL'"),
        GeometryError,
    ),
    BadCall(
        "mode", lambda: to_flax(made(padding_mode="replicate")), ("nnx.Conv", "replicate"), GeometryError
    ),
    BadCall("border", lambda: to_flax(made(padding_mode="reflect", padding=2)), ("jnp.pad",), GeometryError),
    BadCall(
        "size",
        lambda: to_flax(made(padding="SAME", strides=2, input_dilation=2)),
        ("`layer.at(input_shape)`",),
        GeometryError,
    ),
    BadCall("unconverted", lambda: to_flax(flax_layer()), ("`layer`", "from_flax(layer)"), TypeError),
]
EQUINOX = [
    BadCall("dilated", lambda: to_equinox(made(input_dilation=2)), ("input dilation",), GeometryError),
    BadCall("dtype", lambda: to_equinox(made(dtype=jnp.bfloat16)), ("`layer`", "bfloat16"), GeometryError),
    BadCall(
        "cropping",
        lambda: to_equinox(made(padding=-1, padding_mode="circular")),
        ("circular", "crop first"),
        GeometryError,
    ),
    BadCall(
        "circular",
        lambda: to_equinox(made(transposed=True, padding=3, padding_mode="circular")),
        ("'SAME_LOWER'",),
        GeometryError,
    ),
]


def torch_layer(name, *arguments, **options):
    import torch

    return getattr(torch.nn, name)(*arguments, **options)


def keras_layer(name, *arguments, **options):
    import keras

    return getattr(keras.layers, name)(*arguments, **options)


PYTORCH = [
    BadCall(
        "dense", lambda: from_torch(torch_layer("Linear", 2, 3)), ("`layer`", "dense_to_conv"), TypeError
    ),
    BadCall(
        "lazy", lambda: from_torch(torch_layer("LazyConv1d", 2, 3)), ("`layer`", "call it"), GeometryError
    ),
    BadCall(
        "to flax", lambda: from_flax(torch_layer("Conv1d", 1, 1, 3)), ("`layer`", "from_torch"), TypeError
    ),
    BadCall(
        "output_padding",
        lambda: from_torch(torch_layer("ConvTranspose1d", 1, 1, 3, dilation=3, output_padding=2)),
        ("`output_padding`",),
        GeometryError,
    ),
    BadCall("sides", lambda: to_torch(made(padding=((1, 0), (0, 0)))), ("F.pad",), GeometryError),
    BadCall("cropping", lambda: to_torch(made(padding=-1)), ("crop with F.pad",), GeometryError),
    BadCall(
        "size", lambda: to_torch(made(padding="SAME", strides=2)), ("`layer.at(input_shape)`",), GeometryError
    ),
    BadCall(
        "mode", lambda: to_torch(made(transposed=True, padding_mode="circular")), ("zero",), GeometryError
    ),
    BadCall("axes", lambda: to_torch(Convolution(np.ones((1,) * 6))), ("4-dimensional",), GeometryError),
    BadCall(
        "unconverted", lambda: to_torch(torch_layer("Conv1d", 1, 1, 3)), ("from_torch(layer)",), TypeError
    ),
]
KERAS = [
    BadCall("dense", lambda: from_keras(keras_layer("Dense", 3)), ("`layer`", "dense_to_conv"), TypeError),
    BadCall(
        "not built", lambda: from_keras(keras_layer("Conv1D", 2, 3)), ("`layer`", "build"), GeometryError
    ),
    BadCall(
        "separable", lambda: from_keras(keras_layer("SeparableConv1D", 2, 3)), ("`layer`", "two"), TypeError
    ),
    BadCall("padding", lambda: to_keras(made(padding=1, strides=2)), ("ZeroPadding",), GeometryError),
    BadCall("data_format", lambda: to_keras(made(), "channels"), ("`data_format`",), GeometryError),
    BadCall(
        "dilation", lambda: to_keras(made(strides=2, kernel_dilation=2)), ("dilation_rate",), GeometryError
    ),
]
# These name the mistake before the other library is imported, so that it need not be installed.
NOT_IMPORTED = [
    BadCall(
        f"{layer} for {reader.__name__}",
        lambda reader=reader, make=make: reader(make()),
        ("`layer`", words),
        TypeError,
    )
    for reader in (from_torch, from_keras, from_equinox)
    for layer, make, words in (
        ("of flax", flax_layer, "use from_flax"),
        ("of jaxconv", lambda: nn.Conv(1, 1, (3,), rngs=nnx.Rngs(0)), "use from_flax"),
        ("a Convolution", made, "no conversion"),
    )
] + [
    BadCall(
        f"unconverted for {write.__name__}",
        lambda write=write: write(flax_layer()),
        ("from_flax(layer)",),
        TypeError,
    )
    for write in (to_torch, to_keras, to_equinox)
]
CASES = CONVOLUTION + LAX + FLAX + EQUINOX + NOT_IMPORTED
if importlib.util.find_spec("torch"):
    CASES += PYTORCH
os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when it is imported
if importlib.util.find_spec("keras"):
    CASES += KERAS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)


@pytest.mark.parametrize(
    ("package", "extra", "read", "write"),
    [
        ("torch", "torch", from_torch, to_torch),
        ("keras", "peers", from_keras, to_keras),
        ("equinox", "lineax", from_equinox, to_equinox),
    ],
)
def test_missing_library_is_named_with_its_extra(package, extra, read, write, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    for call in (lambda: read(object()), lambda: write(made())):
        with pytest.raises(MissingExtraError, match=rf"needs {package}; .* 'jaxconv\[{extra}\]'"):
            call()
