"""Files of a checkpoint: its arrays, written by orbax, and the digests of all files.

A module of its own beside `checkpoints`, which decides what is kept: this one only reads and writes.
"""

from __future__ import annotations

import gc
import hashlib
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

DIGESTS = "SHA256SUMS"
"""The file of digests; ``sha256sum -c`` reads it too."""


def write_state(path: Path, state: State) -> None:
    """Writes a state of which every process has a full copy; called by one process, no other waits.

    Args:
      path: The folder to write, which must not exist yet.
      state: State of the training.

    Raises:
      OSError: The state cannot be written; the message is one line.
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
        except Exception as error:  # tensorstore raises exceptions of many types
            reason = describe_error(error)
        gc.collect()  # its unfinished writes print errors when collected: here that is silenced
    raise OSError(reason)


def read_state(path: Path, shapes: State, sharding: jax.sharding.Sharding) -> State:
    """Reads a state; all processes call this together.

    Args:
      path: The folder that `write_state` wrote.
      shapes: Shapes and dtypes of the state.
      sharding: Sharding of every array of the state.

    Raises:
      OSError: The state cannot be read; the message is one line.
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
            reason = describe_error(error)
        gc.collect()
    raise OSError(reason)


def _host(leaf: jax.Array) -> np.ndarray:
    """Returns this process's copy; of an array of all processes, orbax would have each write a part."""
    return np.asarray(_data(leaf).addressable_data(0))


def _data(leaf: jax.Array) -> jax.Array:
    """Returns the numbers of a random key, and any other array unchanged."""
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _is_key(leaf: jax.Array) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def describe_error(error: Exception) -> str:
    """Returns the operating system's description of an error if there is one, or the error's first line.

    >>> describe_error(ValueError("RESOURCE_EXHAUSTED: Error writing ... [os_error_code='28']"))
    'No space left on device'
    >>> describe_error(OSError(28, "No space left on device"))
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
    """Silences the logs and hooks of other threads within this context.

    When a write fails, each of orbax's threads logs the error again, and every unfinished write reports
    from its own thread that its event loop is closed.
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


def write_digests(folder: Path) -> None:
    """Writes the digests of all files of a folder, and waits until digests and files are on the disk."""
    lines = [f"{_digest(folder / name, sync=True)}  {name}\n" for name in sorted(_names(folder))]
    body = "".join(lines).encode()
    with (folder / DIGESTS).open("wb") as file:
        file.write(_head(body) + body)
        file.flush()
        os.fsync(file.fileno())


def find_damage(folder: Path, only: str | None = None) -> str | None:
    """Returns what is wrong with the files of a folder; None if all are as they were written.

    Args:
      folder: Folder on which `write_digests` was called.
      only: Name of the one file to check; by default all files.
    """
    try:
        expected = _read(folder)
        if expected is None:
            return f"{DIGESTS} is damaged"
        if only is None and (extra := _names(folder) - expected.keys()):
            return f"{min(extra)} is not a file of the checkpoint"
        for name in expected if only is None else [only]:
            if name not in expected or not (folder / name).is_file():
                return f"{name} is missing"
            if _digest(folder / name) != expected[name]:
                return f"{name} has changed since it was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename or DIGESTS).name} is missing"
    except OSError as error:
        return f"{error.filename or folder} cannot be read ({error.strerror or error})"
    return None


def _read(folder: Path) -> dict[str, str] | None:
    """Returns name to digest; None if the file of digests does not match its own first line."""
    head, newline, body = (folder / DIGESTS).read_bytes().partition(b"\n")
    if head + newline != _head(body):
        return None
    return {name: digest for digest, name in (line.split("  ", 1) for line in body.decode().splitlines())}


def _head(body: bytes) -> bytes:
    return f"# sha256 of the lines below: {hashlib.sha256(body).hexdigest()}\n".encode()


def _names(folder: Path) -> set[str]:
    """Returns the names of all files except that of the digests, relative to the folder."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return set(files) - {DIGESTS}


def _digest(path: Path, *, sync: bool = False) -> str:
    with path.open("r+b") if sync else path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
