"""What geometries say about bad arguments."""

import functools

import jax
import numpy as np
import pytest
from messages import BadCall, check

from jaxconv import AxisGeometry, ConvGeometry, GeometryError, receptive_field
from jaxconv.geometry.relationships import transposed_size

make = functools.partial(ConvGeometry, (6, 6), (3, 3))
from_output = functools.partial(ConvGeometry.of_transposed, (3, 3), (3, 3))
G = ConvGeometry((6,), (3,))


def traced_strides():
    return jax.jit(lambda s: make(strides=s).output_shape)(2)


CASES = [
    BadCall("input_shape is an int", lambda: ConvGeometry(6, (3,)), ("`input_shape`", "(6, 6)"), TypeError),
    BadCall("no axes", lambda: ConvGeometry((), ()), ("`input_shape`", "at least one"), GeometryError),
    BadCall("size 0", lambda: ConvGeometry((6, 0), (1, 1)), ("`input_shape`", "axis 1"), GeometryError),
    BadCall(
        "shapes with batch and features",
        lambda: ConvGeometry((2, 16, 16, 4), (3, 3)),
        ("`input_shape`", "without batch and features"),
        GeometryError,
    ),
    BadCall(
        "a float in a shape", lambda: ConvGeometry((6.0, 6), (3, 3)), ("`input_shape`", "6.0"), TypeError
    ),
    BadCall("strides of 0", lambda: make(strides=(1, 0)), ("`strides`", "0 on axis 1"), GeometryError),
    BadCall(
        "too many strides", lambda: make(strides=(1, 2, 2, 1)), ("`strides`", "2 spatial axes"), GeometryError
    ),
    BadCall("strides as text", lambda: make(strides="2"), ("`strides`", "'2'"), TypeError),
    BadCall(
        "strides as an array of floats",
        lambda: make(strides=np.ones(2)),
        ("`strides`", "shape (2,)"),
        TypeError,
    ),
    BadCall("traced strides", traced_strides, ("`strides`", "static"), TypeError),
    BadCall("a boolean", lambda: make(kernel_dilation=True), ("`kernel_dilation`", "True"), TypeError),
    BadCall(
        "dilation of 0", lambda: make(input_dilation=0), ("`input_dilation`", "at least 1"), GeometryError
    ),
    BadCall(
        "padding='circular'",
        lambda: make(padding="circular"),
        ("`padding`", "padding_mode='circular'"),
        GeometryError,
    ),
    BadCall("padding='wrap'", lambda: make(padding="wrap"), ("padding_mode='circular'",), GeometryError),
    BadCall(
        "an unknown word", lambda: make(padding="sam"), ("`padding`", "did you mean 'SAME'"), GeometryError
    ),
    BadCall(
        "a word per axis", lambda: make(padding=("SAME", "VALID")), ("`padding`", "one word"), GeometryError
    ),
    BadCall("padding of 1.0", lambda: make(padding=1.0), ("`padding`", "1.0"), TypeError),
    BadCall("a triple", lambda: make(padding=((1, 2, 3), 0)), ("`padding`", "(low, high)"), GeometryError),
    BadCall(
        "a flat pair on one axis",
        lambda: ConvGeometry((6,), (3,), padding=(1, 2)),
        ("`padding`", "((1, 2),)"),
        GeometryError,
    ),
    BadCall(
        "padding_mode='wrap'",
        lambda: make(padding_mode="wrap"),
        ("`padding_mode` must", "'circular'?"),
        GeometryError,
    ),
    BadCall(
        "padding_mode='SAME'",
        lambda: make(padding_mode="SAME"),
        ("`padding_mode`", "padding='SAME'"),
        GeometryError,
    ),
    BadCall(
        "groups do not divide",
        lambda: make(in_features=3, out_features=4, feature_group_count=2),
        ("`in_features`", "feature_group_count=2"),
        GeometryError,
    ),
    BadCall(
        "a kernel larger than the input",
        lambda: ConvGeometry((6, 2), (3, 3)),
        ("on axis 1", "`padding`", "smaller kernel"),
        GeometryError,
    ),
    BadCall(
        "a dilated kernel larger than the input",
        lambda: ConvGeometry((4, 6), (3, 3), kernel_dilation=2),
        ("on axis 0", "spans 5 cells", "`kernel_dilation`"),
        GeometryError,
    ),
    BadCall(
        "reflection of one cell",
        lambda: ConvGeometry((1, 4), (1, 1), padding=1, padding_mode="reflect"),
        ("`padding_mode`", "on axis 0", "'replicate'"),
        GeometryError,
    ),
    BadCall(
        "the transpose of a padding mode",
        lambda: make(padding=1, padding_mode="circular").transposed(),
        ("`padding_mode`", "`conv_transpose`"),
        GeometryError,
    ),
    BadCall(
        "an input that gives other outputs",
        lambda: ConvGeometry.from_shapes((6, 9), (3, 3), (3, 3), strides=2, padding=1),
        ("`input_shape`", "on axis 1", "5 or 6 cells", "3 outputs"),
        GeometryError,
    ),
    BadCall(
        "output padding too large",
        lambda: from_output(strides=(2, 1), output_padding=1),
        ("on axis 1", "`output_padding`", "[0, 1)"),
        GeometryError,
    ),
    BadCall(
        "output padding with SAME",
        lambda: from_output(strides=2, padding="SAME", output_padding=(0, 1)),
        ("on axis 1", "`output_padding`", "'SAME'"),
        GeometryError,
    ),
    BadCall(
        "no input has these outputs",
        lambda: from_output(strides=2, padding="SAME", input_dilation=(1, 2)),
        ("on axis 1", "`input_shape`", "3 and 4", "change `padding` or `strides`"),
        GeometryError,
    ),
    BadCall(
        "no input has this output padding",
        lambda: from_output(strides=2, input_dilation=4, output_padding=1),
        ("on axis 0", "2 and 3", "`output_padding`"),
        GeometryError,
    ),
    BadCall(
        "the smallest input has more outputs",
        lambda: ConvGeometry.of_transposed((1,), (3,), padding=1, padding_mode="reflect"),
        ("1 output with", "an input of 1 cell,", "size is 2, which has 2 outputs"),
        GeometryError,
    ),
    BadCall(
        "padding that leaves nothing",
        lambda: ConvGeometry.of_transposed((1,), (3,), padding=5),
        ("`padding` (5, 5) is too large",),
        GeometryError,
    ),
    BadCall("an axis with a size of 0", lambda: AxisGeometry(0, 3), ("`size`", "got 0"), GeometryError),
    BadCall(
        "an axis with a word",
        lambda: AxisGeometry(5, 3, padding="SAME"),
        ("`padding`", "'SAME'"),
        GeometryError,
    ),
    BadCall(
        "transposed_size",
        lambda: transposed_size(3, 3, output_padding=1),
        ("`output_padding`",),
        GeometryError,
    ),
    BadCall("a single layer", lambda: receptive_field(G), ("`stack`", "[geometry]"), TypeError),
    BadCall("an empty stack", lambda: receptive_field([]), ("`stack`", "at least one"), GeometryError),
    BadCall("something else", lambda: receptive_field([G, (4,)]), ("`stack`", "layer 1"), TypeError),
    BadCall("no list", lambda: receptive_field(3), ("`stack`", "list"), TypeError),
    BadCall("layers that do not fit", lambda: receptive_field([G, G]), ("`stack`", "layer 1"), GeometryError),
    BadCall(
        "an output outside", lambda: receptive_field([G]).cells((9,)), ("`output`", "(4,)"), GeometryError
    ),
    BadCall(
        "an output of floats", lambda: receptive_field([G]).cells((1.5,)), ("`output`", "1.5"), TypeError
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
