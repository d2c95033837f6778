"""A training at its first step, on one device: what tests of steps begin with."""

import jax
import numpy as np
from jax.sharding import Mesh

from jaxconv.training.devices import replicated
from jaxconv.training.losses import build_loss
from jaxconv.training.optimizers import build_optimizer
from jaxconv.training.state import Step, initial_state

ONE_DEVICE = Mesh(np.asarray(jax.devices()[:1]), ("batch",))


def begun(config, learned):
    """The compiled step of a configuration on a data set, its first state and its graphs."""
    optimizer, schedule = build_optimizer(config)
    graphs, state = initial_state(config, optimizer, learned.in_features, len(learned.classes))
    step = Step(config, graphs, optimizer, schedule, build_loss(config, learned), replicated(ONE_DEVICE))
    return step.compiled(), state, graphs
