"""One axis of devices, over which batches are split; and what makes a CPU fast, settled before jax starts."""

from __future__ import annotations

import ctypes
import os
import pickle
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxconv.data import Batch
from jaxconv.errors import ConfigError
from jaxconv.training.run_folder import RunError

T = TypeVar("T")

AXIS = "batch"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h


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


def batch_share() -> tuple[int, int]:
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


def first_decides(decide: Callable[[], T]) -> T:
    """Calls `decide` in the first process; every process returns its value, or raises its error."""
    if jax.process_count() == 1:
        return decide()
    value, error = _from_first(_outcome(decide) if jax.process_index() == 0 else None)
    if error is not None:
        raise error
    return value


def all_succeed(action: Callable[[], T]) -> T:
    """Calls `action` in every process and returns its value; where it fails in one, all raise.

    Raises:
      RunError: It failed in another process; that one raises the error itself.
    """
    if jax.process_count() == 1:
        return action()
    value, error = _outcome(action)
    failed = multihost_utils.process_allgather(np.int32(error is not None))
    if error is not None:
        raise error
    if failed.any():
        raise RunError(f"process {int(failed.argmax())} cannot go on, so this one stops; see its message.")
    return value


def _outcome(action: Callable[[], T]) -> tuple[Any, Exception | None]:
    """The value of an action, or its error without the frames that it came through."""
    try:
        return action(), None
    except Exception as error:
        return None, error.with_traceback(None)


def _from_first(value: Any) -> Any:
    """The first process's value, in all of them."""
    sent = np.frombuffer(pickle.dumps(value), np.uint8)
    size = multihost_utils.broadcast_one_to_all(np.int32(len(sent)))
    sent = sent if jax.process_index() == 0 else np.zeros(int(size), np.uint8)
    return pickle.loads(np.asarray(multihost_utils.broadcast_one_to_all(sent)).tobytes())


def prepare_cpu(batch_size: int) -> None:
    """Keeps memory between steps, and makes one virtual device of every core, where the batch divides.

    One device leaves cores idle in small operations; of two, each does half of the batch from
    beginning to end. Milliseconds of a step on two cores (AMD EPYC, 4x96x128x3, 11 classes, November
    2026; one run each, on a machine with other work): FCN-8s 69, then 30; ReSeg 104, 65; U-Net 91, 78.

    Nothing changes where jax has started already, or was told a number of devices; other platforms
    than a CPU are left alone. Sums over a batch are rounded in the order of its parts, so a run is
    resumed bit for bit only on as many cores as it began with.

    Args:
      batch_size: Examples of a step.

    >>> prepare_cpu(8)  # doctest: +SKIP
    """
    keep_memory()
    told = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not told and getattr(jax.config, "jax_num_cpu_devices", -1) < 1:
        try:
            jax.config.update("jax_num_cpu_devices", count_devices(batch_size, available_cores()))
        except RuntimeError:  # jax has started
            return


def count_devices(batch_size: int, cores: int) -> int:
    """The most devices, one a core, that the batch divides over.

    >>> count_devices(16, 2), count_devices(15, 4), count_devices(7, 4)
    (2, 3, 1)
    """
    return max(n for n in range(1, cores + 1) if batch_size % n == 0)


def available_cores() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_memory() -> bool:
    """Serves every allocation from memory that was used before, as a GPU's allocator does.

    By default glibc returns large blocks to the system now and then, and one and the same program
    takes 2.7 or 4.1 ms (the kernel's gradient of 4x96x128, 16 to 16, 3x3: 6.3 MB of temporaries,
    1,540 page faults in the slow calls and none in the fast ones).

    Returns:
      Whether the C library is glibc and did it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, 2**30), (M_TRIM_THRESHOLD, 2**31 - 1))
    return mallopt is not None and all(mallopt(*setting) for setting in settings)
