"""The settings that the train command makes before jax starts, each in a new process."""

import os
import subprocess
import sys

import pytest

from jaxconv.training import devices

FLAG = "--xla_force_host_platform_device_count=5"
COUNTED = """
import jax
from jaxconv.training import Config, devices
devices.available_cores = lambda: 4
if {started}:
    jax.devices()
if {told}:
    jax.config.update("jax_num_cpu_devices", {told})
chosen = devices.prepare_cpu(6, {given})
print(len(jax.devices()), chosen)
"""


AT_ONCE = """
from jaxconv.training import devices

devices.prepare_cpu(2, {count})
import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P


def power(x):
    for _ in range(3):
        x = x @ x  # entries of the last one are 512**7 = 8**21
    return jax.lax.psum(x, "batch") / 8.0**12


mesh = devices.batch_mesh(2)
run = jax.jit(jax.shard_map(power, mesh=mesh, in_specs=P(), out_specs=P()))
x = jnp.ones((512, 512))
run(x).block_until_ready()
y = run(x)
print(y.is_ready(), float(y[0, 0]))
"""


@pytest.mark.parametrize("count", [1, 2])
def test_steps_are_computed_before_they_return(count):
    """On one device; steps on several devices need a thread for each, and end all the same."""
    environment = os.environ | {"XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"}
    child = subprocess.run(
        [sys.executable, "-c", AT_ONCE.format(count=count)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    ready, total = child.stdout.split()
    assert float(total) == count * 8.0**9
    assert count > 1 or ready == "True"


@pytest.mark.parametrize(
    ("started", "told", "flags", "given", "found"),
    [
        (False, 0, "", None, "3 fastest"),
        (False, 0, "", 2, "2 2"),
        (True, 0, "", None, "1 None"),
        (False, 2, "", None, "2 None"),
        (False, 0, FLAG, None, "5 None"),
        (False, 0, FLAG, 1, "5 1"),
    ],
    ids=["a device a core", "as many as asked", "jax has started", "jax was told", "XLA was told", "both"],
)
def test_devices_of_a_process(started, told, flags, given, found):
    """3 devices divide a batch of 6, 4 do not; earlier settings are kept."""
    code = COUNTED.format(started=started, told=told, given=given)
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    child = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert child.stdout.strip() == found, child.stderr


@pytest.mark.parametrize(("batch", "cores"), [(16, 2), (15, 4), (7, 4), (1, 8), (12, 8)])
def test_devices_divide_the_batch(batch, cores):
    found = devices.count_devices(batch, cores)
    assert 1 <= found <= cores
    assert [n for n in range(1, cores + 1) if batch % n == 0][-1] == found
