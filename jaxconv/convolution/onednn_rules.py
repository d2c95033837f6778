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
MAX_FEW_OUTPUTS = 3  # the same of the map that a kernel's gradient reads


def leads_to_one_feature(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the result of the transpose has a single feature of several, and columns that fit."""
    return when.leads_to_one_feature(g, batch) and math.prod(g.kernel_shape) > 1 and g.out_features > 1


def leads_to_few_features(g: ConvGeometry, batch: int) -> bool:
    """Returns whether the transpose leads from many features to a few."""
    several = math.prod(g.kernel_shape) > 1 and set(g.strides) == {1} and g.feature_group_count == 1
    return several and 1 < g.in_features <= MAX_FEW and g.out_features >= 8 * MAX_FEW


def reads_few_outputs(g: ConvGeometry, batch: int) -> bool:
    """Returns whether a kernel's gradient reads a map of few output features, in columns that fit."""
    few = g.feature_group_count == 1 and g.out_features <= MAX_FEW_OUTPUTS
    return few and when.split_columns_pay(g, batch)


def _taken_over(rules: Iterable[Rule[Any]]) -> tuple[Rule[Any], ...]:
    """Returns the rules that hold beside oneDNN too: for large kernels, and for those that outweigh the map.

    oneDNN puts the numbers of a kernel into another order at every call.
    """
    return tuple(rule for rule in rules if rule.method == "fft" or rule.holds is when.kernel_outweighs_map)


_ONEDNN = "oneDNN has a kernel for it"

WITH_ONEDNN: dict[Kind, tuple[Rule[Any], ...]] = {
    Kind.CONV: (
        *_taken_over(CONV_RULES),
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
        *_taken_over(CONV_TRANSPOSE_RULES),
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
            "the result has at most 4 features, of at least 32, without strides",
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
        *_taken_over(CONV_KERNEL_VJP_RULES),
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
