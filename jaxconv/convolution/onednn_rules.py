"""The rules of ``method="auto"`` where oneDNN is available: what is faster than it, then it, then `rules`.

They are for float32 on one CPU device, and for geometries for which oneDNN has a fast kernel
(`formulations.onednn.has_kernel`); all others follow `rules`. Times are medians in milliseconds, each pair of
one run, on a 2-core CPU (AMD EPYC, AVX-512) with oneDNN 3.2 of PyPI, November 2026. The other method is the
one that `rules` takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from jaxconv.convolution import conditions as when
from jaxconv.convolution.native import Kind
from jaxconv.convolution.rules import (
    CONV_KERNEL_VJP_RULES,
    CONV_RULES,
    CONV_TRANSPOSE_RULES,
    Measurement,
    Rule,
)
from jaxconv.geometry import ConvGeometry

MAX_FEW = 4  # features of a result that oneDNN computes in a vector of 16
MAX_POSITIONS = 200  # positions of a batch for which a large kernel is not worth a new order
MIN_LARGE_KERNEL = 3 * 2**18  # numbers of a kernel that a core's cache does not hold
MAX_FEW_OUTPUTS = 3  # the same of the map that a kernel's gradient reads


def leads_to_one_feature(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the result of the transpose has a single feature of several, and columns that fit."""
    return when.leads_to_one_feature(g, batch) and math.prod(g.kernel_shape) > 1 and g.out_features > 1


def leads_to_few_features(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the transpose leads from many features to a few."""
    plane = g.ndim == 2 and math.prod(g.kernel_shape) > 1 and set(g.strides) == {1}
    few = 1 < g.in_features <= MAX_FEW and g.out_features >= 8 * MAX_FEW
    return plane and few and g.feature_group_count == 1


def upsamples_to_few_features(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the transpose leads to a few features in several phases."""
    return g.in_features <= MAX_FEW and when.strides_lead_to_few_features(g, batch)


def blocks_of_few_features(g: ConvGeometry, batch: int) -> bool:
    """Returns whether blocks of stride cells pay, of a few features or in a volume."""
    return when.blocks_pay(g, batch) and (g.in_features <= MAX_FEW or g.ndim > 2)


def is_first_layer_of_volumes(g: ConvGeometry, batch: int) -> bool:
    """Returns whether one input feature leads to several outputs, on three spatial axes."""
    return g.ndim > 2 and when.is_first_layer(g, batch)


def reads_few_outputs(g: ConvGeometry, batch: int) -> bool:
    """Returns whether a kernel's gradient reads a map of few output features, in columns that fit."""
    few = g.feature_group_count == 1 and g.out_features <= MAX_FEW_OUTPUTS
    return few and when.split_columns_pay(g, batch)


def kernel_outweighs_map(g: ConvGeometry, batch: int) -> bool:
    """Returns whether a large kernel is read for so few positions that reordering it does not pay."""
    few = batch * math.prod(g.output_shape) <= MAX_POSITIONS
    return few and g.parameters >= MIN_LARGE_KERNEL and when.kernel_outweighs_map(g, batch)


def _first(rules: Iterable[Rule[Any]], *measured: Measurement) -> tuple[Rule[Any], ...]:
    """Returns the rules before oneDNN's: those for an FFT, and that for kernels which outweigh the map."""
    of_fft = tuple(rule for rule in rules if rule.method == "fft")
    return *of_fft, Rule("im2col", kernel_outweighs_map, _OUTWEIGHS, measured, _EXCLUDED)


_OUTWEIGHS = (
    "the kernel has 786,432 numbers or more for at most 200 positions of the batch: oneDNN reorders it at "
    "every call"
)
_EXCLUDED = (
    Measurement("3x3, 512 to 512 on 7x7, batch 16", 16.9, 20.0, "onednn"),
    Measurement("3x3, 256 to 256 on 14x14", 1.21, 1.39, "onednn"),
)
_ONEDNN = "oneDNN has a kernel for it (float32 on one device, or on each inside shard_map)"

WITH_ONEDNN: dict[Kind, tuple[Rule[Any], ...]] = {
    Kind.CONV: (
        *_first(CONV_RULES, Measurement("3x3, 512 to 512 on 7x7", 4.3, 1.8, "onednn")),
        Rule(
            "taps",
            is_first_layer_of_volumes,
            "one input feature leads to a few outputs on three spatial axes, without strides",
            (Measurement("3x3x3, 1 to 8", 0.37, 0.31, "onednn"),),
            excluded=(Measurement("3x3, 1 to 16", 0.12, 0.24, "onednn"),),
        ),
        Rule(
            "onednn",
            when.always,
            _ONEDNN,
            (
                Measurement("3x3, 64 to 64", 9.6, 4.2),
                Measurement("3x3 stride 2, 32 to 64", 1.6, 0.68),
                Measurement("3x3 over 4x56x56x64, depthwise", 0.43, 0.10, "taps"),
                Measurement("4 groups of 16", 1.3, 0.29, "grouped"),
                Measurement("3x3x3, 8 to 16", 2.8, 1.0, "planes"),
            ),
        ),
    ),
    Kind.CONV_TRANSPOSE: (
        *_first(CONV_TRANSPOSE_RULES, Measurement("3x3, 512 to 512 on 7x7", 5.5, 2.1, "onednn")),
        Rule(
            "space_to_depth",
            blocks_of_few_features,
            "strides multiply to 16 or more, or windows do not overlap; at most 4 features, or three axes",
            (
                Measurement("1-D, 1024 taps, stride 256", 44, 3.3, "onednn"),
                Measurement("2x2x2 stride 2, to 16", 0.62, 0.35, "onednn"),
            ),
            excluded=(Measurement("2x2 stride 2, to 32", 0.40, 0.44, "onednn"),),
        ),
        Rule(
            "subpixel",
            upsamples_to_few_features,
            "the transpose upsamples to at most 4 features",
            (Measurement("7x7 stride 2, to 3", 5.8, 3.5, "onednn"),),
        ),
        Rule(
            "im2col",
            leads_to_one_feature,
            "the result has one feature, and the windows fit into 16 MB",
            (
                Measurement("3x3, 1 to 32 on 64x64", 0.69, 0.36, "onednn"),
                Measurement("3x3, 1 to 16 on 96x128", 1.08, 0.48, "onednn"),
            ),
        ),
        Rule(
            "direct",
            leads_to_few_features,
            "the transpose leads from 32 features or more to at most 4 on two spatial axes, without strides",
            (
                Measurement("3x3, 3 to 32 on 64x64", 0.71, 0.58, "onednn"),
                Measurement("3x3, 4 to 32 on 64x64", 0.71, 0.58, "onednn"),
            ),
            excluded=(
                Measurement("3x3, 3 to 16 on 96x128", 1.09, 3.0, "onednn"),
                Measurement("3x3, 6 to 32 on 64x64", 0.71, 1.08, "onednn"),
            ),
        ),
        Rule(
            "onednn",
            when.always,
            _ONEDNN,
            (
                Measurement("3x3, 64 to 64", 9.6, 4.2),
                Measurement("3x3 stride 2, 32 to 64", 1.1, 0.73),
                Measurement("3x3 over 4x56x56x64, depthwise", 0.33, 0.13, "taps"),
                Measurement("4 groups of 16", 0.78, 0.27, "grouped"),
                Measurement("3x3x3, 8 to 16", 3.1, 2.0, "planes"),
            ),
        ),
    ),
    Kind.CONV_KERNEL_VJP: (
        *_first(CONV_KERNEL_VJP_RULES, Measurement("3x3, 512 to 512 on 7x7", 4.4, 2.9, "onednn")),
        Rule(
            "split_im2col",
            reads_few_outputs,
            "there are at most 3 output features, and a small 2-D kernel without strides",
            (
                Measurement("3x3, 16 to 1 on 64x64", 0.72, 0.39, "onednn"),
                Measurement("3x3, 16 to 3 on 64x64", 0.71, 0.58, "onednn"),
            ),
        ),
        Rule(
            "onednn",
            when.always,
            _ONEDNN,
            (
                Measurement("3x3, 64 to 64", 10.4, 4.7, "zero_insertion"),
                Measurement("3x3 stride 2, 32 to 64", 1.9, 0.87),
                Measurement("3x3 over 4x56x56x64, depthwise", 0.82, 0.12, "taps"),
                Measurement("4 groups of 16", 0.72, 0.27, "grouped"),
                Measurement("3x3x3, 8 to 16", 2.5, 1.2, "planes"),
            ),
        ),
    ),
}
"""For each member; the last rule holds always."""
