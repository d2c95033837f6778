"""Devices over which batches are split, agreement between processes, and settings that make a CPU fast."""

from __future__ import annotations

import ctypes
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, Sharding
from jax.sharding import PartitionSpec as P

from jaxconv.data import Batch
from jaxconv.errors import ConfigError
from jaxconv.geometry.arguments import at_least_one
from jaxconv.training.run_folder import RunError

T = TypeVar("T")
Tree = TypeVar("Tree")

AXIS = "batch"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h


Devices = int | Literal["fastest"] | None
"""Number of devices over which batches are split. None: all. ``"fastest"``: one or all, by measurement."""


def batch_mesh(batch_size: int, count: int | None = None) -> Mesh:
    """Returns a mesh of one axis with the devices of all processes.

    Args:
      batch_size: Examples per step, over all devices.
      count: Number of devices, the first ones of jax; by default all.

    Raises:
      ConfigError: The number of devices does not divide the batch size, or is not from 1 to that of jax.
      TypeError: `count` is not an integer.
    """
    devices = jax.devices()
    if count is not None and at_least_one("devices", count, error=ConfigError) > len(devices):
        raise ConfigError(
            f"`devices` (--devices) must be from 1 to {len(devices)}, the devices that jax has; got {count}."
        )
    if count is not None and jax.process_count() > 1 and count != len(devices):
        raise ConfigError(
            "`devices` (--devices) is for one process: several processes use all their devices. Leave it out."
        )
    devices = devices[:count]
    if batch_size % len(devices):
        raise ConfigError(
            f"`training.batch_size` must be a multiple of {len(devices)}, the number of devices; got "
            f"{batch_size}. Change it, or choose another number of devices (--devices)."
        )
    return Mesh(np.asarray(devices), (AXIS,))


def local_mesh() -> Mesh:
    """Returns a mesh of one axis with the devices of this process."""
    return Mesh(np.asarray(jax.local_devices()), (AXIS,))


def local_part(sharding: Sharding) -> Mesh:
    """Returns a mesh of one axis with those devices of a sharding that belong to this process."""
    devices = [device for device in jax.local_devices() if device in sharding.device_set]
    return Mesh(np.asarray(devices), (AXIS,))


def replicated_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of parameters: a full copy on every device."""
    return NamedSharding(mesh, P())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of batches: the first axis split over the devices."""
    return NamedSharding(mesh, P(AXIS))


def batch_share() -> tuple[int, int]:
    """Returns which part of every batch this process loads: its number, and the number of processes."""
    return jax.process_index(), jax.process_count()


def put_replicated(tree: Tree, mesh: Mesh) -> Tree:
    """Copies arrays to every device of a mesh.

    Args:
      tree: Pytree of arrays, the same in every process.
      mesh: Devices of the copies.
    """
    return jax.tree.map(lambda leaf: _global(leaf, replicated_sharding(mesh)), tree)


def _global(leaf: jax.Array | np.ndarray, sharding: NamedSharding) -> jax.Array:
    """Builds an array over all processes from values that every process has; random keys by their data."""
    if isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _global(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    return jax.make_array_from_callback(np.shape(leaf), sharding, lambda index: np.asarray(leaf)[index])


def put_batch(batch: Batch, mesh: Mesh) -> Batch:
    """Returns the whole batch as arrays over all devices, given the part that this process has loaded."""
    return Batch(*(jax.make_array_from_process_local_data(batch_sharding(mesh), part) for part in batch))


def first_decides(decide: Callable[[], T]) -> T:
    """Calls a function in the first process only; every process returns its value or raises its error.

    Args:
      decide: Function without arguments, whose value can be pickled.
    """
    if jax.process_count() == 1:
        return decide()
    value, error = _from_first(_outcome(decide) if jax.process_index() == 0 else None)
    if error is not None:
        raise error
    return value


def all_succeed(action: Callable[[], T]) -> T:
    """Calls a function in every process and returns its value; if one process fails, all of them raise.

    Args:
      action: Function without arguments.

    Raises:
      RunError: The function failed in another process, which raises the error itself.
    """
    if jax.process_count() == 1:
        return action()
    value, error = _outcome(action)
    failed = multihost_utils.process_allgather(np.int32(error is not None))
    if error is not None:
        raise error
    if failed.any():
        raise RunError(f"process {int(failed.argmax())} cannot continue, so this one stops; see its message.")
    return value


def _outcome(action: Callable[[], T]) -> tuple[Any, Exception | None]:
    """Returns the value of an action, or its error without the traceback."""
    try:
        return action(), None
    except Exception as error:
        return None, error.with_traceback(None)


def _from_first(value: Any) -> Any:
    """Returns the value of the first process in every process."""
    sent = np.frombuffer(pickle.dumps(value), np.uint8)
    size = multihost_utils.broadcast_one_to_all(np.int32(len(sent)))
    sent = sent if jax.process_index() == 0 else np.zeros(int(size), np.uint8)
    return pickle.loads(np.asarray(multihost_utils.broadcast_one_to_all(sent)).tobytes())


def prepare_cpu(batch_size: int, devices: int | None = None) -> Devices:
    """Keeps memory between steps, frees it in time, and makes virtual devices of a CPU before jax starts.

    Without a number, every core becomes a device if these divide the batch. Of two devices, each computes
    half of the batch from beginning to end; one device leaves cores idle in small operations. With oneDNN,
    which splits every convolution over the cores, one device may be faster: `train` then measures both.

    A step on one device is computed before its call returns. Otherwise a thread of XLA computes it, and frees
    its temporary memory some time after the result is known: the next step, begun already, takes more. The
    peak of six steps with 19 MB of temporaries is 21 MB; it was 40 to 97 MB.

    No devices are made if jax has already started or was given a number of devices, nor on platforms other
    than CPUs. Sums over a batch are rounded in the order of its parts, so a run is resumed bit for bit only
    on as many devices as it started with.

    Args:
      batch_size: Examples per step.
      devices: Number of devices; by default one per core.

    Returns:
      The argument `devices` of `train`: the given number; ``"fastest"`` if this call made the devices; None
      if they were configured before, so that all of them are used.

    >>> prepare_cpu(8)  # doctest: +SKIP
    'fastest'
    """
    keep_memory()
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # no effect once jax has started
    configured = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if configured or getattr(jax.config, "jax_num_cpu_devices", -1) > 0:
        return devices
    try:
        count = count_devices(batch_size, available_cores()) if devices is None else devices
        jax.config.update("jax_num_cpu_devices", max(count, 1))  # `batch_mesh` refuses other numbers
    except RuntimeError:  # jax has started
        return devices
    return "fastest" if devices is None else devices


def count_devices(batch_size: int, cores: int) -> int:
    """Returns the largest number of devices, at most one per core, that divides the batch.

    >>> count_devices(16, 2), count_devices(15, 4), count_devices(7, 4)
    (2, 3, 1)
    """
    return max(n for n in range(1, cores + 1) if batch_size % n == 0)


def available_cores() -> int:
    """Returns the number of cores on which this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_memory() -> bool:
    """Makes the C library reuse freed memory for every allocation, as the allocator of a GPU does.

    By default glibc returns large blocks to the system from time to time, and one and the same program
    takes 2.7 or 4.1 ms (the gradient of a 3x3 kernel on 4x96x128, 16 features to 16: 6.3 MB of
    temporaries, 1,540 page faults in the slow calls and none in the fast ones).

    Returns:
      True if the C library is glibc and accepted the settings.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, 2**30), (M_TRIM_THRESHOLD, 2**31 - 1))
    return mallopt is not None and all(mallopt(*setting) for setting in settings)
