"""What `conv`, its transpose, its kernel's gradient and `transposed_kernel` say of a bad call."""

import jax.numpy as jnp
import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError, conv, conv_kernel_vjp, conv_transpose, transposed_kernel

G = ConvGeometry((6, 7), (3, 3), in_features=4, out_features=8, padding=1)
X, KERNEL, Y = jnp.ones((2, 6, 7, 4)), jnp.ones((3, 3, 4, 8)), jnp.ones((2, 6, 7, 8))
DEEP = jnp.ones((2, 4, 6, 7, 8))


def case(name, call, *words, error=GeometryError):
    return BadCall(name, call, words, error)


CASES = [
    # shapes
    case("channels-first map", lambda: conv(jnp.moveaxis(X, -1, 1), KERNEL), "`x`", "jnp.moveaxis(x, 1, -1)"),
    case("other features", lambda: conv(jnp.ones((6, 7, 3)), KERNEL), "`x`", "3 features", "takes 4"),
    case("kernel in PyTorch's layout", lambda: conv(X, jnp.ones((8, 4, 3, 3))), "`kernel`", "PyTorch"),
    case("map and kernel swapped", lambda: conv(KERNEL, X), "`x`", "`kernel`"),
    case("too few axes", lambda: conv(X[0, 0], KERNEL), "`x`", "2 spatial axes"),
    case("kernel without features", lambda: conv(X, jnp.ones((3, 3))), "`kernel`", "spatial axis"),
    case("kernel larger than the map", lambda: conv(X[:, :2], KERNEL), "`padding`"),
    case("transposed: channels-first", lambda: conv_transpose(jnp.moveaxis(Y, -1, 1), KERNEL), "`y`"),
    case("transposed: other features", lambda: conv_transpose(X, KERNEL), "`y`", "takes 8"),
    case(
        "transposed: impossible input shape",
        lambda: conv_transpose(Y, KERNEL, input_shape=(20, 20)),
        "`input_shape`",
    ),
    case(
        "transposed: whole shape as input shape",
        lambda: conv_transpose(Y, KERNEL, input_shape=(2, 8, 9, 4)),
        "`input_shape`",
    ),
    case(
        "transposed: large output padding",
        lambda: conv_transpose(Y, KERNEL, strides=2, output_padding=2),
        "`output_padding`",
    ),
    case(
        "transposed: contradictory output padding",
        lambda: conv_transpose(Y, KERNEL, strides=2, output_padding=1, input_shape=(13, 15)),
        "`input_shape`",
        "`output_padding`",
    ),
    case("gradient: another batch", lambda: conv_kernel_vjp(X, Y[:1], (1, 1, 4, 8)), "`y`"),
    case("gradient: kernel shape without features", lambda: conv_kernel_vjp(X, Y, (3, 3)), "`kernel_shape`"),
    case("gradient: an int", lambda: conv_kernel_vjp(X, Y, 3), "`kernel_shape`", error=TypeError),
    case("gradient: no kernel shape", lambda: conv_kernel_vjp(X, Y), "`kernel_shape`", error=TypeError),
    case(
        "gradient: kernel shape beside a geometry",
        lambda: conv_kernel_vjp(X, Y, (3, 3, 8, 4), geometry=G),
        "`kernel_shape`",
    ),
    case(
        "gradient: features of the kernel shape swapped",
        lambda: conv_kernel_vjp(X, Y, (3, 3, 8, 4)),
        "`x`",
        "`kernel_shape` takes 8",
        "try (3, 3, 4, 8)",
    ),
    case(
        "gradient: kernel shape in PyTorch's layout",
        lambda: conv_kernel_vjp(X, Y, (8, 4, 3, 3)),
        "`kernel_shape`",
        "PyTorch",
        "try (3, 3, 4, 8)",
    ),
    # options
    case("stride 0", lambda: conv(X, KERNEL, strides=0), "`strides`"),
    case("three strides", lambda: conv(X, KERNEL, strides=(1, 1, 1)), "`strides`"),
    case("a stride of 1.5", lambda: conv(X, KERNEL, strides=1.5), "`strides`", error=TypeError),
    case("misspelt padding", lambda: conv(X, KERNEL, padding="SMAE"), "`padding`", "'SAME'"),
    case("a padding mode as padding", lambda: conv(X, KERNEL, padding="circular"), "padding_mode="),
    case("misspelt padding mode", lambda: conv(X, KERNEL, padding_mode="reflct"), "`padding_mode`"),
    case("kernel dilation 0", lambda: conv(X, KERNEL, kernel_dilation=0), "`kernel_dilation`"),
    case("input dilation -1", lambda: conv(X, KERNEL, input_dilation=-1), "`input_dilation`"),
    case("groups that do not divide", lambda: conv(X, KERNEL, feature_group_count=3), "`x`", "3 groups"),
    case("misspelt method", lambda: conv(X, KERNEL, method="im2cool"), "`method`", "'im2col'"),
    case(
        "method of another",
        lambda: conv(X, KERNEL, method="subpixel"),
        "`method`",
        "'space_to_depth'",
    ),
    case("misspelt precision", lambda: conv(X, KERNEL, precision="hihg"), "`precision`"),
    case("unknown argument", lambda: conv(X, KERNEL, stride=2), "'stride'", error=TypeError),
    # dtypes
    case("integer map", lambda: conv(X.astype(int), KERNEL), "`x`", "astype", error=TypeError),
    case("dtypes differ", lambda: conv(X, KERNEL.astype(jnp.float16)), "`x` and `kernel`", error=TypeError),
    case("a string", lambda: conv("x", KERNEL), "`x`", error=TypeError),
    case(
        "integer result",
        lambda: conv(X, KERNEL, preferred_element_type=int),
        "`preferred_element_type`",
        error=TypeError,
    ),
    # geometry
    case("geometry and an option", lambda: conv(X, KERNEL, geometry=G, strides=1), "`geometry`", "`strides`"),
    case(
        "geometry and two options",
        lambda: conv_transpose(Y, KERNEL, geometry=G, input_shape=(6, 7), padding=1),
        "`geometry`",
        "`input_shape`, `padding`",
    ),
    case("geometry of another type", lambda: conv(X, KERNEL, geometry=(6, 7)), "`geometry`", error=TypeError),
    case(
        "an array as geometry",
        lambda: conv(X, KERNEL, geometry=X),
        "`geometry`",
        "shape (2, 6",
        error=TypeError,
    ),
    case("geometry of another map", lambda: conv(X[:, :5], KERNEL, geometry=G), "`x`", "6, 7, 4"),
    case("geometry of another kernel", lambda: conv(X, KERNEL[:2], geometry=G), "`kernel`", "(3, 3, 4, 8)"),
    case(
        "geometry without features",
        lambda: conv(X, KERNEL, geometry=ConvGeometry((6, 7), (3, 3))),
        "`kernel`",
        "in_features=4, out_features=8",
    ),
    case("geometry, channels-first", lambda: conv(jnp.moveaxis(X, -1, 1), KERNEL, geometry=G), "`x`"),
    # transposed_kernel
    case("kernel of two axes", lambda: transposed_kernel(jnp.ones((3, 3))), "`kernel`"),
    case("kernel's groups", lambda: transposed_kernel(KERNEL, 3), "`kernel`", "feature_group_count=3"),
    case("no groups", lambda: transposed_kernel(KERNEL, 0), "`feature_group_count`"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
