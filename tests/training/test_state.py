"""One step of a training and the loop around it."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trainings
from flax import nnx
from rich.console import Console

from jaxconv.data import Stream
from jaxconv.segmentation import cross_entropy
from jaxconv.training import Config, ConfigError, load, open_data, train
from jaxconv.training.log import DivergenceError, read_log
from jaxconv.training.state import apply_network, build_optimizer, initial_state, restore_frozen

EPS = float(np.finfo(np.float32).eps)
QUIET = Console(quiet=True)
# Two convolutions, a transposed one and the scores: quickly compiled.
SMALL = {
    "model": {"name": "reseg", "blocks": [[4, 2]], "layers": 0, "filters": 4},
    "data": {"name": "shapes", "canvas": [12, 16], "examples": 16, "held_out_examples": 8},
    "schedule": {"name": "constant", "learning_rate": 1e-2},
}  # fmt: skip
FCN = {"name": "fcn32s", "blocks": [[4, 1]], "dense": 4, "window": 1}


def configured(model=None, schedule=None, seed=0, optimizer=None, **training):
    """Returns the small experiment with changes."""
    tables = {**SMALL, "seed": seed, "training": {"batch_size": 8, **training}}
    given = {"model": model, "schedule": schedule, "optimizer": optimizer}
    return Config.of({**tables, **{name: table for name, table in given.items() if table is not None}})


def first_step(config):
    """Returns the compiled step of a configuration, its first state, its first batch and its graphs."""
    train_set = open_data(config, "train")
    take, state, graphs = trainings.first_step(config, train_set)
    return take, state, Stream(train_set, 8).batch(0), graphs


def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def test_ema_is_a_running_mean():
    take, state, batch, _ = first_step(configured(ema=0.75))
    expected = [leaf.astype(np.float64) for leaf in leaves(state.parameters)]
    size = [abs(leaf) for leaf in expected]
    for step in range(40):
        state, _ = take(state, batch)
        decay = min(0.75, (1 + step) / (10 + step))
        for n, leaf in enumerate(leaves(state.parameters)):
            expected[n] = decay * expected[n] + (1 - decay) * leaf
            size[n] = np.maximum(size[n], abs(leaf))
    for found, mean, most in zip(leaves(state.average), expected, size, strict=True):
        assert found.dtype == np.float32
        assert (abs(found - mean) <= 4 * 3 * EPS * most).all()


def test_without_ema_there_is_no_second_copy():
    _, state, _, _ = first_step(configured())
    assert state.average == ()


def test_bfloat16_computes_in_bfloat16_and_keeps_float32():
    """Parameters and the optimiser's state stay float32; what differs is bfloat16's rounding."""
    take, state, batch, graphs = first_step(configured(precision="bfloat16"))
    images, labels = jnp.asarray(batch.images), jnp.asarray(batch.labels)
    logits = lambda precision, change=jnp.copy: np.asarray(  # noqa: E731
        apply_network(
            graphs.inference, precision, "unit", jax.tree.map(change, state.parameters), state.rest, images
        )
    )
    expected, magnitudes = logits("float32"), logits("float32", abs)
    gap = abs(logits("bfloat16") - expected)
    # Each of four layers in a row rounds its kernel, its bias and its output, the first one its input.
    rounding = (4 * 3 + 1) * float(jnp.finfo(jnp.bfloat16).eps) / 2
    assert gap.max() > 0
    assert (gap <= rounding * magnitudes).all()
    loss = float(cross_entropy(jnp.asarray(expected), labels))
    state, record = take(state, batch)
    # A cross-entropy moves by no more than twice the largest move of its logits.
    assert 0 < abs(float(record["loss"]) - loss) <= 2 * gap.max()
    for leaf in jax.tree.leaves((state.parameters, state.optimizer)):
        assert leaf.dtype in (jnp.float32, jnp.int32)


def test_dropout_differs_between_steps_and_repeats_by_seed():
    """At a learning rate too small to move anything, so that nothing else changes."""
    still = {"schedule": {"name": "constant", "learning_rate": 1e-30}, "optimizer": {"name": "sgd"}}
    config = configured({**FCN, "dropout": 0.5}, **still)
    take, state, batch, _ = first_step(config)
    losses = []
    for seed in (0, 0, 1):
        _, state = initial_state(replace(config, seed=seed), build_optimizer(config)[0], 3, 4)
        losses.append([])
        for _ in range(3):
            state, record = take(state, batch)
            losses[-1].append(float(record["loss"]))
    assert all(len(set(found)) == 3 for found in losses)
    assert losses[0] == losses[1] != losses[2]


def test_inference_has_no_dropout():
    _, state, batch, graphs = first_step(configured({**FCN, "dropout": 0.5}))
    images = jnp.asarray(batch.images)
    first, again = (
        apply_network(graphs.inference, "float32", "unit", state.parameters, state.rest, images)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_training_and_inference_share_their_states():
    """A batch-normalised network: running means move in training and are kept for use."""
    take, state, batch, graphs = first_step(configured({**FCN, "norm": "batch"}))
    before = leaves(nnx.filter_state(state.rest, nnx.BatchStat))
    state, _ = take(state, batch)
    after = leaves(nnx.filter_state(state.rest, nnx.BatchStat))
    assert len(before) > 0
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    logits = apply_network(
        graphs.inference, "float32", "unit", state.parameters, state.rest, jnp.asarray(batch.images)
    )
    assert np.isfinite(logits).all()


def test_nan_stops_and_names_the_step(tmp_path):
    config = configured(schedule={"name": "constant", "learning_rate": 1e30}, optimizer={"name": "sgd"})
    with pytest.raises(DivergenceError, match=r"at step \d+, .* lower `schedule.learning_rate`") as error:
        train(config, tmp_path, console=QUIET)
    taken = [line["step"] for line in read_log(tmp_path / "log.jsonl")]
    assert taken == list(range(1, len(taken) + 1))
    assert f"at step {len(taken) + 1}," in str(error.value)


def test_patience_stops_early(tmp_path):
    """At a rate that moves nothing the first evaluation stays the best: two more, then it stops."""
    still = {"name": "constant", "learning_rate": 1e-30}
    config = configured(schedule=still, optimizer={"name": "sgd"}, steps=50, evaluate_every=2, patience=2)
    metrics = train(config, tmp_path, console=QUIET)
    assert metrics["steps"] == 6
    assert metrics["step"] == load(tmp_path).step == 2
    evaluations = [line["step"] for line in read_log(tmp_path / "log.jsonl") if line["kind"] == "evaluation"]
    assert evaluations == [2, 4, 6]


@pytest.fixture(scope="module")
def by_heart(tmp_path_factory):
    """Trains on the first batch only."""
    out = tmp_path_factory.mktemp("by_heart")
    config = configured({"name": "unet", "features": [16]}, steps=150, evaluate_every=150)
    return config, out, train(config, out, one_batch=True, console=QUIET)


def test_one_batch_is_learned_by_heart(by_heart):
    """Far below the entropy of the classes, which is the best that does not look at the pixels."""
    config, out, _ = by_heart
    labels = Stream(open_data(config, "train"), 8, seed=config.seed).batch(0).labels
    parts = np.unique(labels, return_counts=True)[1] / labels.size
    losses = [line["loss"] for line in read_log(out / "log.jsonl") if line["kind"] == "step"]
    assert len(losses) == 150
    assert losses[-1] < -(parts * np.log(parts)).sum() / 10


def test_a_finished_run_is_resumed_to_the_same_end(by_heart):
    config, out, metrics = by_heart
    log = (out / "log.jsonl").read_text()
    again = train(config, out, resume=True, one_batch=True, console=QUIET)
    assert again == metrics == json.loads((out / "metrics.json").read_text())
    assert (out / "log.jsonl").read_text() == log


def test_a_folder_holds_one_run(by_heart):
    config, out, _ = by_heart
    with pytest.raises(ConfigError, match=r"already contains a run; continue it with --resume"):
        train(config, out, console=QUIET)
    other = configured(seed=5)
    with pytest.raises(ConfigError, match=r"started with other settings: seed is 5, was 0; model.name is"):
        train(other, out, resume=True, console=QUIET)
    assert config == Config.read(out / "config.toml")


def test_frozen_statistics_stay():
    old = {"front_end": {"mean": 0}, "front": {"mean": 1}, "head": {"mean": 2}}
    new = {"front_end": {"mean": 10}, "front": {"mean": 11}, "head": {"mean": 12}}
    expected = {"front_end": {"mean": 0}, "front": {"mean": 11}, "head": {"mean": 12}}
    assert restore_frozen(new, old, ("front_end",)) == expected
