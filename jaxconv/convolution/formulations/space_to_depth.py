"""A strided convolution as one of stride 1 over blocks of cells, one stride long.

The cells of a block become features, the kernel is padded to whole blocks, and k taps of stride s
become ceil(k / s). The transpose is a product per position and a rearrangement: depth to space. Where
the kernel is not wider than its stride, windows do not overlap, and everything is one matrix product.
The zeros that pad the kernel are multiplied by cells beside its window: infinities and NaNs there spread.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxconv.convolution.formulations.rewriting import Rewriting
from jaxconv.core.rearrange import cells_as_features
from jaxconv.geometry import AxisGeometry, ConvGeometry


class Blocks(NamedTuple):
    """One axis in blocks of `stride` cells, the first of which begins at a window's first cell."""

    lead: int  # zeros before the first tap, so that windows begin where blocks do
    taps: int  # blocks of the kernel
    cells: int  # blocks of the map


def blocks(axis: AxisGeometry) -> Blocks:
    """Divides one axis into blocks; dilations count as explicit zeros.

    >>> blocks(AxisGeometry(8, 4, stride=2, padding=(1, 1)))
    Blocks(lead=1, taps=3, cells=6)
    """
    lead = -axis.padding[0] % axis.stride
    taps = -(-(lead + axis.span) // axis.stride)
    return Blocks(lead, taps, axis.out_size + taps - 1)


def block_geometry(g: ConvGeometry) -> ConvGeometry:
    """Returns the geometry of blocks: stride 1, no padding, no dilation, a block's cells as features."""
    along = [blocks(axis) for axis in g.axes]
    return ConvGeometry(
        [axis.cells for axis in along],
        [axis.taps for axis in along],
        in_features=g.in_features * math.prod(g.strides),
        out_features=g.out_features,
        feature_group_count=g.feature_group_count,
    )


def to_blocks(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` to ``(N, *blocks, groups * cells per block * in // groups)``."""
    config = []
    for axis in g.axes:
        lead, _, cells = blocks(axis)
        low = axis.padding[0] + lead
        config.append((low, cells * axis.stride - low - axis.stretched, axis.input_dilation - 1))
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *config, (0, 0, 0)])
    groups = g.feature_group_count
    x = x.reshape(*x.shape[:-1], groups, g.in_features // groups)
    x = cells_as_features(x, g.strides, first=1).swapaxes(-3, -2)
    return x.reshape(*x.shape[:-3], g.in_features * math.prod(g.strides))


def kernel_in_blocks(kernel: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the kernel as ``(*taps, cells per block * in // groups, out)``."""
    config = []
    for axis in g.axes:
        lead, taps, _ = blocks(axis)
        config.append((lead, taps * axis.stride - lead - axis.span, axis.dilation - 1))
    kernel = lax.pad(kernel, jnp.zeros((), kernel.dtype), [*config, (0, 0, 0), (0, 0, 0)])
    kernel = cells_as_features(kernel, g.strides, first=0)
    return kernel.reshape(*kernel.shape[: g.ndim], -1, g.out_features)


RULE = Rewriting(block_geometry, to_blocks, kernel_in_blocks, lambda y, g: y)
