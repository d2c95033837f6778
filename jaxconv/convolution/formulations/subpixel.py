"""The transpose by phases: every residue of the output position is a small direct convolution.

With stride s, output cells a whole period apart read the same taps, and taps a whole period apart
read neighbouring inputs. Each phase is therefore an ordinary convolution with every period-th tap;
the phases are interleaved. No inserted zero is ever multiplied. At stride 1 there is one phase: the
equivalent direct convolution.

References:
  Shi et al., arXiv:1609.05158 ("sub-pixel convolution"); Dumoulin & Visin, arXiv:1603.07285, footnote 4.
"""

import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxconv.convolution.formulations.formulation import Formulation
from jaxconv.core.kernels import transposed_kernel
from jaxconv.core.rearrange import features_as_cells
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.geometry.pattern import slots


class OutputPhase(NamedTuple):
    """One phase of one axis as a direct convolution of the transpose's input."""

    taps: slice  # of the forward kernel
    stride: int
    dilation: int
    padding: tuple[int, int]


def output_phases(axis: AxisGeometry) -> list[OutputPhase | None]:
    """Returns the phases of one axis, all padded to the same size; None for one that no tap reaches.

    They are the slots of the equivalent direct convolution, whose taps are numbered from the other end.

    >>> [phase.taps for phase in output_phases(AxisGeometry(6, 3, stride=2, padding=(1, 1)))]
    [slice(1, 3, 2), slice(0, 3, 2)]
    """
    layout = slots(axis.equivalent_direct())
    count = -(-axis.size // len(layout.taps))
    found: list[OutputPhase | None] = []
    for flipped_tap, cell in zip(layout.taps, layout.cells, strict=True):
        last = axis.kernel - 1 - flipped_tap
        if last < 0:
            found.append(None)
            continue
        first = last % layout.tap_step
        span = last // layout.tap_step * layout.cell_step + 1
        high = cell + (count - 1) * layout.row_step + span - axis.out_size
        taps = slice(first, axis.kernel, layout.tap_step)
        found.append(OutputPhase(taps, layout.row_step, layout.cell_step, (-cell, high)))
    return found


def by_phases(conv: Formulation) -> Formulation:
    """Makes a formulation of ``conv_transpose`` from one of ``conv``, which computes each phase."""

    def conv_transpose(
        y: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        """Maps ``(N, *output_shape, out)`` and the forward kernel to ``(N, *input_shape, in)``."""
        by_axis = [output_phases(axis) for axis in g.axes]
        counts = [-(-axis.size // len(found)) for axis, found in zip(g.axes, by_axis, strict=True)]

        def part(phase: Any) -> jax.Array:
            if None in phase:
                return jnp.zeros((y.shape[0], *counts, g.in_features), y.dtype)
            taps = transposed_kernel(kernel[tuple(axis.taps for axis in phase)], g.feature_group_count)
            return conv(y, taps, _phase_geometry(g, phase), precision)

        parts = [part(phase) for phase in itertools.product(*by_axis)]
        return _interleave_phases(parts, g, [len(found) for found in by_axis])

    return conv_transpose


def _phase_geometry(g: ConvGeometry, phase: tuple[OutputPhase, ...]) -> ConvGeometry:
    """Returns the geometry of one phase's convolution of the transpose's input."""
    return ConvGeometry(
        g.output_shape,
        [len(range(g.kernel_shape[a])[axis.taps]) for a, axis in enumerate(phase)],
        in_features=g.out_features,
        out_features=g.in_features,
        strides=[axis.stride for axis in phase],
        padding=[axis.padding for axis in phase],
        kernel_dilation=[axis.dilation for axis in phase],
        feature_group_count=g.feature_group_count,
    )


def _interleave_phases(parts: list[jax.Array], g: ConvGeometry, periods: list[int]) -> jax.Array:
    """Interleaves the phases' ``(N, *counts, in)`` and crops them to ``(N, *input_shape, in)``."""
    if len(parts) == 1:
        return parts[0]
    x = features_as_cells(jnp.stack(parts, -2), periods, first=1)
    return x[(slice(None), *map(slice, g.input_shape))]
