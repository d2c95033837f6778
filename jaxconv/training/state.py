"""The state of a training and its step, pure functions under `jax.jit`, built by a configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxconv.data import Batch, Dataset
from jaxconv.errors import ConfigError
from jaxconv.models import MODELS
from jaxconv.models.blocks import Dropout
from jaxconv.training.config import Config, Preprocessing
from jaxconv.training.devices import AXIS
from jaxconv.training.losses import LOSSES, Loss, build_class_weights
from jaxconv.training.optimizers import OPTIMIZERS, SCHEDULES, frozen_labels, is_frozen

Tree = TypeVar("Tree")

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red


class State(NamedTuple):
    """Everything that a training needs to continue.

    Attributes:
      step: Number of steps taken, int32.
      parameters: Parameters of the network, float32.
      rest: Other arrays of the network, which gradients do not change: running statistics, the counters of
        dropout.
      optimizer: State of the optimiser, as optax defines it.
      average: Running mean of the parameters and of the statistics in `rest`; an empty tuple if the
        configuration has no `training.ema`.
    """

    step: jax.Array
    parameters: nnx.State
    rest: nnx.State
    optimizer: optax.OptState
    average: Any


class Graphs(NamedTuple):
    """A network without its arrays, in its modes for training and for inference.

    Attributes:
      training: The network with dropout, which updates its running statistics. It runs inside
        `jax.shard_map` over the axis `AXIS`: statistics and dropout masks are those of the whole batch.
      inference: The network without dropout, which uses its running statistics. It takes the same arrays.
    """

    training: nnx.GraphDef
    inference: nnx.GraphDef


def build_model(
    config: Config, in_features: int, n_classes: int, *, rngs: nnx.Rngs, pretrained: bool = True
) -> nnx.Module:
    """Builds the network of a configuration.

    Args:
      config: Configuration of the training.
      in_features: Number of features of the images.
      n_classes: Number of classes of the data set.
      rngs: Random numbers for the initial parameters and for dropout.
      pretrained: Whether to read the file of weights that the configuration names. It is not needed where
        a checkpoint replaces all parameters.
    """
    options = config.model.options
    if not pretrained and "weights" in options:
        options["weights"] = None
    return partial(MODELS[config.model.name], in_features, n_classes)(**options, rngs=rngs)


def build_loss(config: Config, train: Dataset) -> Loss:
    """Builds the loss of a configuration, a function of logits and labels.

    Args:
      config: Configuration of the training.
      train: The training split, on which median frequencies are counted.

    Raises:
      ConfigError: The number of class weights is not that of the classes, or a weight is out of range.
    """
    choice = config.loss
    return LOSSES[choice.name](build_class_weights(choice.options["class_weights"], train), **choice.options)


def build_optimizer(config: Config) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """Builds the optimiser of a configuration, with clipping and frozen parameters, and its schedule.

    Args:
      config: Configuration of the training.

    Returns:
      Optimiser and schedule of optax.
    """
    schedule = SCHEDULES[config.schedule.name](config.training.steps, **config.schedule.options)
    optimizer = OPTIMIZERS[config.optimizer.name](schedule, **config.optimizer.options)
    if config.training.clip_norm is not None:
        optimizer = optax.chain(optax.clip_by_global_norm(config.training.clip_norm), optimizer)
    if config.training.frozen:
        labels = lambda parameters: frozen_labels(parameters, config.training.frozen)  # noqa: E731
        optimizer = optax.multi_transform({"learned": optimizer, "frozen": optax.set_to_zero()}, labels)
    return optimizer, schedule


def split_model(model: nnx.Module) -> tuple[Graphs, nnx.State, nnx.State]:
    """Splits a network into its graphs, its parameters and its other arrays.

    Args:
      model: Network; it is left in the mode for training, inside `jax.shard_map`.
    """
    model.eval()
    inference = nnx.graphdef(model)
    model.train()
    # What couples the examples of a batch must know the axis over which the batch is split.
    model.set_attributes(nnx.BatchNorm, Dropout, axis_name=AXIS, raise_if_not_found=False)
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
    """Builds a network and the state before the first step, which depends on the configuration alone.

    Args:
      config: Configuration of the training.
      optimizer: Optimiser of optax.
      in_features: Number of features of the images.
      n_classes: Number of classes of the data set.
      pretrained: Whether to read the file of weights that the configuration names.
    """
    rngs = nnx.Rngs(params=config.seed, dropout=config.seed + 1)
    model = build_model(config, in_features, n_classes, rngs=rngs, pretrained=pretrained)
    graphs, parameters, rest = split_model(model)
    average = () if config.training.ema is None else jax.tree.map(jnp.copy, (parameters, rest))
    return graphs, State(jnp.int32(0), parameters, rest, optimizer.init(parameters), average)


def abstract_state(
    config: Config, optimizer: optax.GradientTransformation, in_features: int, n_classes: int
) -> tuple[Graphs, State]:
    """Returns the same as `initial_state` with shapes and dtypes in place of arrays, to read a checkpoint.

    Args:
      config: Configuration of the training.
      optimizer: Optimiser of optax.
      in_features: Number of features of the images.
      n_classes: Number of classes of the data set.
    """
    graphs: list[Graphs] = []

    def state() -> State:
        graph, state = initial_state(config, optimizer, in_features, n_classes, pretrained=False)
        graphs.append(graph)
        return state

    shapes = jax.eval_shape(state)
    return graphs[0], shapes


def preprocess(x: jax.Array, kind: Preprocessing) -> jax.Array:
    """Scales pixels for a network.

    Args:
      x: Pixels, ``(..., features)``, from 0 to 1; colours are red, green, blue.
      kind: ``"unit"``: unchanged. ``"centred"``: from -1 to 1. ``"torchvision"``: mean subtracted and
        divided by the standard deviation of ImageNet, for torchvision's weights. ``"caffe"``: blue, green,
        red from 0 to 255, mean subtracted, for the original weights of VGG and for ReSeg.

    Returns:
      Scaled pixels, of the shape and dtype of `x`.

    Raises:
      ConfigError: `kind` is for colours and `x` does not have three features.

    >>> print(preprocess(jnp.array([[1.0, 0.5, 0.0]]), "caffe").round(1))
    [[-103.9   10.7  131.3]]
    """
    if kind == "unit":
        return x
    if kind == "centred":
        return 2 * x - 1
    if x.shape[-1] != 3:
        raise ConfigError(
            f"`training.preprocessing` {kind!r} is for red, green and blue, but the images have "
            f'{x.shape[-1]} features; set it to "unit" or "centred".'
        )
    if kind == "torchvision":
        return (x - _row(_MEAN, x)) / _row(_STD, x)
    return 255 * x[..., ::-1] - _row(_CAFFE_MEAN, x)


def _row(values: tuple[float, ...], x: jax.Array) -> jax.Array:
    """Repeats one value per feature to the shape and dtype of `x`."""
    return jnp.broadcast_to(jnp.asarray(np.asarray(values), x.dtype), x.shape)


def cast(tree: Tree, precision: str) -> Tree:
    """Casts the floating arrays of a tree to the dtype in which the network computes."""
    if precision == "float32":
        return tree
    dtype = jnp.dtype(precision)
    return jax.tree.map(lambda leaf: leaf.astype(dtype) if _is_floating(leaf) else leaf, tree)


def stop_gradients(parameters: Tree, frozen: Sequence[str]) -> Tree:
    """Stops the gradients of the frozen parameters, so that they are not computed."""
    if not frozen:
        return parameters
    return jax.tree.map(
        lambda leaf, kind: jax.lax.stop_gradient(leaf) if kind == "frozen" else leaf,
        parameters,
        frozen_labels(parameters, frozen),
    )


def restore_frozen(new: Tree, old: Tree, frozen: Sequence[str]) -> Tree:
    """Returns the new statistics, but the old ones for frozen parts of the network."""
    return jax.tree.map_with_path(lambda path, a, b: b if is_frozen(path, frozen) else a, new, old)


@dataclass(frozen=True)
class Step:
    """One step of a training, a pure function that is called as ``step(state, batch)``.

    Parameters are float32. The network computes with a copy in the precision of the configuration, and
    gradients pass through the cast.

    The network runs inside `jax.shard_map`: every device computes its part of the batch from beginning to
    end, with one program that XLA does not have to partition, as it cannot partition calls of oneDNN. The
    devices add what concerns the whole batch: gradients, and the statistics of batch normalisation. The
    loss is computed from the logits of the whole batch, of which XLA leaves every part where it is.

    Attributes:
      config: Configuration of the training.
      graphs: The network without its arrays.
      optimizer: Optimiser of optax.
      schedule: Schedule of the learning rate, for the log.
      loss: Loss, a function of logits and labels.
      sharding: Sharding of the returned state: a copy on every device of a mesh with the axis `AXIS`.
    """

    config: Config
    graphs: Graphs
    optimizer: optax.GradientTransformation
    schedule: optax.Schedule
    loss: Loss
    sharding: NamedSharding

    @property
    def mesh(self) -> Mesh:
        """Devices over which a batch is split."""
        return self.sharding.mesh  # type: ignore[return-value]  # an AbstractMesh has no devices

    def compile(self) -> Callable[[State, Batch], tuple[State, dict[str, jax.Array]]]:
        """Returns the step as a jitted function, to which the memory of its state is donated."""
        return self._jitted

    @cached_property  # one function, so that it is compiled once
    def _jitted(self) -> Callable[[State, Batch], tuple[State, dict[str, jax.Array]]]:
        return jax.jit(self, donate_argnums=0, out_shardings=self.sharding)

    def __call__(self, state: State, batch: Batch) -> tuple[State, dict[str, jax.Array]]:
        """Returns the next state, and the loss, norms and learning rate of the step.

        Args:
          state: State before the step.
          batch: Images, ``(b, rows, columns, features)`` float32 from 0 to 1, and their labels.
        """
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

    def objective(self, parameters: nnx.State, rest: nnx.State, batch: Batch) -> tuple[jax.Array, nnx.State]:
        """Returns the loss of a batch, and the arrays of the network other than parameters after it.

        Args:
          parameters: Parameters of the network, float32.
          rest: Other arrays of the network before the step.
          batch: Images, ``(b, rows, columns, features)`` float32 from 0 to 1, and their labels.

        Raises:
          ConfigError: The network labels pixels and the data set whole images, or the other way round.
        """
        parameters = stop_gradients(parameters, self.config.training.frozen)
        whole, split = P(), P(AXIS)
        on_devices = jax.shard_map(
            self._apply, mesh=self.mesh, in_specs=(whole, whole, split), out_specs=(split, whole)
        )
        logits, statistics = on_devices(parameters, rest, jnp.asarray(batch.images))
        if logits.shape[:-1] != batch.labels.shape:
            kinds = ["labels pixels", "has labels of whole images"]
            if logits.ndim == 2:
                kinds = ["classifies whole images", "has labels of pixels"]
            raise ConfigError(
                f"`model.name` {self.config.model.name!r} {kinds[0]}, with scores of shape {logits.shape}, "
                f"but `data.name` {self.config.data.name!r} {kinds[1]}, of shape {batch.labels.shape}; "
                "change one of the two."
            )
        statistics = restore_frozen(statistics, rest, self.config.training.frozen)
        return self.loss(logits.astype(jnp.float32), jnp.asarray(batch.labels)), statistics

    def _apply(
        self, parameters: nnx.State, rest: nnx.State, images: jax.Array
    ) -> tuple[jax.Array, nnx.State]:
        """Returns the logits of one device's part of a batch, and the other arrays of the network."""
        # The gradient's sum over the devices is the transpose of this cast. Without it jax would cast, and
        # therefore sum, at every use of a parameter: in every step of a recurrence, and in `precision`.
        parameters = lax.pcast(parameters, AXIS, to="varying")
        training = self.config.training
        x = preprocess(images, training.preprocessing)
        model = nnx.merge(self.graphs.training, cast(parameters, training.precision), rest, copy=True)
        return model(cast(x, training.precision)), nnx.state(model, nnx.Not(nnx.Param))

    def _running_mean(self, step: jax.Array, numbers: Any, average: Any) -> Any:
        """Updates the running mean; early steps decay faster, so that the random start is forgotten soon."""
        if self.config.training.ema is None:
            return average
        decay = jnp.minimum(self.config.training.ema, (1 + step) / (10 + step)).astype(jnp.float32)
        return jax.tree.map(
            lambda new, old: decay * old + (1 - decay) * new if _is_floating(new) else new, numbers, average
        )


def _is_floating(leaf: jax.Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


@partial(jax.jit, static_argnums=(0, 1, 2), static_argnames="parts")
def apply_network(
    graph: nnx.GraphDef,
    precision: str,
    preprocessing: Preprocessing,
    parameters: nnx.State,
    rest: nnx.State,
    images: jax.Array,
    *,
    parts: NamedSharding | None = None,
) -> jax.Array:
    """Computes the logits of a network.

    Args:
      graph: The network without its arrays, such as `Graphs.inference`.
      precision: Dtype in which the network computes.
      preprocessing: How pixels are scaled for the network.
      parameters: Parameters of the network.
      rest: Other arrays of the network, such as running statistics.
      images: Images, ``(b, rows, columns, features)`` float32 from 0 to 1.
      parts: How the images and the logits are laid out on several devices, each of which then computes
        its part inside `jax.shard_map`; None for one device, or to leave it to XLA.

    Returns:
      Logits, ``(b, rows, columns, n_classes)`` float32; ``(b, n_classes)`` of a classifier.
    """

    def compute(parameters: nnx.State, rest: nnx.State, images: jax.Array) -> jax.Array:
        x = preprocess(images, preprocessing)
        model = nnx.merge(graph, cast(parameters, precision), rest, copy=True)
        return model(cast(x, precision)).astype(jnp.float32)

    if parts is not None:
        specs = (P(), P(), parts.spec)
        compute = jax.shard_map(compute, mesh=parts.mesh, in_specs=specs, out_specs=parts.spec)
    return compute(parameters, rest, images)
