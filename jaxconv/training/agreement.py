"""What several processes that train together decide as one, so that none waits for one that stopped."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxconv.training.record import RunError

T = TypeVar("T")


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
