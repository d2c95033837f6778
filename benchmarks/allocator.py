"""Returns free memory of glibc's allocator to the system."""

from __future__ import annotations

import ctypes
import sys


def release_memory() -> None:
    """Returns free memory to the system, so that a peak measures only later allocations."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)
