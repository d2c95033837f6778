"""The transpose by phases: every residue of the output position is a small direct convolution.

With stride s, output cells a whole period apart read the same taps, and taps a whole period apart
read neighbouring inputs. Each phase is therefore an ordinary convolution with every period-th tap;
the phases are interleaved. No inserted zero is ever multiplied (the guide's footnote 4; the
"sub-pixel convolution" of arXiv:1609.05158). At stride 1 there is one phase: the equivalent
direct convolution.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxconv.convolution.kernels import transposed_kernel
from jaxconv.core.rearrange import features_as_cells
from jaxconv.geometry import AxisGeometry, ConvGeometry


class Phase(NamedTuple):
    """One phase of one axis as a direct convolution of the transpose's input."""

    taps: slice  # of the forward kernel
    stride: int
    dilation: int
    padding: tuple[int, int]


def phases(axis: AxisGeometry) -> list[Phase | None]:
    """The phases of one axis, each padded to the same size; None for one that no tap reaches.

    Input cell ``j`` of the forward convolution meets output ``o`` at tap ``t`` where
    ``o s = j f + p - t d``.

    >>> [phase.taps for phase in phases(AxisGeometry(6, 3, stride=2, padding=(1, 1)))]
    [slice(1, 3, 2), slice(0, 3, 2)]
    """
    s, d, f = axis.stride, axis.dilation, axis.input_dilation
    period, tap_step = s // math.gcd(s, f), s // math.gcd(s, d)
    count = -(-axis.size // period)
    found: list[Phase | None] = []
    for first in range(period):
        offset = first * f + axis.padding[0]
        start = next((t for t in range(min(tap_step, axis.kernel)) if (offset - t * d) % s == 0), None)
        if start is None:
            found.append(None)
            continue
        taps = len(range(start, axis.kernel, tap_step))
        stride, dilation = f // math.gcd(s, f), d // math.gcd(s, d)
        low = (taps - 1) * dilation - (offset - start * d) // s  # the last tap comes first
        high = (count - 1) * stride + (taps - 1) * dilation + 1 - low - axis.out_size
        found.append(Phase(slice(start, axis.kernel, tap_step), stride, dilation, (low, high)))
    return found


def by_phases(conv: Callable) -> Callable:
    """A formulation of ``conv_transpose`` from one of ``conv``, which computes each phase."""

    def conv_transpose(
        y: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        """``(N, *output_shape, out)`` and the forward kernel to ``(N, *input_shape, in)``."""
        by_axis = [phases(axis) for axis in g.axes]
        counts = [-(-axis.size // len(found)) for axis, found in zip(g.axes, by_axis, strict=True)]

        def part(phase: Any) -> jax.Array:
            if None in phase:
                return jnp.zeros((y.shape[0], *counts, g.in_features), y.dtype)
            taps = transposed_kernel(kernel[tuple(axis.taps for axis in phase)], g.feature_group_count)
            return conv(y, taps, _phase_geometry(g, phase), precision)

        parts = [part(phase) for phase in itertools.product(*by_axis)]
        return _interleave(parts, g, [len(found) for found in by_axis])

    return conv_transpose


def _phase_geometry(g: ConvGeometry, phase: tuple[Phase, ...]) -> ConvGeometry:
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


def _interleave(parts: list[jax.Array], g: ConvGeometry, periods: list[int]) -> jax.Array:
    """The phases' ``(N, *counts, in)`` in turn, cropped to ``(N, *input_shape, in)``."""
    if len(parts) == 1:
        return parts[0]
    x = features_as_cells(jnp.stack(parts, -2), periods, first=1)
    return x[(slice(None), *map(slice, g.input_shape))]
