"""Bad calls of the networks, and what their messages say."""

from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from messages import BadCall, check

from jaxconv.errors import DataError, GeometryError, OptionError
from jaxconv.models import VGG, DeconvNet, FCN8s, ReNetClassifier, ReSeg, UNet, VGGFeatures

SMALL = {
    DeconvNet: {"blocks": ((2, 1),), "dense": 2},
    FCN8s: {"blocks": ((2, 1),) * 3, "dense": 2},
    ReNetClassifier: {"units": 2, "dense": ()},
    ReSeg: {"blocks": ((2, 1),), "layers": 1, "units": 2, "filters": 2},
    UNet: {"features": (2, 2)},
    VGG: {"blocks": ((2, 1),), "dense": 2, "window": 2},
}


def build(network, *, in_features=3, n_classes=5, **options):
    """Builds a small network, without computing its parameters."""
    options = {**SMALL[network], **options}
    return nnx.eval_shape(lambda: network(in_features, n_classes, rngs=nnx.Rngs(0), **options))


def apply(network, shape, dtype=jnp.float32, *, in_features=3, **options):
    """Applies a small network to a map of that shape and dtype, without computing it."""
    options = {**SMALL[network], **options}
    return jax.eval_shape(
        lambda x: network(in_features, 5, rngs=nnx.Rngs(0), **options)(x), jax.ShapeDtypeStruct(shape, dtype)
    )


def load(arrays, network=VGG, name="vgg.npz"):
    """Builds a network with weights from a file of these arrays."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        if name.endswith(".npz"):
            np.savez(path, **arrays)
        else:
            path.write_bytes(b"no weights")
        network(3, 5, rngs=nnx.Rngs(0), weights=str(path), **SMALL[network])


def weights(**changes):
    """Returns the arrays of a file of VGG weights for the small network."""
    shapes = {
        "features.0.weight": (2, 3, 3, 3),
        "features.0.bias": (2,),
        "classifier.0.weight": (2, 8),
        "classifier.0.bias": (2,),
        "classifier.3.weight": (2, 2),
        "classifier.3.bias": (2,),
        "classifier.6.weight": (5, 2),
        "classifier.6.bias": (5,),
    }
    arrays = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    return arrays | changes


def other_shape():
    return weights(**{"features.0.bias": np.ones(3, np.float32)})


def with_nan():
    return weights(**{"features.0.bias": np.full(2, np.nan, np.float32)})


def normalized():
    return weights(**{"features.1.running_mean": np.ones(2, np.float32)})


CASES = [
    *(
        BadCall(
            f"channels-first images for {network.__name__}",
            lambda network=network: apply(network, (2, 3, 8, 10)),
            ("`x` must be (*batch, rows, columns, 3)", "(2, 3, 8, 10)", "jnp.moveaxis(x, -3, -1)"),
            GeometryError,
        )
        for network in SMALL
    ),
    *(
        BadCall(
            f"no classes for {network.__name__}",
            lambda network=network: build(network, n_classes=0),
            ("`n_classes` must be at least 1", "0"),
            OptionError,
        )
        for network in SMALL
    ),
    BadCall(
        "grey images for a colour network",
        lambda: apply(ReSeg, (2, 8, 10, 1)),
        ("`x`", "(2, 8, 10, 1)", "in_features=3"),
        GeometryError,
    ),
    BadCall(
        "images without features",
        lambda: apply(UNet, (8, 10), in_features=1),
        ("`x`", "(8, 10)", "x[..., None]"),
        GeometryError,
    ),
    BadCall(
        "bytes as images",
        lambda: apply(FCN8s, (2, 8, 10, 3), jnp.uint8),
        ("`x` must be floating", "uint8", "x.astype(jnp.float32) / 255"),
        TypeError,
    ),
    BadCall(
        "images of another dtype",
        lambda: apply(UNet, (2, 8, 10, 3), jnp.bfloat16),
        ("bfloat16", "float32"),
        TypeError,
    ),
    BadCall(
        "the names of the classes",
        lambda: build(UNet, n_classes=("sky", "road")),
        ("`n_classes` must be an integer",),
        TypeError,
    ),
    BadCall(
        "no features", lambda: build(VGG, in_features=0), ("`in_features` must be at least 1",), OptionError
    ),
    BadCall(
        "a key in place of rngs",
        lambda: UNet(3, 5, rngs=jax.random.key(0)),
        ("`rngs` must be a flax.nnx.Rngs", "nnx.Rngs(0)"),
        TypeError,
    ),
    BadCall(
        "features in place of blocks",
        lambda: build(DeconvNet, blocks=(16, 32)),
        ("`blocks`", "(features, convolutions)", "(16, 32)"),
        OptionError,
    ),
    BadCall(
        "no blocks", lambda: build(VGG, blocks=()), ("`blocks` must be at least one block",), OptionError
    ),
    BadCall(
        "a block without convolutions",
        lambda: VGGFeatures(3, ((4, 0),), rngs=nnx.Rngs(0)),
        ("`blocks`", "at least 1", "((4, 0),)"),
        OptionError,
    ),
    BadCall(
        "too few blocks",
        lambda: build(FCN8s, blocks=((4, 1), (4, 1))),
        ("FCN8s", "last 3 blocks", "`blocks` must have at least 3"),
        OptionError,
    ),
    BadCall("an even window", lambda: build(FCN8s, window=4), ("`window` must be odd", "4"), OptionError),
    BadCall(
        "a window of two sizes",
        lambda: build(VGG, window=(7, 7)),
        ("`window` must be an integer",),
        TypeError,
    ),
    BadCall(
        "PyTorch's word for upsampling",
        lambda: build(FCN8s, upsampling="bilinear"),
        ("`upsampling` must be one of learned, fixed, nearest", "'fixed' is bilinear"),
        OptionError,
    ),
    BadCall(
        "a large dropout", lambda: build(UNet, dropout=1.0), ("`dropout`", "below 1", "1.0"), OptionError
    ),
    BadCall(
        "padding in capitals",
        lambda: build(UNet, padding="SAME"),
        ("`padding` must be 'same'", "'SAME'"),
        OptionError,
    ),
    BadCall(
        "features of one level",
        lambda: build(UNet, features=64),
        ("`features`", "(16, 32, 64)", "64"),
        OptionError,
    ),
    BadCall(
        "a level without features", lambda: build(UNet, features=(4, 0)), ("`features`", "0"), OptionError
    ),
    BadCall(
        "levels without convolution",
        lambda: build(UNet, depth=0),
        ("`depth` must be at least 1",),
        OptionError,
    ),
    BadCall(
        "a size that the unpadded U-Net does not take",
        lambda: build(UNet, padding="valid").valid_logits(jnp.zeros((1, 31, 31, 3), jnp.float32)),
        ("`x`", "(31, 31)", "sizes such as"),
        GeometryError,
    ),
    BadCall(
        "images too small for fc6",
        lambda: apply(DeconvNet, (2, 3, 30, 3)),
        ("`x`", "at least 5x5", "(3, 30)", "`window`"),
        GeometryError,
    ),
    BadCall(
        "images too small for VGG",
        lambda: apply(VGG, (2, 3, 30, 3)),
        ("`x`", "at least 4x4", "(3, 30)", "`window`"),
        GeometryError,
    ),
    BadCall(
        "images too small for the dense layer",
        lambda: apply(ReNetClassifier, (2, 8, 4, 3), window=(2, 2)),
        ("`x`", "(2, 2)", "(8, 4)", "(2, 1)"),
        GeometryError,
    ),
    BadCall(
        "no layers",
        lambda: build(ReNetClassifier, patches=()),
        ("`patches`", "at least one layer"),
        OptionError,
    ),
    BadCall(
        "one patch",
        lambda: build(ReNetClassifier, patches=(2, 2)),
        ("`patches[0]`", "(rows, columns)"),
        OptionError,
    ),
    BadCall(
        "a square window",
        lambda: build(ReNetClassifier, window=2),
        ("`window`", "(rows, columns)"),
        OptionError,
    ),
    BadCall("an unknown cell", lambda: build(ReSeg, cell="rnn"), ("`cell`", "'gru'", "'rnn'"), GeometryError),
    BadCall(
        "a misspelled front end",
        lambda: build(ReSeg, front_end="vggg"),
        ("`front_end`", "did you mean 'vgg'?"),
        OptionError,
    ),
    BadCall(
        "a front end without blocks", lambda: build(ReSeg, blocks=()), ("`blocks`", "'conv'"), OptionError
    ),
    BadCall(
        "weights of a front end without VGG",
        lambda: build(ReSeg, weights="a.npz"),
        ("`weights`", "`front_end`", "'vgg'"),
        OptionError,
    ),
    BadCall(
        "negative layers", lambda: build(ReSeg, layers=-1), ("`layers` must be at least 0",), OptionError
    ),
    BadCall(
        "patches without layers",
        lambda: build(ReSeg, layers=0, patch=(2, 2)),
        ("`patch`", "layers=0"),
        OptionError,
    ),
    BadCall(
        "weights of Keras",
        lambda: build(VGG, weights="vgg.h5"),
        ("`weights`", ".safetensors", "vgg.h5", "convert"),
        DataError,
    ),
    BadCall(
        "a missing file of weights",
        lambda: build(VGG, weights="gone.npz"),
        ("`weights`", "gone.npz", "does not exist"),
        DataError,
    ),
    BadCall(
        "a file of something else", lambda: load({}, name="vgg.pth"), ("vgg.pth", "torch.save"), DataError
    ),
    BadCall(
        "a file without arrays",
        lambda: load({}),
        ("vgg.npz", "misses", "classifier.0.bias", "more"),
        DataError,
    ),
    BadCall(
        "weights of another shape",
        lambda: load(other_shape()),
        ("vgg.npz", "features.0.bias (3,) for (2,)"),
        DataError,
    ),
    BadCall("weights of NaN", lambda: load(with_nan()), ("vgg.npz", "NaN", "features.0.bias"), DataError),
    BadCall(
        "weights of a normalized VGG", lambda: load(normalized()), ("vgg.npz", "without `_bn`"), DataError
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
