"""What C and its exports say about bad arguments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError, SizeError, conv_matrix, symbols

G = ConvGeometry((8, 6), (3, 3), in_features=2, out_features=3)
KERNEL = jnp.ones((3, 3, 2, 3))
C = conv_matrix(KERNEL, G)
ONE = ConvGeometry((8,), (3,))
BATCH = jax.vmap(lambda kernel: conv_matrix(kernel, G))(jnp.ones((5, 3, 3, 2, 3)))


CASES = [
    BadCall(
        "geometry is a tuple", lambda: conv_matrix(KERNEL, (8, 6)), ("`geometry`", "ConvGeometry"), TypeError
    ),
    BadCall("swapped", lambda: conv_matrix(G, KERNEL), ("`geometry`", "swapped"), TypeError),
    BadCall("kernel is text", lambda: conv_matrix("kernel", G), ("`kernel`", "array of numbers"), TypeError),
    BadCall("kernel is None", lambda: conv_matrix(None, G), ("`kernel`", "None"), TypeError),
    BadCall("kernel is ragged", lambda: conv_matrix([[1.0], [1.0, 2.0]], ONE), ("`kernel`",), TypeError),
    BadCall(
        "kernel of integers", lambda: conv_matrix(KERNEL.astype(int), G), ("`kernel`", "astype"), TypeError
    ),
    BadCall(
        "PyTorch's kernel",
        lambda: conv_matrix(jnp.ones((3, 2, 3, 3)), G),
        ("`kernel`", "PyTorch", "jnp.moveaxis(kernel, (0, 1), (-1, -2))"),
        GeometryError,
    ),
    BadCall(
        "features swapped",
        lambda: conv_matrix(jnp.ones((3, 3, 3, 2)), G),
        ("`kernel`", "jnp.swapaxes(kernel, -1, -2)"),
        GeometryError,
    ),
    BadCall(
        "no features", lambda: conv_matrix(jnp.ones(3), ONE), ("`kernel`", "[..., None, None]"), GeometryError
    ),
    BadCall(
        "other features",
        lambda: conv_matrix(jnp.ones((3, 3, 5, 3)), G),
        ("`kernel`", "2 in_features"),
        GeometryError,
    ),
    BadCall("too large", lambda: conv_matrix(KERNEL, G, max_bytes=100), ("`max_bytes`", "100"), SizeError),
    BadCall("flat of another size", lambda: C @ jnp.ones(95), ("`x`", "(96,)"), GeometryError),
    BadCall("batch first", lambda: C @ jnp.ones((5, 96)), ("`x`", "C @ x.T"), GeometryError),
    BadCall("C for C.T", lambda: C @ jnp.ones((72, 2)), ("`x`", "C.T @ x"), GeometryError),
    BadCall("a map for @", lambda: C @ jnp.ones((8, 6, 2)), ("`x`", "C(x)"), GeometryError),
    BadCall("from the left", lambda: jnp.ones((3, 95)) @ C, ("`x`", "(batch, 72)"), GeometryError),
    BadCall(
        "channels-first", lambda: C(jnp.ones((5, 2, 8, 6))), ("`x`", "jnp.moveaxis(x, 1, -1)"), GeometryError
    ),
    BadCall("a map of outputs", lambda: C(jnp.ones((6, 4, 3))), ("`x`", "C.T(x)"), GeometryError),
    BadCall("a flat map", lambda: C(jnp.ones(96)), ("`x`", "C @ x"), GeometryError),
    BadCall(
        "no feature axis",
        lambda: conv_matrix(jnp.ones((3, 1, 1)), ONE)(jnp.ones((2, 8))),
        ("`x`", "x.T"),
        GeometryError,
    ),
    BadCall(
        "another dtype", lambda: C @ np.ones(96, np.float16), ("`x`", "jnp.asarray(x, C.dtype)"), TypeError
    ),
    BadCall("integers", lambda: C @ np.ones(96, int), ("`x`", "astype"), TypeError),
    BadCall("made dense silently", lambda: np.asarray(C), ("todense",), TypeError),
    BadCall("a batch", lambda: BATCH @ jnp.ones(96), ("a batch of matrices", "jax.vmap"), GeometryError),
    BadCall("an unknown order", lambda: C.to_coo("NCHW"), ("`order`", "'NCHW'"), GeometryError),
    BadCall("an unknown format", lambda: C.to_scipy("lil"), ("`format`", "'lil'"), GeometryError),
    BadCall("dense and too large", lambda: C.todense(max_bytes=8), ("`max_bytes`",), SizeError),
    BadCall("an array as a factor", lambda: np.ones(3) * C, ("`a`", "shape (3,)"), TypeError),
    BadCall("text as a factor", lambda: C * "2", ("`a`", "'2'"), TypeError),
    BadCall("a boolean as a factor", lambda: True * C, ("`a`", "True"), TypeError),
    BadCall("a complex factor", lambda: 1j * C, ("`a`", "complex"), TypeError),
    BadCall("a matrix as a factor", lambda: C * C, ("scalar", "C @ D"), TypeError),
    BadCall("plus an array", lambda: np.ones(C.shape) + C, ("C + D", "todense"), TypeError),
    BadCall("a number minus C", lambda: 1 - C, ("C - D", "todense"), TypeError),
    BadCall(
        "plus its transpose", lambda: C + C.T, ("transposed", "C.to_scipy() + D.to_scipy()"), GeometryError
    ),
    BadCall(
        "minus another geometry",
        lambda: C - conv_matrix(KERNEL, ConvGeometry((8, 7), (3, 3), in_features=2, out_features=3)),
        ("geometr", "C.to_scipy() - D.to_scipy()"),
        GeometryError,
    ),
    BadCall(
        "plus another dtype", lambda: C + conv_matrix(KERNEL.astype(jnp.float16), G), ("float16",), TypeError
    ),
    BadCall(
        "symbols of a large matrix",
        lambda: symbols(G),
        ("`geometry`", "too large", "figures.plot"),
        SizeError,
    ),
    BadCall("too few names", lambda: symbols(ONE, "ab"), ("`names`", "3"), GeometryError),
    BadCall("symbols of no geometry", lambda: symbols((8,)), ("`geometry`", "ConvGeometry"), TypeError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
