"""ReSeg and the ReNet classifier: their parameters counted, their sizes, and what reaches what."""

import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxconv.errors import GeometryError, OptionError
from jaxconv.models import ReNetClassifier, ReSeg


def count(module):
    return sum(p.size for p in jax.tree.leaves(nnx.state(module, nnx.Param)))


def shape(model, *sizes, x, **options):
    """Returns shape and dtype of the logits; the model is built inside the trace, so nothing is computed."""
    run = lambda x: model(*sizes, rngs=nnx.Rngs(0), **options)(x)  # noqa: E731
    logits = jax.eval_shape(run, jax.ShapeDtypeStruct(x, jnp.float32))
    return logits.shape, logits.dtype


@pytest.mark.parametrize(("n_classes", "head"), [(12, 50_712), (11, 50_661)])
def test_the_published_reseg_has_its_parameters(n_classes, head):
    """VGG-16 to conv3_3, two released ReNet layers, the head; 12 scores where void is one of them."""
    model = nnx.eval_shape(lambda: ReSeg(3, n_classes, **ReSeg.PUBLISHED, rngs=nnx.Rngs(0)))
    assert count(model.front_end) == 1_735_488
    assert count(model.layers) == 619_200
    assert count(model.upsamplings) + count(model.scores) == head
    assert count(model) == 1_735_488 + 619_200 + head


@pytest.mark.parametrize(
    "options",
    [
        {"blocks": ((3, 1), (4, 2))},
        {"front_end": "vgg", "blocks": ((2, 1), (3, 1), (4, 1)), "variant": "released"},
        {"front_end": "none", "patch": (3, 2), "cell": "lstm"},
        {"front_end": "none", "layers": 1, "cell": "tanh", "first": "horizontal"},
        {"blocks": ((3, 1), (4, 1)), "patch": (2, 3)},
        {"blocks": ((3, 1),), "layers": 0},
    ],
    ids=str,
)
def test_reseg_scores_every_pixel_of_any_size(options):
    for size in ((1, 1), (2, 13), (7, 5), (12, 1)):
        got = shape(ReSeg, 2, 5, x=(2, 1, *size, 2), units=3, filters=4, **options)
        assert got == ((2, 1, *size, 5), jnp.float32)


def find_dependence(model, x, pixel):
    """Finds the inputs on which the scores of a pixel depend, by the gradient."""
    return np.asarray(jax.jit(jax.grad(lambda x: model(x)[pixel].sum()))(x))[..., 0] != 0


def test_sweeps_see_the_whole_image_and_convolutions_do_not(rng):
    x = jnp.asarray(rng.normal(size=(18, 22, 1)), jnp.float32)
    options = {"blocks": ((8, 1),), "units": 3, "filters": 4}
    assert find_dependence(ReSeg(1, 2, layers=1, rngs=nnx.Rngs(1), **options), x, (2, 20)).mean() > 0.9
    alone = find_dependence(ReSeg(1, 2, layers=0, rngs=nnx.Rngs(1), **options), x, (2, 20))
    assert alone.any()
    assert not alone[:, :18].any()
    assert not alone[5:].any()


def test_the_front_end_takes_a_file_of_weights(tmp_path, rng):
    blocks = ((2, 1), (3, 2))
    shapes = {0: (2, 3), 3: (3, 2), 5: (3, 3)}  # torchvision's numbers: rectifiers and poolings count
    arrays = {}
    for number, (out, into) in shapes.items():
        arrays[f"features.{number}.weight"] = rng.normal(size=(out, into, 3, 3)).astype("float32")
        arrays[f"features.{number}.bias"] = rng.normal(size=out).astype("float32")
    np.savez(tmp_path / "vgg.npz", **arrays)
    options = {"front_end": "vgg", "blocks": blocks, "units": 2, "filters": 2}
    model = ReSeg(3, 4, weights=str(tmp_path / "vgg.npz"), rngs=nnx.Rngs(0), **options)
    convs = [conv for block in model.front_end.blocks for conv in block.convs]
    for conv, number in zip(convs, shapes, strict=True):
        expected = arrays[f"features.{number}.weight"].transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(conv.kernel[...], expected)
        np.testing.assert_array_equal(conv.bias[...], arrays[f"features.{number}.bias"])


@pytest.mark.parametrize("window", [(1, 1), (2, 3)])
@pytest.mark.parametrize("dense", [(), (6,), (6, 5)])
def test_the_classifier_scores_images(window, dense):
    options = {"units": 3, "dense": dense, "window": window, "dropout": 0.5}
    for size in ((8, 12), (9, 33)):
        assert shape(ReNetClassifier, 2, 7, x=(4, *size, 2), **options) == ((4, 7), jnp.float32)


def test_an_image_smaller_than_the_window_is_refused():
    with pytest.raises(GeometryError, match=r"image of \(5, 8\)"):
        shape(ReNetClassifier, 1, 7, x=(4, 5, 8, 1), units=3, window=(2, 3))


def test_the_published_classifier_flattens_its_map():
    model = nnx.eval_shape(lambda: ReNetClassifier(1, 10, **ReNetClassifier.PUBLISHED, rngs=nnx.Rngs(0)))
    assert model.dense[0].kernel.shape == (7, 7, 512, 4096)


def test_dropout_acts_in_training_alone(rng):
    """And both ways of calling share one state."""
    model = ReNetClassifier(1, 3, patches=((2, 2),), units=2, dense=(16,), dropout=0.5, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, 4, 4, 1)), jnp.float32)
    model.train()
    training, parameters, rest = nnx.split(model, nnx.Param, ...)
    model.eval()
    use, *_ = nnx.split(model, nnx.Param, ...)
    run = lambda graph: nnx.merge(graph, parameters, rest, copy=True)(x)  # noqa: E731
    assert (run(use) == run(use)).all()
    assert (run(training) != run(use)).any()


@pytest.mark.parametrize("model", [ReSeg, ReNetClassifier])
def test_options_have_types_and_defaults(model):
    """Configuration files are checked against them."""
    types = typing.get_type_hints(model.__init__)
    defaults = model.__init__.__kwdefaults__
    assert set(defaults) == set(types) - {"in_features", "n_classes", "rngs", "return"}
    assert set(model.PUBLISHED) <= set(defaults)


def test_bad_models_say_what_is_wrong():
    rngs = nnx.Rngs(0)
    with pytest.raises(OptionError, match="did you mean 'vgg'"):
        ReSeg(3, 2, front_end="vggg", rngs=rngs)
    with pytest.raises(OptionError, match="`blocks` must be empty for the front end 'none'"):
        ReSeg(3, 2, front_end="none", blocks=((3, 1),), rngs=rngs)
    with pytest.raises(OptionError, match="weights"):
        ReSeg(3, 2, front_end="conv", weights="vgg.npz", rngs=rngs)
    with pytest.raises(OptionError, match="layers=0"):
        ReSeg(3, 2, layers=0, patch=(2, 2), rngs=rngs)
    with pytest.raises(OptionError, match="at least one layer"):
        ReNetClassifier(3, 2, patches=(), rngs=rngs)
