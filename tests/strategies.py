"""Geometries to test with: a list of cases, and Hypothesis strategies."""

import hypothesis.strategies as st

from jaxconv import ConvGeometry

ZEROS = [
    ConvGeometry((7,), (3,), in_features=2, out_features=3),
    ConvGeometry((4, 4), (3, 3)),  # arXiv:1603.07285, section 4.1
    ConvGeometry((6, 5), (3, 3), in_features=3, out_features=4, strides=2, padding="SAME"),
    ConvGeometry((5, 6), (4, 2), strides=(1, 3), padding="SAME_LOWER", in_features=2),
    ConvGeometry(
        (9,), (3,), strides=3, padding=((2, 4),), input_dilation=2, kernel_dilation=2, out_features=2
    ),
    ConvGeometry(
        (5, 4), (2, 3), strides=(2, 3), input_dilation=(3, 2), padding=2, in_features=2, out_features=2
    ),
    ConvGeometry(
        (8, 7), (3, 2), kernel_dilation=(2, 3), padding=((3, 0), (0, 4)), strides=(4, 3)
    ),  # common factors
    ConvGeometry((5, 6), (3, 2), in_features=4, out_features=6, feature_group_count=2, strides=2, padding=1),
    ConvGeometry(
        (6, 5), (2, 3), in_features=3, out_features=6, feature_group_count=3, padding="HALF"
    ),  # depthwise
    ConvGeometry((7, 6), (3, 2), padding=((-1, 2), (1, -2)), strides=(2, 1), in_features=2),  # crops
    ConvGeometry((4,), (2,), padding=((5, 3),), strides=2, in_features=2, out_features=2),  # rows of zeros
    ConvGeometry((7, 8), (2, 1), strides=(4, 3)),  # cells that no window reaches
    ConvGeometry((3,), (2,), padding=((-4, 6),)),  # everything cropped away: C has no entries
    ConvGeometry((4, 5), (4, 5), in_features=2, out_features=3),  # a dense layer
    ConvGeometry((3, 4), (1, 1), in_features=3, out_features=2),  # features only
    ConvGeometry((3, 4), (3, 2), padding="FULL", kernel_dilation=(1, 2)),
    ConvGeometry((6,), (3,), padding="CAUSAL", kernel_dilation=2, in_features=2, out_features=2),
    ConvGeometry((13, 12), (12, 11), padding=((0, 1), (1, 0))),  # more taps than `taps` unrolls
    ConvGeometry((4, 3, 5), (2, 3, 2), strides=(2, 1, 2), padding=((0, 1), (1, 1), (2, 0)), out_features=2),
    ConvGeometry(
        (3, 2, 4), (2, 1, 2), in_features=4, out_features=4, feature_group_count=4, input_dilation=(1, 2, 2)
    ),
    ConvGeometry((3, 2, 3, 2), (2, 2, 2, 1), strides=(1, 1, 2, 1), padding=((0, 0), (1, 0), (0, 1), (0, 0))),
]
MODES = [
    ConvGeometry((5,), (3,), padding=2, padding_mode="circular", in_features=2, out_features=2),
    ConvGeometry((5, 4), (3, 2), padding=((2, 1), (0, 3)), padding_mode="reflect", strides=2, out_features=2),
    ConvGeometry((4, 3), (3, 3), padding="SAME", padding_mode="replicate", in_features=2, out_features=2),
    ConvGeometry((2, 3), (2, 4), padding=((5, 3), (7, 8)), padding_mode="circular"),  # repeats
    ConvGeometry((3,), (4,), padding=((6, 9),), padding_mode="reflect", strides=2),  # reflects more than once
    ConvGeometry((1, 4), (2, 2), padding=((3, 2), (1, 5)), padding_mode="replicate", kernel_dilation=(3, 2)),
    ConvGeometry((6, 5), (2, 3), padding=((3, -2), (-1, 2)), padding_mode="circular", in_features=2),  # crops
    ConvGeometry((4,), (3,), padding=((4, 3),), padding_mode="reflect", input_dilation=2, strides=3),
    ConvGeometry((3,), (2,), padding=((2, 5),), padding_mode="circular", input_dilation=3, out_features=2),
    ConvGeometry(
        (3, 4), (2, 3), padding=((2, 1), (1, 2)), padding_mode="reflect", in_features=4, out_features=2,
        feature_group_count=2,
    ),
    ConvGeometry((3, 2, 3), (2, 2, 2), padding=1, padding_mode="replicate", strides=(1, 2, 1)),
]  # fmt: skip
CASES = ZEROS + MODES


@st.composite
def geometries(draw, modes=("zeros", "circular", "reflect", "replicate"), max_axes=3, max_groups=3):
    """Small geometries of one to three axes, every option at once."""
    n = draw(st.integers(1, max_axes))
    mode = draw(st.sampled_from(modes))
    groups = draw(st.integers(1, max_groups))
    axes = [draw(axis_numbers((10, 6, 4)[n - 1], mode)) for _ in range(n)]
    sizes, taps, strides, padding, kernel_dilation, input_dilation = zip(*axes, strict=True)
    return ConvGeometry(
        sizes,
        taps,
        in_features=groups * draw(st.integers(1, 2)),
        out_features=groups * draw(st.integers(1, 2)),
        strides=strides,
        padding=padding,
        padding_mode=mode,
        input_dilation=input_dilation,
        kernel_dilation=kernel_dilation,
        feature_group_count=groups,
    )


@st.composite
def axis_numbers(draw, largest, mode="zeros"):
    """Size, taps, stride, padding and dilations of one axis on which the kernel fits."""
    size = draw(st.integers(2 if mode == "reflect" else 1, largest))
    taps, stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    kernel_dilation, input_dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    stretched, span = input_dilation * (size - 1) + 1, kernel_dilation * (taps - 1) + 1
    low = draw(st.integers(-stretched, stretched + 2))
    high = draw(st.integers(-2, 4)) + max(span - stretched - low, -stretched)
    high = max(high, span - stretched - low)
    return size, taps, stride, (low, high), kernel_dilation, input_dilation
