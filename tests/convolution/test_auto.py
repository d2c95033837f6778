"""`method="auto"`: which rule fires where, and that what it takes is exact there."""

import math

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from oracles import assert_fft_rounds_to, operands

from jaxconv import ConvGeometry, conv, conv_kernel_vjp, conv_transpose
from jaxconv.convolution import auto
from jaxconv.convolution.formulations import planes, space_to_depth
from jaxconv.convolution.formulations.grouped import dense_geometry


def case(shape, kernel, features=(1, 1), groups=1, **options):
    inputs, outputs = features
    return ConvGeometry(
        shape, kernel, in_features=inputs, out_features=outputs, feature_group_count=groups, **options
    )


CASES = {
    "plain": (case((9, 8), (3, 3), (12, 3)), "direct", "zero_insertion", "split_im2col"),
    "plain, many features, small": (
        case((9, 8), (3, 3), (64, 4)),
        "direct",
        "zero_insertion",
        "zero_insertion",
    ),
    "few features in": (case((9, 8), (3, 3), (3, 4)), "im2col", "im2col", "direct"),
    "few features in, wide windows": (case((12, 11), (5, 5), (3, 40)), "direct", "direct", "im2col"),
    "few features in, dilated": (
        case((20, 18), (5, 5), (3, 40), kernel_dilation=2),
        "direct",
        "direct",
        "direct",
    ),
    "strided": (case((12, 9), (3, 3), (12, 7), strides=2), "direct", "space_to_depth", "taps"),
    "strided, wider": (case((22, 19), (3, 3), (12, 64), strides=2), "direct", "direct", "taps"),
    "strided, alike phases": (case((12, 8), (4, 4), (6, 9), strides=2), "direct", "subpixel", "im2col"),
    "1x1 to one": (case((5, 6), (1, 1), (7, 1)), "direct", "taps", "taps"),
    "1x1 of one": (case((5, 6), (1, 1), (1, 7)), "taps", "direct", "taps"),
    "1x1 to many": (case((9, 9), (1, 1), (7, 64)), "direct", "im2col", "taps"),
    "one to several": (case((12, 9), (3, 2), (1, 4), padding=1), "taps", "im2col", "direct"),
    "one to several, strided": (case((12, 9), (3, 3), (1, 4), strides=2), "direct", "im2col", "im2col"),
    "1x1": (case((5, 6), (1, 1), (7, 3)), "im2col", "im2col", "taps"),
    "1x1, strided": (case((5, 6), (1, 1), (7, 3), strides=2), "im2col", "im2col", "taps"),
    "more kernel than windows": (case((4, 4), (3, 3), (40, 9)), "im2col", "im2col", "im2col"),
    "depthwise": (case((9, 8), (3, 3), (4, 4), 4, strides=2), "taps", "taps", "taps"),
    "depthwise, long strides": (
        case((20, 22), (7, 8), (2, 2), 2, strides=5, padding=2),
        "taps",
        "space_to_depth",
        "taps",
    ),
    "depthwise, dilated": (case((12, 9), (3, 3), (4, 4), 4, kernel_dilation=2), "taps", "taps", "taps"),
    "depthwise, two outputs each": (case((9,), (3,), (4, 8), 4), "taps", "grouped", "grouped"),
    "one to one": (case((12, 9), (3, 2), padding=1), "taps", "taps", "zero_insertion"),
    "one to one, 10x10": (case((24, 25), (10, 10)), "taps", "taps", "fft"),
    "grouped": (case((9,), (3,), (6, 8), 2), "grouped", "grouped", "grouped"),
    "grouped, strided": (case((9, 7), (3, 2), (40, 60), 20, strides=2), "grouped", "grouped", "grouped"),
    "two blocks of groups": (case((7, 6), (3, 2), (32, 48), 16), "grouped", "grouped", "grouped"),
    "wide groups": (case((5, 6), (2, 3), (48, 51), 3, padding=1), "grouped", "grouped", "grouped"),
    "groups that do not merge": (case((8,), (3,), (37, 74), 37), "taps", "direct", "taps"),
    "large": (case((33, 31), (30, 30), (2, 1), padding=3), "fft", "fft", "fft"),
    "large, strided": (case((33, 31), (30, 30), strides=2), "direct", "im2col", "im2col"),
    "apart": (case((8, 6), (2, 2), (3, 4), strides=2), "direct", "space_to_depth", "taps"),
    "long strides": (
        case((32, 24), (8, 8), (3, 2), strides=4, padding=2),
        "direct",
        "space_to_depth",
        "im2col",
    ),
    "large, apart": (case((8, 9), (4, 4), (3, 5), strides=4), "im2col", "space_to_depth", "space_to_depth"),
    "large on as large a map": (case((32, 30), (31, 30), (1, 2)), "im2col", "im2col", "im2col"),
    "several to one": (case((12, 9), (3, 3), (12, 1), padding=1), "direct", "taps", "split_im2col"),
    "few features back": (case((15, 14), (5, 5), (3, 4), strides=2), "direct", "space_to_depth", "im2col"),
    "planes": (case((5, 6, 7), (2, 3, 3), (4, 5), padding=1), "planes", "planes", "planes"),
    "planes, strided": (case((5, 6, 7), (2, 3, 3), (4, 5), strides=2), "planes", "planes", "planes"),
    "four axes": (case((4, 3, 5, 4), (2, 2, 3, 2), (2, 3)), "planes", "planes", "planes"),
    "volumes apart": (case((4, 4, 6), (2, 2, 2), (2, 3), strides=2), "im2col", "space_to_depth", "taps"),
    "one volume to several": (case((4, 5, 6), (3, 2, 3), (1, 3)), "taps", "im2col", "planes"),
}


def lax_family(g, x, w, y):
    """The three results by lax's own convolution and its derivatives."""
    axes = "XYZW"[: g.ndim]

    def forward(x, w):
        return jax.lax.conv_general_dilated(
            x,
            w,
            g.strides,
            g.padding,
            rhs_dilation=g.kernel_dilation,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
            feature_group_count=g.feature_group_count,
        )

    value, back = jax.vjp(forward, x, w)
    return value, *back(y)


@pytest.mark.parametrize(("g", "forward", "transposed", "kernel"), CASES.values(), ids=CASES)
def test_rules_and_their_exactness(g, forward, transposed, kernel):
    chosen = (
        auto.method_for_conv(g, 2),
        auto.method_for_conv_transpose(g, 2),
        auto.method_for_conv_kernel_vjp(g, 2),
    )
    assert chosen == (forward, transposed, kernel)
    x, w, y = operands(g, batch=(2,))
    value, x_gradient, w_gradient = jax.jit(lax_family, static_argnums=0)(g, x, w, y)
    size = math.prod(axis.padded for axis in g.axes)  # the fft's error follows norms: its bound holds for all
    assert_fft_rounds_to(conv(x, w, geometry=g), (value,), size, x, w)
    back = conv_transpose(y, w, geometry=g)
    assert_fft_rounds_to(back, (x_gradient,), size, y, w)
    assert_fft_rounds_to(conv_kernel_vjp(x, y, geometry=g), (w_gradient,), size, x, y)


def test_every_method_of_a_rule_is_chosen_somewhere():
    taken = {name for case in CASES.values() for name in case[1:]}
    assert taken == {"direct", "taps", "im2col", "fft", "grouped", "planes", "space_to_depth", "subpixel"} | {
        "split_im2col",
        "zero_insertion",
    }


def test_no_spectrum_is_too_large():
    g = ConvGeometry((64, 64), (31, 31), in_features=64, out_features=128)
    assert auto.method_for_conv(g) == "direct"


def test_columns_too_large_are_not_made():
    """Of the whole batch, since they are made of all of it."""
    g = ConvGeometry((96, 128), (3, 3), in_features=16, out_features=16, padding="SAME")
    assert auto.method_for_conv_kernel_vjp(g, 2) == "split_im2col"
    assert auto.method_for_conv_kernel_vjp(g, 64) == "zero_insertion"
    narrow = ConvGeometry((96, 128), (3, 3), in_features=3, out_features=16, padding="SAME")
    assert (auto.method_for_conv(narrow, 4), auto.method_for_conv(narrow, 64)) == ("im2col", "direct")


def test_other_platforms_use_their_own_convolution():
    """The rules of a CPU are lowered for a CPU only, in one exported program too."""
    g = CASES["depthwise"][0]
    x = jax.ShapeDtypeStruct((2, *g.input_shape, g.in_features), np.float32)
    kernel = jax.ShapeDtypeStruct(g.kernel_array_shape, np.float32)

    def text(*platforms):
        function = jax.jit(lambda x, kernel: conv(x, kernel, geometry=g))
        return jax.export.export(function, platforms=platforms)(x, kernel).mlir_module()

    assert "stablehlo.convolution" not in text("cpu")
    assert "stablehlo.convolution" in text("cuda")
    assert "stablehlo.convolution" in text("tpu")
    assert "stablehlo.convolution" in text("cpu", "cuda")
    assert "stablehlo.case" in text("cpu", "cuda")
    assert auto.method_off_cpu(CASES["large"][0]) == "fft"


def test_rewriting_does_not_recurse():
    """What a rewriting leads to needs fewer rewritings: strides, axes or groups are gone."""
    for g, *_ in CASES.values():
        assert set(space_to_depth.block_geometry(g).strides) == {1}
        assert planes.plane_geometry(g).ndim <= 2
        assert dense_geometry(g).feature_group_count == 1
        assert math.prod(space_to_depth.block_geometry(g).kernel_shape) <= math.prod(
            axis.span for axis in g.axes
        )


# XLA gathers for its own FFT and its own grouped gradients.
GATHERED = {"one to one, 10x10", "large", "groups that do not merge"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES.keys() - GATHERED))
def test_a_sharded_batch_is_never_gathered(name, optimized):
    """No formulation that a rule takes moves maps between devices; the kernel's gradient sums over them."""
    g, *_ = CASES[name]
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    sharded, everywhere = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
    x, w, y = operands(g, np.float32, batch=(4,))
    x, y = (jax.device_put(a, sharded) for a in (x, y))
    w = jax.device_put(w, everywhere)

    @jax.jit
    def members(x, w, y):
        return (
            conv(x, w, geometry=g),
            conv_transpose(y, w, geometry=g),
            conv_kernel_vjp(x, y, geometry=g),
        )

    program = members.lower(x, w, y).compile().as_text()
    assert "all-gather" not in program
    assert "all-to-all" not in program


MANY = {  # where an unlimited rule would write out a program, or columns, of any size
    "prime groups": case((9,), (3,), (997, 997), 997, kernel_dilation=2),
    "prime groups, two outputs": case((9,), (3,), (997, 1994), 997),
    "groups by the thousand": case((9, 9), (3, 3), (16000, 16000), 1000),
    "depthwise upsampling": case((64, 64), (16, 16), (512, 512), 512, strides=8, padding=4),
    "long kernel to one": case((20000,), (10000,), (1, 1), strides=2),
    "long kernel": case((4000,), (800,), (8, 4)),
    "patches": case((224, 224), (16, 16), (3, 768), strides=16),
    "a cube": case((40, 40, 40), (33, 33, 33), (8, 8)),
    "stride 64": case((512, 512), (2, 2), (256, 256), strides=64),
}


@pytest.mark.parametrize("g", MANY.values(), ids=MANY)
def test_programs_stay_small(g):
    """A rule bounds what it unrolls."""
    x, y = (
        jax.ShapeDtypeStruct((8, *shape, features), np.float32)
        for shape, features in ((g.input_shape, g.in_features), (g.output_shape, g.out_features))
    )
    w = jax.ShapeDtypeStruct(g.kernel_array_shape, np.float32)
    members = {
        "conv": (lambda x, w: conv(x, w, geometry=g), x, w),
        "conv_transpose": (
            lambda y, w: conv_transpose(y, w, geometry=g),
            y,
            w,
        ),
        "conv_kernel_vjp": (lambda x, y: conv_kernel_vjp(x, y, geometry=g), x, y),
    }
    for name, (function, *arguments) in members.items():
        program = jax.jit(function).lower(*arguments).as_text()
        assert program.count("\n") < 2000, (name, program.count("\n"))
