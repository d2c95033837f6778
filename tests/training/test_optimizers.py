"""Optimisers and schedules compared with their formulas in NumPy; clipping and frozen parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxconv.training import Config, ConfigError
from jaxconv.training.config import shipped_config
from jaxconv.training.optimizers import decay_mask, frozen_labels
from jaxconv.training.state import build_optimizer

EPS = float(np.finfo(np.float32).eps)


def build(**tables):
    return build_optimizer(Config.of({"model": {"name": "unet"}, "data": {"name": "shapes"}, **tables}))


def constant(rate, **training):
    return {"schedule": {"name": "constant", "learning_rate": rate}, "training": training}


def walk(optimizer, parameters, gradients):
    """Returns the parameters after one step per gradient, as NumPy arrays."""
    state = optimizer.init(parameters)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        for gradient in gradients:
            updates, state = optimizer.update(gradient, state, parameters)
            parameters = jax.tree.map(jnp.add, parameters, updates)
    return jax.tree.map(np.asarray, parameters)


def rates(schedule, steps):
    """Returns the learning rate of each step."""
    with jax.numpy_dtype_promotion("standard"):
        return np.array([float(schedule(step)) for step in steps])


def random_tree(rng, scale=1.0):
    """Returns two layers with a random kernel and bias each."""
    return {
        name: {
            "kernel": jnp.float32(scale * rng.normal(size=(2, 3))),
            "bias": jnp.float32(scale * rng.normal(size=3)),
        }
        for name in ("front", "scores")
    }


def test_adadelta_matches_the_paper(rng):
    """Algorithm 1 of arXiv:1212.5701 with ReSeg's constants, in float64."""
    rho, eps, steps = 0.95, 1e-6, 30
    gradients = np.float32(rng.normal(size=(steps, 5)) * 10.0 ** rng.integers(-3, 2, size=(steps, 1)))
    optimizer, _ = build(optimizer={"name": "adadelta"}, **constant(1.0))
    found = walk(optimizer, jnp.zeros(5, jnp.float32), jnp.asarray(gradients))
    x, squares, updates, travelled = np.zeros(5), np.zeros(5), np.zeros(5), np.zeros(5)
    for g in gradients.astype(np.float64):
        squares = rho * squares + (1 - rho) * g**2
        update = -np.sqrt(updates + eps) / np.sqrt(squares + eps) * g
        updates = rho * updates + (1 - rho) * update**2
        x += update
        travelled += abs(update)
    # each step rounds a dozen times, relative to the updates, whose sizes depend on those before
    assert (abs(found - x) <= 12 * steps * EPS * travelled).all()


def test_sgd_with_momentum(rng):
    gradients = np.float32(rng.normal(size=(10, 4)))
    optimizer, _ = build(optimizer={"name": "sgd", "momentum": 0.8}, **constant(0.5))
    found = walk(optimizer, jnp.zeros(4, jnp.float32), jnp.asarray(gradients))
    x, velocity, size = np.zeros(4), np.zeros(4), np.zeros(4)
    for g in gradients.astype(np.float64):
        velocity = 0.8 * velocity + g
        x -= 0.5 * velocity
        size += abs(velocity)
    assert (abs(found - x) <= 4 * 10 * EPS * size).all()


@pytest.mark.parametrize("name", ["adamw", "sgd", "adadelta", "rmsprop"])
def test_only_kernels_decay(name, rng):
    """Without a gradient a kernel moves towards zero, and a bias stays as it is."""
    start = random_tree(rng)
    assert decay_mask(start)["front"] == {"kernel": True, "bias": False}
    optimizer, _ = build(optimizer={"name": name, "weight_decay": 0.1}, **constant(0.1))
    end = walk(optimizer, start, [jax.tree.map(jnp.zeros_like, start)])
    for layer in start:
        before = np.asarray(start[layer]["kernel"])
        assert ((end[layer]["kernel"] - before) * before < 0).all()
        np.testing.assert_array_equal(end[layer]["bias"], start[layer]["bias"])


def test_adamw_decays_by_the_rate(rng):
    """Decoupled: rate times decay of a kernel, whatever the gradients were."""
    start = random_tree(rng)
    optimizer, _ = build(optimizer={"name": "adamw", "weight_decay": 0.1}, **constant(0.1))
    end = walk(optimizer, start, [jax.tree.map(jnp.zeros_like, start)])
    kernel = np.asarray(start["front"]["kernel"])
    expected = kernel.astype(np.float64) * (1 - 0.1 * 0.1)
    assert (abs(end["front"]["kernel"] - expected) <= 4 * EPS * abs(kernel)).all()


def test_warm_up_then_cosine():
    _, schedule = build(
        schedule={"learning_rate": 2.0, "warmup": 0.09, "final": 0.1}, training={"steps": 110}
    )
    n = np.arange(111)
    rise = np.interp(n, [0, 10], [0.2, 2.0])
    fall = 2.0 * (0.1 + 0.9 * (1 + np.cos(np.pi * (n - 10) / 100)) / 2)
    found = rates(schedule, n)
    np.testing.assert_allclose(found, np.where(n < 10, rise, fall), rtol=0, atol=8 * EPS * 2.0)
    assert abs(found[-1] - 0.2) <= 8 * EPS


def test_polynomial_and_constant():
    n, warm = np.arange(21), {"learning_rate": 0.5, "warmup": 0.2}
    _, falls = build(schedule={"name": "polynomial", "power": 2.0, **warm}, training={"steps": 20})
    _, stays = build(schedule={"name": "constant", **warm}, training={"steps": 20})
    rise = np.interp(n, [0, 4], [0.125, 0.5])
    for schedule, after in ((falls, 0.5 * (1 - (n - 4) / 16) ** 2), (stays, 0.5)):
        np.testing.assert_allclose(rates(schedule, n), np.where(n < 4, rise, after), rtol=0, atol=4 * EPS)


# Steps, and those of them that rise, of the trainings whose results are recorded.
RECORDED = {
    "camvid_deconvnet": (20000, 500, []),
    "camvid_fcn8s": (20000, 500, []),
    "camvid_reseg": (20000, 500, []),
    "camvid_unet": (20000, 500, []),
    "camvid_unet small": (1500, 100, ["training.steps=1500", "schedule.warmup=0.0667"]),
    "digits_fcn8s": (1500, 50, []),
    "digits_renet": (4000, 50, []),
    "digits_reseg": (1200, 50, []),
    "digits_unet": (1200, 50, []),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_trainings_rise_for_as_many_steps_as_they_did(name):
    steps, rising, changes = RECORDED[name]
    config = Config.read(shipped_config(name.split()[0]), changes)
    _, schedule = build_optimizer(config)
    n = np.array([0, 1, rising // 2, rising - 1, rising, rising + 1, steps // 2, steps - 1])
    rise = np.interp(n, [0, rising], [1 / rising, 1])
    fall = (1 + np.cos(np.pi * (n - rising) / (steps - rising))) / 2
    peak = config.schedule.options["learning_rate"]
    assert config.training.steps == steps
    expected = peak * np.where(n < rising, rise, fall)
    np.testing.assert_allclose(rates(schedule, n), expected, rtol=0, atol=8 * EPS * peak)


@pytest.mark.parametrize("name", ["constant", "cosine", "polynomial"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 0.99])
def test_any_warm_up_leaves_a_step(name, steps, warmup):
    """And reaches the whole learning rate."""
    _, schedule = build(
        schedule={"name": name, "learning_rate": 0.5, "warmup": warmup}, training={"steps": steps}
    )
    found = rates(schedule, range(steps))
    assert ((found > 0) & (found <= 0.5)).all()
    assert found.max() == 0.5


def test_clipping(rng):
    """A gradient beyond the norm is scaled to it, over all parameters; a smaller one is left alone."""
    optimizer, _ = build(optimizer={"name": "sgd", "momentum": 0.0}, **constant(1.0, clip_norm=0.5))
    start = random_tree(rng)
    for gradient, scaled in ((random_tree(rng), True), (random_tree(rng, 1e-3), False)):
        end = walk(optimizer, start, [gradient])
        norm = np.sqrt(sum(float((np.float64(g) ** 2).sum()) for g in jax.tree.leaves(gradient)))
        assert (norm > 0.5) == scaled
        for g, a, b in zip(*map(jax.tree.leaves, (gradient, start, end)), strict=True):
            a, g = np.float64(a), np.float64(g)
            expected = a - g * (0.5 / norm if scaled else 1.0)
            # the norm is a root of a sum of 18 squares
            assert (abs(b - expected) <= 20 * EPS * (abs(a) + abs(g))).all()


def test_frozen_parameters_stay(rng):
    """Nothing moves them, decay included, and clipping does not count their gradients."""
    start, gradient = random_tree(rng), random_tree(rng, 1e-3)
    gradient["front"] = jax.tree.map(lambda g: 1e6 * g, gradient["front"])
    optimizer, _ = build(
        optimizer={"name": "sgd", "momentum": 0.0, "weight_decay": 0.0},
        **constant(1.0, clip_norm=1.0, frozen=["front"]),
    )
    end = walk(optimizer, start, [gradient, gradient])
    jax.tree.map(np.testing.assert_array_equal, end["front"], start["front"])
    moved = np.asarray(start["scores"]["kernel"]) - 2 * np.asarray(gradient["scores"]["kernel"])
    assert (abs(end["scores"]["kernel"] - moved) <= 4 * EPS * (abs(moved) + 1)).all()


def test_frozen_paths():
    """By whole parts of a path, and only where there is something."""
    parameters = {"front": {"0": {"kernel": 1.0}, "01": {"kernel": 2.0}}, "scores": {"bias": 3.0}}
    labels = frozen_labels(parameters, ("front.0", "scores"))
    assert labels == {
        "front": {"0": {"kernel": "frozen"}, "01": {"kernel": "learned"}},
        "scores": {"bias": "frozen"},
    }
    with pytest.raises(
        ConfigError,
        match=r"has 'fron', but no parameter's path starts with it; paths start with front, score",
    ):
        frozen_labels(parameters, ("scores", "fron"))
