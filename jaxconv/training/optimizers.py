"""optax's optimisers and schedules by name, with options that a configuration can be held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import jax
import optax

from jaxconv.errors import ConfigError
from jaxconv.limits import Fraction, Within

Rate = Annotated[float, Within(1e-30, 1e30)]  # what float32 holds; some want a step that moves nothing
Decay = Annotated[float, Within(0, 100)]
Small = Annotated[float, Within(1e-30, 1)]
"""What keeps a divisor from 0, also in float32."""


def adamw(rate, *, b1: Fraction = 0.9, b2: Fraction = 0.999, eps: Small = 1e-8, weight_decay: Decay = 1e-4):
    """Adam with decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101)."""
    return optax.adamw(rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay, mask=decay_mask)


def sgd(rate, *, momentum: Fraction = 0.9, nesterov: bool = False, weight_decay: Decay = 0.0):
    """Gradient descent with momentum; the decay is added to the gradient."""
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decay_mask),
        optax.sgd(rate, momentum=momentum or None, nesterov=nesterov),
    )


def adadelta(rate, *, rho: Fraction = 0.95, eps: Small = 1e-6, weight_decay: Decay = 0.0):
    """Adadelta (Zeiler, arXiv:1212.5701), by default with ReSeg's constants.

    `eps` is held against squared gradients: with a loss that is a mean over pixels it dominates, so
    take ``reduction = "sum"``.
    """
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decay_mask), optax.adadelta(rate, rho=rho, eps=eps)
    )


def rmsprop(
    rate, *, decay: Fraction = 0.9, eps: Small = 1e-8, momentum: Fraction = 0.0, weight_decay: Decay = 0.0
):
    """RMSProp; the decay is added to the gradient."""
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decay_mask),
        optax.rmsprop(rate, decay=decay, eps=eps, momentum=momentum or None),
    )


def decay_mask(parameters):
    """Selects the parameters that decay: kernels, not biases, scales and offsets."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, parameters)


def constant(steps: int, *, learning_rate: Rate = 1e-3, warmup: Fraction = 0.0):
    """The same learning rate throughout, after a linear rise over the share `warmup` of the steps."""
    return _with_warmup(steps, warmup, learning_rate, lambda left: optax.constant_schedule(learning_rate))


def cosine(
    steps: int,
    *,
    learning_rate: Rate = 1e-3,
    warmup: Fraction = 0.0,
    final: Annotated[float, Within(0, 1)] = 0.0,
):
    """Half a cosine down to `final` times the rate, after a rise over the share `warmup` of the steps."""
    return _with_warmup(
        steps, warmup, learning_rate, lambda left: optax.cosine_decay_schedule(learning_rate, left, final)
    )


def polynomial(
    steps: int,
    *,
    learning_rate: Rate = 1e-3,
    warmup: Fraction = 0.0,
    power: Annotated[float, Within(0.01, 100)] = 0.9,
):
    """``(1 - t)^power`` down to 0, after a linear rise over the share `warmup` of the steps."""
    return _with_warmup(
        steps, warmup, learning_rate, lambda left: optax.polynomial_schedule(learning_rate, 0.0, power, left)
    )


def _with_warmup(
    steps: int, warmup: float, learning_rate: float, schedule: Callable[[int], optax.Schedule]
) -> optax.Schedule:
    """Joins a linear rise and the schedule over the remaining steps, at least one."""
    rising = min(round(warmup * steps), steps - 1)
    if not rising:
        return schedule(steps)
    rises = optax.linear_schedule(learning_rate / rising, learning_rate, rising)
    return optax.join_schedules([rises, schedule(steps - rising)], [rising])


OPTIMIZERS: dict[str, Callable] = {"adamw": adamw, "sgd": sgd, "adadelta": adadelta, "rmsprop": rmsprop}
SCHEDULES: dict[str, Callable] = {"constant": constant, "cosine": cosine, "polynomial": polynomial}


def build_optimizer(config) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimiser of a configuration, clipping and frozen parameters included, and its schedule."""
    schedule = SCHEDULES[config.schedule.name](config.training.steps, **config.schedule.options)
    optimizer = OPTIMIZERS[config.optimizer.name](schedule, **config.optimizer.options)
    if config.training.clip_norm is not None:
        optimizer = optax.chain(optax.clip_by_global_norm(config.training.clip_norm), optimizer)
    if config.training.frozen:
        labels = lambda parameters: frozen_labels(parameters, config.training.frozen)  # noqa: E731
        optimizer = optax.multi_transform({"learned": optimizer, "frozen": optax.set_to_zero()}, labels)
    return optimizer, schedule


def frozen_labels(parameters, frozen: tuple[str, ...]):
    """``"frozen"`` or ``"learned"`` for every parameter, by the first parts of its path.

    Raises:
      ConfigError: A path meets no parameter.
    """
    paths = [path for path, _ in jax.tree.leaves_with_path(parameters)]
    for start in frozen:
        if not any(is_frozen(path, (start,)) for path in paths):
            tops = dict.fromkeys(format_path(path).split(".")[0] for path in paths)
            raise ConfigError(
                f"`training.frozen` names {start!r}, where no parameter begins; there are {', '.join(tops)}."
            )
    return jax.tree.map_with_path(
        lambda path, _: "frozen" if is_frozen(path, frozen) else "learned", parameters
    )


def is_frozen(path, frozen: tuple[str, ...]) -> bool:
    """Whether one of the names is the path's beginning."""
    dotted = format_path(path)
    return any(dotted == start or dotted.startswith(start + ".") for start in frozen)


def format_path(path) -> str:
    """Returns a parameter's path with dots: ``features.convs.0.kernel``."""
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")
