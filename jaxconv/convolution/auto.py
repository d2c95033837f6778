"""Which method ``"auto"`` stands for: that of the first rule in `rules` whose condition holds.

A choice follows from the geometry, and from the batch where columns would be made of all of it. The rules
of a CPU were measured there; other platforms have `method_off_cpu`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from jaxconv.convolution.methods import ConvKernelVjpMethod, ConvMethod, ConvTransposeMethod
from jaxconv.convolution.native import Kind
from jaxconv.convolution.onednn_rules import WITH_ONEDNN
from jaxconv.convolution.rule import Method, Rule
from jaxconv.convolution.rules import (
    CONV_KERNEL_VJP_RULES,
    CONV_RULES,
    CONV_TRANSPOSE_RULES,
    OFF_CPU_RULES,
)
from jaxconv.geometry import ConvGeometry


def first_rule(rules: Sequence[Rule[Method]], g: ConvGeometry, batch: int = 1) -> Rule[Method]:
    """Returns the first rule that holds for a geometry and a batch of so many maps."""
    return next(rule for rule in rules if rule.holds(g, batch))


def method_for_conv(g: ConvGeometry, batch: int = 1) -> ConvMethod:
    """Returns the method of `conv` on a CPU.

    >>> method_for_conv(ConvGeometry((56, 56), (1, 1), in_features=64, out_features=64))
    'im2col'
    """
    return first_rule(CONV_RULES, g, batch).method


def method_for_conv_transpose(g: ConvGeometry, batch: int = 1) -> ConvTransposeMethod:
    """Returns the method of `conv_transpose` on a CPU."""
    return first_rule(CONV_TRANSPOSE_RULES, g, batch).method


def method_for_conv_kernel_vjp(g: ConvGeometry, batch: int = 1) -> ConvKernelVjpMethod:
    """Returns the method of `conv_kernel_vjp` on a CPU."""
    return first_rule(CONV_KERNEL_VJP_RULES, g, batch).method


def method_off_cpu(g: ConvGeometry, batch: int = 1) -> Literal["direct", "fft"]:
    """Returns the method of all three functions on a platform that is not a CPU."""
    return first_rule(OFF_CPU_RULES, g, batch).method


def method_with_onednn(kind: Kind, g: ConvGeometry, batch: int = 1) -> str:
    """Returns the method of a function on a CPU for which oneDNN is available."""
    return first_rule(WITH_ONEDNN[kind], g, batch).method
