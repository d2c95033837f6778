"""The messages of bad calls of the operators."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from messages import BadCall, check

from jaxconv import (
    ConvGeometry,
    ConvMatrixOperator,
    ConvOperator,
    GeometryError,
    SizeError,
    avg_pool,
    bilinear_kernel,
    binomial_filter,
    box_filter,
    conv_to_dense,
    convolve,
    correlate,
    dense_to_conv,
    depth_to_space,
    edge_filter,
    effective_receptive_field,
    filter_kernel,
    fold,
    gaussian_filter,
    lp_pool,
    max_pool,
    pool_geometry,
    pool_matrix,
    resize,
    resize_geometry,
    resize_matrix,
    sliding_windows,
    sobel_filter,
    space_to_depth,
    unfold,
    unfold_geometry,
    unfold_matrix,
    unpool,
)

X = np.ones((2, 6, 5, 3), np.float32)
FIRST = np.ones((2, 3, 32, 32), np.float32)  # channels-first
SWITCHES = np.zeros((2, 3, 2, 3), np.int32)
RAGGED = [[1.0], [2.0, 3.0]]
KEY = jax.random.key(0)
G = ConvGeometry((5,), (3,))


def field(function=lambda x: x, shape=(5,), **options):
    return effective_receptive_field(function, shape, **{"features": 1, "key": KEY, "samples": 2, **options})


POOLING = [
    BadCall("window is an int", lambda: max_pool(X, 2), ("`window`", "tuple"), TypeError),
    BadCall("window is empty", lambda: max_pool(X, ()), ("`window`", "at least one"), GeometryError),
    BadCall("window of floats", lambda: avg_pool(X, (2.0, 2.0)), ("`window`", "integers"), TypeError),
    BadCall("window of 0", lambda: lp_pool(X, (2, 0)), ("`window`", "at least 1"), GeometryError),
    BadCall("the whole window", lambda: max_pool(X, (1, 2, 2, 1)), ("`window`", "Try (2, 2)"), GeometryError),
    BadCall(
        "no features",
        lambda: max_pool(X[..., 0], (2, 2, 2)),
        ("`window`", "Try (2, 2)", "x[..., None]"),
        GeometryError,
    ),
    BadCall("an empty map", lambda: max_pool(X[:, :0], (2, 2)), ("`x.shape`", "axis 0"), GeometryError),
    BadCall(
        "circular",
        lambda: max_pool(X, (2, 2), padding="circular"),
        ("`padding`", "no padding modes", "jnp.pad(x, ..., mode='wrap')"),
        GeometryError,
    ),
    BadCall(
        "a word of NumPy",
        lambda: lp_pool(X, (2, 2), padding="edge"),
        ("`padding`", "no padding modes", "mode='edge'"),
        GeometryError,
    ),
    BadCall(
        "norms of complex numbers",
        lambda: lp_pool(X.astype("complex64"), (2, 2)),
        ("`x`", "jnp.abs(x)"),
        TypeError,
    ),
    BadCall("too few axes", lambda: max_pool(X[0, 0], (2, 2)), ("`window`", "`x`"), GeometryError),
    BadCall("too large", lambda: max_pool(X, (7, 2)), ("`window`", "axis 0", "7 cells"), GeometryError),
    BadCall(
        "channels-first", lambda: max_pool(FIRST, (4, 4)), ("`x`", "jnp.moveaxis(x, 1, -1)"), GeometryError
    ),
    BadCall(
        "strides of 0", lambda: max_pool(X, (2, 2), strides=0), ("`strides`", "at least 1"), GeometryError
    ),
    BadCall("a word", lambda: max_pool(X, (2, 2), padding="SAM"), ("`padding`", "'SAME'"), GeometryError),
    BadCall("only padding", lambda: max_pool(X, (2, 2), padding=2), ("`padding`", "axis 0"), GeometryError),
    BadCall(
        "padding that jumps",
        lambda: avg_pool(X, (2, 2), padding=2, count_include_pad=False),
        ("`padding`", "only padding"),
        GeometryError,
    ),
    BadCall(
        "cropping",
        lambda: max_pool(X, (2, 2), padding=-1, ceil_mode=True),
        ("`padding`", "crop"),
        GeometryError,
    ),
    BadCall(
        "dilation of 0", lambda: avg_pool(X, (2, 2), dilation=0), ("`dilation`", "at least 1"), GeometryError
    ),
    BadCall(
        "ceil_mode", lambda: max_pool(X, (2, 2), ceil_mode="no"), ("`ceil_mode`", "True or False"), TypeError
    ),
    BadCall(
        "return_switches",
        lambda: max_pool(X, (2, 2), return_switches="no"),
        ("`return_switches`",),
        TypeError,
    ),
    BadCall(
        "count_include_pad",
        lambda: avg_pool(X, (2, 2), count_include_pad="no"),
        ("`count_include_pad`", "'no'"),
        TypeError,
    ),
    BadCall("means of integers", lambda: avg_pool(X.astype("int32"), (2, 2)), ("`x`", "astype"), TypeError),
    BadCall("norms of integers", lambda: lp_pool(X.astype("int32"), (2, 2)), ("`x`", "astype"), TypeError),
    BadCall("complex", lambda: max_pool(X.astype("complex64"), (2, 2)), ("`x`", "jnp.abs(x)"), TypeError),
    BadCall(
        "8-bit floats",
        lambda: max_pool(jnp.asarray(X, jnp.float8_e4m3fn), (2, 2)),
        ("`x`", "float8"),
        TypeError,
    ),
    BadCall("p of 0", lambda: lp_pool(X, (2, 2), p=0), ("`p`", "positive"), GeometryError),
    BadCall("p infinite", lambda: lp_pool(X, (2, 2), p=np.inf), ("`p`", "max_pool"), GeometryError),
    BadCall("p is a word", lambda: lp_pool(X, (2, 2), p="two"), ("`p`", "number"), TypeError),
    BadCall(
        "too large a result",
        lambda: max_pool(X, (10**9, 1), strides=1, padding=((10**9 - 1,) * 2, (0, 0))),
        ("`padding`", "bytes", "not enough memory"),
        SizeError,
    ),
    BadCall(
        "beyond int32",
        lambda: avg_pool(X, (2**31, 1), strides=(2**30, 1), padding=((2**31 - 1,) * 2, (0, 0))),
        ("`padding`", "axis 0"),
        SizeError,
    ),
    BadCall(
        "unpool another shape", lambda: unpool(X, SWITCHES, (6, 5)), ("`switches`", "`y`"), GeometryError
    ),
    BadCall(
        "unpool to the whole shape",
        lambda: unpool(X[:, :3, :2], SWITCHES, X.shape),
        ("`input_shape`", "Try (6, 5)"),
        GeometryError,
    ),
    BadCall("unpool by floats", lambda: unpool(X, X, (6, 5)), ("`switches`", "integers"), TypeError),
    BadCall(
        "unpool outside",
        lambda: unpool(X[:, :3, :2], SWITCHES + 40, (6, 5)),
        ("`switches`", "40"),
        GeometryError,
    ),
    BadCall("unpool to an int", lambda: unpool(X, SWITCHES, 12), ("`input_shape`", "tuple"), TypeError),
    BadCall(
        "unpool booleans", lambda: unpool(X[:, :3, :2] > 0, SWITCHES, (6, 5)), ("`y`", "astype"), TypeError
    ),
    BadCall(
        "unpool too many cells",
        lambda: unpool(X[:, :3, :2], SWITCHES, (2**16, 2**16)),
        ("`input_shape`", "int32"),
        SizeError,
    ),
    BadCall(
        "switches of another pooling",
        lambda: pool_matrix((4,), (2,), switches=np.full((2, 1), 3)),
        ("`switches`", "max_pool"),
        GeometryError,
    ),
    BadCall(
        "switches of a batch",
        lambda: pool_matrix((4,), (2,), switches=np.zeros((3, 1), int)),
        ("`switches`", "one map"),
        GeometryError,
    ),
    BadCall(
        "switches of floats",
        lambda: pool_matrix((4,), (2,), switches=np.zeros((2, 1))),
        ("`switches`", "integers"),
        TypeError,
    ),
    BadCall("a matrix of integers", lambda: pool_matrix((4,), (2,), dtype=int), ("`dtype`",), TypeError),
    BadCall("a matrix too large", lambda: pool_matrix((4,), (2,), max_bytes=8), ("`max_bytes`",), SizeError),
    BadCall("no features", lambda: pool_geometry((4,), (2,), features=0), ("`features`",), GeometryError),
    BadCall("other axes", lambda: pool_geometry((4,), (2, 2)), ("`window`", "spatial ax"), GeometryError),
]
RESIZING = [
    BadCall("shape is an int", lambda: resize(X, 6), ("`shape`", "tuple"), TypeError),
    BadCall("the whole shape", lambda: resize(X, (2, 12, 10, 3)), ("`shape`", "Try (12, 10)"), GeometryError),
    BadCall(
        "the whole shape without batch",
        lambda: resize(X[0], (12, 10, 3)),
        ("`shape`", "(12, 10)"),
        GeometryError,
    ),
    BadCall("too many axes", lambda: resize(X, (2, 2, 2, 2, 2)), ("`shape`", "`x`"), GeometryError),
    BadCall("integers beyond int64", lambda: resize([[2**70]], (2,)), ("`x`", "int64", "floats"), TypeError),
    BadCall("shape of 0", lambda: resize(X, (0, 3)), ("`shape`", "at least 1"), GeometryError),
    BadCall("an empty map", lambda: resize(X[:, :0], (3, 3)), ("`x.shape`", "at least 1"), GeometryError),
    BadCall("method", lambda: resize(X, (3, 3), "linear"), ("`method`", "'bilinear'"), GeometryError),
    BadCall("edges", lambda: resize(X, (3, 3), edges="renorm"), ("`edges`", "'renormalize'"), GeometryError),
    BadCall(
        "nearest corners", lambda: resize(X, (3, 3), "nearest", True), ("`align_corners`",), GeometryError
    ),
    BadCall("nearest antialias", lambda: resize(X, (3, 3), antialias=True), ("`antialias`",), GeometryError),
    BadCall(
        "align_corners", lambda: resize(X, (3, 3), "bilinear", "no"), ("`align_corners`", "'no'"), TypeError
    ),
    BadCall(
        "antialias", lambda: resize(X, (3, 3), "bilinear", antialias="no"), ("`antialias`", "'no'"), TypeError
    ),
    BadCall("cubic_a", lambda: resize(X, (3, 3), "bicubic", cubic_a="a"), ("`cubic_a`",), TypeError),
    BadCall(
        "cubic_a is NaN", lambda: resize(X, (3, 3), "bicubic", cubic_a=np.nan), ("`cubic_a`",), GeometryError
    ),
    BadCall(
        "bilinear integers",
        lambda: resize(X.astype("int32"), (3, 3), "bilinear"),
        ("`x`", "x.astype(jnp.float32)", "method='nearest'"),
        TypeError,
    ),
    BadCall("other axes", lambda: resize_geometry((4,), (3, 3)), ("`shape`", "spatial ax"), GeometryError),
    BadCall("input_shape is an int", lambda: resize_matrix(4, (3,)), ("`input_shape`", "tuple"), TypeError),
    BadCall("a matrix of integers", lambda: resize_matrix((4,), (3,), dtype=int), ("`dtype`",), TypeError),
    BadCall(
        "a matrix too large", lambda: resize_matrix((4,), (3,), max_bytes=8), ("`max_bytes`",), SizeError
    ),
    BadCall("factor is an int", lambda: bilinear_kernel(2, 1), ("`factor`", "tuple"), TypeError),
    BadCall("no features", lambda: bilinear_kernel((2,), 0), ("`features`",), GeometryError),
    BadCall("block is an int", lambda: depth_to_space(X, 2), ("`block`", "tuple"), TypeError),
    BadCall("features of no block", lambda: depth_to_space(X, (2, 1)), ("`x`", "`block`"), GeometryError),
    BadCall("cells of no block", lambda: space_to_depth(X, (4, 4)), ("`x`", "`block`"), GeometryError),
    BadCall(
        "the whole block", lambda: space_to_depth(X, (1, 2, 2, 1)), ("`block`", "Try (2, 2)"), GeometryError
    ),
    BadCall("block of too many axes", lambda: space_to_depth(X, (1,) * 5), ("`block`", "`x`"), GeometryError),
]
UNFOLDING = [
    BadCall("window is an int", lambda: unfold(X, 2), ("`window`", "tuple"), TypeError),
    BadCall("the whole window", lambda: unfold(X, (1, 2, 2, 1)), ("`window`", "Try (2, 2)"), GeometryError),
    BadCall("too few axes", lambda: unfold(X, (1,) * 5), ("`window`", "`x`"), GeometryError),
    BadCall(
        "too large", lambda: unfold(X, (7, 2)), ("`window` spans 7 cells", "smaller `window`"), GeometryError
    ),
    BadCall(
        "too far apart",
        lambda: unfold(X, (2, 2), dilation=6),
        ("`window` spans 7 cells", "lower `dilation`"),
        GeometryError,
    ),
    BadCall("dilation of 0", lambda: unfold(X, (2, 2), dilation=0), ("`dilation`", "least 1"), GeometryError),
    BadCall("an empty map", lambda: unfold(X[:, :0], (2, 2)), ("`x.shape`", "axis 0"), GeometryError),
    BadCall(
        "channels-first", lambda: unfold(FIRST, (4, 4)), ("`x`", "jnp.moveaxis(x, 1, -1)"), GeometryError
    ),
    BadCall(
        "padding_mode",
        lambda: unfold(X, (2, 2), padding=1, padding_mode="mirror"),
        ("`padding_mode`",),
        GeometryError,
    ),
    BadCall("fold booleans", lambda: fold(X > 0, (6, 5), (1, 1)), ("`patches`", "astype"), TypeError),
    BadCall("fold other taps", lambda: fold(X, (6, 5), (2, 2)), ("`patches`", "`window`"), GeometryError),
    BadCall(
        "fold other positions", lambda: fold(X, (5, 6), (1, 1)), ("`patches`", "(2, 6, 5, 3)"), GeometryError
    ),
    BadCall(
        "fold to the whole shape",
        lambda: fold(np.ones((2, 4, 3, 12)), X.shape, (3, 2)),
        ("`input_shape`", "Try (6, 5)"),
        GeometryError,
    ),
    BadCall(
        "fold to other axes",
        lambda: fold(np.ones((2, 4, 3, 12)), (6, 5, 3), (3, 2)),
        ("`input_shape`", "`window`", "(6, 5, 3)"),
        GeometryError,
    ),
    BadCall("fold to an int", lambda: fold(X, 5, (1, 1)), ("`input_shape`", "tuple"), TypeError),
    BadCall("no features", lambda: unfold_geometry((4,), (2,), features=0), ("`features`",), GeometryError),
    BadCall("a matrix of integers", lambda: unfold_matrix((4,), (2,), dtype=int), ("`dtype`",), TypeError),
    BadCall(
        "a matrix too large", lambda: unfold_matrix((4,), (2,), max_bytes=8), ("`max_bytes`",), SizeError
    ),
]
OTHERS = [
    BadCall(
        "filter is a kernel of conv",
        lambda: correlate(X, np.ones((3, 3, 1, 1), np.float32)),
        ("`filter`", "filter[..., 0, 0]", "(3, 3, 1, 1)"),
        GeometryError,
    ),
    BadCall(
        "filter is a number", lambda: correlate(X, np.float32(2)), ("`filter`", "jnp.full"), GeometryError
    ),
    BadCall(
        "a large filter",
        lambda: correlate(X, np.ones((2, 9), np.float32)),
        ("axis 1", "`filter` spans 9 cells", "smaller `filter`"),
        GeometryError,
    ),
    BadCall(
        "a dilated filter",
        lambda: convolve(X, np.ones((2, 2), np.float32), kernel_dilation=6),
        ("axis 0", "`filter` spans 7 cells", "lower `kernel_dilation`"),
        GeometryError,
    ),
    BadCall("an empty filter", lambda: correlate(X, X[0, :0, :, 0]), ("`filter.shape`",), GeometryError),
    BadCall(
        "filter of other dtype",
        lambda: correlate(X, np.ones((2, 2), np.float16)),
        ("`filter`", "float16"),
        TypeError,
    ),
    BadCall(
        "filter of too many axes",
        lambda: convolve(X, np.ones((2,) * 4, np.float32)),
        ("`filter`", "`x`"),
        GeometryError,
    ),
    BadCall(
        "a map of integers",
        lambda: convolve(X.astype("int32"), np.ones((2, 2))),
        ("`x`", "astype"),
        TypeError,
    ),
    BadCall(
        "a channels-first map",
        lambda: correlate(FIRST, np.ones((5, 5), np.float32)),
        ("`x`", "jnp.moveaxis(x, 1, -1)"),
        GeometryError,
    ),
    BadCall("no features", lambda: filter_kernel(np.ones(3), 0), ("`features`",), GeometryError),
    BadCall("shape is an int", lambda: box_filter(3), ("`shape`", "tuple"), TypeError),
    BadCall("a dtype of integers", lambda: binomial_filter((3,), int), ("`dtype`",), TypeError),
    BadCall("ndim of 0", lambda: edge_filter(0), ("`ndim`", "at least 1"), GeometryError),
    BadCall("sigma of 0", lambda: gaussian_filter((3, 3), 0.0), ("`sigma`", "positive"), GeometryError),
    BadCall(
        "too many sigmas", lambda: gaussian_filter((3, 3), (1.0,) * 3), ("`sigma`", "2 axes"), GeometryError
    ),
    BadCall("sigma is a word", lambda: gaussian_filter((3,), "wide"), ("`sigma`", "'wide'"), TypeError),
    BadCall("axis", lambda: sobel_filter(2), ("`axis`", "got 2"), GeometryError),
    BadCall(
        "weights of PyTorch",
        lambda: dense_to_conv(np.ones((10, 12)), (2, 3)),
        ("`weights`", "weights.T"),
        GeometryError,
    ),
    BadCall(
        "weights of another map",
        lambda: dense_to_conv(np.ones((12, 2)), (2, 4)),
        ("`weights`", "a multiple of 8"),
        GeometryError,
    ),
    BadCall(
        "weights are a vector",
        lambda: dense_to_conv(np.ones(12), (2, 3)),
        ("`weights`", "matrix"),
        GeometryError,
    ),
    BadCall(
        "order", lambda: dense_to_conv(np.ones((12, 2)), (2, 3), order="last"), ("`order`",), GeometryError
    ),
    BadCall("a kernel of integers", lambda: conv_to_dense(np.ones((3, 2, 2), int)), ("`kernel`",), TypeError),
    BadCall("a kernel without axes", lambda: conv_to_dense(np.ones((2, 2))), ("`kernel`",), GeometryError),
    BadCall(
        "crops too large",
        lambda: sliding_windows(jnp.sum, X, (7, 7)),
        ("`x`", "window=(7, 7)"),
        GeometryError,
    ),
    BadCall(
        "crops of the whole map",
        lambda: sliding_windows(jnp.sum, X, (1, 2, 2, 1)),
        ("`window`", "Try (2, 2)"),
        GeometryError,
    ),
    BadCall("crops by an int", lambda: sliding_windows(jnp.sum, X, 3), ("`window`", "tuple"), TypeError),
    BadCall(
        "no crops at a time",
        lambda: sliding_windows(jnp.sum, X, (2, 2), batch_size=0),
        ("`batch_size`",),
        GeometryError,
    ),
    BadCall("no map", lambda: field(lambda x: x.sum()), ("`function`", "feature map"), GeometryError),
    BadCall("no such position", lambda: field(position=(5,)), ("`position`", "(5,)"), GeometryError),
    BadCall("gradients of integers", lambda: field(dtype=int), ("`dtype`", "gradient"), TypeError),
    BadCall(
        "operator of another kernel",
        lambda: ConvOperator(np.ones((2, 1, 1)), G),
        ("kernel", "(3, 1, 1)"),
        GeometryError,
    ),
    BadCall(
        "operator of integers", lambda: ConvOperator(np.ones((3, 1, 1), int), G), ("`kernel`",), TypeError
    ),
    BadCall(
        "operator with swapped arguments",
        lambda: ConvOperator(G, jnp.ones((3, 1, 1))),
        ("`geometry`", "swapped"),
        TypeError,
    ),
    BadCall("no geometry", lambda: ConvOperator(np.ones((3, 1, 1)), None), ("`geometry`", "None"), TypeError),
    BadCall(
        "transposed",
        lambda: ConvOperator(np.ones((3, 1, 1)), G, "no"),
        ("`transposed`", "'no'"),
        TypeError,
    ),
    BadCall(
        "another vector",
        lambda: ConvOperator(np.ones((3, 1, 1)), G).mv(jnp.ones(4)),
        ("`vector`", "(5,)"),
        GeometryError,
    ),
    BadCall(
        "no matrix", lambda: ConvMatrixOperator(jnp.ones((3, 5))), ("`matrix`", "conv_matrix"), TypeError
    ),
]
WITH_ARRAYS = [
    ("x", lambda x: max_pool(x, (2,))),
    ("x", lambda x: avg_pool(x, (2,))),
    ("x", lambda x: lp_pool(x, (2,))),
    ("y", lambda y: unpool(y, SWITCHES, (6, 5))),
    ("switches", lambda switches: unpool(X[:, :3, :2], switches, (6, 5))),
    ("x", lambda x: resize(x, (2,))),
    ("x", lambda x: unfold(x, (2,))),
    ("patches", lambda patches: fold(patches, (2,), (1,))),
    ("x", lambda x: depth_to_space(x, (2,))),
    ("x", lambda x: space_to_depth(x, (2,))),
    ("x", lambda x: correlate(x, np.ones(3))),
    ("filter", lambda filter: correlate(X, filter)),
    ("filter", lambda filter: convolve(X, filter)),
    ("filter", filter_kernel),
    ("weights", lambda weights: dense_to_conv(weights, (2, 3))),
    ("kernel", conv_to_dense),
    ("x", lambda x: sliding_windows(jnp.sum, x, (2,))),
    ("kernel", lambda kernel: ConvOperator(kernel, G)),
]
BAD_ARRAYS = [
    BadCall(f"{number} {name} is {kind}", partial(call, value), (f"`{name}`", "array of numbers"), TypeError)
    for number, (name, call) in enumerate(WITH_ARRAYS)
    for kind, value in (("None", None), ("a word", "abc"), ("ragged", RAGGED))
]
CASES = POOLING + RESIZING + UNFOLDING + OTHERS + BAD_ARRAYS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
