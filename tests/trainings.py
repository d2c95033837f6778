"""Builds a training at its first step for tests of steps."""

import jax
import numpy as np
from jax.sharding import Mesh

from jaxconv.training.devices import put_replicated, replicated_sharding
from jaxconv.training.state import Step, build_loss, build_optimizer, initial_state

ONE_DEVICE = Mesh(np.asarray(jax.devices()[:1]), ("batch",))
EVERY_DEVICE = Mesh(np.asarray(jax.devices()), ("batch",))


def build_step(config, train_set, mesh=ONE_DEVICE):
    """Returns the step of a configuration on a data set, on the devices of a mesh, and its first state."""
    optimizer, schedule = build_optimizer(config)
    graphs, state = initial_state(config, optimizer, train_set.in_features, len(train_set.classes))
    loss = build_loss(config, train_set)
    step = Step(config, graphs, optimizer, schedule, loss, replicated_sharding(mesh))
    return step, put_replicated(state, mesh)


def first_step(config, train_set):
    """Returns the compiled step of a configuration on one device, its first state and its graphs."""
    step, state = build_step(config, train_set)
    return step.compile(), state, step.graphs
