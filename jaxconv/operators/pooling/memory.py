"""The memory of a pooling, counted before anything is allocated."""

from __future__ import annotations

import math
from typing import Literal

from jaxconv.errors import SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix.sizes import physical_memory

# Copies of the padded map that XLA allocates where windows have very many taps. Measured on a CPU, November
# 2026: for 2e9 cells of float32 16 GB for maxima and 56 GB for sums.
COPIES = {"max": 2, "sum": 7}


def check_memory(
    g: ConvGeometry,
    map_shape: tuple[int, ...],
    itemsize: int,
    kind: Literal["max", "sum"],
    switches: bool = False,
) -> None:
    """Refuses a pooling whose padding or result does not fit into the physical memory.

    Args:
      g: The pooling, as `without_padding_taps` returns it.
      map_shape: ``(*batch, *input_shape, features)``; sizes of the batch that are not known count as 1.
      itemsize: Bytes of a number.
      kind: Whether windows are reduced on all axes together ("max") or one after the other ("sum").
      switches: Whether switches are returned too.

    Raises:
      SizeError: It does not fit.
    """
    batch = map_shape[: -g.ndim - 1]
    maps = math.prod(n for n in batch if isinstance(n, int)) * g.in_features
    per_cell = itemsize + (4 if switches else 0)  # switches are int32
    result = math.prod(g.output_shape)
    padding = 0 if result == 1 else _padded_cells(g, kind) - math.prod(g.input_shape)
    needed = maps * per_cell * (result + COPIES[kind] * max(padding, 0))
    limit = physical_memory()
    if needed > limit:
        raise SizeError(
            f"not enough memory for this pooling: its padding and its result of {g.output_shape} positions "
            f"need {needed:,} bytes, more than the {limit:,} of this machine; lower `padding` or raise "
            f"`strides`. Got {g}."
        )


def _padded_cells(g: ConvGeometry, kind: str) -> int:
    """Returns the cells of the largest padded map."""
    if kind == "max":
        return math.prod(axis.padded for axis in g.axes)
    return max(
        math.prod(g.input_shape[:n]) * axis.padded * math.prod(g.output_shape[n + 1 :])
        for n, axis in enumerate(g.axes)
    )
