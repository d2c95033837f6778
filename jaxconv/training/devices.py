"""One axis of devices, over which batches are split: of one process, or of several."""

from __future__ import annotations

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxconv.data import Batch
from jaxconv.errors import ConfigError

AXIS = "batch"


def batch_mesh(batch_size: int) -> Mesh:
    """All devices of all processes in one row.

    Raises:
      ConfigError: The batch does not divide over them.
    """
    devices = jax.devices()
    if batch_size % len(devices):
        raise ConfigError(
            f"a batch of {batch_size} examples does not divide over {len(devices)} devices; make "
            f"`training.batch_size` a multiple of {len(devices)}, or show jax fewer devices."
        )
    return Mesh(np.asarray(devices), (AXIS,))


def local_mesh() -> Mesh:
    """The devices of this process in one row."""
    return Mesh(np.asarray(jax.local_devices()), (AXIS,))


def replicated(mesh: Mesh) -> NamedSharding:
    """The same on every device: parameters."""
    return NamedSharding(mesh, P())


def split(mesh: Mesh) -> NamedSharding:
    """The first axis split over the devices: batches."""
    return NamedSharding(mesh, P(AXIS))


def part() -> tuple[int, int]:
    """Which part of every batch this process loads: its number, and how many processes there are."""
    return jax.process_index(), jax.process_count()


def put_replicated(tree, mesh: Mesh):
    """Every process holds the same numbers: they become arrays of all devices."""
    return jax.tree.map(lambda leaf: _global(leaf, replicated(mesh)), tree)


def _global(leaf, sharding: NamedSharding) -> jax.Array:
    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _global(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    return jax.make_array_from_callback(np.shape(leaf), sharding, lambda index: np.asarray(leaf)[index])


def put_batch(batch: Batch, mesh: Mesh) -> Batch:
    """This process's part of a batch, as arrays of the whole batch over all devices."""
    return Batch(*(jax.make_array_from_process_local_data(split(mesh), part) for part in batch))
