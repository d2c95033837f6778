"""glibc's allocator: what is free goes back to the system."""

from __future__ import annotations

import ctypes
import sys


def release_memory() -> None:
    """Returns what is free to the system, so that a peak counts what is asked for next."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)
