"""The rules of `method="auto"` as data: what they choose is pinned, and every one of them is needed."""

import random
from collections import Counter

import pytest

from benchmarks.cases import CASES
from jaxconv import CONV_KERNEL_VJP_METHODS, CONV_METHODS, CONV_TRANSPOSE_METHODS, ConvGeometry, GeometryError
from jaxconv.convolution import auto
from jaxconv.convolution.rules import (
    CONV_KERNEL_VJP_RULES,
    CONV_RULES,
    CONV_TRANSPOSE_RULES,
    OFF_CPU_RULES,
)

TABLES = {
    "conv": (CONV_RULES, CONV_METHODS),
    "conv_transpose": (CONV_TRANSPOSE_RULES, CONV_TRANSPOSE_METHODS),
    "conv_kernel_vjp": (CONV_KERNEL_VJP_RULES, CONV_KERNEL_VJP_METHODS),
    "off CPU": (OFF_CPU_RULES, CONV_METHODS),
}

# conv, conv_transpose, conv_kernel_vjp for each case of the benchmarks.
CHOSEN = {
    "1-D k9": "direct direct direct",
    "1-D k3 dilated 8": "direct direct direct",
    "1-D k31 depthwise": "taps taps taps",
    "1-D k16 stride 8 (vocoder)": "direct direct im2col",
    "1-D k1024 stride 256 (audio)": "direct space_to_depth im2col",
    "3x3 1 to 16 (digits)": "taps im2col direct",
    "3x3 3 to 32": "im2col direct direct",
    "7x7 stride 2, 3 to 64 (stem)": "direct direct direct",
    "3x3 16 to 16": "direct direct zero_insertion",
    "3x3 32 to 16": "direct direct zero_insertion",
    "3x3 32 to 32": "direct direct zero_insertion",
    "5x5 8 to 16": "direct direct split_im2col",
    "3x3 64 to 64": "direct direct zero_insertion",
    "3x3 128 to 128": "direct direct zero_insertion",
    "3x3 stride 2, 32 to 64": "direct direct direct",
    "7x7 VALID, 64 to 256 (dense head)": "im2col im2col im2col",
    "1x1 64 to 64": "im2col im2col taps",
    "1x1 256 to 64": "im2col im2col taps",
    "1x1 64 to 12 (scores)": "im2col im2col taps",
    "1x1 stride 2, 64 to 128": "im2col im2col taps",
    "3x3 dilated 2, 32 to 32": "direct direct direct",
    "3x3 dilated 4, 64 to 64": "direct direct direct",
    "3x3 4 groups, 64 to 64": "grouped grouped grouped",
    "3x3 32 groups, 128 to 128": "grouped grouped grouped",
    "3x3 depthwise 64": "taps taps taps",
    "5x5 stride 2 depthwise 32": "taps taps taps",
    "7x7 depthwise 96": "taps taps taps",
    "3x3 16 to 32, 16 groups": "taps grouped grouped",
    "31x31 depthwise 32": "fft fft fft",
    "3x3 1 to 1": "taps taps zero_insertion",
    "11x11 1 to 1": "taps taps fft",
    "31x31 1 to 1": "fft fft fft",
    "300x300 1 to 1": "fft fft fft",
    "2x2 stride 2, 32 to 64 (U-Net)": "direct space_to_depth taps",
    "4x4 stride 2, 32 to 64": "direct subpixel direct",
    "16x16 stride 8, 11 to 11 (FCN-8s)": "direct space_to_depth im2col",
    "64x64 stride 32, 21 to 21 (FCN-32s)": "direct space_to_depth direct",
    "3x3x3 1 to 8": "taps im2col planes",
    "3x3x3 8 to 16": "planes planes planes",
    "3x3x3 depthwise 32": "taps taps taps",
    "2x2x2 stride 2, 16 to 32": "im2col space_to_depth taps",
}

# How often a method is chosen for the random geometries below.
COUNTS = {
    "conv": {"direct": 771, "fft": 43, "grouped": 1243, "im2col": 352, "planes": 136, "taps": 1455},
    "conv_transpose": {
        "direct": 562,
        "fft": 43,
        "grouped": 1417,
        "im2col": 461,
        "planes": 157,
        "space_to_depth": 309,
        "subpixel": 4,
        "taps": 1013,
        "zero_insertion": 34,
    },
    "conv_kernel_vjp": {
        "direct": 324,
        "fft": 70,
        "grouped": 1451,
        "im2col": 197,
        "planes": 205,
        "space_to_depth": 83,
        "split_im2col": 7,
        "taps": 1545,
        "zero_insertion": 118,
    },
    "off CPU": {"direct": 3957, "fft": 43},
}


def random_geometries(count):
    """Geometries of all kinds, each with a batch; the same ones always."""
    rng = random.Random(0)
    while count:
        n, groups = rng.choice([1, 2, 2, 2, 3, 4]), rng.choice([1, 1, 1, 2, 3, 16, 32, 37])
        cells, taps = rng.choice([6, 16, 64, 300]), rng.choice([1, 2, 3, 4, 8, 33, 130])
        shape, kernel = ([rng.randint(1, most) for _ in range(n)] for most in (cells, taps))
        inputs, outputs = (groups * rng.choice([1, 1, 2, 3, 8, 16, 64, 300]) for _ in range(2))
        if rng.random() < 0.3:
            inputs = outputs = groups
        try:
            g = ConvGeometry(
                shape,
                kernel,
                in_features=inputs,
                out_features=outputs,
                feature_group_count=groups,
                strides=rng.choice([1, 1, 2, 3, 8, 32]),
                padding=rng.choice(["VALID", "SAME", "FULL", 1]),
                kernel_dilation=rng.choice([1, 1, 1, 2]),
                input_dilation=rng.choice([1, 1, 1, 1, 2]),
            )
        except GeometryError:
            continue
        yield g, rng.choice([1, 2, 4, 64, 2**31])
        count -= 1


RANDOM = list(random_geometries(4000))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_choice_for_the_benchmarks(case):
    g, batch = case.geometry, case.batch
    chosen = [
        auto.method_for_conv(g, batch),
        auto.method_for_conv_transpose(g, batch),
        auto.method_for_conv_kernel_vjp(g, batch),
    ]
    assert chosen == CHOSEN[case.name].split()


@pytest.mark.parametrize("name", TABLES)
def test_choice_for_random_geometries(name):
    rules, _ = TABLES[name]
    assert Counter(auto.first_rule(rules, g, batch).method for g, batch in RANDOM) == COUNTS[name]


@pytest.mark.parametrize("name", TABLES)
def test_every_rule_is_chosen_somewhere(name):
    rules, methods = TABLES[name]
    taken = {auto.first_rule(rules, g, batch) for g, batch in RANDOM}
    assert [rule for rule in rules if rule not in taken] == []
    assert {rule.method for rule in rules} <= set(methods)


@pytest.mark.parametrize("name", TABLES)
def test_measurements_support_the_rules(name):
    """A rule is faster where it was measured, and not in the cases that its condition leaves out."""
    for rule in TABLES[name][0]:
        assert all(m.own_ms < m.other_ms for m in rule.measured), rule
        assert all(m.own_ms > m.other_ms for m in rule.excluded), rule
        assert rule.reason[0].islower()
        assert not rule.reason.endswith(".")
