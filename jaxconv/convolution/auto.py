"""Which method ``"auto"`` stands for, each rule with the measurement behind it.

A choice follows from the geometry, and from the batch where columns would be made of all of it.
Milliseconds are medians, each pair of one run, on a 2-core CPU (AMD EPYC, AVX-512), float32, jax 0.10.2,
November 2026, of the cases in benchmarks/cases.py: XLA's own convolution, ``direct``, which a rule
has to beat, then what the rule takes. Other platforms, where nothing was measured, have `method_off_cpu`.
"""

from __future__ import annotations

import math
from typing import Literal

from jaxconv.convolution.formulations.grouped import few_blocks
from jaxconv.convolution.formulations.planes import PLANE_AXES
from jaxconv.convolution.formulations.space_to_depth import blocks
from jaxconv.convolution.formulations.taps import MAX_UNROLLED_TAPS
from jaxconv.convolution.formulations.windows import MAX_CONCATENATED_SLICES
from jaxconv.convolution.methods import ConvKernelVjpMethod, ConvMethod, ConvTransposeMethod
from jaxconv.geometry import ConvGeometry

# Below this many taps others are about as fast, and round better.
MIN_FFT_TAPS = 900
# Products of a direct convolution, at least, for each number transformed.
MIN_FFT_PRODUCTS = 32
# A kernel's gradient sums over all positions, so that nothing is lost to rounding by norms.
MIN_FFT_TAPS_OF_KERNEL_VJP = 100
# Numbers in the kernel's spectrum: beyond, it costs more memory than it saves time.
MAX_FFT_NUMBERS = 2**24
# Taps times features out of one feature in: as many products a position as one fused loop hides.
MAX_SHIFTED_PRODUCTS = 256
# Numbers of a window: fewer make too narrow a product for XLA's own convolution.
MAX_NARROW_WINDOW = 32
# The next six bound the size of programs and temporaries; no crossing of two times was measured for them.
# Phases of a transpose that get a fused loop each.
MAX_LOOPED_PHASES = 16
# Taps of a fused loop with several features out of one.
MAX_LOOPED_TAPS = 16
# Taps whose products are written out one by one.
MAX_WRITTEN_OUT_TAPS = 8
# Taps of an axis that get a slice each.
MAX_SLICED_TAPS = 8
# Taps of the axes that `planes` folds: its temporary is so many times its input.
MAX_FOLDED_TAPS = 9
# Zeros that `space_to_depth` may add to a kernel, as its size over what it was.
MAX_KERNEL_GROWTH = 4
# Numbers of all windows of one map; beyond, making them costs more than multiplying.
MAX_COLUMNS = 2**20
# Positions of a map that XLA's own gradient of a kernel is slow on with many features too.
MIN_LARGE_MAP = 2048
# Numbers of a temporary array, 16 MB of float32. Alone, a larger one still pays, but glibc returns its
# memory to the system and touching it anew costs more than it won: four 3x3 layers on 4x96x128 with
# their gradients take 66 by XLA, 67 with this limit, 89 with twice as much.
MAX_TEMPORARY = 2**22


def method_for_conv(g: ConvGeometry, batch: int = 1) -> ConvMethod:
    """For ``conv`` on a CPU."""
    # 3x3 over 4x56x56x64: 17.6, 0.35; 5x5 stride 2: 4.8, 0.36; 3x3x3: 65, 0.38; 11x11 1 to 1: 11, 0.47.
    if _is_depthwise(g) and _tap_count(g) <= MAX_UNROLLED_TAPS:
        return "taps"
    # 31x31 1 to 1 on 128x128: 15.6, 0.19; 31x31 depthwise: 73, 2.7; 300x300: 16019, 4.3.
    if _fft_pays(g):
        return "fft"
    # 4 groups of 16: 1.3, 0.60; 32 groups of 4: 6.7, 1.2; 16 groups of 1 to 2: 8.7, 0.87.
    if g.feature_group_count > 1:
        return "grouped" if few_blocks(g) else "direct"
    # 1 to 16, 3x3: 0.92, 0.15; 1 to 8, 3x3x3: 11.8, 0.28.
    if (
        g.in_features == 1
        and _has_unit_strides(g)
        and _tap_count(g) <= MAX_UNROLLED_TAPS
        and _tap_count(g) * g.out_features <= MAX_SHIFTED_PRODUCTS
    ):
        return "taps"
    # 2x2x2 stride 2: 0.81, 0.31.
    if g.ndim > 2 and _folds_few_taps(g):
        return "im2col" if _windows_are_disjoint(g) else "planes"  # 3x3x3, 8 to 16: 9.3, 1.8
    # 1x1, 64 to 64: 0.68, 0.38; 3x3, 3 to 32: 2.1, 0.95; 7x7 on 14x14 to 256: 0.56, 0.44.
    if _tap_count(g) == 1 or (
        (_has_few_numbers(g) or _kernel_outweighs_map(g)) and batch * _column_count(g) <= MAX_TEMPORARY
    ):
        return "im2col"
    return "direct"


def method_for_conv_transpose(g: ConvGeometry, batch: int = 1) -> ConvTransposeMethod:
    """For ``conv_transpose`` on a CPU."""
    # 3x3 over 4x56x56x64: 17.8, 0.39; 5x5 stride 2: 38, 0.31; 3x3x3: 65, 0.42; 11x11 1 to 1: 7.4, 0.46.
    # One output a group back to several inputs is a first layer of `conv`, and depthwise in blocks is that
    # (not measured as a transpose).
    if _has_one_output_per_group(g) and math.prod(g.strides) <= MAX_LOOPED_PHASES:
        return "taps"
    # 31x31 1 to 1 on 128x128: 8.1, 0.17; 31x31 depthwise: 74, 1.7; 300x300: 3.6 (by phases: 16378).
    if _fft_pays(g):
        return "fft"
    # 16x16 stride 8: 17, 0.41; 64x64 stride 32: 36, 12; k1024 stride 256: 39, 1.8; 2x2x2 stride 2: 47, 0.23.
    if _blocks_pay(g):
        return "space_to_depth"
    # 4 groups of 16: 1.3, 0.71; 32 groups of 4: 6.8, 0.97; 16 groups of 1 to 2: 15, 1.1.
    if g.feature_group_count > 1:
        return "grouped" if few_blocks(g) else "direct"
    # 1x1, 64 to 64: 0.76, 0.42; 7x7 on 14x14 from 256: 2.4, 0.89; to 1, 3x3: 0.97, 0.42, 3x3x3: 8.9, 0.74.
    narrow = _kernel_outweighs_map(g) or (
        g.in_features == 1 and max(g.kernel_shape) <= MAX_CONCATENATED_SLICES
    )
    if _tap_count(g) == 1 or (narrow and batch * _column_count(g) <= MAX_TEMPORARY):
        return "im2col"
    # 3x3x3, 8 to 16: 18, 1.8.
    if g.ndim > 2 and _folds_few_taps(g):
        return "planes"
    # 7x7 stride 2 to 3: 5.8, 2.4; but 4x4 stride 2 to 32: 1.2, 1.7.
    if max(g.strides) > 1 and g.in_features < MAX_NARROW_WINDOW // math.prod(g.strides):
        return "subpixel"
    return "direct"


def method_for_conv_kernel_vjp(g: ConvGeometry, batch: int = 1) -> ConvKernelVjpMethod:
    """For ``conv_kernel_vjp`` on a CPU."""
    # 11x11 1 to 1 on 256x256: 11, 0.50; 31x31: 35, 0.15; 31x31 depthwise: 35, 1.6; 300x300: 3.2.
    if (_fft_pays(g, MIN_FFT_TAPS_OF_KERNEL_VJP) and _is_depthwise(g)) or _fft_pays(g):
        return "fft"
    # 3x3 over 4x56x56x64: 8.2, 0.72; 7x7: 6.2, 0.89; 3x3x3: 17, 0.51 (1 to 1: 0.63, 2.6).
    if _is_depthwise(g) and _tap_count(g) <= MAX_UNROLLED_TAPS and g.in_features == g.out_features > 1:
        return "taps"
    # 4 groups of 16: 65, 1.3; 32 groups of 4: 749, 2.4; 16 groups of 1 to 2: 252, 1.8.
    if g.feature_group_count > 1:
        return "grouped" if few_blocks(g) else "taps"  # direct is out of the question: 4.9 by taps for 749
    # 1x1, 64 to 64: 3.2, 1.1; 1x1 stride 2: 1.4, 0.40; 2x2 stride 2: 1.5, 0.69; 2x2x2: 6.0, 0.58.
    # Beyond, blocks are windows, and the kernel is theirs: 1x1.
    if _windows_are_disjoint(g):
        return "taps" if _tap_count(g) <= MAX_WRITTEN_OUT_TAPS else "space_to_depth"
    # 3x3x3, 8 to 16: 18, 3.2; 1 to 8: 6.1, 0.79.
    if g.ndim > 2 and _folds_few_taps(g):
        return "planes"
    # k16 stride 8: 4.7, 2.3; 16x16 stride 8: 1.4, 0.61; 64x64 stride 32: 4.1, 6.6, so not there.
    few = _kernel_outweighs_map(g) or (math.prod(g.strides) >= 8 and _column_count(g) <= MAX_COLUMNS)
    if few and batch * _column_count(g) <= MAX_TEMPORARY:
        return "im2col"
    # 3x3: 3.1, 2.2 (16 to 16); 8.4, 4.6 (32 to 16); 8.5, 5.1 (64 to 64); 5x5: 2.3, 1.2; dilated 2: 2.6, 2.3;
    # but 3 to 32: 1.1, 1.6.
    # Four blocks of 16 to 16 on 28x28: 1.26, 0.62; but 128 to 128: 2.4, 2.7; 64 to 64 dilated 4: 0.84, 1.3.
    if _has_unit_strides(g) and _split_pays(g) and batch * _split_column_count(g) <= MAX_TEMPORARY:
        return "split_im2col"
    # Beyond the last rule's limit: 3x3 on 96x128, 16 to 16: 4.3, 3.4; 32 to 16: 8.2, 6.2.
    return "zero_insertion" if _has_unit_strides(g) and g.in_features >= g.out_features else "direct"


def method_off_cpu(g: ConvGeometry, batch: int = 1) -> Literal["direct", "fft"]:
    """For all three where nothing was measured: only what saves work by orders of magnitude."""
    return "fft" if _fft_pays(g) else "direct"


def _tap_count(g: ConvGeometry) -> int:
    return math.prod(g.kernel_shape)


def _has_unit_strides(g: ConvGeometry) -> bool:
    """No strides, no zeros between inputs."""
    return set(g.strides) == set(g.input_dilation) == {1}


def _is_depthwise(g: ConvGeometry) -> bool:
    """Every input feature alone; one of its own to several outputs is an ordinary first layer."""
    return g.feature_group_count == g.in_features and (g.in_features > 1 or g.out_features == 1)


def _fft_pays(g: ConvGeometry, least: int = MIN_FFT_TAPS) -> bool:
    padded = math.prod(axis.padded for axis in g.axes)
    numbers = padded * g.kernel_array_shape[-2] * g.out_features
    saves = math.prod(g.output_shape) * _tap_count(g) >= MIN_FFT_PRODUCTS * padded
    return _has_unit_strides(g) and _tap_count(g) >= least and numbers <= MAX_FFT_NUMBERS and saves


def _has_one_output_per_group(g: ConvGeometry) -> bool:
    """One output feature a group; depthwise, or several features in."""
    most = MAX_UNROLLED_TAPS if g.in_features == g.out_features else MAX_LOOPED_TAPS
    return g.out_features == g.feature_group_count and _tap_count(g) <= most


def _folds_few_taps(g: ConvGeometry) -> bool:
    return math.prod(g.kernel_shape[:-PLANE_AXES]) <= MAX_FOLDED_TAPS


def _windows_are_disjoint(g: ConvGeometry) -> bool:
    """Windows do not overlap: every input cell is in one of them at most."""
    return all(axis.span <= axis.stride for axis in g.axes) and set(g.input_dilation) == {1}


def _blocks_pay(g: ConvGeometry) -> bool:
    """Strides so long that blocks of cells make good features."""
    if set(g.input_dilation) != {1} or set(g.kernel_dilation) != {1} or _tap_count(g) == 1:
        return False
    in_blocks = math.prod(b.taps * s for b, s in zip(map(blocks, g.axes), g.strides, strict=True))
    if in_blocks > MAX_KERNEL_GROWTH * _tap_count(g):
        return False
    return math.prod(g.strides) >= 16 or _windows_are_disjoint(g)


def _has_few_numbers(g: ConvGeometry) -> bool:
    return _tap_count(g) * g.in_features <= MAX_NARROW_WINDOW and _has_unit_strides(g)


def _kernel_outweighs_map(g: ConvGeometry) -> bool:
    """The kernel holds more than the windows: making those is the smaller part."""
    return math.prod(g.output_shape) <= g.out_features and max(g.kernel_shape) <= MAX_CONCATENATED_SLICES


def _column_count(g: ConvGeometry) -> int:
    return math.prod(g.output_shape) * _tap_count(g) * g.in_features


def _split_pays(g: ConvGeometry) -> bool:
    large = math.prod(g.output_shape) >= MIN_LARGE_MAP
    small_kernel = g.ndim == 2 and max(g.kernel_shape) <= MAX_SLICED_TAPS
    return small_kernel and g.in_features >= 8 and (large or g.in_features <= MAX_NARROW_WINDOW)


def _split_column_count(g: ConvGeometry) -> int:
    width = g.kernel_shape[-1] * g.in_features + g.kernel_shape[0] * g.out_features
    return g.axes[0].padded * math.prod(g.output_shape[1:]) * width
