"""The rules of ``method="auto"`` as data: a condition, a method, and the measurement behind it.

`auto` takes the first rule whose condition holds. Times are medians in milliseconds, each pair of one
run, on a 2-core CPU (AMD EPYC, AVX-512), float32, jax 0.10.2, November 2026, of the cases in
benchmarks/cases.py and of random layers (benchmarks/random_cases.py), which are named with their shape.
``direct`` is XLA's own convolution, which a rule has to beat.
"""

from __future__ import annotations

from typing import Literal

from jaxconv.convolution import conditions as when
from jaxconv.convolution.methods import ConvKernelVjpMethod, ConvMethod, ConvTransposeMethod
from jaxconv.convolution.rule import Measurement, Rule

# Reasons of several rules.
_ALONE = "every input feature is a group of its own (so is one feature to one feature)"
_COLUMNS_FIT = "the windows side by side (im2col columns) fit into 16 MB"

CONV_RULES: tuple[Rule[ConvMethod], ...] = (
    Rule(
        "taps",
        when.is_depthwise,
        f"{_ALONE}, with at most 128 taps",
        (
            Measurement("3x3 over 4x56x56x64", 17.6, 0.35),
            Measurement("5x5 stride 2", 4.8, 0.36),
            Measurement("3x3x3", 65, 0.38),
            Measurement("11x11, 1 to 1 feature", 11, 0.47),
        ),
    ),
    Rule(
        "fft",
        when.fft_pays,
        "the kernel has 900 taps or more, and no strides",
        (
            Measurement("31x31 on 128x128, 1 to 1 feature", 15.6, 0.19),
            Measurement("31x31 depthwise", 73, 2.7),
            Measurement("300x300, 1 to 1 feature", 16019, 4.3),
        ),
    ),
    Rule(
        "grouped",
        when.merges_into_few_blocks,
        "groups merge into at most 32 dense blocks",
        (
            Measurement("4 groups of 16", 1.3, 0.60),
            Measurement("32 groups of 4", 6.7, 1.2),
            Measurement("16 groups of 1 to 2", 8.7, 0.87),
        ),
    ),
    Rule("direct", when.has_groups, "groups do not merge into few dense blocks"),
    Rule(
        "taps",
        when.is_first_layer,
        "one input feature leads to a few outputs, without strides",
        (Measurement("3x3, 1 to 16", 0.92, 0.15), Measurement("3x3x3, 1 to 8", 11.8, 0.28)),
    ),
    Rule(
        "im2col",
        when.has_disjoint_volumes,
        "there are three spatial axes or more, and windows do not overlap",
        (Measurement("2x2x2 stride 2", 0.81, 0.31),),
    ),
    Rule(
        "planes",
        when.has_volumes,
        "there are three spatial axes or more, the first ones with at most 9 taps",
        (Measurement("3x3x3, 8 to 16", 9.3, 1.8),),
    ),
    Rule(
        "im2col",
        when.has_one_tap_that_pays,
        "the kernel has one tap; without strides outputs are at most 32 or less than 5 times the inputs, "
        "which are 32 or more if there is one output; with strides outputs are 80 or more and twice the "
        "inputs, or at most 32 and inputs at most 16",
        (
            Measurement("1x1, 64 to 64", 0.68, 0.38),
            Measurement("1x1, 4 to 24 on 4x122x122", 0.57, 0.35),
            Measurement("1x1 stride 2, 4 to 12 on 4x74x74", 0.27, 0.12),
            Measurement("1x1 stride 2, 20 to 96 on 2x62x38", 0.15, 0.10),
        ),
        excluded=(
            Measurement("1x1, 3 to 64 on 5x64x64", 0.21, 0.25),
            Measurement("1x1, 4 to 48 on 3x32x32", 0.07, 0.11),
            Measurement("1x1, 16 to 1 on 5x122x42", 0.07, 0.15),
            Measurement("1x1 stride 2, 20 to 64 on 4x60x60", 0.15, 0.21),
            Measurement("1x1 stride 2, 64 to 8 on 1x120x120", 0.15, 0.21),
            Measurement("1x1 stride 2, 64 to 96 on 4x103x95", 2.1, 2.5),
        ),
    ),
    Rule(
        "im2col",
        when.has_narrow_windows,
        f"a window holds at most 36 numbers, without strides, outputs are at most 32, and {_COLUMNS_FIT}",
        (Measurement("3x3, 3 to 32", 2.1, 0.95), Measurement("3x3 dilated 2, 4 to 8 on 8x111x111", 5.7, 1.3)),
        excluded=(Measurement("3x3, 3 to 48 on 5x127x48", 1.1, 2.1),),
    ),
    Rule(
        "im2col",
        when.kernel_outweighs_map,
        f"there are at most as many positions as output features, and {_COLUMNS_FIT}",
        (Measurement("7x7 on 14x14, to 256", 0.56, 0.44),),
    ),
    Rule("direct", when.always, "no other rule applies"),
)


CONV_TRANSPOSE_RULES: tuple[Rule[ConvTransposeMethod], ...] = (
    # Several inputs to one output per group lead back from a first layer of `conv`; depthwise in blocks is
    # the same thing (not measured as a transpose).
    Rule(
        "taps",
        when.has_one_output_per_group,
        "the forward convolution has one output feature per group, few taps and at most 16 phases",
        (
            Measurement("3x3 over 4x56x56x64", 17.8, 0.39),
            Measurement("5x5 stride 2", 38, 0.31),
            Measurement("3x3x3", 65, 0.42),
            Measurement("11x11, 1 to 1 feature", 7.4, 0.46),
        ),
    ),
    Rule(
        "fft",
        when.fft_pays,
        "the kernel has 900 taps or more, and no strides",
        (
            Measurement("31x31 on 128x128, 1 to 1 feature", 8.1, 0.17),
            Measurement("31x31 depthwise", 74, 1.7),
            Measurement("300x300, 1 to 1 feature", 16378, 3.6, "subpixel"),
        ),
    ),
    Rule(
        "space_to_depth",
        when.blocks_pay,
        "strides multiply to 16 or more, or windows do not overlap: each block of stride "
        "cells becomes the features of one cell",
        (
            Measurement("16x16 stride 8", 17, 0.41),
            Measurement("64x64 stride 32", 36, 12),
            Measurement("1-D, 1024 taps, stride 256", 39, 1.8),
            Measurement("2x2x2 stride 2", 47, 0.23),
        ),
    ),
    Rule(
        "grouped",
        when.merges_into_few_blocks,
        "groups merge into at most 32 dense blocks",
        (
            Measurement("4 groups of 16", 1.3, 0.71),
            Measurement("32 groups of 4", 6.8, 0.97),
            Measurement("16 groups of 1 to 2", 15, 1.1),
        ),
    ),
    Rule("direct", when.has_groups, "groups do not merge into few dense blocks"),
    Rule(
        "im2col",
        when.has_one_tap_to_many,
        "the kernel has one tap, and the result several features",
        (Measurement("1x1, 64 to 64", 0.76, 0.42), Measurement("1x1, 24 to 4 on 4x122x122", 0.53, 0.23)),
        excluded=(Measurement("1x1, 64 to 1 on 5x122x42", 0.52, 6.0),),
    ),
    Rule(
        "im2col",
        when.kernel_outweighs_map,
        f"there are at most as many positions as output features, and {_COLUMNS_FIT}",
        (Measurement("7x7 on 14x14, from 256", 2.4, 0.89),),
    ),
    Rule(
        "im2col",
        when.leads_to_one_feature,
        f"the result has one feature, and {_COLUMNS_FIT}",
        (Measurement("3x3, to 1", 0.97, 0.42), Measurement("3x3x3, to 1", 8.9, 0.74)),
    ),
    Rule(
        "im2col",
        when.leads_to_few_features,
        f"the result has at most 4 features, of at most 24, with at most 16 taps, without strides, and "
        f"{_COLUMNS_FIT}",
        (Measurement("3x3, 12 to 3 on 1x69x69", 0.63, 0.22),),
        excluded=(
            Measurement("3x3, 32 to 3 on 8x64x64", 1.2, 1.3),
            Measurement("5x5, 32 to 4 on 3x74x125", 2.4, 3.3),
        ),
    ),
    Rule(
        "planes",
        when.has_volumes,
        "there are three spatial axes or more, the first ones with at most 9 taps",
        (Measurement("3x3x3, 8 to 16", 18, 1.8),),
    ),
    Rule(
        "subpixel",
        when.phases_are_alike,
        "strides on two axes or more multiply to at most 4 and divide the kernel, without dilation, and the "
        "map has at most 4 times the features of the result",
        (
            Measurement("4x4 stride 2, 8 to 80 on 8x60x12", 11, 2.8),
            Measurement("4x4 stride 2, 24 to 20 on 2x33x45", 0.96, 0.67),
            Measurement("4x4 stride 2, 80 to 24 on 7x14x53", 5.6, 4.0),
            Measurement("4x4 stride 2, 40 to 96 on 7x47x47", 83, 23),
        ),
    ),
    Rule(
        "space_to_depth",
        when.strides_narrow_the_output,
        "there are strides on two axes or more without dilation, and the result has more than half as many "
        "features as the map, or at most 4, the map at most 32, and the kernel more than 16 taps",
        (
            Measurement("3x3 stride 2, 20 to 12 on 8x29x55", 2.0, 0.96),
            Measurement("3x3 stride 2, 48 to 64 on 8x43x27", 11, 6.3),
            Measurement("7x7 stride 2, 12 to 4 on 7x21x21", 1.7, 0.67, "subpixel"),
            Measurement("7x7 stride 2, 24 to 4 on 7x55x31", 3.4, 1.6),
        ),
        excluded=(
            Measurement("3x3 stride 2, 64 to 20 on 3x64x28", 1.26, 1.33),
            Measurement("3x3 stride 2, 16 to 4 on 4x31x19", 0.25, 0.32),
        ),
    ),
    Rule(
        "zero_insertion",
        when.narrows_to_half,
        "strides are 1, and output features are fewer than half of the inputs",
        (
            Measurement("1-D, 3 taps dilated 4, 40 to 96 on 6x6825", 15, 10),
            Measurement("3x3 dilated 2, 8 to 20 on 8x17x17", 0.14, 0.13),
        ),
    ),
    Rule("direct", when.always, "no other rule applies"),
)


CONV_KERNEL_VJP_RULES: tuple[Rule[ConvKernelVjpMethod], ...] = (
    Rule(
        "fft",
        when.fft_pays_for_depthwise_gradient,
        f"{_ALONE}, with 100 taps or more and no strides",
        (
            Measurement("11x11 on 256x256, 1 to 1 feature", 11, 0.50),
            Measurement("31x31, 1 to 1 feature", 35, 0.15),
            Measurement("31x31 depthwise", 35, 1.6),
            Measurement("300x300, 1 to 1 feature", 17624, 4.4),
        ),
    ),
    Rule("fft", when.fft_pays, "the kernel has 900 taps or more, and no strides"),
    Rule(
        "taps",
        when.is_depthwise_one_to_one,
        "the convolution is depthwise, with as many outputs as inputs and at most 128 taps",
        (
            Measurement("3x3 over 4x56x56x64", 8.2, 0.72),
            Measurement("7x7", 6.2, 0.89),
            Measurement("3x3x3", 17, 0.51),
        ),
        excluded=(Measurement("3x3x3, 1 to 1 feature", 0.63, 2.6),),
    ),
    Rule(
        "grouped",
        when.merges_into_few_blocks,
        "groups merge into at most 32 dense blocks",
        (
            Measurement("4 groups of 16", 65, 1.3),
            Measurement("32 groups of 4", 749, 2.4),
            Measurement("16 groups of 1 to 2", 252, 1.8),
        ),
    ),
    Rule(
        "taps",
        when.has_groups,
        "groups do not merge into few dense blocks",
        (Measurement("32 groups of 4", 749, 4.9),),
    ),
    Rule(
        "taps",
        when.has_small_disjoint_windows,
        "windows do not overlap, and have at most 8 taps",
        (
            Measurement("1x1, 64 to 64", 3.2, 1.1),
            Measurement("1x1 stride 2", 1.4, 0.40),
            Measurement("2x2 stride 2", 1.5, 0.69),
            Measurement("2x2x2 stride 2", 6.0, 0.58),
        ),
    ),
    Rule(
        "space_to_depth",
        when.has_disjoint_windows,
        "windows do not overlap: each is one block, and the kernel of blocks is 1x1",
    ),
    Rule(
        "planes",
        when.has_volumes,
        "there are three spatial axes or more, the first ones with at most 9 taps",
        (Measurement("3x3x3, 8 to 16", 18, 3.2), Measurement("3x3x3, 1 to 8", 6.1, 0.79)),
    ),
    Rule(
        "im2col",
        when.kernel_outweighs_map,
        f"there are at most as many positions as output features, and {_COLUMNS_FIT}",
    ),
    Rule(
        "taps",
        when.has_few_windows_of_few_taps,
        "there are strides on two axes or more and at most 9 taps, the map has more than 4 features, windows "
        "are few, and the batch is not a multiple of 4",
        (
            Measurement("3x3 stride 2, 64 to 8 on 2x58x58", 3.0, 0.56),
            Measurement("3x3 stride 2, 20 to 64 on 3x127x56", 1.8, 1.3),
        ),
        excluded=(
            Measurement("3x3 stride 2, 64 to 48 on 8x86x53", 12, 16),
            Measurement("3x3 stride 2, 12 to 20 on 8x58x109", 2.0, 2.3),
        ),
    ),
    Rule(
        "im2col",
        when.has_few_windows,
        "strides multiply to 8 or more, or there are two axes, outputs are not a multiple of 64 and the "
        f"batch is not one of 4; and {_COLUMNS_FIT} (4 MB per map)",
        (
            Measurement("1-D, 16 taps, stride 8", 4.7, 2.3),
            Measurement("16x16 stride 8", 1.4, 0.61),
            Measurement("4x4 stride 2, 24 to 80 on 7x28x106", 13, 4.6),
            Measurement("7x7 stride 2, 4 to 24 on 7x109x61", 12, 2.1),
        ),
        excluded=(
            Measurement("64x64 stride 32", 4.1, 6.6),
            Measurement("4x4 stride 2, 20 to 40 on 6x128x128", 12, 26),
            Measurement("4x4 stride 2, 32 to 64 on 4x64x64", 3.3, 4.9),
            Measurement("4x4 stride 2, 16 to 96 on 8x80x80", 11, 16),
        ),
    ),
    Rule(
        "im2col",
        when.reads_few_features,
        "the map has at most 4 features, a window at least 64 numbers, without dilation, the batch is not a "
        f"multiple of 4, and {_COLUMNS_FIT} (4 MB per map)",
        (Measurement("5x5, 4 to 32 on 3x74x125", 8.4, 2.7),),
        excluded=(
            Measurement("3x3 dilated 2, 4 to 8 on 8x111x111", 1.3, 2.1),
            Measurement("3x3, 3 to 32 on 8x64x64", 0.86, 1.2),
            Measurement("3x3, 4 to 16 on 7x93x80", 1.0, 1.2),
            Measurement("7x7 stride 2, 3 to 64 on 224x224", 3.1, 4.1),
        ),
    ),
    Rule(
        "split_im2col",
        when.split_columns_pay,
        "a small 2-D kernel without strides and dilation reads a large map, or few features in a batch below "
        "8, and leads to at most twice as many, at most 16 unless it reads 64",
        (
            Measurement("3x3, 16 to 16", 3.1, 2.2),
            Measurement("3x3, 32 to 16", 8.4, 4.6),
            Measurement("3x3, 64 to 64", 8.5, 5.1),
            Measurement("5x5", 2.3, 1.2),
            Measurement("four blocks of 16 to 16 on 28x28", 1.26, 0.62),
        ),
        excluded=(
            Measurement("3x3, 3 to 32", 1.1, 1.6),
            Measurement("3x3, 128 to 128", 2.4, 2.7),
            Measurement("3x3 dilated 2, 32 to 32", 3.0, 4.6),
            Measurement("3x3, 32 to 32 on 4x48x64", 2.7, 3.0, "zero_insertion"),
            Measurement("3x3, 20 to 12 on 8x68x20", 1.0, 1.2, "zero_insertion"),
            Measurement("3x3, 24 to 20 on 4x44x44", 1.5, 1.8, "zero_insertion"),
            Measurement("7x7, 20 to 24 on 1x41x85", 2.7, 3.0),
            Measurement("3x3 dilated 2, 20 to 8 on 8x17x17", 0.22, 0.34, "zero_insertion"),
            Measurement("3x3, 16 to 48 on 5x60x82", 6.0, 10),
        ),
    ),
    # Also beyond the limit of split columns.
    Rule(
        "zero_insertion",
        when.does_not_widen,
        "strides are 1, and output features are at most as many as inputs, with dilation two thirds",
        (
            Measurement("3x3 dilated 2, 20 to 8 on 8x17x17", 0.46, 0.22),
            Measurement("3x3 on 96x128, 16 to 16", 4.3, 3.4),
            Measurement("3x3 on 96x128, 32 to 16", 8.2, 6.2),
        ),
        excluded=(
            Measurement("3x3 dilated 2, 40 to 32 on 1x36x36", 0.42, 0.59),
            Measurement("3x3 dilated 4, 64 to 64", 0.69, 0.74),
        ),
    ),
    Rule("direct", when.always, "no other rule applies"),
)


# Where nothing was measured: only what saves work by orders of magnitude.
OFF_CPU_RULES: tuple[Rule[Literal["direct", "fft"]], ...] = (
    Rule("fft", when.fft_pays, "the kernel has 900 taps or more, and no strides"),
    Rule("direct", when.always, "no other rule applies"),
)
