"""Geometry in integers: sizes against counted windows, padding words against lax and the contract."""

import itertools
import pickle
import re

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from oracles import (
    axis_reads,
    dense,
    flipped,
    kernel_shape,
    numbers,
    padded_cells,
    spans,
    terms,
    window_starts,
)
from strategies import CASES, ZEROS, axis_numbers, geometries

from jaxconv import AxisGeometry, ConvGeometry, GeometryError

many = settings(max_examples=20 * settings().max_examples)


def out_size(axis):
    """By counting windows."""
    cells = padded_cells(axis.size, axis.input_dilation, axis.padding, axis.padding_mode)
    return len(window_starts(len(cells), spans(axis.kernel, axis.dilation), axis.stride))


def left_over(axis):
    """Padded cells beyond the last window."""
    cells = padded_cells(axis.size, axis.input_dilation, axis.padding, axis.padding_mode)
    span = spans(axis.kernel, axis.dilation)
    return len(cells) - span - window_starts(len(cells), span, axis.stride)[-1]


# Sizes


@many
@given(geometries())
def test_sizes_match_counted_windows(g):
    assert g.output_shape == tuple(map(out_size, g.axes))
    assert g.output_padding == tuple(map(left_over, g.axes))
    for axis in g.axes:
        assert axis.span == spans(axis.kernel, axis.dilation)
        assert axis.stretched == len(padded_cells(axis.size, axis.input_dilation, (0, 0)))
        assert axis.padded == len(padded_cells(axis.size, axis.input_dilation, axis.padding))


@many
@given(geometries(max_axes=2))
def test_counts_match_the_matrix(g):
    reached = terms(g) > 0
    assert g.matrix_shape == reached.shape
    assert g.nnz == reached.sum()
    unused = [
        axis.size - len({cell for reads in axis_reads(axis) for cell in reads} - {-1}) for axis in g.axes
    ]
    assert g.unused == tuple(unused)


@pytest.mark.slow
def test_every_small_axis(full):
    """Sizes and `a`, over all small axes."""
    top = 10 if full else 6
    pads = range(-3, 6) if full else range(-2, 4)
    seen = 0
    for i, k, s, low, high, d, f in itertools.product(
        range(1, top), range(1, 5), range(1, 4), pads, pads, (1, 2), (1, 2, 3)
    ):
        if f * (i - 1) + 1 + low + high < spans(k, d):
            continue
        axis = AxisGeometry(i, k, s, (low, high), d, f)
        assert (axis.out_size, axis.output_padding) == (out_size(axis), left_over(axis)), axis
        seen += 1
    assert seen > 9_000


@many
@given(axis_numbers(8), st.sampled_from(["zeros", "circular", "replicate"]))
def test_input_sizes_are_all_that_share_the_output(numbers, mode):
    size, taps, stride, padding, dilation, input_dilation = numbers
    make = lambda i: AxisGeometry(i, taps, stride, padding, dilation, input_dilation, mode)  # noqa: E731
    span = spans(taps, dilation)

    def outputs(i):
        padded = len(range(0, (i - 1) * input_dilation + 1)) + sum(padding)
        return len(window_starts(padded, span, stride))

    axis = make(size)
    assert list(axis.input_sizes) == [
        i for i in range(1, size + 3 * stride + 3) if outputs(i) == axis.out_size
    ]


def test_figures_of_the_paper():
    """Every worked example of arXiv:1603.07285: (i, k, s, p) to o and a."""
    figures = [
        ((4, 3, 1, 0), 2, 0),  # 2.1
        ((5, 4, 1, 2), 6, 0),  # 2.2
        ((5, 3, 1, 1), 5, 0),  # 2.3, half padding
        ((5, 3, 1, 2), 7, 0),  # 2.4, full padding
        ((5, 3, 2, 0), 2, 0),  # 2.5
        ((5, 3, 2, 1), 3, 0),  # 2.6
        ((6, 3, 2, 1), 3, 1),  # 2.7
    ]
    for (i, k, s, p), o, a in figures:
        g = ConvGeometry((i, i), (k, k), strides=s, padding=p)
        assert (g.output_shape, g.output_padding) == ((o, o), (a, a))
    dilated = ConvGeometry((7,), (3,), kernel_dilation=2)
    assert dilated.output_shape == (3,)  # 5.1


def test_parameters_and_multiplications():
    """Parameters and multiplications of layers, counted by hand."""
    layer = ConvGeometry((32, 32), (5, 5), in_features=3, out_features=10, padding=2)
    assert layer.parameters + layer.out_features == 760
    assert layer.multiplications == 32 * 32 * 10 * 75
    full = ConvGeometry((12, 12), (5, 5), in_features=3, out_features=256)
    depthwise = ConvGeometry((12, 12), (5, 5), in_features=3, out_features=3, feature_group_count=3)
    pointwise = ConvGeometry((8, 8), (1, 1), in_features=3, out_features=256)
    assert full.multiplications == 1_228_800
    assert (depthwise.multiplications, pointwise.multiplications) == (4_800, 49_152)
    assert depthwise.parameters == 75
    assert ConvGeometry((4, 4), (3, 3)).nnz == 36  # the 4x16 matrix of arXiv:1603.07285, section 4.1


def test_counting_a_large_geometry_is_instant():
    g = ConvGeometry((4000, 4000), (7, 7), in_features=512, out_features=512, padding="SAME")
    assert g.matrix_shape == (4000 * 4000 * 512,) * 2
    assert g.nnz == (4000 * 7 - 12) ** 2 * 512 * 512


# Padding words


@pytest.mark.parametrize("word", ["SAME", "SAME_LOWER", "VALID"])
@many
@given(axis_numbers(12))
def test_words_that_lax_knows(word, numbers):
    size, taps, stride, _, dilation, input_dilation = numbers
    stretched, span = input_dilation * (size - 1) + 1, spans(taps, dilation)
    if word == "VALID" and span > stretched:
        return
    g = ConvGeometry(
        (size,),
        (taps,),
        strides=stride,
        padding=word,
        kernel_dilation=dilation,
        input_dilation=input_dilation,
    )
    assert list(g.padding) == lax.padtype_to_pads((stretched,), (span,), (stride,), word)
    if word != "VALID":
        assert g.output_shape == (len(range(0, stretched, stride)),)


@pytest.mark.parametrize("word", ["SAME", "SAME_LOWER"])
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_same_is_the_output_size_of_lax(word, size):
    for taps, stride in itertools.product(range(1, 5), range(1, 4)):
        g = ConvGeometry((size,), (taps,), strides=stride, padding=word)
        x, kernel = np.ones((1, 1, size)), np.ones((1, 1, taps))
        shape = jax.eval_shape(
            lambda x, k, s=stride: lax.conv_general_dilated(x, k, (s,), word), x, kernel
        ).shape
        assert g.output_shape == shape[2:]


@pytest.mark.parametrize(
    ("taps", "dilation", "span"), [(1, 3, 1), (2, 1, 2), (2, 3, 4), (3, 2, 5), (4, 1, 4)]
)
def test_words_in_terms_of_the_span(taps, dilation, span):
    def pad(word, **more):
        return ConvGeometry((9,), (taps,), padding=word, kernel_dilation=dilation, **more).padding

    assert pad("VALID") == ((0, 0),)
    assert pad("HALF") == ((span // 2, span // 2),)
    assert pad("FULL") == pad("FULL", strides=3, input_dilation=2) == ((span - 1, span - 1),)
    assert pad("CAUSAL") == ((span - 1, 0),)
    low, high = (span - 1) // 2, span // 2
    assert pad("SAME") == ((low, high),)
    assert pad("SAME_LOWER") == ((high, low),)


@pytest.mark.parametrize("word", ["valid", "Same", "same_lower", "half", "full", "causal"])
def test_words_in_small_letters_mean_the_same(word):
    def geometries(padding):
        options = {"padding": padding, "strides": 2}
        g = ConvGeometry((8, 7), (3, 2), **options)
        return (
            g,
            ConvGeometry.of_transposed((4, 3), (3, 2), **options),
            ConvGeometry.from_shapes((8, 7), g.output_shape, (3, 2), **options),
        )

    assert geometries(word) == geometries(word.upper())


def test_padding_words_resolve_per_axis():
    g = ConvGeometry((5, 8), (2, 4), padding="SAME", kernel_dilation=(3, 1), strides=(1, 2))
    assert g.padding == ((1, 2), (1, 1))


# Broadcasting: nothing but a bare int


def test_a_bare_int_serves_every_axis():
    g = ConvGeometry((9, 9), (3, 3), strides=2, padding=1, input_dilation=2, kernel_dilation=3)
    assert g == ConvGeometry(
        [9, 9],
        [3, 3],
        strides=(2, 2),
        padding=[(1, 1), (1, 1)],
        input_dilation=[2, 2],
        kernel_dilation=(3, 3),
    )


def test_a_flat_pair_is_one_int_per_axis():
    assert ConvGeometry((9, 9), (3, 3), padding=(1, 2)).padding == ((1, 1), (2, 2))
    assert ConvGeometry((9,), (3,), padding=((1, 2),)).padding == ((1, 2),)
    assert ConvGeometry((9, 9), (3, 3), padding=(1, (0, 2))).padding == ((1, 1), (0, 2))
    assert ConvGeometry((9, 9), (3, 3), padding=-1).padding == ((-1, -1), (-1, -1))


@pytest.mark.parametrize("name", ["strides", "input_dilation", "kernel_dilation"])
@pytest.mark.parametrize("value", [(2,), (2, 2, 2), ()], ids=str)
def test_sequences_do_not_broadcast(name, value):
    with pytest.raises(GeometryError, match=name):
        ConvGeometry((9, 9), (2, 2), **{name: value})


@pytest.mark.parametrize("padding", [(1,), (1, 1, 1), ((1, 2),), ((1, 2), (1, 2), (1, 2)), ()], ids=str)
def test_padding_does_not_broadcast(padding):
    with pytest.raises(GeometryError, match="padding"):
        ConvGeometry((9, 9), (2, 2), padding=padding)


def test_a_bare_pair_for_one_axis_is_refused_with_the_way_out():
    with pytest.raises(GeometryError, match=re.escape("((1, 2),)")):
        ConvGeometry((9,), (3,), padding=(1, 2))


# Bad input

SHAPES = {"input_shape": (6, 6), "kernel_shape": (3, 3)}
INTS = ["strides", "input_dilation", "kernel_dilation", "in_features", "out_features", "feature_group_count"]


@pytest.mark.parametrize("name", INTS)
@pytest.mark.parametrize("value", [0, -1])
def test_below_one(name, value):
    with pytest.raises(GeometryError, match=f"(?s){name}.*{value}"):
        ConvGeometry(**SHAPES, **{name: value})


@pytest.mark.parametrize("name", INTS)
@pytest.mark.parametrize("value", [True, 2.0, "2", None, np.float64(2), np.bool_(True)], ids=repr)
def test_not_an_integer(name, value):
    with pytest.raises((GeometryError, TypeError), match=name):
        ConvGeometry(**SHAPES, **{name: value})


@pytest.mark.parametrize("name", ["strides", "input_dilation", "kernel_dilation"])
@pytest.mark.parametrize("value", [(1, 0), (1, 2.0), (True, 1)], ids=str)
def test_one_bad_axis(name, value):
    with pytest.raises((GeometryError, TypeError), match=name):
        ConvGeometry(**SHAPES, **{name: value})


@pytest.mark.parametrize("name", list(SHAPES))
@pytest.mark.parametrize(
    "value", [(0, 3), (-2, 3), (3.0, 3), (True, 3), (), (3,), (3, 3, 3), 3, "33", None], ids=repr
)
def test_bad_shapes(name, value):
    with pytest.raises((GeometryError, TypeError), match="shape"):
        ConvGeometry(**{**SHAPES, name: value})


@pytest.mark.parametrize(
    "padding",
    ["circular", "EVEN", "", ("SAME", "VALID"), 1.0, True, None, ((1, 2, 3), 0), ((1.0, 1), 0), (None, 1)],
    ids=repr,
)  # fmt: skip
def test_bad_padding(padding):
    with pytest.raises((GeometryError, TypeError), match="padding"):
        ConvGeometry(**SHAPES, padding=padding)


def test_unknown_words_suggest_the_nearest():
    with pytest.raises(GeometryError, match=r"'sam'.*did you mean 'SAME'"):
        ConvGeometry(**SHAPES, padding="sam")
    with pytest.raises(GeometryError, match=r"padding_mode.*'wrap'"):
        ConvGeometry(**SHAPES, padding_mode="wrap")


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 4), (4, 3)])
def test_groups_divide_both_features(inputs, outputs):
    with pytest.raises(GeometryError, match="divisible by feature_group_count=2"):
        ConvGeometry(**SHAPES, in_features=inputs, out_features=outputs, feature_group_count=2)


@pytest.mark.parametrize(
    "more", [{}, {"padding": ((-1, 2), 0)}, {"kernel_dilation": 2, "padding": 1}], ids=str
)
def test_a_kernel_that_does_not_fit(more):
    with pytest.raises(GeometryError, match="spans"):
        ConvGeometry((4, 9), (6, 3), **more)


@pytest.mark.parametrize("padding", [((1, 0),), ((0, 1),), 2], ids=str)
@pytest.mark.parametrize("input_dilation", [1, 3])
def test_one_cell_has_nothing_to_reflect(padding, input_dilation):
    with pytest.raises(GeometryError, match="reflect"):
        ConvGeometry((1,), (1,), padding=padding, padding_mode="reflect", input_dilation=input_dilation)
    assert ConvGeometry((1,), (1,), padding_mode="reflect").output_shape == (1,)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        *(
            ({name: 0}, f"`{name}` must be at least 1, got 0")
            for name in ("size", "kernel", "stride", "dilation")
        ),
        ({"input_dilation": -1}, "`input_dilation` must be at least 1, got -1"),
        ({"padding": 1}, r"\(low, high\) pair of ints, got 1"),
        ({"padding": (1, 2, 3)}, r"\(low, high\) pair of ints, got \(1, 2, 3\)"),
        ({"padding_mode": "wrap"}, "'circular'.*got 'wrap'"),
        ({"kernel": 9}, "spans 9 cells but the padded input has 5"),
    ],
    ids=str,
)
def test_bad_axis(bad, message):
    with pytest.raises(GeometryError, match=message):
        AxisGeometry(**{"size": 5, "kernel": 3, **bad})


@pytest.mark.parametrize(
    "bad",
    [{"size": 5.0}, {"kernel": 2.5}, {"stride": True}, {"padding": (0.5, 1)}, {"dilation": "1"}],
    ids=str,
)
def test_an_axis_takes_only_integers(bad):
    with pytest.raises((GeometryError, TypeError), match=next(iter(bad))):
        AxisGeometry(**{"size": 5, "kernel": 3, **bad})


# Values


def test_geometries_compare_by_resolved_padding():
    same = ConvGeometry((6,), (3,), padding="SAME")
    for padding in (1, (1,), ((1, 1),), [[1, 1]], "HALF", "SAME_LOWER", np.int64(1)):
        other = ConvGeometry([6], [3], padding=padding)
        assert same == other
        assert hash(same) == hash(other)
    assert same != ConvGeometry((6,), (3,), padding="FULL")
    assert same != ConvGeometry((6,), (3,), padding=1, padding_mode="circular")
    assert same.padding == ((1, 1),)


def test_numpy_integers_become_python_integers():
    g = ConvGeometry(np.array([6, 7]), (np.int32(3), 3), strides=np.array([1, 2]), in_features=np.int64(2))
    assert g == ConvGeometry((6, 7), (3, 3), strides=(1, 2), in_features=2)
    assert all(type(n) is int for n in (*g.input_shape, *g.kernel_shape, *g.strides, g.in_features))


def test_frozen():
    with pytest.raises(AttributeError):
        ConvGeometry((6,), (3,)).strides = (2,)


@many
@given(geometries())
def test_repr_makes_the_same_geometry(g):
    again = eval(repr(g), {"ConvGeometry": ConvGeometry})
    assert (again, hash(again), again.axes) == (g, hash(g), g.axes)
    assert pickle.loads(pickle.dumps(g)) == g
    assert eval(repr(g.axes[0]), {"AxisGeometry": AxisGeometry}) == g.axes[0]


# The transpose


@many
@given(geometries(modes=["zeros"], max_axes=2))
def test_transposed_has_the_transposed_matrix(g):
    kernel, t = numbers(kernel_shape(g)), g.transposed()
    assert t == g.equivalent_direct()
    assert (t.input_shape, t.output_shape) == (g.output_shape, g.input_shape)
    assert (t.in_features, t.out_features) == (g.out_features, g.in_features)
    np.testing.assert_array_equal(dense(t, flipped(g, kernel)), dense(g, kernel).T)


@pytest.mark.parametrize("g", ZEROS, ids=str)
def test_transposed_named_cases(g):
    kernel = numbers(kernel_shape(g))
    np.testing.assert_array_equal(dense(g.transposed(), flipped(g, kernel)), dense(g, kernel).T)


def test_transposed_follows_the_relationships():
    """arXiv:1603.07285, relationships 8 to 14, with crops, dilation, and `a` at the high edge."""
    t = lambda i, k, **more: ConvGeometry((i,), (k,), **more).transposed()  # noqa: E731
    assert t(4, 3) == ConvGeometry((2,), (3,), padding=2)  # 8
    assert t(5, 4, padding=2) == ConvGeometry((6,), (4,), padding=1)  # 9
    assert t(5, 3, padding=1) == ConvGeometry((5,), (3,), padding=1)  # 10
    assert t(5, 3, padding=2) == ConvGeometry((7,), (3,), padding=0)  # 11
    assert t(5, 3, strides=2) == ConvGeometry((2,), (3,), padding=2, input_dilation=2)  # 12
    assert t(5, 3, strides=2, padding=1) == ConvGeometry((3,), (3,), padding=1, input_dilation=2)  # 13
    assert t(6, 3, strides=2, padding=1) == ConvGeometry(
        (3,), (3,), padding=((1, 2),), input_dilation=2
    )  # 14
    assert t(5, 2, padding=3) == ConvGeometry((10,), (2,), padding=-2)
    assert t(7, 3, kernel_dilation=2) == ConvGeometry((3,), (3,), padding=4, kernel_dilation=2)


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
def test_only_zero_padding_has_an_equivalent_direct_convolution(mode):
    with pytest.raises(GeometryError, match="zero padding"):
        ConvGeometry((5,), (3,), padding=1, padding_mode=mode).equivalent_direct()


# From the small side


def from_output(g, **more):
    names = ("strides", "padding", "padding_mode", "input_dilation", "kernel_dilation", "feature_group_count")
    options = {name: getattr(g, name) for name in (*names, "in_features", "out_features")}
    return ConvGeometry.of_transposed(g.output_shape, g.kernel_shape, **{**options, **more})


@many
@given(geometries())
def test_of_transposed_with_output_padding_returns_the_geometry(g):
    assert from_output(g, output_padding=g.output_padding) == g


@many
@given(geometries(modes=["zeros", "circular", "replicate"]))
def test_of_transposed_takes_the_smallest_input(g):
    assert from_output(g).input_shape == tuple(min(sizes) for sizes in g.input_sizes)


@pytest.mark.parametrize("g", CASES, ids=str)
def test_of_transposed_named_cases(g):
    assert from_output(g, output_padding=g.output_padding) == g


@pytest.mark.parametrize("word", ["SAME", "SAME_LOWER"])
@pytest.mark.parametrize(
    ("out", "taps", "stride", "dilation"), [(3, 3, 2, 1), (4, 2, 3, 2), (1, 4, 1, 1), (2, 1, 4, 1)]
)
def test_of_transposed_same_is_strides_times_the_size(word, out, taps, stride, dilation):
    g = ConvGeometry.of_transposed((out,), (taps,), strides=stride, padding=word, kernel_dilation=dilation)
    assert g == ConvGeometry((stride * out,), (taps,), strides=stride, padding=word, kernel_dilation=dilation)
    assert g.output_shape == (out,)
    zero = ConvGeometry.of_transposed(
        (out,), (taps,), strides=stride, padding=word, kernel_dilation=dilation, output_padding=0
    )
    assert zero == g
    if stride > 1:
        with pytest.raises(GeometryError, match="output_padding"):
            ConvGeometry.of_transposed(
                (out,), (taps,), strides=stride, padding=word, kernel_dilation=dilation, output_padding=1
            )


@pytest.mark.parametrize("a", [-1, 2, 5, (0, 2), (0,), 1.0, True], ids=repr)
def test_of_transposed_refuses_output_padding_out_of_range(a):
    with pytest.raises((GeometryError, TypeError), match="output_padding"):
        ConvGeometry.of_transposed((3, 3), (3, 3), strides=2, output_padding=a)


@given(axis_numbers(8), st.integers(1, 12), st.none() | st.integers(0, 3))
@many
def test_of_transposed_names_the_nearest_sizes(numbers, out, a):
    """Where no input has the output (or this `a`), the error names inputs on both sides of the gap."""
    _, taps, stride, padding, dilation, input_dilation = numbers
    span = spans(taps, dilation)
    left = lambda i: (i - 1) * input_dilation + 1 + sum(padding) - span  # noqa: E731
    a = a if a is None else a % stride
    fits = [i for i in range(1, 60) if left(i) >= 0 and left(i) // stride + 1 == out]
    fits = [i for i in fits if a is None or left(i) % stride == a]
    options = {
        "strides": stride,
        "padding": (padding,),
        "kernel_dilation": dilation,
        "input_dilation": input_dilation,
    }
    if fits:
        g = ConvGeometry.of_transposed((out,), (taps,), output_padding=a, **options)
        assert g.input_shape == (fits[0],)
        return
    wanted = stride * (out - 1) + (a or 0)  # what `left` would have to be
    below = [i for i in range(1, 60) if left(i) < wanted]
    expected = "input sizes are" if below else "`padding` .* is too large"
    with pytest.raises(GeometryError, match=expected) as error:
        ConvGeometry.of_transposed((out,), (taps,), output_padding=a, **options)
    if below:
        named = re.search(r"input sizes are (\d+) and (\d+)", str(error.value))
        assert [int(size) for size in named.groups()] == [max(below), max(below) + 1]


def test_reflection_needs_two_cells_also_from_the_output_side():
    arguments = {"strides": 2, "padding": 1, "padding_mode": "reflect"}
    g = ConvGeometry.of_transposed((2,), (1,), **arguments)
    assert g.input_shape == (2,)
    assert g.output_shape == (2,)
    assert g.input_sizes == (range(2, 3),)


@pytest.mark.parametrize("word", ["SAME", "SAME_LOWER"])
def test_a_size_that_same_padding_cannot_have_names_true_alternatives(word):
    arguments = {"strides": 2, "padding": word, "input_dilation": 2}
    with pytest.raises(GeometryError, match="3 and 4, which have 3 and 4 outputs"):
        ConvGeometry.of_transposed((3,), (3,), **arguments)
    assert [ConvGeometry((i,), (3,), **arguments).output_shape for i in (3, 4)] == [(3,), (4,)]
