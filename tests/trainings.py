"""Builds a training at its first step, on one device, for tests of steps."""

import jax
import numpy as np
from jax.sharding import Mesh

from jaxconv.training.devices import replicated_sharding
from jaxconv.training.state import Step, build_loss, build_optimizer, initial_state

ONE_DEVICE = Mesh(np.asarray(jax.devices()[:1]), ("batch",))


def first_step(config, train_set):
    """Returns the compiled step of a configuration on a data set, its first state and its graphs."""
    optimizer, schedule = build_optimizer(config)
    graphs, state = initial_state(config, optimizer, train_set.in_features, len(train_set.classes))
    step = Step(
        config, graphs, optimizer, schedule, build_loss(config, train_set), replicated_sharding(ONE_DEVICE)
    )
    return step.compile(), state, graphs
