"""What several processes that train together decide as one, and a request to stop."""

from __future__ import annotations

import pickle
import signal
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from orbax.checkpoint import multihost

from jaxconv.training.run_folder import RunError

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


class Interruption:
    """Within this context SIGTERM and the first Ctrl-C only ask; the second Ctrl-C interrupts.

    Outside of the main thread signals are not ours to take, and where several processes train together
    they must stop at the same step, on which jax's own handler agrees: nothing changes there.

    Attributes:
      asked: The name of the signal that came, or None.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.asked: str | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread() and jax.process_count() == 1:
            self._before = {number: signal.signal(number, self._ask) for number in self.SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def should_stop(self, step: int) -> bool:
        """Whether to stop after a step, on which all processes agree."""
        return self.asked is not None if jax.process_count() == 1 else multihost.reached_preemption(step)

    def _ask(self, number: int, frame) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name
