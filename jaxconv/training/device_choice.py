"""Chooses between one device of a CPU and all of them, by the time of a training's own step.

On one device, oneDNN splits every convolution over the cores, and what XLA computes on one core leaves the
others idle. On a device per core, each device computes its part of the batch from beginning to end. Networks
of convolutions are faster on one device and recurrent networks on several.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import jax
from jax.sharding import Mesh
from rich.console import Console

from jaxconv.convolution import native
from jaxconv.data import Batch
from jaxconv.training.devices import batch_mesh, put_batch, put_replicated, replicated_sharding
from jaxconv.training.state import State, Step

GAIN = 1.15
"""How many times as fast as one device several must be to be chosen. It is more than the noise of the times:
a repeated training chooses the same number unless both are equally good."""
SHORT = 60.0
"""Seconds on one device below which a training is not worth the compilation of a second program."""
ROUNDS, SECONDS = 5, 5.0  # measured steps per number of devices, and when to stop earlier


def choose_devices(step: Step, state: State, batch: Batch, steps: int) -> tuple[Step, dict[int, float]]:
    """Returns a step on one device, unless it is clearly slower than on all devices.

    Both are compiled and take a few steps in turn from a copy of the state, which is not changed. The step
    stays as it is if it is on one device already, if it is not on the CPU of one process, and without oneDNN,
    where one device leaves most cores idle in many convolutions, too.

    Args:
      step: Step on all devices.
      state: State before the first step.
      batch: A batch of the training, as its stream loads it.
      steps: Number of steps of the training. If they take less than `SHORT` on one device, all devices are
        not tried.

    Returns:
      The chosen step, and the seconds of a step by number of devices, if these were compared.
    """
    on_cpu = jax.default_backend() == "cpu" and jax.process_count() == 1
    if step.mesh.size == 1 or not on_cpu or not native.available():
        return step, {}
    one_device = batch_mesh(len(batch.images), 1)
    one = _Timed(replace(step, sharding=replicated_sharding(one_device)), state, batch)
    one.advance()
    if one.seconds * steps < SHORT:
        return one.step, {}
    every = _Timed(step, state, batch)
    start = time.perf_counter()
    for _ in range(ROUNDS):
        one.advance()
        every.advance()
        if time.perf_counter() - start > SECONDS:
            break
    chosen = every if every.seconds * GAIN < one.seconds else one
    return chosen.step, {1: one.seconds, step.mesh.size: every.seconds}


def print_choice(seconds: dict[int, float], chosen: int, console: Console) -> None:
    """Prints the times of a step by number of devices, if they were measured, and which number was chosen."""
    if not seconds:
        return
    times = ", ".join(f"{1e3 * time:.1f} ms on {count}" for count, time in seconds.items())
    console.print(
        f"a step takes {times} devices: trains on {chosen} (--devices chooses another number)",
        highlight=False,
    )


def rounding(mesh: Mesh) -> dict[str, Any]:
    """Returns what the rounding of a training depends on, as a part of the metadata of its checkpoints."""
    state = native.state() if jax.default_backend() == "cpu" else None
    return {"devices": mesh.size, "onednn": state.version if state and state.available else None}


class _Timed:
    """A step, compiled for its devices, and the time of its fastest call."""

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
