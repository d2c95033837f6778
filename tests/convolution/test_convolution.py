"""conv, conv_transpose and conv_kernel_vjp by every formulation: against loops, lax and PyTorch."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from jax import lax
from oracles import (
    Expected,
    assert_fft_rounds_to,
    assert_is_product,
    assert_rounds_to,
    dense,
    numbers,
    operands,
    options,
    terms,
)
from strategies import CASES, MODES, ZEROS, geometries

from jaxconv import (
    CONV_KERNEL_VJP_METHODS,
    CONV_METHODS,
    CONV_TRANSPOSE_METHODS,
    ConvGeometry,
    GeometryError,
    conv,
    conv_kernel_vjp,
    conv_transpose,
)
from jaxconv.convolution.formulations import grouped, planes, space_to_depth

# oneDNN computes in float32 only, and not everywhere: test_onednn.py has its tests.
EVERYWHERE = tuple(method for method in CONV_METHODS if method != "onednn")
BACK_EVERYWHERE = tuple(method for method in CONV_TRANSPOSE_METHODS if method != "onednn")
KERNEL_VJP_EVERYWHERE = tuple(method for method in CONV_KERNEL_VJP_METHODS if method != "onednn")

G = ConvGeometry(
    (6, 5), (3, 2), in_features=4, out_features=6, feature_group_count=2, strides=(2, 1), padding=1
)
REFLECTED = ConvGeometry((4, 3), (2, 3), padding=((2, 1), (1, 3)), padding_mode="reflect", in_features=2)


def spectrum_size(g):
    """Cells that a transform of the padded input has at least."""
    return math.prod(axis.padded for axis in g.axes)


NO_OPS = {  # rewritings that leave some geometries as they are
    "grouped": lambda g: g.feature_group_count == 1,
    "planes": lambda g: len(g.input_shape) <= 2,
    "space_to_depth": lambda g: (
        g.strides == g.input_dilation == g.kernel_dilation == (1,) * len(g.strides) and not np.any(g.padding)
    ),
}


def methods(names, g):
    """ "auto" and the formulations that do something of their own for a geometry."""
    return ("auto", *(name for name in names if name not in NO_OPS or not NO_OPS[name](g)))


def assert_agrees(ours, theirs, magnitude, kernel):
    """Two sums of the same products, of which each may round: no entry collects more than the kernel has."""
    count = np.full(np.shape(theirs), kernel.size)
    assert_rounds_to(ours, (np.asarray(theirs), np.asarray(magnitude), count))


def check_family(g, dtype=np.float64, batch=(2,), storage=None, work=None):
    """Every formulation of all three members within the rounding of its data; one compilation."""
    x, kernel, y = operands(g, dtype, batch)
    kwargs = options(g)

    @jax.jit
    def family(x, kernel, y):
        shape = {"input_shape": g.input_shape}
        return (
            {m: conv(x, kernel, **kwargs, method=m) for m in methods(EVERYWHERE, g)},
            {m: conv_transpose(y, kernel, **shape, **kwargs, method=m) for m in methods(BACK_EVERYWHERE, g)},
            {
                m: conv_kernel_vjp(x, y, kernel.shape, **kwargs, method=m)
                for m in methods(KERNEL_VJP_EVERYWHERE, g)
            },
        )

    members = family(x, kernel, y)
    if storage is not None:
        x, kernel, y = (operand.astype(np.float64) for operand in (x, kernel, y))
    expected = Expected(g, x, kernel, y)
    values = expected.conv, expected.transpose, expected.kernel_vjp
    norms = (x, kernel), (y, kernel), (x, y)
    names = "conv", "conv_transpose", "conv_kernel_vjp"
    for name, found, value, factors in zip(names, members, values, norms, strict=True):
        for method, result in found.items():
            what = f"{name}, method={method!r}"
            assert result.dtype == dtype, what
            rounding = {"dtype": work or dtype, "storage": storage, "what": what}
            if method == "fft":
                assert_fft_rounds_to(result, value, spectrum_size(g), *factors, **rounding)
            else:
                assert_rounds_to(result, value, **rounding)


@pytest.mark.parametrize("g", CASES, ids=str)
def test_family_matches_the_matrix(g):
    check_family(g)


@pytest.mark.slow
@given(geometries(max_axes=2))
def test_family_of_any_geometry(g):
    check_family(g)


@pytest.mark.parametrize(
    ("method", "g"),
    [(method, g) for method, leaves in NO_OPS.items() for g in ZEROS if leaves(g)],
    ids=str,
)
def test_no_ops_do_nothing(method, g):
    """Where `NO_OPS` says so, a rewriting takes the same geometry, map, kernel and output as it was given."""
    x, kernel, y = operands(g, batch=(2,))
    if method == "grouped":
        assert grouped.dense_geometry(g) == g
        (entered,) = grouped._dense_kernels(jnp.asarray(kernel), g)
        np.testing.assert_array_equal(entered, kernel)
        return
    rule = {"planes": planes.RULE, "space_to_depth": space_to_depth.RULE}[method]
    assert rule.geometry(g) == g
    for enter, array in ((rule.x, x), (rule.kernel, kernel), (rule.y, y)):
        np.testing.assert_array_equal(enter(jnp.asarray(array), g), array)


@pytest.mark.parametrize(
    ("g", "dtype"),
    [(G, "float32"), (G, "complex128"), (REFLECTED, "complex64"), (ZEROS[4], "complex64")],
    ids=str,
)
def test_dtypes(g, dtype):
    check_family(g, jnp.dtype(dtype))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "g", [G, ConvGeometry((40,), (9,), in_features=8, out_features=2, strides=2)], ids=str
)
def test_half_floats_are_summed_in_float32(g, dtype):
    """The result is the float32 sum, rounded once."""
    check_family(g, jnp.dtype(dtype), storage=jnp.finfo(dtype).eps, work=np.float32)


# lax


def lax_conv(g):
    """The same convolution in lax's words."""
    n = len(g.input_shape)
    spec = ("N" + "XYZW"[:n] + "C", "XYZW"[:n] + "IO", "N" + "XYZW"[:n] + "C")
    return lambda x, kernel: lax.conv_general_dilated(
        x, kernel, g.strides, g.padding, g.input_dilation, g.kernel_dilation, spec, g.feature_group_count
    )


@pytest.mark.parametrize("g", ZEROS[::2], ids=str)
def test_family_matches_lax(g):
    x, kernel, y = operands(g, batch=(2,))
    kwargs = options(g)

    @jax.jit
    def both(x, kernel, y):
        value, pullback = jax.vjp(lax_conv(g), x, kernel)
        ours = (
            conv(x, kernel, **kwargs),
            conv_transpose(y, kernel, input_shape=g.input_shape, **kwargs),
            conv_kernel_vjp(x, y, kernel.shape, **kwargs),
        )
        return ours, (value, *pullback(y))

    ours, theirs = both(x, kernel, y)
    expected = Expected(g, x, kernel, y)
    for one, other, (_, size, count) in zip(
        ours, theirs, (expected.conv, expected.transpose, expected.kernel_vjp), strict=True
    ):
        assert_rounds_to(one, (np.asarray(other), size, count))


@pytest.mark.parametrize("word", ["SAME", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize(("size", "taps", "stride"), [(7, 4, 2), (6, 3, 2), (5, 2, 3)])
def test_padding_words_match_lax(word, size, taps, stride):
    x, kernel = numbers((1, size, 2)), numbers((taps, 2, 3))
    spec = ("NXC", "XIO", "NXC")
    theirs = lambda x, kernel: lax.conv_general_dilated(x, kernel, (stride,), word, dimension_numbers=spec)  # noqa: E731
    found = conv(x, kernel, strides=stride, padding=word)
    assert_agrees(found, theirs(x, kernel), theirs(abs(x), abs(kernel)), kernel)


# Shapes


@pytest.mark.parametrize("g", [G, REFLECTED], ids=str)
def test_any_number_of_batch_axes(g):
    x, kernel, y = operands(g, batch=(2, 3))
    kwargs, shape = options(g), {"input_shape": g.input_shape}

    def family(x, kernel, y):
        return (
            conv(x, kernel, **kwargs),
            conv_transpose(y, kernel, **shape, **kwargs),
            conv_kernel_vjp(x, y, kernel.shape, **kwargs),
        )

    @jax.jit
    def by_batch(x, kernel, y):
        cuts = [(), (0,), (0, 0), (slice(None), None), (slice(0, 0),), (slice(None), slice(0, 0))]
        return [family(x[cut], kernel, y[cut]) for cut in cuts]

    whole, one, none, three, empty, hollow = by_batch(x, kernel, y)
    expected = Expected(g, x, kernel, y)
    assert_rounds_to(whole[0], expected.conv)
    assert_rounds_to(whole[1], expected.transpose)
    assert_rounds_to(whole[2], expected.kernel_vjp)
    close = {"rtol": 1e-13, "atol": 1e-13}
    for i in (0, 1):
        np.testing.assert_allclose(one[i], whole[i][0], **close)
        np.testing.assert_allclose(none[i], whole[i][0, 0], **close)
        np.testing.assert_allclose(three[i], whole[i][:, None], **close)
        assert empty[i].shape == (0, *whole[i].shape[1:])
        assert hollow[i].shape == (2, 0, *whole[i].shape[2:])
    assert_rounds_to(none[2], Expected(g, x[0, 0], kernel, y[0, 0]).kernel_vjp)
    assert_rounds_to(three[2], expected.kernel_vjp)
    for nothing in (empty[2], hollow[2]):
        assert nothing.shape == kernel.shape
        assert not np.any(nothing)


def test_empty_batches_by_every_method():
    x, kernel, y = operands(G, batch=(0,))
    kwargs, shape = options(G), {"input_shape": G.input_shape}

    @jax.jit
    def family(x, kernel, y):
        return (
            [conv(x, kernel, **kwargs, method=m) for m in EVERYWHERE],
            [conv_transpose(y, kernel, **shape, **kwargs, method=m) for m in BACK_EVERYWHERE],
            [conv_kernel_vjp(x, y, kernel.shape, **kwargs, method=m) for m in KERNEL_VJP_EVERYWHERE],
        )

    for found, expected in zip(family(x, kernel, y), (y, x, kernel), strict=True):
        for part in found:
            assert part.shape == expected.shape
            assert not np.any(part)


def test_lists_and_numpy_arrays_are_operands():
    y = conv([[1.0], [2.0], [4.0]], [[[1.0]], [[-1.0]]])
    assert isinstance(y, jax.Array)
    np.testing.assert_array_equal(y, [[-1.0], [-2.0]])


@pytest.mark.parametrize("g", [G, ZEROS[4], REFLECTED], ids=str)
def test_nan_spreads_along_the_entries_only(g):
    """By every formulation but those that mix cells, or multiply them by a zero of theirs."""
    _, kernel, _ = operands(g)
    kwargs, shape = options(g), {"input_shape": g.input_shape}
    C = terms(g)
    x = np.diag(np.full(C.shape[1], np.nan)).reshape(-1, *g.input_shape, g.in_features)  # one in each map
    y = np.diag(np.full(C.shape[0], np.nan)).reshape(-1, *g.output_shape, g.out_features)

    @jax.jit
    def family(x, y):
        spreading = {"fft", "grouped", "planes", "space_to_depth"}  # planes lead to grouped
        back = set(BACK_EVERYWHERE) - spreading
        return (
            {m: conv(x, kernel, **kwargs, method=m) for m in set(EVERYWHERE) - spreading},
            {m: conv_transpose(y, kernel, **shape, **kwargs, method=m) for m in back},
        )

    for found, reached in zip(family(x, y), (C.T > 0, C > 0), strict=True):
        for method, result in found.items():
            np.testing.assert_array_equal(np.isnan(result).reshape(reached.shape), reached, err_msg=method)


# The transpose's size


def transpose_shape(shape, kernel_shape, **kwargs):
    """Spatial shape of conv_transpose, traced only."""
    y, kernel = (jax.ShapeDtypeStruct(s, np.float32) for s in ((*shape, kernel_shape[-1]), kernel_shape))
    return jax.eval_shape(lambda y, kernel: conv_transpose(y, kernel, **kwargs), y, kernel).shape[:-1]


@pytest.mark.parametrize("size", [5, 6])
def test_input_shape_decides(size):
    kwargs = {"strides": 2, "padding": 1}
    y, kernel = numbers((3, 2)), numbers((3, 4, 2))
    C = dense(ConvGeometry((size,), (3,), in_features=4, out_features=2, **kwargs), kernel)
    by_shape = conv_transpose(y, kernel, input_shape=(size,), **kwargs)
    by_padding = conv_transpose(y, kernel, output_padding=size - 5, **kwargs)
    both = conv_transpose(y, kernel, input_shape=(size,), output_padding=(size - 5,), **kwargs)
    for found in (by_shape, by_padding, both):
        assert_is_product(found, C.T, y)


def test_the_smallest_input_without_either():
    assert transpose_shape((3,), (3, 1, 1), strides=2, padding=1) == (5,)
    assert transpose_shape((3, 3), (3, 3, 1, 1), strides=(2, 3), output_padding=(1, 2)) == (8, 11)
    assert transpose_shape((2,), (1, 1, 1), strides=3, input_dilation=2) == (3,)  # 4 and 6 cells do not exist


@pytest.mark.parametrize("word", ["SAME", "SAME_LOWER"])
def test_same_means_strides_times_the_size(word):
    y, kernel = numbers((3, 2)), numbers((4, 1, 2))
    for stride in (1, 2, 3):
        x = conv_transpose(y, kernel, strides=stride, padding=word)
        g = ConvGeometry((3 * stride,), (4,), out_features=2, strides=stride, padding=word)
        assert_is_product(x, dense(g, kernel).T, y)
    odd = conv_transpose(y, kernel, strides=2, padding=word, input_shape=(5,))
    g = ConvGeometry((5,), (4,), out_features=2, strides=2, padding=word)
    assert_is_product(odd, dense(g, kernel).T, y)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"strides": 2, "output_padding": 2}, "output_padding"),
        ({"strides": 2, "output_padding": -1}, "output_padding"),
        ({"strides": 2, "output_padding": (0, 1)}, "output_padding"),
        ({"strides": 2, "input_shape": (5,)}, "inputs of 7 or 8 cells"),  # names the sizes that would do
        ({"strides": 2, "input_shape": (9,)}, "inputs of 7 or 8 cells"),
        ({"strides": 2, "input_shape": (8,), "output_padding": 0}, "output_padding"),
        ({"strides": 2, "input_shape": (7, 7)}, "input_shape"),
        ({"strides": 2, "input_shape": (0,)}, "input_shape"),
        ({"strides": 2, "padding": "SAME", "output_padding": 1}, "output_padding"),
        ({"strides": 1, "input_dilation": 3, "output_padding": 0}, "2 and 3"),  # 5 cells; 4 and 7 exist
        ({"feature_group_count": 2}, "divisible"),
        ({"method": "deconvolution"}, "method"),
        ({"padding_mode": "wrap"}, "padding_mode"),
    ],
    ids=str,
)
def test_bad_transposes(kwargs, message):
    with pytest.raises(GeometryError, match=message):
        transpose_shape((3,), (3, 1, 1), **kwargs)


def test_the_transpose_does_not_conjugate():
    kernel, y = numbers((3, 1, 2), np.complex128), numbers((2, 2), np.complex128)
    C = dense(ConvGeometry((4,), (3,), out_features=2), kernel)
    assert_is_product(conv_transpose(y, kernel), C.T, y)


# Options


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_preferred_element_type_keeps_the_float32_sums(dtype):
    """16-bit operands, float32 results: no rounding to 16 bits on the way."""
    x, kernel, y = operands(G, jnp.dtype(dtype), batch=(2,))
    kwargs = {**options(G), "preferred_element_type": np.float32}
    shape, fft = {"input_shape": G.input_shape}, "fft"  # whose bound is another

    @jax.jit
    def family(x, kernel, y):
        return (
            [conv(x, kernel, **kwargs, method=m) for m in EVERYWHERE if m != fft],
            [conv_transpose(y, kernel, **shape, **kwargs, method=m) for m in BACK_EVERYWHERE if m != fft],
            [
                conv_kernel_vjp(x, y, kernel.shape, **kwargs, method=m)
                for m in KERNEL_VJP_EVERYWHERE
                if m != fft
            ],
        )

    expected = Expected(G, *(operand.astype(np.float64) for operand in (x, kernel, y)))
    members = family(x, kernel, y)
    for found, value in zip(members, (expected.conv, expected.transpose, expected.kernel_vjp), strict=True):
        for result in found:
            assert result.dtype == np.float32
            assert_rounds_to(result, value, dtype=np.float32)


def test_preferred_element_type_of_wider_and_narrower_results():
    x, kernel, _ = operands(G, np.float32)
    assert conv(x, kernel, **options(G), preferred_element_type=np.float64).dtype == np.float64
    assert conv(x, kernel, **options(G), preferred_element_type=jnp.bfloat16).dtype == jnp.bfloat16
    for bad in (int, bool, "int8"):
        with pytest.raises(TypeError, match="preferred_element_type"):
            conv(x, kernel, **options(G), preferred_element_type=bad)
    with pytest.raises(TypeError, match="preferred_element_type"):
        conv(
            x.astype(np.complex64),
            kernel.astype(np.complex64),
            **options(G),
            preferred_element_type=np.float32,
        )


@pytest.mark.parametrize("method", BACK_EVERYWHERE)
@pytest.mark.parametrize("precision", ["HIGHEST", "DEFAULT"])
def test_precision_reaches_every_product(method, precision):
    """Of each formulation but fft, whose spectra are always multiplied in full."""
    g = (
        G.with_features(66, 66) if method == "matrix" else G
    )  # its sums over fewer are no products of matrices
    x, kernel, y = operands(g, np.float32)
    kwargs = {**options(g), "precision": precision.lower(), "method": method}
    members = [lambda x, kernel, y: conv_transpose(y, kernel, input_shape=g.input_shape, **kwargs)]
    if method in EVERYWHERE:
        members.append(lambda x, kernel, y: conv(x, kernel, **kwargs))
    if method in EVERYWHERE and method != "matrix":  # there it sums over the batch, term by term
        members.append(lambda x, kernel, y: conv_kernel_vjp(x, y, kernel.shape, **kwargs))
    for member in members:
        text = jax.jit(member).lower(x, kernel, y).as_text()
        assert set(re.findall("HIGHEST|DEFAULT", text)) == {"HIGHEST" if method == "fft" else precision}


def test_auto_of_a_large_kernel_rounds_like_fft():
    """Where auto may choose fft, its bound is the norms'."""
    x, kernel = numbers((40, 44, 1)), numbers((31, 33, 1, 1))
    value = scipy.signal.correlate2d(x[..., 0], kernel[..., 0, 0], "valid")[..., None]
    for method in ("auto", "fft"):
        assert_fft_rounds_to(conv(x, kernel, method=method), (value,), x.size, x, kernel, what=method)


# Bad input, refused while tracing


def eval_conv(x_shape, kernel_shape, dtypes=(np.float32, np.float32), **kwargs):
    x, kernel = map(jax.ShapeDtypeStruct, (x_shape, kernel_shape), dtypes)
    return jax.eval_shape(jax.jit(lambda x, kernel: conv(x, kernel, **kwargs)), x, kernel)


@pytest.mark.parametrize(
    ("x", "kernel", "kwargs", "message"),
    [
        ((8, 3), (3, 2, 4), {}, r"`x` has 3 features .* takes 2; .*\(3, 2, 4\)"),
        ((8, 4), (3, 4, 4), {"feature_group_count": 2}, r"`x` has 4 features .* takes 8 \(in 2 groups\)"),
        ((8, 4), (3, 2, 3), {"feature_group_count": 2}, "`out_features` .*divisible.*got 3"),
        ((8, 3), (3, 1, 4), {"feature_group_count": 2}, r"`x` has 3 features .* takes 2 \(in 2 groups\)"),
        ((8, 3), (3, 3), {}, r"`kernel` .* at least one spatial axis, got \(3, 3\)"),
        ((8, 3), (3,), {}, r"`kernel` .* at least one spatial axis, got \(3,\)"),
        ((8, 3), (3, 3, 3, 4), {}, r"at least 3 axes, got \(8, 3\)"),
        ((3,), (3, 3, 4), {}, r"at least 2 axes, got \(3,\)"),
        ((8, 0), (3, 0, 4), {}, "`in_features` must be at least 1"),
        ((2, 3), (3, 3, 4), {}, "spans 3 cells but the padded input has 2"),
        ((0, 3), (1, 3, 4), {}, "`input_shape` must be at least 1"),
        ((8, 3), (0, 3, 4), {}, "`kernel_shape` must be at least 1"),
        ((8, 3), (3, 3, 4), {"padding": "smae"}, "did you mean 'SAME'"),
        ((8, 3), (3, 3, 4), {"padding": (1, 1)}, r"A pair is nested: \(\(1, 1\),\)"),
        ((8, 3), (3, 3, 4), {"strides": 0}, "`strides` must be at least 1"),
        ((8, 3), (3, 3, 4), {"strides": (1, 2)}, r"`strides` .*got \(1, 2\)"),
        ((8, 3), (3, 3, 4), {"kernel_dilation": -1}, "`kernel_dilation` must be at least 1"),
        ((8, 3), (3, 3, 4), {"feature_group_count": 0}, "`feature_group_count` must be at least 1"),
        ((8, 3), (3, 3, 4), {"method": "winograd"}, "'taps'.*got 'winograd'"),
        ((8, 3), (3, 3, 4), {"method": "subpixel"}, "got 'subpixel'"),  # a transpose's
        ((8, 3), (3, 3, 4), {"padding_mode": "constant"}, "'circular'.*got 'constant'"),
        ((1, 3), (3, 3, 4), {"padding_mode": "reflect", "padding": 1}, "nothing to reflect.*'replicate'"),
    ],
    ids=str,
)
def test_bad_convolutions(x, kernel, kwargs, message):
    with pytest.raises(GeometryError, match=message):
        eval_conv(x, kernel, **kwargs)


def test_unknown_methods_are_answered_with_the_known_ones():
    assert {"direct", "matrix", "im2col", "taps", "fft", "onednn"} <= set(CONV_METHODS)
    assert {"zero_insertion", "subpixel", "vjp", *CONV_METHODS} <= set(CONV_TRANSPOSE_METHODS)
    assert "auto" not in (*CONV_METHODS, *CONV_TRANSPOSE_METHODS)
    with pytest.raises(GeometryError, match=r"'im2col'.*got 'imtocol'.*did you mean 'im2col'"):
        eval_conv((8, 3), (3, 3, 4), method="imtocol")


@pytest.mark.parametrize(
    ("x", "y", "shape", "message"),
    [
        ((8, 3), (6, 4), (3, 2, 4), r"`x` has 3 features .* takes 2; .*\(3, 2, 4\)"),
        ((8, 3), (6, 4), (3, 4), "at least one spatial axis"),
        ((8, 3), (5, 4), (3, 3, 4), r"\(6, 4\), got \(5, 4\)"),
        ((8, 3), (6, 5), (3, 3, 4), r"\(6, 4\), got \(6, 5\)"),
        ((2, 8, 3), (3, 6, 4), (3, 3, 4), r"\(2, 6, 4\), got \(3, 6, 4\)"),
        ((2, 8, 3), (6, 4), (3, 3, 4), r"\(2, 6, 4\), got \(6, 4\)"),
        ((8, 3), (1, 6, 4), (3, 3, 4), r"\(6, 4\), got \(1, 6, 4\)"),
    ],
    ids=str,
)
def test_bad_kernel_vjps(x, y, shape, message):
    with pytest.raises(GeometryError, match=message):
        jax.eval_shape(
            lambda x, y: conv_kernel_vjp(x, y, shape), *(jax.ShapeDtypeStruct(s, np.float32) for s in (x, y))
        )


@pytest.mark.parametrize(
    "dtypes",
    [(int, int), (np.int8, np.float32), (np.float32, np.int32), (bool, bool), (np.float32, np.float64),
     (np.float32, np.complex64), (jnp.bfloat16, np.float16), (jnp.bfloat16, np.float32)],
    ids=str,
)  # fmt: skip
def test_dtypes_are_not_promoted(dtypes):
    with pytest.raises(TypeError, match=r"dtype|floating"):
        eval_conv((8, 3), (3, 3, 4), dtypes)
    y, kernel = map(jax.ShapeDtypeStruct, ((6, 4), (3, 3, 4)), dtypes)
    with pytest.raises(TypeError, match=r"dtype|floating"):
        jax.eval_shape(conv_transpose, y, kernel)
    x, y = map(jax.ShapeDtypeStruct, ((8, 3), (6, 4)), dtypes)
    with pytest.raises(TypeError, match=r"dtype|floating"):
        jax.eval_shape(lambda x, y: conv_kernel_vjp(x, y, (3, 3, 4)), x, y)


def test_dtypes_are_compared_after_canonicalisation():
    with jax.enable_x64(False):
        y = conv(np.ones((4, 1)), jnp.ones((2, 1, 1), jnp.float32))  # float64 is float32 here
    assert y.dtype == np.float32


# PyTorch


def torch_order(array, n):
    """Channels-last to channels-first."""
    return np.moveaxis(array, -1, -1 - n)


TORCH = [
    ((7,), (3,), {"padding": 1}, 2, 3),
    ((8,), (4,), {"strides": 3, "padding": 2, "kernel_dilation": 2, "feature_group_count": 2}, 4, 6),
    ((6, 5), (3, 2), {"strides": (2, 1), "padding": (1, 0), "kernel_dilation": (1, 2)}, 3, 4),
    ((5, 6), (2, 3), {"strides": 2, "padding": (0, 2), "feature_group_count": 3}, 3, 6),
    ((4, 5, 3), (2, 3, 2), {"strides": (1, 2, 1), "padding": (1, 0, 1), "feature_group_count": 2}, 2, 4),
]


def torch_names(kwargs):
    rename = {"strides": "stride", "kernel_dilation": "dilation", "feature_group_count": "groups"}
    return {rename.get(name, name): value for name, value in kwargs.items()}


@pytest.mark.peers
@pytest.mark.parametrize(("shape", "taps", "kwargs", "inputs", "outputs"), TORCH, ids=str)
def test_conv_matches_torch(shape, taps, kwargs, inputs, outputs):
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    n, groups = len(shape), kwargs.get("feature_group_count", 1)
    x, kernel = numbers((2, *shape, inputs)), numbers((*taps, inputs // groups, outputs))
    weight = np.moveaxis(kernel, (-1, -2), (0, 1)).copy()
    function = getattr(torch.nn.functional, f"conv{n}d")
    theirs = function(
        torch.from_numpy(torch_order(x, n).copy()), torch.from_numpy(weight), **torch_names(kwargs)
    ).numpy()
    ours, magnitude = conv(x, kernel, **kwargs), conv(abs(x), abs(kernel), **kwargs)
    assert_agrees(torch_order(np.asarray(ours), n), theirs, torch_order(np.asarray(magnitude), n), kernel)


@pytest.mark.peers
@pytest.mark.parametrize(("shape", "taps", "kwargs", "inputs", "outputs"), TORCH, ids=str)
@pytest.mark.parametrize("a", [0, 1])
def test_conv_transpose_matches_torch(shape, taps, kwargs, inputs, outputs, a):
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    n, groups = len(shape), kwargs.get("feature_group_count", 1)
    strides = np.broadcast_to(kwargs.get("strides", 1), n)
    output_padding = tuple(np.minimum(a, strides - 1).tolist())
    y, kernel = numbers((2, *shape, outputs)), numbers((*taps, inputs // groups, outputs))
    weight = np.moveaxis(
        kernel, (-1, -2), (0, 1)
    ).copy()  # torch's (in, out // groups) are ours seen backwards
    module = getattr(torch.nn, f"ConvTranspose{n}d")(
        outputs,
        inputs,
        taps,
        bias=False,
        output_padding=output_padding,
        dtype=torch.float64,
        **torch_names(kwargs),
    )
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight))
        expected = module(torch.from_numpy(torch_order(y, n).copy())).numpy()
    kwargs = {**kwargs, "output_padding": output_padding}
    magnitude = torch_order(np.asarray(conv_transpose(abs(y), abs(kernel), **kwargs)), n)
    for method in ("auto", "subpixel"):
        found = torch_order(np.asarray(conv_transpose(y, kernel, **kwargs, method=method)), n)
        assert_agrees(found, expected, magnitude, kernel)


@pytest.mark.peers
@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
@pytest.mark.parametrize(("shape", "taps", "kwargs", "inputs", "outputs"), TORCH, ids=str)
def test_padding_modes_match_torch(shape, taps, kwargs, inputs, outputs, mode):
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    n, groups = len(shape), kwargs.get("feature_group_count", 1)
    x, kernel = numbers((2, *shape, inputs)), numbers((*taps, inputs // groups, outputs))
    module = getattr(torch.nn, f"Conv{n}d")(
        inputs, outputs, taps, bias=False, padding_mode=mode, dtype=torch.float64, **torch_names(kwargs)
    )
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.moveaxis(kernel, (-1, -2), (0, 1)).copy()))
        expected = module(torch.from_numpy(torch_order(x, n).copy())).numpy()
    kwargs = {**kwargs, "padding_mode": mode}
    magnitude = torch_order(np.asarray(conv(abs(x), abs(kernel), **kwargs)), n)
    assert_agrees(torch_order(np.asarray(conv(x, kernel, **kwargs)), n), expected, magnitude, kernel)


# Derivatives that meet the formulations


@pytest.mark.parametrize("g", [G, REFLECTED, MODES[2]], ids=str)
def test_gradients_are_the_family(g):
    x, kernel, y = operands(g, batch=(2,))
    kwargs = options(g)

    @jax.jit
    def gradients(x, kernel, y):
        _, of_conv = jax.vjp(lambda x, kernel: conv(x, kernel, **kwargs), x, kernel)
        _, of_transpose = jax.vjp(
            lambda y, kernel: conv_transpose(y, kernel, input_shape=g.input_shape, **kwargs), y, kernel
        )
        return of_conv(y), of_transpose(x)

    (to_x, to_kernel), (to_y, to_kernel_too) = gradients(x, kernel, y)
    expected = Expected(g, x, kernel, y)
    assert_rounds_to(to_x, expected.transpose)
    assert_rounds_to(to_y, expected.conv)
    for found in (to_kernel, to_kernel_too):
        assert_rounds_to(found, expected.kernel_vjp)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"padding": "SAME", "input_shape": (8,)}, "inputs of 5 or 6 cells"),
        ({"padding": 1, "input_shape": (2,)}, "inputs of 5 or 6 cells"),
        ({"padding": "FULL", "input_shape": (9,)}, "inputs of 3 or 4 cells"),
        ({"input_dilation": 7, "padding": 1, "input_shape": (4,)}, "no input has"),
    ],
    ids=str,
)
def test_a_wrong_input_shape_is_answered_with_the_sizes_that_work(more, expected):
    """Also where the padding word depends on the size, and where the kernel would not even fit."""
    y, kernel = jnp.ones((3, 1)), jnp.ones((3, 1, 1))
    with pytest.raises(GeometryError, match=expected) as error:
        conv_transpose(y, kernel, strides=2, **more)
    assert "input_shape" in str(error.value)
    for size in re.findall(r"\d+", expected):
        assert conv_transpose(y, kernel, strides=2, **more | {"input_shape": (int(size),)}).shape == (
            int(size),
            1,
        )


def test_precision_is_checked():
    x, kernel = jnp.ones((5, 1)), jnp.ones((3, 1, 1))
    assert conv(x, kernel, precision=["high", "highest"]).shape == (3, 1)
    with pytest.raises(GeometryError, match="'highest'"):
        conv(x, kernel, precision="exact")
    with pytest.raises(TypeError, match="kernel_shape"):
        conv_kernel_vjp(x, x, 3)
