"""What a training carries from step to step, and the step itself: pure functions under `jax.jit`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxconv.data import Batch
from jaxconv.errors import ConfigError
from jaxconv.training.config import Config, Preprocessing, build_model
from jaxconv.training.optimizers import frozen_labels, is_frozen

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red


class State(NamedTuple):
    """All that a training has learned and needs to go on.

    Attributes:
      step: How many steps it has taken, int32.
      parameters: float32.
      rest: What is not learned by gradients: running statistics, the counters of dropout.
      optimizer: optax's state.
      average: The running mean of the parameters and of the statistics in `rest`, which belong to them;
        empty where the configuration has no `ema`.
    """

    step: jax.Array
    parameters: nnx.State
    rest: nnx.State
    optimizer: optax.OptState
    average: Any


class Graphs(NamedTuple):
    """One network without its numbers, as it trains and as it is used; both take the same states."""

    training: nnx.GraphDef
    inference: nnx.GraphDef


def split_model(model: nnx.Module) -> tuple[Graphs, nnx.State, nnx.State]:
    """A network as its two graphs, its parameters and the rest."""
    model.eval()
    inference = nnx.graphdef(model)
    model.train()
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)  # type: ignore[misc]
    return Graphs(graph, inference), parameters, rest


def initial_state(
    config: Config,
    optimizer: optax.GradientTransformation,
    in_features: int,
    n_classes: int,
    *,
    pretrained: bool = True,
) -> tuple[Graphs, State]:
    """The state before the first step, a function of the configuration's seed alone."""
    rngs = nnx.Rngs(params=config.seed, dropout=config.seed + 1)
    model = build_model(config, in_features, n_classes, rngs=rngs, pretrained=pretrained)
    graphs, parameters, rest = split_model(model)
    average = () if config.training.ema is None else jax.tree.map(jnp.copy, (parameters, rest))
    return graphs, State(jnp.int32(0), parameters, rest, optimizer.init(parameters), average)


def abstract_state(
    config: Config, optimizer: optax.GradientTransformation, in_features: int, n_classes: int
) -> tuple[Graphs, State]:
    """The same in shapes and dtypes: what a checkpoint is read into."""
    graphs = []

    def state() -> State:
        graph, state = initial_state(config, optimizer, in_features, n_classes, pretrained=False)
        graphs.append(graph)
        return state

    shapes = jax.eval_shape(state)
    return graphs[0], shapes


def preprocess(x: jax.Array, kind: Preprocessing) -> jax.Array:
    """Pixels of 0 to 1 as a network takes them.

    Args:
      x: ``(..., features)``, 0 to 1; colours are red, green, blue.
      kind: ``"unit"``: as they are. ``"centred"``: -1 to 1. ``"torchvision"``: minus the mean and over
        the deviation of ImageNet, for torchvision's weights. ``"caffe"``: blue, green, red of 0 to 255,
        minus the mean, for the original weights of VGG and for ReSeg.

    Returns:
      The same shape and dtype.

    Raises:
      ConfigError: A kind for colours meets other features than three.

    >>> print(preprocess(jnp.array([[1.0, 0.5, 0.0]]), "caffe").round(1))
    [[-103.9   10.7  131.3]]
    """
    if kind == "unit":
        return x
    if kind == "centred":
        return 2 * x - 1
    if x.shape[-1] != 3:
        raise ConfigError(
            f"preprocessing={kind!r} is for red, green and blue; the examples have {x.shape[-1]} "
            'features. Take "unit" or "centred".'
        )
    if kind == "torchvision":
        return (x - _row(_MEAN, x)) / _row(_STD, x)
    return 255 * x[..., ::-1] - _row(_CAFFE_MEAN, x)


def _row(values: tuple[float, ...], x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(jnp.asarray(np.asarray(values), x.dtype), x.shape)


def cast(tree, precision: str):
    """Casts floating numbers to the precision that the network computes in."""
    if precision == "float32":
        return tree
    dtype = jnp.dtype(precision)
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if _is_floating(leaf) else leaf, tree)


def stop_gradients(parameters, frozen: tuple[str, ...]):
    """Stops the gradients of the frozen parameters, so that none is computed."""
    if not frozen:
        return parameters
    return jax.tree.map(
        lambda leaf, kind: jax.lax.stop_gradient(leaf) if kind == "frozen" else leaf,
        parameters,
        frozen_labels(parameters, frozen),
    )


def restore_frozen(new, old, frozen: tuple[str, ...]):
    """Returns the new statistics, with the old ones of what is frozen."""
    return jax.tree.map_with_path(lambda path, a, b: b if is_frozen(path, frozen) else a, new, old)


@dataclass(frozen=True)
class Step:
    """One step of a training, compiled once; called as ``step(state, batch)``.

    Parameters stay in float32. The network sees a copy in the configuration's precision, and the
    gradient comes back through the cast.

    Attributes:
      config: Precision, preprocessing and `ema`.
      graphs: The network.
      optimizer: optax's.
      schedule: Of the learning rate, for the record.
      loss: ``(logits, labels)`` to a number.
      sharding: Of the state that is returned.
    """

    config: Config
    graphs: Graphs
    optimizer: optax.GradientTransformation
    schedule: optax.Schedule
    loss: Callable
    sharding: jax.sharding.NamedSharding

    def compile(self) -> Callable[[State, Batch], tuple[State, dict[str, jax.Array]]]:
        """The step as a jitted function that uses up the state it is given."""
        return jax.jit(self, donate_argnums=0, out_shardings=self.sharding)

    def __call__(self, state: State, batch: Batch) -> tuple[State, dict[str, jax.Array]]:
        """The next state, and the step's loss, gradient norm and learning rate."""
        gradient = jax.value_and_grad(self.objective, has_aux=True)
        (loss, rest), gradients = gradient(state.parameters, state.rest, batch)
        # optax mixes dtypes and ranks, which a caller's strict settings would refuse.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            updates, optimizer = self.optimizer.update(gradients, state.optimizer, state.parameters)
            parameters = optax.apply_updates(state.parameters, updates)
            average = self._running_mean(state.step, (parameters, rest), state.average)
            record = {
                "loss": loss,
                "gradient_norm": optax.tree.norm(gradients),
                "parameter_norm": optax.tree.norm(parameters),
                "learning_rate": jnp.asarray(self.schedule(state.step), jnp.float32),
            }
        return State(state.step + 1, parameters, rest, optimizer, average), record

    def objective(self, parameters, rest, batch: Batch):
        """The loss of a batch, and what the network's statistics are after it.

        Raises:
          ConfigError: The network labels pixels and the data whole images, or the other way round.
        """
        parameters = stop_gradients(parameters, self.config.training.frozen)
        precision = self.config.training.precision
        x = preprocess(jnp.asarray(batch.images), self.config.training.preprocessing)
        model = nnx.merge(self.graphs.training, cast(parameters, precision), rest, copy=True)
        logits = model(cast(x, precision))
        if logits.shape[:-1] != batch.labels.shape:
            raise ConfigError(
                f"{self.config.model.name} gives scores of shape {logits.shape} for labels of shape "
                f"{batch.labels.shape}: one of model and data is for pixels and the other for whole images."
            )
        statistics = restore_frozen(nnx.state(model, nnx.Not(nnx.Param)), rest, self.config.training.frozen)
        return self.loss(logits.astype(jnp.float32), batch.labels), statistics

    def _running_mean(self, step, numbers, average):
        """The running mean; at first it forgets sooner, or the random start would stay in it for long."""
        if self.config.training.ema is None:
            return average
        decay = jnp.minimum(self.config.training.ema, (1 + step) / (10 + step)).astype(jnp.float32)
        return jax.tree.map(
            lambda new, old: decay * old + (1 - decay) * new if _is_floating(new) else new, numbers, average
        )


def _is_floating(leaf) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


@partial(jax.jit, static_argnums=(0, 1, 2))
def apply_network(
    graph: nnx.GraphDef, precision: str, preprocessing: Preprocessing, parameters, rest, images: jax.Array
) -> jax.Array:
    """A network's logits in float32, as it is used: no dropout, running statistics.

    Args:
      graph: `Graphs.inference`.
      precision: What it computes in.
      preprocessing: Of the pixels.
      parameters: Its parameters.
      rest: Its other states.
      images: ``(b, rows, columns, features)`` float32, 0 to 1.
    """
    x = preprocess(images, preprocessing)
    model = nnx.merge(graph, cast(parameters, precision), rest, copy=True)
    return model(cast(x, precision)).astype(jnp.float32)
