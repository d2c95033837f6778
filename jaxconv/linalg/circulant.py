r"""Block-circulant convolutions: when C is one, and its blocks.

With $n$ inputs, $m = n/s$ outputs and $K(w) = \sum_t k[t]\, e^{2 \pi i w (t d - p_l) / n}$ on each axis, the
unitary discrete Fourier transforms of input and output turn C into the blocks
$B(w) = [K(w), K(w + m), \ldots, K(w + (s - 1) m)] / \sqrt{s}$, one for every output frequency $w$.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import ArrayOrList, check_geometry
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.linalg.arguments import checked_kernel


def is_circulant(geometry: ConvGeometry) -> bool:
    """Returns whether C is block-circulant: shifting the input by a stride shifts the output by one cell.

    On every axis the outputs must be the inputs divided by the stride, without input dilation, and the
    padding mode must be circular unless no window leaves the map.

    Args:
      geometry: Geometry of the convolution.

    Raises:
      TypeError: `geometry` is not a `ConvGeometry`.

    >>> is_circulant(ConvGeometry((8,), (3,), padding="SAME", padding_mode="circular"))
    True
    >>> is_circulant(ConvGeometry((8,), (3,), padding="SAME"))
    False
    >>> is_circulant(ConvGeometry((8,), (2,), strides=2))
    True
    """
    check_geometry(geometry)
    return not any(map(_obstacle, geometry.axes))


def symbol(kernel: ArrayOrList, geometry: ConvGeometry) -> jax.Array:
    r"""Computes the blocks into which Fourier transforms turn a block-circulant C.

    With the unitary transforms $F$ of the input map and of the output map, $F_y C F_x^*$ has one block for
    every output frequency and group. Its columns are the input frequencies that the stride folds onto the
    output frequency, in row-major order of the folds per axis, each with the features of one group.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution, with `is_circulant`.

    Returns:
      Complex array ``(*output_shape, groups, out // groups, prod(strides) * in // groups)``. Of 16-bit
      kernels it is computed in float32.

    Raises:
      GeometryError: C is not block-circulant, the message says on which axis and why; or the kernel's shape
        contradicts the geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    References:
      Sedghi, Gupta & Long, arXiv:1805.10408, for stride 1.

    >>> g = ConvGeometry((4,), (2,), padding=((0, 1),), padding_mode="circular")
    >>> print(abs(symbol(jnp.array([1.0, 1.0]).reshape(2, 1, 1), g)).ravel().round(3))
    [2.    1.414 0.    1.414]
    """
    kernel = checked_kernel(kernel, geometry)
    check_circulant(geometry)
    return blocks(kernel, geometry)


def check_circulant(geometry: ConvGeometry) -> None:
    """Checks that C is block-circulant.

    Raises:
      GeometryError: It is not; the message says on which axis and why.
    """
    for axis, one in enumerate(geometry.axes):
        if obstacle := _obstacle(one):
            raise GeometryError(
                f"`geometry` must be block-circulant, but on axis {axis} {obstacle}. Got {geometry}."
            )


def _obstacle(axis: AxisGeometry) -> str:
    """Returns why C is not block-circulant on an axis, or nothing if it is."""
    if axis.stretched != axis.size:
        return f"input_dilation={axis.input_dilation} inserts zeros"
    if axis.out_size * axis.stride != axis.size:
        return (
            f"{axis.out_size} outputs times stride {axis.stride} are not the {axis.size} inputs; change "
            "`padding` or the size of the map"
        )
    last = (axis.out_size - 1) * axis.stride + axis.span - 1 - axis.padding[0]
    if axis.padding_mode != "circular" and (axis.padding[0] > 0 or last >= axis.size):
        return f"windows read padding of mode {axis.padding_mode!r}; only 'circular' wraps around"
    return ""


@partial(jax.jit, static_argnames=("geometry", "half"))
def blocks(kernel: jax.Array, geometry: ConvGeometry, *, half: bool = False) -> jax.Array:
    """Computes the blocks of `symbol` without checks; with `half` those of half the last axis.

    Where the kernel is real, those of the other half are their conjugates, up to the order of their columns.
    """
    g, n = geometry, geometry.ndim
    for place, axis in enumerate(g.axes):  # each takes the first axis and puts frequencies and folds last
        waves = jnp.asarray(_waves(axis), np.result_type(kernel.dtype, np.complex64))
        if half and place == n - 1:
            waves = waves[:, : axis.out_size // 2 + 1]
        kernel = jnp.tensordot(kernel.astype(waves.dtype), waves, (0, 0), precision="highest")
    # now (in // groups, out, m_1, s_1, m_2, s_2, ...)
    groups = g.feature_group_count
    kernel = kernel.reshape(kernel.shape[0], groups, -1, *kernel.shape[2:])
    frequencies, folds = range(3, 3 + 2 * n, 2), range(4, 4 + 2 * n, 2)
    kernel = kernel.transpose(*frequencies, 1, 2, *folds, 0)
    return kernel.reshape(*kernel.shape[: n + 2], -1)


def _waves(axis: AxisGeometry) -> np.ndarray:
    """Returns the waves of the taps, (taps, output frequencies, folds), divided by the root of s."""
    frequencies = np.arange(axis.size).reshape(axis.stride, axis.out_size).T
    cells = np.arange(axis.kernel) * axis.dilation - axis.padding[0]
    turns = cells[:, None, None] * frequencies % axis.size / axis.size
    return np.exp(2j * np.pi * turns) / np.sqrt(axis.stride)
