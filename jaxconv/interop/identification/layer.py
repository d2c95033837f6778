"""The `Convolution` of a geometry and a kernel that were recovered, and what it computes, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxconv.convolution import transposed_kernel
from jaxconv.interop.direct import of_direct
from jaxconv.interop.identification.axis import AxisFit
from jaxconv.interop.identification.join import Fit
from jaxconv.interop.layer import Convolution


def layer_of(
    fit: Fit, kernel: np.ndarray, bias: np.ndarray | None, tolerance: float, dtypes: tuple[Any, Any]
) -> Convolution:
    """Returns the layer that a fit describes, with as many groups as its kernel allows.

    Args:
      fit: Geometry of all axes.
      kernel: Kernel ``(*kernel_shape, in_features, out_features)`` in features of the layer, without groups.
      bias: Bias ``(out_features,)``, or None.
      tolerance: Largest magnitude of a weight that counts as zero, for the groups.
      dtypes: Dtype of the maps that the layer takes, and of those that it returns.
    """
    taken, returned = dtypes
    options: dict[str, Any] = {} if taken == returned else {"dtype": returned}
    weights, groups = grouped(kernel, tolerance)
    array = jnp.asarray(weights.astype(returned))
    b = None if bias is None else jnp.asarray(bias.astype(returned))
    axes = [axis.geometry for axis in fit.axes]
    strides = tuple(g.stride for g in axes)
    stretch = tuple(g.input_dilation for g in axes)
    padding = tuple(g.padding for g in axes)
    d = tuple(g.dilation for g in axes)
    if fit.padding_mode == "zeros" and max(strides) == 1 < max(stretch):
        return of_direct(array, b, stretch, padding, d, groups, **options)
    if fit.transposed:
        # The taps are those of the forward convolution already; only the features change places.
        n = len(axes)
        array = jnp.flip(transposed_kernel(array, groups), tuple(range(n)))
        options |= {"transposed": True, "output_padding": tuple(g.output_padding for g in axes)}
    return Convolution(
        array,
        b,
        strides=strides,
        padding=padding,
        padding_mode=fit.padding_mode,
        input_dilation=stretch,
        kernel_dilation=d,
        feature_group_count=groups,
        **options,
    )


def grouped(kernel: np.ndarray, tolerance: float) -> tuple[np.ndarray, int]:
    """Returns the kernel ``(*kernel_shape, in // groups, out)`` with as many groups as possible, and those.

    >>> kernel = np.array([[[1.0, 0.0], [0.0, 2.0]]])
    >>> grouped(kernel, 1e-6)
    (array([[[1., 2.]]]), 2)
    """
    inputs, outputs = kernel.shape[-2:]
    joined = abs(kernel).reshape(-1, inputs, outputs).max(0) > tolerance
    for groups in range(int(np.gcd(inputs, outputs)), 0, -1):
        if inputs % groups or outputs % groups:
            continue
        group_in = np.arange(inputs) // (inputs // groups)
        group_out = np.arange(outputs) // (outputs // groups)
        if not joined[group_in[:, None] != group_out].any():
            break
    split = kernel.reshape(*kernel.shape[:-2], groups, inputs // groups, groups, outputs // groups)
    blocks = [split[..., g, :, g, :] for g in range(groups)]
    return np.concatenate(blocks, -1), groups


def apply(axes: Sequence[AxisFit], kernel: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Computes the convolution of maps in NumPy, axis by axis, in the dtype of the kernel.

    Args:
      axes: Geometry of all axes.
      kernel: Kernel ``(*kernel_shape, in_features, out_features)``, without groups.
      maps: Maps ``(batch, *input_shape, in_features)``.
    """
    result = maps.astype(kernel.dtype)
    for axis in axes:
        out, cell, tap = axis.entries
        chosen = np.zeros((axis.shape[1], axis.geometry.kernel, axis.shape[0]))
        np.add.at(chosen, (cell, tap, out), 1)
        result = np.tensordot(result, chosen, (1, 0))  # (batch, *rest, in_features, *pairs of tap and output)
    n = len(axes)
    taps = [2 + 2 * axis for axis in range(n)]
    return np.tensordot(result, kernel, ([*taps, 1], list(range(n + 1))))
