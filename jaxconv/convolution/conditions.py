"""The conditions of the rules in `rules`, each a function of a geometry and the number of maps in a batch.

Times beside the limits are of the machine that `rules` names. No crossing of two times was measured for
the limits that bound the size of programs and temporary arrays.
"""

from __future__ import annotations

import math

from jaxconv.convolution.formulations.grouped import few_blocks
from jaxconv.convolution.formulations.planes import PLANE_AXES
from jaxconv.convolution.formulations.space_to_depth import blocks
from jaxconv.convolution.formulations.taps import MAX_UNROLLED_TAPS
from jaxconv.convolution.formulations.windows import MAX_CONCATENATED_SLICES
from jaxconv.geometry import ConvGeometry

# Where an FFT pays.
MIN_FFT_TAPS = 900  # with fewer, other methods are about as fast and round better
MIN_FFT_PRODUCTS = 32  # products of a direct convolution for each number transformed
MIN_FFT_TAPS_OF_KERNEL_VJP = 100  # a kernel's gradient sums over all positions: norms cost it no accuracy
MAX_FFT_NUMBERS = 2**24  # numbers in the kernel's spectrum: beyond, it costs more memory than it saves time

# Where a product is too narrow, or a map too large, for XLA's own convolution.
MAX_SHIFTED_PRODUCTS = 256  # taps times output features: as many products per position as one loop hides
MAX_NARROW_WINDOW = 36  # numbers in one window
MIN_WIDE_WINDOW = 64  # numbers in a window of few features
MAX_NARROW_OUTPUTS = 32  # output features of a narrow window: XLA's own convolution is fast with more
OUTPUT_BLOCK = 64  # output features that XLA's own gradient of a kernel computes at once
MAX_SPLIT_INPUTS = 32  # input features of a map that is not large, for split columns
FEW_FEATURES = 4  # features of a map that XLA's own convolution hardly fills its registers with
MIN_LARGE_MAP = 2048  # positions: on such maps XLA's gradient of a kernel is slow with many features too

# Sizes of programs.
MAX_PHASES = 4  # phases of a transpose, a convolution for each
MAX_LOOPED_PHASES = 16  # phases of a transpose, a fused loop for each
MAX_LOOPED_TAPS = 16  # taps of a fused loop with several features out of one
MAX_WRITTEN_OUT_TAPS = 8  # taps whose products are written out one by one
MAX_SLICED_TAPS = 5  # taps of one axis, a slice for each

# Sizes of temporary arrays.
MAX_FOLDED_TAPS = 9  # taps of the axes that `planes` folds: its temporary is so many times its input
MAX_KERNEL_GROWTH = 4  # size of the kernel that `space_to_depth` pads with zeros, over what it was
MAX_COLUMNS = 2**20  # numbers in all windows of one map; beyond, making them costs more than multiplying
# Numbers of one temporary array, 16 MB of float32. Alone, a larger one still pays, but glibc returns its
# memory to the system and touching it anew costs more than it won: four 3x3 layers on 4x96x128 with
# their gradients take 66 ms by XLA, 67 ms with this limit, 89 ms with twice as much.
MAX_TEMPORARY = 2**22


def always(g: ConvGeometry, batch: int) -> bool:
    """Returns True: holds for every geometry."""
    return True


def is_depthwise(g: ConvGeometry, batch: int) -> bool:
    """Returns whether every input feature has a group of its own, with few enough taps to unroll.

    A single input feature with several outputs is an ordinary first layer and does not count.
    """
    return _every_input_is_a_group(g) and _tap_count(g) <= MAX_UNROLLED_TAPS


def is_depthwise_one_to_one(g: ConvGeometry, batch: int) -> bool:
    """Returns whether a convolution is depthwise, of several features and with as many outputs as inputs."""
    return is_depthwise(g, batch) and g.in_features == g.out_features > 1


def fft_pays(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the kernel is so large that transforming everything costs less than multiplying."""
    return _fft_pays(g, MIN_FFT_TAPS)


def fft_pays_for_depthwise_gradient(g: ConvGeometry, batch: int) -> bool:
    """Returns whether an FFT pays for the kernel's gradient of a depthwise convolution, which is earlier."""
    return _fft_pays(g, MIN_FFT_TAPS_OF_KERNEL_VJP) and _every_input_is_a_group(g)


def has_groups(g: ConvGeometry, batch: int) -> bool:
    """Returns whether there is more than one group."""
    return g.feature_group_count > 1


def merges_into_few_blocks(g: ConvGeometry, batch: int) -> bool:
    """Returns whether groups merge into a few dense blocks."""
    return g.feature_group_count > 1 and few_blocks(g)


def is_first_layer(g: ConvGeometry, batch: int) -> bool:
    """Returns whether one input feature leads to several outputs: shifted products fuse into one loop."""
    return (
        g.in_features == 1
        and _has_unit_strides(g)
        and _tap_count(g) <= MAX_UNROLLED_TAPS
        and _tap_count(g) * g.out_features <= MAX_SHIFTED_PRODUCTS
    )


def has_volumes(g: ConvGeometry, batch: int) -> bool:
    """Returns whether there are three spatial axes or more, the first with few taps to fold into features."""
    return g.ndim > PLANE_AXES and math.prod(g.kernel_shape[:-PLANE_AXES]) <= MAX_FOLDED_TAPS


def has_disjoint_volumes(g: ConvGeometry, batch: int) -> bool:
    """Returns whether windows are volumes that do not overlap."""
    return has_volumes(g, batch) and has_disjoint_windows(g, batch)


def has_disjoint_windows(g: ConvGeometry, batch: int) -> bool:
    """Returns whether windows do not overlap: every input cell is in at most one of them."""
    return all(axis.span <= axis.stride for axis in g.axes) and set(g.input_dilation) == {1}


def has_small_disjoint_windows(g: ConvGeometry, batch: int) -> bool:
    """Returns whether windows do not overlap, and have few taps."""
    return has_disjoint_windows(g, batch) and _tap_count(g) <= MAX_WRITTEN_OUT_TAPS


def has_one_tap(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the kernel is 1x1: then the convolution is one matrix product over all positions."""
    return _tap_count(g) == 1


def has_one_tap_that_pays(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the kernel is 1x1, and a matrix product is faster than XLA's own convolution.

    That one is fast where many outputs follow from few inputs, and where strides leave out cells.
    """
    if _has_unit_strides(g):
        widens = g.out_features > MAX_NARROW_OUTPUTS and g.out_features >= 5 * g.in_features
        to_one = g.out_features == 1 and g.in_features < 32
        return has_one_tap(g, batch) and not widens and not to_one
    narrow = g.in_features <= 16 and 1 < g.out_features <= MAX_NARROW_OUTPUTS
    return has_one_tap(g, batch) and (narrow or g.out_features >= max(80, 2 * g.in_features))


def has_one_tap_to_many(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the kernel is 1x1, and the transpose's result has several features."""
    return has_one_tap(g, batch) and g.in_features > 1


def has_narrow_windows(g: ConvGeometry, batch: int) -> bool:
    """Returns whether windows and outputs are too narrow for XLA's own convolution, and the columns fit."""
    narrow = _tap_count(g) * g.in_features <= MAX_NARROW_WINDOW and g.out_features <= MAX_NARROW_OUTPUTS
    several = _tap_count(g) > 1 or g.out_features > 1
    return narrow and several and _has_unit_strides(g) and _columns_fit(g, batch)


def kernel_outweighs_map(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the kernel has more numbers than the windows: making columns is the smaller part."""
    few = math.prod(g.output_shape) <= g.out_features and max(g.kernel_shape) <= MAX_CONCATENATED_SLICES
    return few and _columns_fit(g, batch)


def leads_to_one_feature(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the result of the transpose has a single feature, with columns that fit."""
    narrow = g.in_features == 1 < _tap_count(g) and max(g.kernel_shape) <= MAX_CONCATENATED_SLICES
    return narrow and _columns_fit(g, batch)


def leads_to_few_features(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the result of the transpose has few features and few taps, with columns that fit."""
    few = g.in_features <= FEW_FEATURES and g.out_features <= 24 and 1 < _tap_count(g) <= MAX_LOOPED_TAPS
    return few and _has_unit_strides(g) and _columns_fit(g, batch)


def reads_few_features(g: ConvGeometry, batch: int) -> bool:
    """Returns whether windows hold few features but several numbers, without dilation, and columns fit."""
    few = g.in_features <= FEW_FEATURES and _tap_count(g) * g.in_features >= MIN_WIDE_WINDOW
    pays = g.ndim > 1 and set(g.kernel_dilation) == {1} and not _maps_fill_registers(batch)
    return few and pays and _column_count(g) <= MAX_COLUMNS and _columns_fit(g, batch)


def has_one_output_per_group(g: ConvGeometry, batch: int) -> bool:
    """Returns whether groups have one output each, and phases are few: each phase is one fused loop."""
    most = MAX_UNROLLED_TAPS if g.in_features == g.out_features else MAX_LOOPED_TAPS
    alone = g.out_features == g.feature_group_count and _tap_count(g) <= most
    return alone and math.prod(g.strides) <= MAX_LOOPED_PHASES


def blocks_pay(g: ConvGeometry, batch: int) -> bool:
    """Returns whether strides are so long that blocks of cells are worth making into features of one cell."""
    if set(g.input_dilation) != {1} or set(g.kernel_dilation) != {1} or _tap_count(g) == 1:
        return False
    in_blocks = math.prod(b.taps * s for b, s in zip(map(blocks, g.axes), g.strides, strict=True))
    if in_blocks > MAX_KERNEL_GROWTH * _tap_count(g):
        return False
    return math.prod(g.strides) >= 16 or has_disjoint_windows(g, batch)


def phases_are_alike(g: ConvGeometry, batch: int) -> bool:
    """Returns whether strides divide the kernel: the few phases of the transpose have as many taps each."""
    alike = all(k % s == 0 for k, s in zip(g.kernel_shape, g.strides, strict=True))
    few = g.ndim > 1 and 1 < math.prod(g.strides) <= MAX_PHASES and g.out_features <= 4 * g.in_features
    return few and alike and set(g.kernel_dilation) == {1}


def strides_narrow_the_output(g: ConvGeometry, batch: int) -> bool:
    """Returns whether a strided convolution leads to less than twice its features, or from few to few."""
    large = _tap_count(g) > MAX_LOOPED_TAPS
    few = large and g.in_features <= FEW_FEATURES and g.out_features <= MAX_NARROW_OUTPUTS
    narrow = g.out_features < 2 * g.in_features or few
    return (
        g.ndim > 1
        and max(g.strides) > 1
        and narrow
        and set(g.input_dilation) == set(g.kernel_dilation) == {1}
    )


def strides_lead_to_few_features(g: ConvGeometry, batch: int) -> bool:
    """Returns whether a strided convolution has few features: XLA's transpose multiplies inserted zeros."""
    return max(g.strides) > 1 and g.in_features < MAX_SPLIT_INPUTS // math.prod(g.strides)


def narrows_to_half(g: ConvGeometry, batch: int) -> bool:
    """Returns whether strides are 1, and outputs are fewer than half of the inputs."""
    return _has_unit_strides(g) and g.in_features > 2 * g.out_features


def has_few_windows(g: ConvGeometry, batch: int) -> bool:
    """Returns whether strides leave few windows, and the columns fit.

    With short strides, XLA's own gradient is fast where outputs fill whole blocks or maps fill registers; one
    axis was not measured.
    """
    filled = g.out_features % OUTPUT_BLOCK == 0 or _maps_fill_registers(batch)
    short = math.prod(g.strides) < 8 and (filled or g.ndim == 1)
    few = math.prod(g.strides) > 1 and not short and _column_count(g) <= MAX_COLUMNS
    return few and _columns_fit(g, batch)


def has_few_windows_of_few_taps(g: ConvGeometry, batch: int) -> bool:
    """Returns whether strides leave fewer windows than cells, of few taps, and the columns would fit."""
    strided = g.ndim > 1 and max(g.strides) > 1 and not _maps_fill_registers(batch)
    few = g.in_features > FEW_FEATURES and _tap_count(g) <= MAX_FOLDED_TAPS
    return strided and few and _columns_fit(g, batch)


def split_columns_pay(g: ConvGeometry, batch: int) -> bool:
    """Returns whether a small 2-D kernel reads a large map or few features, and split columns fit.

    Where outputs are many more than inputs, XLA's own gradient is the faster one.
    """
    large = math.prod(g.output_shape) >= MIN_LARGE_MAP
    small_kernel = g.ndim == 2 and max(g.kernel_shape) <= MAX_SLICED_TAPS
    undilated = set(g.kernel_dilation) == {1}
    few = g.in_features <= MAX_SPLIT_INPUTS and batch < 8
    pays = undilated and g.in_features >= 8 and g.out_features <= 2 * g.in_features and (large or few)
    enough = pays and (g.out_features <= 16 or g.in_features >= 64)
    return (
        small_kernel and enough and _has_unit_strides(g) and batch * _split_column_count(g) <= MAX_TEMPORARY
    )


def does_not_widen(g: ConvGeometry, batch: int) -> bool:
    """Returns whether strides are 1, and outputs are at most as many as inputs; fewer with dilation."""
    enough = g.out_features if set(g.kernel_dilation) == {1} else 3 * g.out_features / 2
    return _has_unit_strides(g) and g.in_features >= enough


def _maps_fill_registers(batch: int) -> bool:
    """Returns whether maps come in fours: XLA's gradient of a kernel has them in place of features."""
    return batch % 4 == 0


def _tap_count(g: ConvGeometry) -> int:
    return math.prod(g.kernel_shape)


def _has_unit_strides(g: ConvGeometry) -> bool:
    """Returns whether windows move by one cell, over an input without inserted zeros."""
    return set(g.strides) == set(g.input_dilation) == {1}


def _every_input_is_a_group(g: ConvGeometry) -> bool:
    return g.feature_group_count == g.in_features and (g.in_features > 1 or g.out_features == 1)


def _fft_pays(g: ConvGeometry, min_taps: int) -> bool:
    padded = math.prod(axis.padded for axis in g.axes)
    numbers = padded * g.kernel_array_shape[-2] * g.out_features
    saves = math.prod(g.output_shape) * _tap_count(g) >= MIN_FFT_PRODUCTS * padded
    return _has_unit_strides(g) and _tap_count(g) >= min_taps and numbers <= MAX_FFT_NUMBERS and saves


def _column_count(g: ConvGeometry) -> int:
    """Counts the numbers in all windows of one map."""
    return math.prod(g.output_shape) * _tap_count(g) * g.in_features


def _columns_fit(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the columns of the whole batch, which are made at once, fit a temporary array."""
    return batch * _column_count(g) <= MAX_TEMPORARY


def _split_column_count(g: ConvGeometry) -> int:
    width = g.kernel_shape[-1] * g.in_features + g.kernel_shape[0] * g.out_features
    return g.axes[0].padded * math.prod(g.output_shape[1:]) * width
