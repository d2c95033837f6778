"""A batch that eight devices compute in parts gives what one device computes from the whole batch."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import lowering
import numpy as np
import pytest
import trainings
from flax import nnx
from jax.sharding import PartitionSpec as P

from jaxconv.convolution import native
from jaxconv.data import VOID, Batch
from jaxconv.models.blocks import Dropout
from jaxconv.training import Config, open_data
from jaxconv.training.devices import batch_sharding, put_batch
from jaxconv.training.network import Trained, make_metadata
from jaxconv.training.state import apply_network

EPS = float(np.finfo(np.float32).eps)
CONFIG = Config.of(
    {
        "model": {"name": "fcn32s", "blocks": [[4, 1]], "dense": 4, "window": 1, "norm": "batch"}
        | {"dropout": 0.5},
        "data": {"name": "shapes", "canvas": [12, 16], "examples": 16, "held_out_examples": 8},
        "loss": {"name": "cross_entropy", "class_weights": [1, 2, 3, 4]},
        "schedule": {"name": "constant", "learning_rate": 0.1},
        "optimizer": {"name": "sgd", "momentum": 0.0},
        "training": {"batch_size": 16},
    }
)  # fmt: skip
BATCH = Batch(
    jax.ShapeDtypeStruct((16, 12, 16, 3), jnp.float32), jax.ShapeDtypeStruct((16, 12, 16), jnp.int32)
)
MESHES = {"one": trainings.ONE_DEVICE, "every": trainings.EVERY_DEVICE}


@pytest.fixture(scope="module")
def sides():
    """Takes a step on one device and on eight. Images differ in scale and in how many pixels are labelled."""
    rng, train_set = np.random.default_rng(5), open_data(CONFIG, "train")
    scale = np.linspace(0.1, 1, 16, dtype=np.float32).reshape(-1, 1, 1, 1)
    images = rng.uniform(size=(16, 12, 16, 3)).astype(np.float32) * scale
    labels = rng.integers(0, 4, (16, 12, 16)).astype(np.int32)
    labels[rng.uniform(size=labels.shape) > scale[..., 0] ** 2] = VOID
    found = {}
    for name, mesh in MESHES.items():
        step, state = trainings.build_step(CONFIG, train_set, mesh)
        found[name] = step.compile()(state, put_batch(Batch(images, labels), mesh)), step
    return found, train_set, images


def arrays(tree):
    """Returns all numbers of a tree by path; random keys by their data."""
    data = jax.random.key_data
    is_key = lambda leaf: jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)  # noqa: E731
    return {
        jax.tree_util.keystr(path): np.asarray(data(leaf) if is_key(leaf) else leaf)
        for path, leaf in jax.tree.leaves_with_path(tree)
    }


def test_a_step_in_parts_is_the_step_of_the_whole_batch(sides):
    """Losses, gradients through the parameters, statistics and the counters of dropout."""
    (whole, record), (parts, in_parts) = (sides[0][name][0] for name in MESHES)
    for key in record:
        np.testing.assert_allclose(in_parts[key], record[key], rtol=1e-5)
    expected, found = (arrays((state.parameters, state.rest)) for state in (whole, parts))
    assert expected.keys() == found.keys()
    assert sum("mean" in key for key in expected) > 0
    for key, value in expected.items():
        # The parameters moved by about 0.1 times their gradients, sums of some 1e4 numbers.
        np.testing.assert_allclose(found[key], value, rtol=1e-5, atol=100 * EPS, err_msg=key)


def test_every_device_has_the_same_state(sides):
    (parts, _), _ = sides[0]["every"]
    for leaf in jax.tree.leaves((parts.parameters, nnx.filter_state(parts.rest, nnx.BatchStat))):
        assert leaf.sharding.is_fully_replicated
        copies = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(copies) == jax.device_count()
        assert all((copy == copies[0]).all() for copy in copies)


@pytest.mark.parametrize("count", [16, 3], ids=["a part each", "the whole on each"])
def test_logits_in_parts(sides, count):
    (state, _), step = sides[0]["every"]
    images = sides[2][:count]
    trained = Trained.of(CONFIG, make_metadata(CONFIG, sides[1]), step.graphs, state)
    assert trained.mesh.size == jax.device_count()
    expected = apply_network(step.graphs.inference, "float32", "unit", state.parameters, state.rest, images)
    found = trained.logits(images)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=100 * EPS)


def test_logits_with_parameters_from_elsewhere(sides):
    """They are computed where the parameters are, be it without a mesh."""
    (state, _), step = sides[0]["one"]
    trained = Trained.of(CONFIG, make_metadata(CONFIG, sides[1]), step.graphs, state)
    device = jax.devices()[3]
    copy = replace(
        trained,
        parameters=jax.device_put(trained.parameters, device),
        rest=jax.device_put(trained.rest, device),
    )
    found = copy.logits(sides[2])
    assert found.devices() == {device}
    np.testing.assert_array_equal(found, trained.logits(sides[2]))


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_dropout_does_not_depend_on_the_parts(rate, rng):
    x = rng.uniform(1, 2, (16, 5, 3)).astype(np.float32)
    expected = jax.jit(lambda x: nnx.Dropout(rate, rngs=nnx.Rngs(dropout=3))(x))(x)

    def part(x):
        layer = Dropout(rate, rngs=nnx.Rngs(dropout=3))
        layer.axis_name = "batch"
        return layer(x)

    split = jax.shard_map(part, mesh=trainings.EVERY_DEVICE, in_specs=P("batch"), out_specs=P("batch"))
    np.testing.assert_array_equal(jax.jit(split)(x), expected)
    assert len(np.unique(np.asarray(expected) == 0, axis=0)) == (1 if rate == 0 else 16)


@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES)
def test_the_step_lowers_for_every_platform(mesh):
    """For GPUs and TPUs without calls of oneDNN."""
    step, state = trainings.build_step(CONFIG, open_data(CONFIG, "train"), mesh)
    shapes = [leaf.shape for leaf in jax.tree.leaves(state)]
    assert lowering.lower(step, state, BATCH)[: len(shapes)] == shapes
    for platform in lowering.PLATFORMS[1:]:
        program = step.compile().trace(state, BATCH).lower(lowering_platforms=(platform,))
        assert native.TARGET not in program.as_text()


@pytest.mark.skipif(not native.available(), reason="needs oneDNN")
def test_parts_are_convolved_by_onednn(sides):
    (state, _), step = sides[0]["every"]
    assert native.TARGET in step.compile().lower(state, BATCH).as_text()
    parts = batch_sharding(trainings.EVERY_DEVICE)
    arguments = step.graphs.inference, "float32", "unit", state.parameters, state.rest, BATCH.images
    assert native.TARGET in apply_network.lower(*arguments, parts=parts).as_text()
