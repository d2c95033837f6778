"""Optimisers and schedules by name. Their keyword options are those of [optimizer] and [schedule]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import jax
import optax

from jaxconv.errors import ConfigError
from jaxconv.limits import Fraction, Within

Rate = Annotated[float, Within(1e-30, 1e30)]  # the range of float32
Path = tuple[Any, ...]  # of keys, as `jax.tree.map_with_path` gives them
Decay = Annotated[float, Within(0, 100)]
Small = Annotated[float, Within(1e-30, 1)]
"""Small positive number that keeps a divisor from 0, also in float32."""


def adamw(
    rate: optax.Schedule,
    *,
    b1: Fraction = 0.9,
    b2: Fraction = 0.999,
    eps: Small = 1e-8,
    weight_decay: Decay = 1e-4,
) -> optax.GradientTransformation:
    """Returns Adam with decoupled weight decay (Loshchilov & Hutter, arXiv:1711.05101)."""
    return optax.adamw(rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay, mask=decay_mask)


def sgd(
    rate: optax.Schedule, *, momentum: Fraction = 0.9, nesterov: bool = False, weight_decay: Decay = 0.0
) -> optax.GradientTransformation:
    """Returns gradient descent with momentum; the weight decay is added to the gradient."""
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decay_mask),
        optax.sgd(rate, momentum=momentum or None, nesterov=nesterov),
    )


def adadelta(
    rate: optax.Schedule, *, rho: Fraction = 0.95, eps: Small = 1e-6, weight_decay: Decay = 0.0
) -> optax.GradientTransformation:
    """Returns Adadelta (Zeiler, arXiv:1212.5701), by default with ReSeg's constants.

    `eps` is added to squared gradients. With a loss that is a mean over pixels these are so small that
    `eps` dominates; use ``reduction = "sum"``.
    """
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decay_mask), optax.adadelta(rate, rho=rho, eps=eps)
    )


def rmsprop(
    rate: optax.Schedule,
    *,
    decay: Fraction = 0.9,
    eps: Small = 1e-8,
    momentum: Fraction = 0.0,
    weight_decay: Decay = 0.0,
) -> optax.GradientTransformation:
    """Returns RMSProp; the weight decay is added to the gradient."""
    return optax.chain(
        optax.add_decayed_weights(weight_decay, mask=decay_mask),
        optax.rmsprop(rate, decay=decay, eps=eps, momentum=momentum or None),
    )


def decay_mask(parameters: Any) -> Any:
    """Returns True for the parameters that decay (kernels), False for biases, scales and offsets."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, parameters)


def constant(steps: int, *, learning_rate: Rate = 1e-3, warmup: Fraction = 0.0) -> optax.Schedule:
    """Returns a constant learning rate, after a linear rise over the fraction `warmup` of the steps."""
    return _with_warmup(steps, warmup, learning_rate, lambda left: optax.constant_schedule(learning_rate))


def cosine(
    steps: int,
    *,
    learning_rate: Rate = 1e-3,
    warmup: Fraction = 0.0,
    final: Annotated[float, Within(0, 1)] = 0.0,
) -> optax.Schedule:
    """Returns half a cosine down to `final` times the rate, after a rise over the fraction `warmup`."""
    return _with_warmup(
        steps, warmup, learning_rate, lambda left: optax.cosine_decay_schedule(learning_rate, left, final)
    )


def polynomial(
    steps: int,
    *,
    learning_rate: Rate = 1e-3,
    warmup: Fraction = 0.0,
    power: Annotated[float, Within(0.01, 100)] = 0.9,
) -> optax.Schedule:
    """Returns ``(1 - t)^power`` down to 0, after a linear rise over the fraction `warmup` of the steps."""
    return _with_warmup(
        steps, warmup, learning_rate, lambda left: optax.polynomial_schedule(learning_rate, 0.0, power, left)
    )


def _with_warmup(
    steps: int, warmup: float, learning_rate: float, schedule: Callable[[int], optax.Schedule]
) -> optax.Schedule:
    """Joins a linear rise and a schedule over the remaining steps, of which there is at least one."""
    rising = min(round(warmup * steps), steps - 1)
    if not rising:
        return schedule(steps)
    rises = optax.linear_schedule(learning_rate / rising, learning_rate, rising)
    return optax.join_schedules([rises, schedule(steps - rising)], [rising])


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adamw": adamw,
    "sgd": sgd,
    "adadelta": adadelta,
    "rmsprop": rmsprop,
}
SCHEDULES: dict[str, Callable[..., optax.Schedule]] = {
    "constant": constant,
    "cosine": cosine,
    "polynomial": polynomial,
}


def frozen_labels(parameters: Any, frozen: Sequence[str]) -> Any:
    """Returns ``"frozen"`` or ``"learned"`` for every parameter.

    Args:
      parameters: Pytree of parameters.
      frozen: Names of frozen parts: the first parts of paths such as ``features.convs.0.kernel``.

    Raises:
      ConfigError: No parameter has a path that starts with one of the names.
    """
    paths = [path for path, _ in jax.tree.leaves_with_path(parameters)]
    for start in frozen:
        if not any(is_frozen(path, (start,)) for path in paths):
            tops = dict.fromkeys(format_path(path).split(".")[0] for path in paths)
            raise ConfigError(
                f"`training.frozen` has {start!r}, but no parameter's path starts with it; paths start with "
                f"{', '.join(tops)}."
            )
    return jax.tree.map_with_path(
        lambda path, _: "frozen" if is_frozen(path, frozen) else "learned", parameters
    )


def is_frozen(path: Path, frozen: Sequence[str]) -> bool:
    """Returns whether a path starts with one of the names."""
    dotted = format_path(path)
    return any(dotted == start or dotted.startswith(start + ".") for start in frozen)


def format_path(path: Path) -> str:
    """Returns the path of a parameter with dots: ``features.convs.0.kernel``."""
    return jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value")
