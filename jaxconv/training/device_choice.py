"""Chooses between one device of a CPU and all of them, by the time of a training's own step.

On one device, oneDNN splits every convolution over the cores, and what XLA computes on one core leaves the
others idle. On a device per core, each device computes its part of the batch from beginning to end. Networks of
convolutions are faster on one device and recurrent networks on several.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import jax

from jaxconv.convolution import native
from jaxconv.data import Batch
from jaxconv.training.devices import put_batch, put_replicated
from jaxconv.training.state import State, Step

GAIN = 1.15
"""How many times as fast as one device several must be to be chosen. The margin is above the noise of the times,
so that a repeated training makes the same choice where the difference matters."""
ROUNDS, SECONDS = 5, 5.0  # measured steps per number of devices, and when to stop earlier


def can_choose(step: Step) -> bool:
    """Returns whether one device may be faster than those of a step.

    This is the case on several devices of a CPU with oneDNN. Without it, one device leaves most cores idle in the
    convolutions, too.

    Args:
      step: Step on all devices.
    """
    devices = step.mesh.size
    on_cpu = jax.default_backend() == "cpu" and jax.process_count() == 1
    return devices > 1 and on_cpu and native.available()


def faster_step(steps: Sequence[Step], state: State, batch: Batch) -> tuple[Step, dict[int, float]]:
    """Returns the first of two steps, unless the second is clearly faster.

    Both are compiled and take a few steps in turn from a copy of the state, which is not changed. The returned
    step stays compiled.

    Args:
      steps: The same step on fewer and on more devices.
      state: State before the first step.
      batch: A batch of the training, as its stream loads it.

    Returns:
      The chosen step, and the seconds of a step by number of devices.
    """
    runs = [_Timed(step, state, batch) for step in steps]
    start = time.perf_counter()
    for _ in range(ROUNDS):
        for run in runs:
            run.advance()
        if time.perf_counter() - start > SECONDS:
            break
    fewer, more = runs
    chosen = more if more.seconds * GAIN < fewer.seconds else fewer
    return chosen.step, {run.step.mesh.size: run.seconds for run in runs}


class _Timed:
    """A compiled step on its devices, and the time of its fastest call."""

    def __init__(self, step: Step, state: State, batch: Batch) -> None:
        self.step, self.run = step, step.compile()
        self.state, self.batch = put_replicated(state, step.mesh), put_batch(batch, step.mesh)
        self.seconds = float("inf")
        self.advance()
        self.seconds = float("inf")  # the first call compiles

    def advance(self) -> None:
        start = time.perf_counter()
        self.state, record = self.run(self.state, self.batch)
        jax.block_until_ready((self.state, record))
        self.seconds = min(self.seconds, time.perf_counter() - start)
