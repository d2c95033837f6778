"""`method="auto"`: which rule fires where, and that what it takes is exact there."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxconv import ConvGeometry, conv, conv_kernel_vjp, conv_matrix, conv_transpose
from jaxconv.convolution import choose

CASES = {
    "plain": (ConvGeometry((9, 8), (3, 3), in_features=2, out_features=3), "direct", "direct", "direct"),
    "depthwise": (
        ConvGeometry((9, 8), (3, 3), in_features=4, out_features=4, feature_group_count=4, strides=2),
        "taps",
        "taps",
        "direct",
    ),
    "two outputs each": (
        ConvGeometry((9,), (3,), in_features=4, out_features=8, feature_group_count=4),
        "taps",
        "direct",
        "taps",
    ),
    "one to one": (ConvGeometry((12, 9), (3, 2), padding=1), "taps", "taps", "direct"),
    "one to several": (ConvGeometry((12, 9), (3, 2), out_features=4), "direct", "direct", "direct"),
    "grouped": (
        ConvGeometry((9,), (3,), in_features=4, out_features=4, feature_group_count=2),
        "direct",
        "direct",
        "direct",
    ),
    "large": (ConvGeometry((33, 31), (30, 30), padding=3, in_features=2), "fft", "fft", "fft"),
    "large, strided": (ConvGeometry((33, 31), (30, 30), strides=2), "direct", "direct", "direct"),
}


@pytest.mark.parametrize(("g", "forward", "transposed", "kernel"), CASES.values(), ids=CASES)
def test_rules_and_their_exactness(g, forward, transposed, kernel, rng):
    assert (choose.conv(g), choose.conv_transpose(g), choose.conv_kernel_vjp(g)) == (
        forward,
        transposed,
        kernel,
    )
    x, w, y = (
        jnp.asarray(rng.normal(size=shape))
        for shape in (
            (2, *g.input_shape, g.in_features),
            g.kernel_array_shape,
            (2, *g.output_shape, g.out_features),
        )
    )
    C = conv_matrix(w, g)
    # The fft's error follows norms: its bound holds for all.
    eps = np.finfo(float).eps * np.log2(x.size + w.size)
    norm = jnp.linalg.norm
    bound = eps * norm(x.ravel()) * norm(w.ravel())
    np.testing.assert_allclose(conv(x, w, **g.arguments), C(x), rtol=0, atol=bound)
    bound = eps * norm(y.ravel()) * norm(w.ravel())
    got = conv_transpose(y, w, input_shape=g.input_shape, **g.arguments)
    np.testing.assert_allclose(got, C.T(y), rtol=0, atol=bound)
    bound = eps * norm(x.ravel()) * norm(y.ravel())
    expected = conv_kernel_vjp(x, y, w.shape, method="im2col", **g.arguments)
    np.testing.assert_allclose(conv_kernel_vjp(x, y, w.shape, **g.arguments), expected, rtol=0, atol=bound)


def test_a_spectrum_too_large_is_not_taken():
    g = ConvGeometry((64, 64), (31, 31), in_features=64, out_features=128)
    assert choose.conv(g) == "direct"
