"""The rules of ``method="auto"`` as data: a condition, a method, and the measurement behind it.

`auto` takes the first rule whose condition holds. Times are medians in milliseconds, each pair of one
run, on a 2-core CPU (AMD EPYC, AVX-512), float32, jax 0.10.2, November 2026, of the cases in
benchmarks/cases.py. ``direct`` is XLA's own convolution, which a rule has to beat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Literal, NamedTuple, TypeVar

from jaxconv.convolution import conditions as when
from jaxconv.convolution.methods import ConvKernelVjpMethod, ConvMethod, ConvTransposeMethod
from jaxconv.geometry import ConvGeometry

Method = TypeVar("Method", bound=str, covariant=True)


class Measurement(NamedTuple):
    """Times of one case in milliseconds: by another method, and by the rule's own."""

    case: str
    other_ms: float
    own_ms: float
    other: str = "direct"


class Rule(NamedTuple, Generic[Method]):
    """A method, and when and why it is taken.

    Attributes:
      method: The method that the rule takes.
      holds: The condition, a function of a geometry and the number of maps per batch.
      reason: The condition in words.
      measured: Cases in which the method is faster than the other.
      excluded: Cases in which it is not, which the condition therefore leaves out.
    """

    method: Method
    holds: Callable[[ConvGeometry, int], bool]
    reason: str
    measured: tuple[Measurement, ...] = ()
    excluded: tuple[Measurement, ...] = ()


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
    Rule("im2col", when.has_one_tap, "the kernel has one tap", (Measurement("1x1, 64 to 64", 0.68, 0.38),)),
    Rule(
        "im2col",
        when.has_narrow_windows,
        f"a window holds at most 32 numbers, without strides, and {_COLUMNS_FIT}",
        (Measurement("3x3, 3 to 32", 2.1, 0.95),),
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
    Rule("im2col", when.has_one_tap, "the kernel has one tap", (Measurement("1x1, 64 to 64", 0.76, 0.42),)),
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
        "planes",
        when.has_volumes,
        "there are three spatial axes or more, the first ones with at most 9 taps",
        (Measurement("3x3x3, 8 to 16", 18, 1.8),),
    ),
    Rule(
        "subpixel",
        when.strides_lead_to_few_features,
        "the transpose upsamples to few features",
        (Measurement("7x7 stride 2, to 3", 5.8, 2.4),),
        excluded=(Measurement("4x4 stride 2, to 32", 1.2, 1.7),),
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
        "im2col",
        when.has_few_windows,
        f"strides multiply to 8 or more, and {_COLUMNS_FIT} (4 MB per map)",
        (Measurement("1-D, 16 taps, stride 8", 4.7, 2.3), Measurement("16x16 stride 8", 1.4, 0.61)),
        excluded=(Measurement("64x64 stride 32", 4.1, 6.6),),
    ),
    Rule(
        "split_im2col",
        when.split_columns_pay,
        "a small 2-D kernel without strides reads a large map, or few features",
        (
            Measurement("3x3, 16 to 16", 3.1, 2.2),
            Measurement("3x3, 32 to 16", 8.4, 4.6),
            Measurement("3x3, 64 to 64", 8.5, 5.1),
            Measurement("5x5", 2.3, 1.2),
            Measurement("3x3 dilated 2", 2.6, 2.3),
            Measurement("four blocks of 16 to 16 on 28x28", 1.26, 0.62),
        ),
        excluded=(
            Measurement("3x3, 3 to 32", 1.1, 1.6),
            Measurement("3x3, 128 to 128", 2.4, 2.7),
            Measurement("3x3 dilated 4, 64 to 64", 0.84, 1.3),
        ),
    ),
    # Also beyond the limit of split columns.
    Rule(
        "zero_insertion",
        when.does_not_widen,
        "strides are 1, and output features are at most as many as inputs",
        (
            Measurement("3x3 on 96x128, 16 to 16", 4.3, 3.4),
            Measurement("3x3 on 96x128, 32 to 16", 8.2, 6.2),
        ),
    ),
    Rule("direct", when.always, "no other rule applies"),
)


# Where nothing was measured: only what saves work by orders of magnitude.
OFF_CPU_RULES: tuple[Rule[Literal["direct", "fft"]], ...] = (
    Rule("fft", when.fft_pays, "the kernel has 900 taps or more, and no strides"),
    Rule("direct", when.always, "no other rule applies"),
)
