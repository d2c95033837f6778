"""`geometry=` in the place of the options: the same numbers, and everything else refused."""

import jax
import numpy as np
import pytest
from oracles import dense, kernel_matrix, operands, options

from jaxconv import ConvGeometry, GeometryError, conv, conv_kernel_vjp, conv_transpose
from jaxconv.convolution.options import OPTION_NAMES

GEOMETRIES = [
    ConvGeometry((6,), (3,), strides=2, padding=((1, 0),)),
    ConvGeometry((5, 4), (3, 2), strides=(2, 1), padding="SAME", in_features=4, out_features=2,
                 feature_group_count=2),
    ConvGeometry((4, 5), (2, 3), padding=((2, -1), (0, 1)), padding_mode="reflect", kernel_dilation=(2, 1)),
    ConvGeometry((3, 2, 4), (2, 1, 3), input_dilation=(2, 1, 1), padding=1, out_features=3),
]  # fmt: skip


@pytest.mark.parametrize("g", GEOMETRIES, ids=str)
def test_results_follow_the_definition(g):
    x, kernel, y = operands(g)
    C = dense(g, kernel)
    bound = 64 * np.finfo(float).eps * abs(kernel).sum()
    got = conv(x, kernel, geometry=g)
    np.testing.assert_allclose(got.ravel(), C @ x.ravel(), rtol=0, atol=bound * abs(x).max())
    got = conv_transpose(y, kernel, geometry=g)
    assert got.shape == x.shape
    np.testing.assert_allclose(got.ravel(), C.T @ y.ravel(), rtol=0, atol=bound * abs(y).max())
    got = conv_kernel_vjp(x, y, geometry=g)
    assert got.shape == kernel.shape
    bound = 64 * np.finfo(float).eps * abs(x).max() * abs(y).sum()
    np.testing.assert_allclose(got.ravel(), kernel_matrix(g, x).T @ y.ravel(), rtol=0, atol=bound)


@pytest.mark.parametrize("g", GEOMETRIES, ids=str)
def test_same_program_as_with_options(g):
    x, kernel, y = operands(g, batch=(2, 3))
    pairs = [
        (lambda: conv(x, kernel, geometry=g), lambda: conv(x, kernel, **options(g))),
        (
            lambda: conv_transpose(y, kernel, geometry=g),
            lambda: conv_transpose(y, kernel, input_shape=g.input_shape, **options(g)),
        ),
        (
            lambda: conv_kernel_vjp(x, y, geometry=g),
            lambda: conv_kernel_vjp(x, y, kernel.shape, **options(g)),
        ),
    ]
    for with_geometry, with_options in pairs:
        assert str(jax.make_jaxpr(with_geometry)()) == str(jax.make_jaxpr(with_options)())


def test_lists_are_accepted():
    g = ConvGeometry((3,), (2,))
    assert conv([[1.0], [2.0], [3.0]], [[[1.0]], [[0.0]]], geometry=g).ravel().tolist() == [1.0, 2.0]
    assert conv_kernel_vjp([[1.0], [2.0], [3.0]], [[1.0], [10.0]], [2, 1, 1], geometry=g).shape == (2, 1, 1)


G = GEOMETRIES[1]
X, KERNEL, Y = operands(G)
CALLS = {
    "conv": (lambda **options: conv(X, KERNEL, geometry=G, **options), ()),
    "conv_transpose": (
        lambda **options: conv_transpose(Y, KERNEL, geometry=G, **options),
        ("input_shape", "output_padding"),
    ),
    "conv_kernel_vjp": (lambda **options: conv_kernel_vjp(X, Y, geometry=G, **options), ()),
}


@pytest.mark.parametrize("name", CALLS)
def test_no_option_stands_beside_a_geometry(name):
    """Neither one that contradicts it nor one that repeats it, or equals the default."""
    call, more = CALLS[name]
    defaults = {"padding": "VALID", "padding_mode": "zeros", "input_shape": None, "output_padding": None}
    for option in (*OPTION_NAMES, *more):
        for value in (defaults.get(option, 1), getattr(G, option)):
            with pytest.raises(GeometryError, match=f"already fixes `{option}`; leave out one"):
                call(**{option: value})
    with pytest.raises(GeometryError, match="`strides`, `padding`; leave out either `geometry` or all"):
        call(strides=1, padding=0)


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_argument_is_still_named(name):
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'stride'"):
        CALLS[name][0](stride=1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: conv(X[:, :3], KERNEL, geometry=G), "`x` must be"),
        (lambda: conv(X, KERNEL[:2], geometry=G), "kernel"),
        (lambda: conv_transpose(Y[..., :1], KERNEL, geometry=G), "`y` must be"),
        (lambda: conv_transpose(Y, KERNEL[0], geometry=G), "kernel"),
        (lambda: conv_kernel_vjp(X, Y[:1], geometry=G), "`y` must be"),
        (lambda: conv_kernel_vjp(X[None], Y, geometry=G), "`y` must be"),
        (lambda: conv_kernel_vjp(X, Y, (3, 2, 4, 2), geometry=G), "kernel"),
    ],
)
def test_operands_must_fit_the_geometry(call, words):
    with pytest.raises(GeometryError, match=words):
        call()


def test_types_are_refused():
    with pytest.raises(TypeError, match=r"`geometry` must be a jaxconv\.ConvGeometry, got .* of type dict"):
        conv(X, KERNEL, geometry=options(G))
    with pytest.raises(TypeError, match="`kernel_shape` must be the shape"):
        conv_kernel_vjp(X, Y)
