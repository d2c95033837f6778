"""What the layers say of a bad call."""

import jax.numpy as jnp
import pytest
from flax import nnx
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError, OptionError
from jaxconv.nn import (
    AvgPool,
    BidirectionalSweep,
    Conv,
    ConvTranspose,
    MaxPool,
    Normalization,
    ReNet,
    Sweep,
    Unpool,
    bilinear,
    conv_lecun_normal,
    conv_transpose_lecun_normal,
    fully_convolutional,
    sweep,
)

RNGS = nnx.Rngs(0)
X = jnp.ones((2, 8, 9, 4), jnp.float32)
G = ConvGeometry((8, 9), (3, 3), in_features=4, out_features=6)


def case(name, call, *words, error=GeometryError):
    return BadCall(name, call, words, error)


def conv(**options):
    return Conv(**{"in_features": 4, "out_features": 6, "kernel_shape": (3, 3), "rngs": RNGS} | options)


def conv_transpose(**options):
    sizes = {"in_features": 4, "out_features": 6, "kernel_shape": (3, 3), "rngs": RNGS}
    return ConvTranspose(**sizes | options)


def flatten(x):
    return x.reshape(x.shape[0], -1)


def unroll(*layers, input_shape=(8, 8), in_features=1):
    return fully_convolutional(nnx.Sequential(*layers), input_shape, in_features=in_features)


def first():
    return Conv(1, 2, (3, 3), rngs=RNGS)


def dense(inputs=72, outputs=3):
    return nnx.Linear(inputs, outputs, rngs=RNGS)


CASES = [
    # Conv
    case(
        "Conv: kernel shape an int", lambda: conv(kernel_shape=3), "`kernel_shape`", "(3, 3)", error=TypeError
    ),
    case("Conv: nothing given", lambda: Conv(rngs=RNGS), "`in_features`", "`geometry`", error=TypeError),
    case("Conv: no kernel", lambda: Conv(4, 6, rngs=RNGS), "`kernel_shape` is missing", error=TypeError),
    case("Conv: no features", lambda: conv(in_features=0), "`in_features`"),
    case("Conv: groups", lambda: conv(feature_group_count=3), "`in_features`", "feature_group_count=3"),
    case("Conv: strides", lambda: conv(strides=(1, 2, 1)), "`strides`"),
    case("Conv: padding", lambda: conv(padding="SMAE"), "`padding`", "'SAME'"),
    case("Conv: padding mode as padding", lambda: conv(padding="reflect"), "padding_mode="),
    case("Conv: use_bias", lambda: conv(use_bias="no"), "`use_bias`", error=TypeError),
    case("Conv: precision", lambda: conv(precision="hihg"), "`precision`"),
    case("Conv: integer dtype", lambda: conv(dtype=jnp.int32), "`dtype`", error=TypeError),
    case("Conv: integer parameters", lambda: conv(param_dtype=jnp.int32), "`param_dtype`", error=TypeError),
    case("Conv: geometry and sizes", lambda: conv(geometry=G), "`geometry`", "`in_features`"),
    case("Conv: geometry's type", lambda: Conv(geometry=(8, 9), rngs=RNGS), "`geometry`", error=TypeError),
    case("Conv: another size", lambda: Conv(geometry=G, rngs=RNGS)(X[:, :7]), "`x`", "(8, 9)", "(7, 9)"),
    case("Conv: channels-first", lambda: conv()(jnp.moveaxis(X, -1, 1)), "`x`", "jnp.moveaxis(x, 1, -1)"),
    case("Conv: too few axes", lambda: conv()(X[0, 0]), "`x`"),
    case("Conv: another dtype", lambda: conv()(X.astype(jnp.float16)), "`x` and `kernel`", error=TypeError),
    # ConvTranspose
    case("ConvTranspose: layer's features", lambda: conv_transpose(out_features=0), "`out_features`"),
    case(
        "transposed: groups",
        lambda: conv_transpose(out_features=3, feature_group_count=2),
        "`out_features`",
    ),
    case("ConvTranspose: output padding", lambda: conv_transpose(output_padding=1), "`output_padding`"),
    case(
        "ConvTranspose: SAME and output padding",
        lambda: conv_transpose(strides=2, padding="SAME", output_padding=1),
        "output_padding",
    ),
    case("ConvTranspose: use_bias", lambda: conv_transpose(use_bias=1), "`use_bias`", error=TypeError),
    case("ConvTranspose: features", lambda: conv_transpose()(X[..., :3]), "`y`", "4"),
    case("ConvTranspose: input shape", lambda: conv_transpose()(X, (20, 20)), "`input_shape`"),
    case(
        "ConvTranspose: geometry's input shape",
        lambda: ConvTranspose(geometry=G, rngs=RNGS)(jnp.ones((6, 7, 6), jnp.float32), (9, 9)),
        "`input_shape`",
        "(8, 9)",
    ),
    case(
        "ConvTranspose: bilinear between other features",
        lambda: conv_transpose(kernel_init=bilinear(2)),
        "`bilinear`",
        "`kernel_init`",
    ),
    # initializers
    case("bilinear: stride 0", lambda: bilinear(0), "`strides`"),
    case("conv_lecun_normal: empty kernel", lambda: conv_lecun_normal((0,)), "`kernel_shape`"),
    case(
        "conv_transpose_lecun_normal: groups", lambda: conv_transpose_lecun_normal((3,), 2, 0), "`feature_g"
    ),
    # pooling
    case("MaxPool: an int", lambda: MaxPool(2), "`window`", error=TypeError),
    case("MaxPool: strides", lambda: MaxPool((2, 2), strides=0), "`strides`"),
    case("MaxPool: ceil_mode", lambda: MaxPool((2, 2), ceil_mode="no"), "`ceil_mode`", error=TypeError),
    case("MaxPool: switches", lambda: MaxPool((2,), return_switches=1), "`return_switches`", error=TypeError),
    case("MaxPool: only padding", lambda: MaxPool((2,), padding=2), "`padding`"),
    case("MaxPool: unknown option", lambda: MaxPool((2,), stride=2), "stride", error=TypeError),
    case("MaxPool: too few axes", lambda: MaxPool((2, 2))(X[0, 0]), "`x`"),
    case(
        "AvgPool",
        lambda: AvgPool((2,), count_include_pad="no"),
        "`count_include_pad`",
        error=TypeError,
    ),
    case("Unpool: switches", lambda: Unpool()(X, X, (16, 18)), "`switches`", error=TypeError),
    # normalisation
    case(
        "Normalization: kind",
        lambda: Normalization("layer", 4, rngs=RNGS),
        "`kind`",
        "'group'",
        error=OptionError,
    ),
    case(
        "Normalization: features",
        lambda: Normalization("batch", 0, rngs=RNGS),
        "`features`",
        error=OptionError,
    ),
    case("Normalization: a map", lambda: Normalization("batch", 3, rngs=RNGS)(X), "`x`", "3"),
    case("Normalization: one axis", lambda: Normalization("batch", 4, rngs=RNGS)(X[0, 0, 0]), "`x`"),
    # sweeps
    case("Sweep: cell", lambda: Sweep(4, 3, cell="gur", rngs=RNGS), "`cell`", "'gru'"),
    case("Sweep: units", lambda: Sweep(4, 0, rngs=RNGS), "`units`"),
    case("Sweep: reverse", lambda: Sweep(4, 3, reverse="yes", rngs=RNGS), "`reverse`", error=TypeError),
    case("Sweep: features", lambda: Sweep(3, 3, rngs=RNGS)(X), "`x`", "3 features", "(2, 8, 9, 4)"),
    case("Sweep: the last axis", lambda: Sweep(4, 3, rngs=RNGS)(X, -1), "`axis`"),
    case("Sweep: half an axis", lambda: Sweep(4, 3, rngs=RNGS)(X, 0.5), "`axis`", error=TypeError),
    case("Sweep: dtype", lambda: Sweep(4, 3, rngs=RNGS)(X.astype(jnp.float16)), "`x`", error=TypeError),
    case("sweep: columns", lambda: sweep(X, jnp.ones((4, 13), jnp.float32)), "`recurrent_kernel`", "3 gates"),
    case(
        "BidirectionalSweep: variant",
        lambda: BidirectionalSweep(4, 3, variant="relased", rngs=RNGS),
        "`variant`",
        "'released'",
    ),
    case("ReNet: first", lambda: ReNet(4, 3, first="rows", rngs=RNGS), "`first`", "'vertical'"),
    case("ReNet: patch", lambda: ReNet(4, 3, patch=(2, 0), rngs=RNGS), "`patch`"),
    case("ReNet: features", lambda: ReNet(3, 3, rngs=RNGS)(X), "`x`", "(*batch, 8, 9, 3)"),
    case("ReNet: too few axes", lambda: ReNet(4, 3, rngs=RNGS)(X[0, 0]), "`x`"),
    # fully_convolutional
    case("unroll: not Sequential", lambda: fully_convolutional(first(), (8, 8)), "`model`", error=TypeError),
    case(
        "unroll: window an int",
        lambda: unroll(first(), flatten, input_shape=8),
        "`input_shape`",
        error=TypeError,
    ),
    case("unroll: nothing", lambda: unroll(nnx.relu, flatten), "`model`"),
    case(
        "unroll: another window",
        lambda: unroll(first(), flatten, dense(), input_shape=(9, 8)),
        "`input_shape`",
    ),
    case("unroll: no vector", lambda: unroll(first(), nnx.relu), "`model`", "vector"),
    case(
        "unroll: padding",
        lambda: unroll(Conv(1, 2, (3, 3), padding="SAME", rngs=RNGS), flatten, dense(128)),
        "layer 0 (Conv)",
        "padding='VALID'",
    ),
    case("unroll: a mean", lambda: unroll(first(), lambda x: x.mean((1, 2)), dense(2)), "flattening"),
    case(
        "unroll: a transposed layer",
        lambda: unroll(first(), ConvTranspose(2, 2, (3, 3), rngs=RNGS), flatten, dense(128)),
        "layer 1 (ConvTranspose)",
        "`model`",
        error=TypeError,
    ),
    case(
        "unroll: dropout",
        lambda: unroll(first(), nnx.Dropout(0.5, rngs=RNGS), flatten, dense()),
        "layer 1 (Dropout)",
        "model.eval()",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
