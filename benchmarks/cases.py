"""The geometries of the convolution table, and their batch sizes."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxconv import ConvGeometry


class Case(NamedTuple):
    """A named forward geometry; transposed convolutions start from its output."""

    name: str
    batch: int
    geometry: ConvGeometry


def case(
    name: str,
    batch: int,
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    features: tuple[int, int],
    **options: Any,
) -> Case:
    """Builds a case with ``(in, out)`` features, padded to the same size unless `options` say otherwise."""
    inputs, outputs = features
    options = {"padding": "SAME"} | options
    return Case(name, batch, ConvGeometry(shape, kernel, in_features=inputs, out_features=outputs, **options))


CASES: tuple[Case, ...] = (
    # 1-D
    case("1-D k9", 4, (4096,), (9,), (16, 32)),
    case("1-D k3 dilated 8", 4, (4096,), (3,), (32, 32), kernel_dilation=8),
    case("1-D k31 depthwise", 4, (1000,), (31,), (64, 64), feature_group_count=64),
    case("1-D k16 stride 8 (vocoder)", 2, (8192,), (16,), (64, 128), strides=8, padding=4),
    case("1-D k1024 stride 256 (audio)", 4, (65536,), (1024,), (1, 256), strides=256, padding="VALID"),
    # 2-D, few features
    case("3x3 1 to 16 (digits)", 16, (48, 48), (3, 3), (1, 16)),
    case("3x3 3 to 32", 8, (64, 64), (3, 3), (3, 32)),
    case("7x7 stride 2, 3 to 64 (stem)", 1, (224, 224), (7, 7), (3, 64), strides=2),
    case("3x3 16 to 16", 4, (96, 128), (3, 3), (16, 16)),
    case("3x3 32 to 16", 4, (96, 128), (3, 3), (32, 16)),
    case("3x3 32 to 32", 4, (48, 64), (3, 3), (32, 32)),
    case("5x5 8 to 16", 4, (64, 64), (5, 5), (8, 16)),
    # 2-D, many features
    case("3x3 64 to 64", 4, (56, 56), (3, 3), (64, 64)),
    case("3x3 128 to 128", 2, (28, 28), (3, 3), (128, 128)),
    case("3x3 stride 2, 32 to 64", 4, (64, 64), (3, 3), (32, 64), strides=2),
    case("7x7 VALID, 64 to 256 (dense head)", 1, (14, 14), (7, 7), (64, 256), padding="VALID"),
    # 1x1
    case("1x1 64 to 64", 4, (56, 56), (1, 1), (64, 64)),
    case("1x1 256 to 64", 4, (28, 28), (1, 1), (256, 64)),
    case("1x1 64 to 12 (scores)", 4, (96, 128), (1, 1), (64, 12)),
    case("1x1 stride 2, 64 to 128", 4, (56, 56), (1, 1), (64, 128), strides=2),
    # dilated
    case("3x3 dilated 2, 32 to 32", 4, (48, 64), (3, 3), (32, 32), kernel_dilation=2),
    case("3x3 dilated 4, 64 to 64", 2, (28, 28), (3, 3), (64, 64), kernel_dilation=4),
    # grouped
    case("3x3 4 groups, 64 to 64", 4, (28, 28), (3, 3), (64, 64), feature_group_count=4),
    case("3x3 32 groups, 128 to 128", 4, (28, 28), (3, 3), (128, 128), feature_group_count=32),
    # depthwise
    case("3x3 depthwise 64", 4, (56, 56), (3, 3), (64, 64), feature_group_count=64),
    case("5x5 stride 2 depthwise 32", 4, (64, 64), (5, 5), (32, 32), strides=2, feature_group_count=32),
    case("7x7 depthwise 96", 2, (28, 28), (7, 7), (96, 96), feature_group_count=96),
    case("3x3 16 to 32, 16 groups", 4, (64, 64), (3, 3), (16, 32), feature_group_count=16),
    case("31x31 depthwise 32", 1, (56, 56), (31, 31), (32, 32), feature_group_count=32),
    # one feature to one, large kernels
    case("3x3 1 to 1", 1, (256, 256), (3, 3), (1, 1)),
    case("11x11 1 to 1", 1, (256, 256), (11, 11), (1, 1)),
    case("31x31 1 to 1", 1, (128, 128), (31, 31), (1, 1)),
    case("300x300 1 to 1", 1, (512, 512), (300, 300), (1, 1)),
    # upsampling, as transposed convolutions use it: the forward geometry goes down
    case("2x2 stride 2, 32 to 64 (U-Net)", 4, (64, 64), (2, 2), (32, 64), strides=2),
    case("4x4 stride 2, 32 to 64", 4, (64, 64), (4, 4), (32, 64), strides=2, padding=1),
    case("16x16 stride 8, 11 to 11 (FCN-8s)", 2, (96, 128), (16, 16), (11, 11), strides=8, padding=4),
    case("64x64 stride 32, 21 to 21 (FCN-32s)", 1, (224, 224), (64, 64), (21, 21), strides=32, padding=16),
    # 3-D
    case("3x3x3 1 to 8", 2, (16, 32, 32), (3, 3, 3), (1, 8)),
    case("3x3x3 8 to 16", 2, (16, 32, 32), (3, 3, 3), (8, 16)),
    case("3x3x3 depthwise 32", 1, (8, 28, 28), (3, 3, 3), (32, 32), feature_group_count=32),
    case("2x2x2 stride 2, 16 to 32", 2, (16, 32, 32), (2, 2, 2), (16, 32), strides=2),
)
