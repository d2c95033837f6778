"""lax's own convolutions, in any layout of axes, and ours give the same numbers, in both directions."""

import jax.numpy as jnp
import numpy as np
import pytest
from crossing import assert_same, layers, numbers, sweep
from jax import lax

from jaxconv import (
    Convolution,
    GeometryError,
    from_lax_conv,
    from_lax_conv_transpose,
    to_lax_conv,
    to_lax_conv_transpose,
)

SIZES = {1: (9,), 2: (8, 7), 3: (6, 5, 7)}
LAYOUTS = {
    1: [None, ("NWC", "WIO", "NWC"), ("CNW", "OWI", "WNC"), (0, 1, 2)],
    2: [None, ("NHWC", "HWIO", "NHWC"), ("HCNW", "OWIH", "WNHC"), ("NCWH", "OIHW", "HNCW")],
    3: [None, ("NDHWC", "DHWIO", "NDHWC"), ("DCHNW", "IODWH", "NCWHD")],
}
TRANSPOSE_DEFAULT = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NHWDC", "HWDIO", "NHWDC")}


def ours_to(spec, array):
    """From channels last, spatial axes in the kernel's order, to a layout."""
    return array.transpose(np.argsort((spec[0], *spec[2:], spec[1])))


def to_ours(spec, array):
    return array.transpose(spec[0], *spec[2:], spec[1])


def run(function, x, rhs, layout, *arguments, **options):
    """A lax function on a channels-last map, in its own layout; `layout` as lax takes it or None."""
    spec = lax.conv_dimension_numbers(rhs.shape, rhs.shape, layout)
    lhs = ours_to(spec.lhs_spec, x)
    return to_ours(spec.out_spec, np.asarray(function(jnp.asarray(lhs), rhs, *arguments, **options)))


def kernel_in(layout, kernel):
    """From ``(*kernel_shape, in, out)`` to a layout."""
    out, inputs, *spatial = lax.conv_dimension_numbers(kernel.shape, kernel.shape, layout).rhs_spec
    return jnp.asarray(kernel.transpose(np.argsort((*spatial, inputs, out))))


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(70, n=[1, 2, 3], taps=[1, 2, 3, 4], stride=[1, 2, 3], 
          padding=["SAME", "valid", "SAME_LOWER", 1, 2],
          dilations=[(1, 1), (1, 2), (2, 1), (3, 2)], groups=[1, 2], layout=[0, 1, 2, 3]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv(case, rng):
    n, groups, (f, d) = case["n"], case["groups"], case["dilations"]
    layout = LAYOUTS[n][case["layout"] % len(LAYOUTS[n])]
    if layout == (0, 1, 2):
        layout = lax.ConvDimensionNumbers((0, 2, 1), (2, 0, 1), (1, 0, 2))
    padding = case["padding"]
    if isinstance(padding, int):
        padding = [(padding + axis, 3 - padding) for axis in range(n)]
    rhs = kernel_in(layout, numbers(rng, (*range(case["taps"], case["taps"] + n), 2, 3 * groups)))
    x = numbers(rng, (2, *(s + 8 for s in SIZES[n]), 2 * groups))
    strides, lhs_dilation = (case["stride"], 1, 2)[:n], (f, 1, f)[:n]
    arguments = (strides, padding, lhs_dilation, (d,) * n, layout, groups)
    if isinstance(padding, str) and f > 1:
        with pytest.raises(GeometryError, match="pairs of ints if `lhs_dilation`"):
            from_lax_conv(rhs, *arguments)
        with pytest.raises(ValueError, match="String padding"):
            run(lax.conv_general_dilated, x, rhs, layout, *arguments)
        return
    expected = run(lax.conv_general_dilated, x, rhs, layout, *arguments)
    layer = from_lax_conv(rhs, *arguments)
    assert_same(layer, x, expected)
    kernel, options = to_lax_conv(layer)
    np.testing.assert_allclose(
        lax.conv_general_dilated(jnp.asarray(x), kernel, **options), expected, atol=1e-12
    )
    assert_same(from_lax_conv(kernel, **options), x, expected)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(80, n=[1, 2, 3], taps=[1, 2, 3, 4], stride=[1, 2, 3], d=[1, 2], flip=[False, True],
          consistent=[False, True], padding=["SAME", "VALID", (1, 2), (3, 0), (0, 4)], layout=[0, 1, 2]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv_transpose(case, rng):
    """Each option of lax.conv_transpose; an empty result of lax has no geometry."""
    n, d, padding = case["n"], case["d"], case["padding"]
    layout = LAYOUTS[n][case["layout"] % len(LAYOUTS[n])]
    strides = (case["stride"], 2, 1)[:n]
    if not isinstance(padding, str):
        padding = tuple(padding if axis == 0 else (1, 1) for axis in range(n))
    features = (3, 2) if case["flip"] else (2, 3)
    shown = layout or TRANSPOSE_DEFAULT[n]
    rhs = kernel_in(shown, numbers(rng, (*range(case["taps"], case["taps"] + n), *features)))
    y = numbers(rng, (2, *(max(5, s) for s in SIZES[n]), 2))
    options = {"rhs_dilation": (d,) * n, "transpose_kernel": case["flip"],
               "use_consistent_padding": case["consistent"]}  # fmt: skip
    expected = run(
        lambda *a: lax.conv_transpose(*a, dimension_numbers=layout, **options),
        y,
        rhs,
        shown,
        strides,
        padding,
    )
    layer = from_lax_conv_transpose(rhs, strides, padding, dimension_numbers=layout, **options)
    assert_same(layer, y, expected)
    kernel, options = to_lax_conv_transpose(layer)
    np.testing.assert_allclose(lax.conv_transpose(jnp.asarray(y), kernel, **options), expected, atol=1e-12)
    assert_same(from_lax_conv_transpose(kernel, **options), y, expected)
    kernel, options = to_lax_conv(layer)
    np.testing.assert_allclose(
        lax.conv_general_dilated(jnp.asarray(y), kernel, **options), expected, atol=1e-12
    )


@pytest.mark.parametrize("padding", ["same", "SAME_LOWER", "valid"])
def test_other_words_mean_the_direct_convolution(padding, rng):
    """lax.conv_transpose passes them on, which works where nothing is stretched."""
    rhs, y = jnp.asarray(numbers(rng, (4, 2, 3))), numbers(rng, (2, 9, 2))
    expected = np.asarray(lax.conv_transpose(jnp.asarray(y), rhs, (1,), padding))
    assert_same(from_lax_conv_transpose(rhs, (1,), padding), y, expected)
    with pytest.raises(GeometryError, match="must be 'SAME', 'VALID' or pairs"):
        from_lax_conv_transpose(rhs, (2,), padding)


def test_the_direct_convolution_has_groups_and_dilations(rng):
    """What lax.conv_transpose lacks."""
    layer = layers(rng, 2, True, groups=2, strides=(3, 2), padding=((1, 0), (2, 1)), kernel_dilation=(1, 2),
                   input_dilation=(2, 1), output_padding=(0, 1))  # fmt: skip
    y = numbers(rng, (2, 4, 5, 6))
    expected = np.asarray(layer(y)) - np.asarray(layer.bias)
    with pytest.raises(GeometryError, match="no bias"):
        to_lax_conv(layer)
    bare = Convolution(
        layer.kernel, transposed=True, output_padding=layer.output_padding, **layer._arguments()
    )
    kernel, options = to_lax_conv(bare)
    np.testing.assert_allclose(
        lax.conv_general_dilated(jnp.asarray(y), kernel, **options), expected, atol=1e-12
    )
    with pytest.raises(GeometryError, match="has no groups and no input dilation"):
        to_lax_conv_transpose(bare)
    grouped = Convolution(layer.kernel, transposed=True, strides=2, input_dilation=2, feature_group_count=2)
    with pytest.raises(
        GeometryError, match=r"depends on the size of y .* call `layer.at\(input_shape\)` first"
    ):
        to_lax_conv(grouped)
    assert to_lax_conv(grouped.at((4, 6)))


def test_what_lax_lacks_or_refuses(rng):
    kernel = jnp.ones((3, 1, 1))
    with pytest.raises(GeometryError, match="split the batch"):
        from_lax_conv(kernel, (1,), "SAME", batch_group_count=2)
    with pytest.raises(GeometryError, match="padding` of lax"):
        from_lax_conv(kernel, (1,), "FULL")
    with pytest.raises(GeometryError, match="padding` of lax"):
        from_lax_conv_transpose(kernel, (1,), "CIRCULAR")
    with pytest.raises(GeometryError, match="must be 'SAME', 'VALID' or pairs"):
        from_lax_conv_transpose(kernel, (1,), "SAME_LOWER", use_consistent_padding=True)
    with pytest.raises(GeometryError, match="`dimension_numbers` must be given for 4"):
        from_lax_conv_transpose(jnp.ones((1,) * 6), (1,) * 4, "SAME")
    with pytest.raises(GeometryError, match="spatial axis"):
        from_lax_conv(jnp.ones((3, 2)), (), "SAME")
    with pytest.raises(GeometryError, match=r"no circular padding: use jnp\.pad"):
        to_lax_conv(Convolution(kernel, padding=1, padding_mode="circular"))
    with pytest.raises(GeometryError, match="adds its border to other cells"):
        to_lax_conv(Convolution(kernel, padding=1, padding_mode="circular", transposed=True))
    with pytest.raises(GeometryError, match="with lhs_dilation: call"):
        to_lax_conv(Convolution(kernel, padding="SAME", strides=2, input_dilation=2))
    with pytest.raises(GeometryError, match="must be transposed"):
        to_lax_conv_transpose(Convolution(kernel))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: from_lax_conv([[[1.0, 2.0]]], (1,), "SAME", dimension_numbers=("NH", "HIO", "NHC")),
         GeometryError, "must name the 3 axes"),
        (lambda: from_lax_conv([1.0, 2.0], (1,), "SAME"), GeometryError, "must have a spatial axis"),
        (lambda: from_lax_conv_transpose(np.ones((3, 1, 1)), (2,), ((1, 1), (1, 1))), GeometryError,
         "one int or .* pair for the only"),
        (lambda: from_lax_conv_transpose(np.ones((3, 1, 1)), (2,), None), TypeError,
         "`padding` needs a tuple"),
        (lambda: from_lax_conv(np.ones((8, 4, 3)), (1,), "SAME")(np.ones((9, 3))), GeometryError,
         "`x` has 3 features on its last axis but `kernel` takes 4"),
        (lambda: to_lax_conv(3), TypeError, "must be a Convolution"),
    ],
)  # fmt: skip
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()
