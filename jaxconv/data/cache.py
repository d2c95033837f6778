"""Examples kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from jaxconv.data.dataset import VOID, Example

DEFAULT_BYTES = 2**30


class Cache:
    """Keeps examples up to a number of bytes, and computes the others each time.

    What is in stays in: an epoch visits every example once, so whatever made room for another would be
    gone when it is wanted.

    Args:
      load: Makes an example; called from any thread.
      max_bytes: Of the images and labels that are kept.
    """

    def __init__(self, load: Callable[[int], Example], max_bytes: int = DEFAULT_BYTES):
        self._load, self._free = load, max_bytes
        self._kept: dict[int, Example] = {}
        self._lock = threading.Lock()

    def __getitem__(self, index: int) -> Example:
        kept = self._kept.get(index)
        if kept is None:
            example = self._load(index)
            kept = self._keep(index, example)
            if kept is None:
                return example
        return Example(kept.name, kept.image, kept.label.astype(np.int32))

    def _keep(self, index: int, example: Example) -> Example | None:
        # Labels never exceed VOID, so one byte a pixel holds them.
        assert VOID <= np.iinfo(np.uint8).max
        small = Example(example.name, example.image, example.label.astype(np.uint8))
        size = small.image.nbytes + small.label.nbytes
        with self._lock:
            if index not in self._kept:
                if size > self._free:
                    return None
                self._free -= size
                self._kept[index] = small
        return small
