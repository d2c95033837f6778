"""A request to stop, kept until the step at hand is done."""

from __future__ import annotations

import signal
import threading

import jax
from orbax.checkpoint import multihost


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

    def came(self, step: int) -> bool:
        """Whether to stop after a step, on which all processes agree."""
        return self.asked is not None if jax.process_count() == 1 else multihost.reached_preemption(step)

    def _ask(self, number: int, frame) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name
