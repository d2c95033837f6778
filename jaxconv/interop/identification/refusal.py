"""Why a linear function is not a convolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxconv.errors import GeometryError
from jaxconv.interop.identification.axis import TINY, AxisFit, nearest_disagreement
from jaxconv.interop.identification.linear import number, position
from jaxconv.interop.identification.responses import Responses


def refusal(
    responses: Sequence[Responses], fits: Sequence[Sequence[AxisFit]], in_features: int
) -> GeometryError:
    """Returns the error that says why no convolution fits on all axes.

    Args:
      responses: Responses of every axis.
      fits: What fits each axis.
      in_features: Features of the maps that the function takes.
    """
    for axis, (found, fitting) in enumerate(zip(responses, fits, strict=True)):
        if not fitting:
            return _depends_on_position(axis, found, in_features)
    names = [sorted({_name(fit) for fit in fitting}) for fitting in fits]
    pads = "; ".join(f"axis {axis} fits {' or '.join(found)}" for axis, found in enumerate(names))
    return GeometryError(
        "`f` is not one convolution, which has one padding mode and one direction for all axes: "
        f"{pads}. Take its axes apart, or pad first."
    )


def _depends_on_position(axis: int, found: Responses, in_features: int) -> GeometryError:
    (s, f), (out, cell), (other, other_cell) = nearest_disagreement(found.vectors, found.tolerance)
    if out == other:
        return GeometryError(
            f"`input_shape` is too small on axis {axis}: no weight of `f` is read by two outputs, so that "
            "nothing shows whether they agree. Give `input_shape` more cells."
        )
    cells = max(found.whole.shape[:2])
    gap = abs(found.whole[out, cell] - found.whole[other, other_cell])
    where = tuple(int(index) for index in np.unravel_index(int(gap.argmax()), gap.shape))
    values = [number(found.whole[o, c][where]) for o, c in ((out, cell), (other, other_cell))]
    first, second = (position((*where[:axis], o, *where[axis:])) for o in (out, other))
    combined = found.whole.ndim > 3 or in_features > 1
    weights = "sums of weights (at random numbers over the rest of the map)" if combined else "weights"
    small = " An axis of so few cells may hide a convolution; try more." if cells <= TINY else ""
    steps = f"stride {s}" if f == 1 else f"input dilation {f}" + (f" and stride {s}" if s > 1 else "")
    return GeometryError(
        f"`f` is linear but depends on the position. The first two outputs that disagree, for {steps}, which "
        f"explains most, are {first} and {second}: they read position {cell} and {other_cell} of axis {axis} "
        f"with the same tap, but with {weights} {values[0]} and {values[1]}.{small}"
    )


def _name(fit: AxisFit) -> str:
    mode = f"{fit.geometry.padding_mode} padding"
    return f"the transpose of {mode}" if fit.transposed else mode
