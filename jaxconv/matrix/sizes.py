"""Refuses what does not fit into memory, from integers alone, before anything is allocated."""

from __future__ import annotations

import math
import os
import sys

import numpy as np

from jaxconv.errors import SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import stored_taps

MAX_INT32 = int(np.iinfo(np.int32).max)


def stored_count(geometry: ConvGeometry) -> int:
    """Returns the number of values that C stores."""
    features = geometry.out_features * (geometry.in_features // geometry.feature_group_count)
    return stored_taps.slot_count(geometry) * math.prod(geometry.output_shape) * features


def check_size(geometry: ConvGeometry, itemsize: int, max_bytes: int | None) -> None:
    """Checks that C of a geometry fits into memory.

    Args:
      geometry: Geometry of the convolution.
      itemsize: Bytes of one entry.
      max_bytes: The limit; by default the physical memory.

    Raises:
      SizeError: C does not fit.
    """
    check_bytes(f"C of {geometry}", stored_count(geometry) * itemsize, max_bytes)


def check_bytes(what: str, needed: int, max_bytes: int | None) -> None:
    """Checks that a number of bytes is allowed.

    Args:
      what: What needs the memory, for the message.
      needed: Bytes that it needs.
      max_bytes: The limit; by default the physical memory.

    Raises:
      SizeError: More bytes are needed than the limit.
    """
    limit = physical_memory() if max_bytes is None else max_bytes
    if needed > limit:
        allowed, or_raise = "memory has", ""
        if max_bytes is not None:
            allowed, or_raise = "`max_bytes` allows", "; or raise `max_bytes`"
        raise SizeError(
            f"not enough room for {what}: {needed:,} bytes, more than the {limit:,} that {allowed}. Use a "
            "smaller map or fewer features, or call `conv` and `conv_transpose`, which store no "
            f"matrix{or_raise}."
        )


def physical_memory() -> int:
    """Returns the bytes of memory of this machine; ``sys.maxsize`` if the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return sys.maxsize


def check_int32(shape: tuple[int, ...]) -> None:
    """Checks that a matrix can be indexed with int32, as JAX's sparse formats do.

    Raises:
      SizeError: It has more rows or columns.
    """
    if max(shape) > MAX_INT32:
        raise SizeError(
            f"JAX's sparse formats index with int32, up to {MAX_INT32}, but the matrix has shape {shape}. "
            "Use to_scipy, which indexes with int64."
        )


def as_int32(index: np.ndarray) -> np.ndarray:
    """Returns an index into the stored values as int32: without x64, JAX has no other.

    Raises:
      SizeError: An entry is too large.
    """
    if index.size and index.max() > MAX_INT32:
        raise SizeError(
            f"exports index the stored values with int32, up to {MAX_INT32}, but this matrix stores more; "
            "take smaller maps."
        )
    return index.astype(np.int32)
