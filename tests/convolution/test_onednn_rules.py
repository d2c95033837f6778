"""The rules of `method="auto"` beside a oneDNN: what they choose is pinned, and measurements support them."""

import pytest
from test_rules import RANDOM

from benchmarks.cases import CASES
from jaxconv import ConvGeometry
from jaxconv.convolution import auto, native
from jaxconv.convolution.conditions import always
from jaxconv.convolution.formulations import onednn
from jaxconv.convolution.onednn_rules import WITH_ONEDNN

KINDS = pytest.mark.parametrize("kind", native.Kind, ids=lambda kind: kind.name.lower())

# Where another method is taken although oneDNN has a kernel: conv, conv_transpose, conv_kernel_vjp.
OTHERS = {
    "1-D k1024 stride 256 (audio)": "onednn space_to_depth onednn",
    "7x7 stride 2, 3 to 64 (stem)": "onednn subpixel onednn",
    "2x2x2 stride 2, 16 to 32": "onednn space_to_depth onednn",
    "3x3 1 to 16 (digits)": "onednn im2col onednn",
    "3x3 3 to 32": "onednn direct onednn",
    "7x7 VALID, 64 to 256 (dense head)": "im2col im2col im2col",
    "31x31 depthwise 32": "fft fft fft",
    "11x11 1 to 1": "onednn onednn fft",
    "31x31 1 to 1": "fft fft fft",
    "300x300 1 to 1": "fft fft fft",
    "3x3x3 1 to 8": "taps im2col onednn",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_choice_for_the_benchmarks(case):
    chosen = [auto.method_with_onednn(kind, case.geometry, case.batch) for kind in native.Kind]
    assert chosen == OTHERS.get(case.name, "onednn onednn onednn").split()


@KINDS
def test_rules_are_needed_and_measured(kind):
    rules = WITH_ONEDNN[kind]
    assert rules[-1].method == "onednn"
    assert rules[-1].holds is always
    taken = {auto.first_rule(rules, g, batch) for g, batch in RANDOM}
    few = ConvGeometry((64, 64), (3, 3), in_features=3, out_features=32)
    taken |= {auto.first_rule(rules, g, 4) for g in (few, few.with_features(16, 3))}
    assert [rule.reason for rule in rules if rule not in taken] == []
    for rule in rules:
        assert all(m.own_ms < m.other_ms for m in rule.measured), rule
        assert all(m.own_ms > m.other_ms for m in rule.excluded), rule


KERNELS = {  # names of implementations as oneDNN gives them, and whether auto takes them for which geometry
    "plain": (ConvGeometry((9, 9), (3, 3), in_features=8, out_features=8), "brgconv:avx512_core", True),
    "reference": (ConvGeometry((9, 9), (3, 3), in_features=8, out_features=8), "ref:any", False),
    "columns": (ConvGeometry((9, 9), (3, 3), in_features=8, out_features=8), "x64:gemm:jit", False),
    "none": (ConvGeometry((9, 9), (3, 3), in_features=8, out_features=8), None, False),
    "depthwise": (ConvGeometry((9, 9), (3, 3), in_features=8, out_features=8, feature_group_count=8),
                  "jit_dw:avx512_core", True),
    "depthwise by another": (ConvGeometry((9,), (3,), in_features=8, out_features=8, feature_group_count=8),
                             "jit:avx512_core", False),
    "one to one": (ConvGeometry((9, 9), (3, 3)), "jit:avx512_core", False),
    "first layer": (ConvGeometry((9, 9), (3, 3), out_features=8), "jit:avx512_core", True),
    "crops": (ConvGeometry((9, 9), (3, 3), padding=-1), "jit:avx512_core", False),
}  # fmt: skip


def test_gradients_of_long_depthwise_kernels_need_a_depthwise_kernel(monkeypatch):
    monkeypatch.setattr(native, "found", lambda: native.State(True))
    monkeypatch.setattr(onednn, "_implementation", lambda kind, g, batch: "jit:avx512_core")
    for taps, taken in ((5, True), (7, False)):
        g = ConvGeometry((9, 9), (taps, taps), in_features=8, out_features=8, feature_group_count=8)
        assert onednn.has_kernel(native.Kind.CONV_KERNEL_VJP, g, 4) == taken


@pytest.mark.parametrize("name", KERNELS)
def test_only_fast_kernels_are_taken(monkeypatch, name):
    g, implementation, taken = KERNELS[name]
    monkeypatch.setattr(native, "found", lambda: native.State(True))
    monkeypatch.setattr(onednn, "_implementation", lambda kind, g, batch: implementation)
    assert onednn.has_kernel(native.Kind.CONV, g, 4) == taken
