"""Which formulation `method="auto"` takes, each rule with the measurement behind it.

A choice follows from the geometry alone. Milliseconds are medians on a 2-core CPU, float32,
jax 0.10.2, November 2026; XLA's own convolution is the default that a rule has to beat.
"""

from __future__ import annotations

import math

from jaxconv.convolution.taps import UNROLLED
from jaxconv.geometry import ConvGeometry

# Below this many taps XLA is as fast, and rounds better.
FFT_TAPS = 900
# Numbers in the kernel's spectrum: beyond, it costs more memory than it saves time.
FFT_NUMBERS = 2**24


def conv(g: ConvGeometry) -> str:
    """For ``conv``.

    Depthwise, by taps: 3x3 over 4x56x56x64, direct 27.3, taps 0.65; 5x5 stride 2 over 32 features,
    3.6 and 0.24; 11x11 over 32 features, 20.2 and 0.91; 3x3 to two outputs each of 16 features, 11.3
    and 0.78; 31 taps over 1000 x 64, 33 and 0.45.
    One feature to one, by taps: 3x3 over 256x256, 2.0 and 0.10; 11x11, 4.5 and 0.58; 5x5 stride 2,
    0.80 and 0.12.
    Large kernels, by fft: 31x31 over 128x128, direct 19.5, fft 0.15; 63x63 over 256x256, 239 and
    1.4; 31x31 over 64x64 with 8 features, 6.3 and 3.1.
    """
    if _depthwise(g) and _unrolled(g):
        return "taps"
    return "fft" if _wide(g) else "direct"


def conv_transpose(g: ConvGeometry) -> str:
    """For ``conv_transpose``, the cases of `conv`.

    Depthwise with one output a feature, by taps: direct 28.0, taps 2.3; 78 and 2.0; 19.7 and 6.0; 33
    and 2.5 (two outputs each: 27 and 40, so not there).
    One feature to one, by taps: direct 2.0, taps 0.20; 4.5 and 2.9; 0.72 and 0.33.
    Large kernels, by fft: direct 15.9, fft 0.18; 230 and 0.84; 6.4 and 2.8.
    """
    if _depthwise(g) and _unrolled(g) and g.in_features == g.out_features:
        return "taps"
    return "fft" if _wide(g) else "direct"


def conv_kernel_vjp(g: ConvGeometry) -> str:
    """For ``conv_kernel_vjp``, the cases of `conv`.

    Depthwise with several outputs a feature, by taps: direct 952, taps 11.0 (one output each: 13.7
    and 14.2, so not there).
    Large kernels, by fft: direct 38.6, fft 0.13; 512 and 0.95; 46.6 and 1.2.
    """
    if _depthwise(g) and _unrolled(g) and g.in_features < g.out_features:
        return "taps"
    return "fft" if _wide(g) else "direct"


def _depthwise(g: ConvGeometry) -> bool:
    """Every input feature alone; one of its own to several outputs is an ordinary first layer."""
    return g.feature_group_count == g.in_features and (g.in_features > 1 or g.out_features == 1)


def _unrolled(g: ConvGeometry) -> bool:
    return math.prod(g.kernel_shape) <= UNROLLED


def _wide(g: ConvGeometry) -> bool:
    numbers = math.prod(axis.padded for axis in g.axes) * g.kernel_array_shape[-2] * g.out_features
    unit = set(g.strides) == set(g.input_dilation) == {1}
    return unit and math.prod(g.kernel_shape) >= FFT_TAPS and numbers <= FFT_NUMBERS
