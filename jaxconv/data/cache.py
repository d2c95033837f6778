"""Examples kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from jaxconv.data.dataset import VOID, Example

DEFAULT_BYTES = 2**30


class Cache:
    """A cache of examples up to a number of bytes; other examples are loaded each time.

    Nothing is ever removed: an epoch visits every example once, so an example that was removed for another
    would be missing when it is needed again.

    Args:
      load: Loads the example of an index; it is called from any thread.
      max_bytes: Memory for images and labels, in bytes.
    """

    def __init__(self, load: Callable[[int], Example], max_bytes: int = DEFAULT_BYTES):
        self._load, self._free = load, max_bytes
        self._stored: dict[int, Example] = {}
        self._lock = threading.Lock()

    def __getitem__(self, index: int) -> Example:
        small = self._stored.get(index)
        if small is None:
            example = self._load(index)
            small = self._store(index, example)
            if small is None:
                return example
        return Example(small.name, small.image, small.label.astype(np.int32))

    def _store(self, index: int, example: Example) -> Example | None:
        """Stores an example, with labels of one byte, and returns it, or None if the cache is full."""
        # Labels never exceed VOID, so one byte per pixel holds them.
        assert VOID <= np.iinfo(np.uint8).max
        small = Example(example.name, example.image, example.label.astype(np.uint8))
        size = small.image.nbytes + small.label.nbytes
        with self._lock:
            if index not in self._stored:
                if size > self._free:
                    return None
                self._free -= size
                self._stored[index] = small
        return small
