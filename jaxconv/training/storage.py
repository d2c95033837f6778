"""What a checkpoint is on the disk: its arrays, by orbax, and the digests of all its files."""

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


def write_digests(folder: Path) -> None:
    """Writes the digests of all files of a folder, and waits until these and the files are on the disk."""
    lines = [f"{_digest(folder / name, sync=True)}  {name}\n" for name in sorted(_names(folder))]
    body = "".join(lines).encode()
    with (folder / DIGESTS).open("wb") as file:
        file.write(_head(body) + body)
        file.flush()
        os.fsync(file.fileno())


def find_damage(folder: Path, only: str | None = None) -> str | None:
    """What is wrong with the files of a folder; None when all of them are as they were written.

    Args:
      folder: That `write_digests` was called on.
      only: The one file to look at.
    """
    try:
        expected = _read(folder)
        if expected is None:
            return f"{DIGESTS} is damaged"
        if only is None and (extra := _names(folder) - expected.keys()):
            return f"{min(extra)} is not one of its files"
        for name in expected if only is None else [only]:
            if name not in expected or not (folder / name).is_file():
                return f"{name} is missing"
            if _digest(folder / name) != expected[name]:
                return f"{name} is not what was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename or DIGESTS).name} is missing"
    except OSError as error:
        return f"{error.filename or folder} cannot be read ({error.strerror or error})"
    return None


def _read(folder: Path) -> dict[str, str] | None:
    """Name to digest; None where the file of digests does not agree with its own first line."""
    head, newline, body = (folder / DIGESTS).read_bytes().partition(b"\n")
    if head + newline != _head(body):
        return None
    return {name: digest for digest, name in (line.split("  ", 1) for line in body.decode().splitlines())}


def _head(body: bytes) -> bytes:
    return f"# sha256 of the lines below: {hashlib.sha256(body).hexdigest()}\n".encode()


def _names(folder: Path) -> set[str]:
    """All files but that of the digests, relative to the folder."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return set(files) - {DIGESTS}


def _digest(path: Path, *, sync: bool = False) -> str:
    with path.open("r+b") if sync else path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
