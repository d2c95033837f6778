"""The definition of a convolution in NumPy loops, with which every claim is compared.

It shares no code with the library: padding is `numpy.pad`, windows are listed tap by tap.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from jaxconv.geometry import ConvGeometry

NUMPY_MODES: dict[str, Literal["constant", "wrap", "reflect", "edge"]] = {
    "zeros": "constant",
    "circular": "wrap",
    "reflect": "reflect",
    "replicate": "edge",
}


def pad(x: np.ndarray, g: ConvGeometry) -> np.ndarray:
    """Dilates ``(N, *input_shape, in)`` maps with zeros, adds the padding and cuts off negative padding."""
    for dimension, ((low, high), step) in enumerate(zip(g.padding, g.input_dilation, strict=True), start=1):
        x = np.moveaxis(x, dimension, 0)
        stretched = np.zeros((step * (x.shape[0] - 1) + 1, *x.shape[1:]), x.dtype)
        stretched[::step] = x
        border = [(max(low, 0), max(high, 0))] + [(0, 0)] * (x.ndim - 1)
        x = np.pad(stretched, border, NUMPY_MODES[g.padding_mode])
        x = x[max(-low, 0) : x.shape[0] - max(-high, 0)]
        x = np.moveaxis(x, 0, dimension)
    return x


def windows(x: np.ndarray, g: ConvGeometry) -> np.ndarray:
    """Returns the cell that every tap reads at every output: ``(N, outputs, taps, in)``."""
    x = pad(x, g)
    cells = [
        [
            x[(slice(None), *(o * s + t * d for o, s, t, d in zip(*place, strict=True)))]
            for tap in np.ndindex(*g.kernel_shape)
            for place in [(output, g.strides, tap, g.kernel_dilation)]
        ]
        for output in np.ndindex(*g.output_shape)
    ]
    return np.moveaxis(np.array(cells), 2, 0)


def conv(x: np.ndarray, kernel: np.ndarray, g: ConvGeometry) -> np.ndarray:
    """Convolves ``(N, *input_shape, in)`` maps to ``(N, *output_shape, out)``, one group after the other."""
    groups = g.feature_group_count
    parts = zip(
        np.split(windows(x, g), groups, axis=-1),
        np.split(kernel.reshape(-1, *kernel.shape[-2:]), groups, axis=-1),
        strict=True,
    )
    y = np.concatenate([np.einsum("npti,tio->npo", cells, weights) for cells, weights in parts], axis=-1)
    return y.reshape(x.shape[0], *g.output_shape, g.out_features)


def matrix(kernel: np.ndarray, g: ConvGeometry) -> np.ndarray:
    """Returns C, dense: its columns are the convolutions of the unit vectors."""
    rows, columns = g.matrix_shape
    units = np.eye(columns).reshape(columns, *g.input_shape, g.in_features)
    return conv(units, kernel, g).reshape(columns, rows).T


def kernel_gradient(x: np.ndarray, y: np.ndarray, g: ConvGeometry) -> np.ndarray:
    """Returns the gradient of <conv(x, kernel), y> in the kernel."""
    groups = g.feature_group_count
    parts = zip(
        np.split(windows(x, g), groups, axis=-1),
        np.split(y.reshape(y.shape[0], -1, g.out_features), groups, axis=-1),
        strict=True,
    )
    gradient = [np.einsum("npti,npo->tio", cells, cotangent) for cells, cotangent in parts]
    return np.concatenate(gradient, axis=-1).reshape(g.kernel_array_shape)
