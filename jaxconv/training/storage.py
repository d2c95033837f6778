"""The arrays of a state in a folder, by orbax: written by one process, read by all."""

from __future__ import annotations

import gc
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxconv.training.state import State


def write_state(path: Path, state: State) -> None:
    """Writes a state that every process holds whole; one process calls this, and no other waits.

    Args:
      path: The folder, which does not exist yet.
      state: Of the training.

    Raises:
      OSError: It cannot be written; the message is one line.
    """
    alone = ocp.options.MultiprocessingOptions(
        primary_host=jax.process_index(), active_processes={jax.process_index()}
    )
    with _silence():
        try:
            handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone)
            with ocp.Checkpointer(handler, multiprocessing_options=alone) as writer:
                writer.save(path, args=ocp.args.StandardSave(jax.tree.map(_host, state)))
            return
        except Exception as error:  # tensorstore raises whatever it likes
            reason = reason_of(error)
        gc.collect()  # its unfinished writes complain when they are collected: now, unheard
    raise OSError(reason)


def read_state(path: Path, shapes: State, sharding: jax.sharding.Sharding) -> State:
    """Reads a state, in all processes together.

    Args:
      path: The folder that `write_state` wrote.
      shapes: Shapes and dtypes of the state.
      sharding: Where all of its arrays go.

    Raises:
      OSError: It cannot be read; the message is one line.
    """
    data = jax.eval_shape(lambda state: jax.tree.map(_data, state), shapes)
    like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), data)
    with _silence():
        try:
            with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as reader:
                found = reader.restore(path, args=ocp.args.StandardRestore(like))
            wrap = jax.random.wrap_key_data
            return jax.tree.map(lambda leaf, meant: wrap(leaf) if _is_key(meant) else leaf, found, shapes)
        except Exception as error:
            reason = reason_of(error)
        gc.collect()
    raise OSError(reason)


def _host(leaf: jax.Array) -> np.ndarray:
    """This process's copy, which orbax writes whole: of an array of several processes each writes a part."""
    return np.asarray(_data(leaf).addressable_data(0))


def _data(leaf):
    """The numbers of a random key, and whatever else as it is."""
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _is_key(leaf) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def reason_of(error: Exception) -> str:
    """The operating system's words where the error has any, or its first line.

    >>> reason_of(ValueError("RESOURCE_EXHAUSTED: Error writing ... [os_error_code='28']"))
    'No space left on device'
    >>> reason_of(OSError(28, "No space left on device"))
    'No space left on device'
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error)
    if code := re.search(r"os_error_code='(\d+)'", text):
        return os.strerror(int(code[1]))
    return (text.splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def _silence() -> Iterator[None]:
    """Within this context only what is raised is told.

    When a write fails, orbax's threads log the error once more each, and every write that was still on
    its way reports from a thread of its own that its event loop is closed.
    """
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    before = sys.excepthook, sys.unraisablehook, [logger.disabled for logger in loggers]
    sys.excepthook, sys.unraisablehook = (lambda *_: None), (lambda _: None)
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook = before[:2]
        for logger, disabled in zip(loggers, before[2], strict=True):
            logger.disabled = disabled
