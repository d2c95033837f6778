"""glibc's allocator, told to keep memory between calls."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h


def release_memory() -> None:
    """Returns what is free to the system, so that a peak counts what is asked for next."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)


def keep_memory() -> bool:
    """Serves every allocation from memory that was used before, as a GPU's allocator does.

    By default glibc returns large blocks to the system now and then, and one and the same program
    takes 2.7 or 4.1 ms (the kernel's gradient of 4x96x128, 16 to 16, 3x3: 6.3 MB of temporaries,
    1,540 page faults in the slow calls and none in the fast ones).

    Returns:
      Whether the C library is glibc and did it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, 2**30), (M_TRIM_THRESHOLD, 2**31 - 1))
    return mallopt is not None and all(mallopt(*setting) for setting in settings)
