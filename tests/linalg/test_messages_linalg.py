"""The messages of bad calls of linear algebra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError, SizeError
from jaxconv.linalg import (
    PseudoInverseOperator,
    condition_number,
    deconvolve,
    frobenius_norm,
    is_circulant,
    log_determinant,
    norm_bound,
    norm_interval,
    null_space,
    operator_norm,
    pseudo_inverse,
    rank,
    singular_values,
    symbol,
    trace,
)

SAME = ConvGeometry((6, 5), (3, 3), padding="SAME")
STRIDED = ConvGeometry((7,), (3,), strides=2, padding=1, padding_mode="circular")
DILATED = ConvGeometry((6,), (3,), input_dilation=2, padding_mode="circular")
CIRCLE = ConvGeometry((4,), (2,), padding=((0, 1),), padding_mode="circular")
LARGE = ConvGeometry((50, 50), (3, 3), padding="SAME")
K, K1, K2 = np.ones((3, 3, 1, 1)), np.ones((3, 1, 1)), np.ones((2, 1, 1))
NAN = np.full((3, 3, 1, 1), np.nan)
Y = np.ones((4, 1))
twice = jax.grad(lambda k: jax.grad(lambda k: operator_norm(k, CIRCLE))(k).sum())

CASES = [
    BadCall("no geometry", lambda: is_circulant((6, 5)), ("`geometry`", "ConvGeometry"), TypeError),
    BadCall(
        "not circulant: padding", lambda: symbol(K, SAME), ("axis 0", "'zeros'", "'circular'"), GeometryError
    ),
    BadCall(
        "not circulant: size",
        lambda: symbol(K1, STRIDED),
        ("axis 0", "4 outputs", "stride 2", "7 inputs"),
        GeometryError,
    ),
    BadCall(
        "not circulant: dilated", lambda: symbol(K1, DILATED), ("axis 0", "input_dilation=2"), GeometryError
    ),
    BadCall(
        "kernel has another shape",
        lambda: symbol(K1, SAME),
        ("`kernel`", "(3, 3, 1, 1)", "(3, 1, 1)"),
        GeometryError,
    ),
    BadCall(
        "kernel is integer",
        lambda: operator_norm(np.ones((3, 3, 1, 1), int), SAME),
        ("`kernel`", "floating"),
        TypeError,
    ),
    *(
        BadCall(
            f"NaN in {f.__name__}", lambda f=f: f(NAN, SAME), ("`kernel`", "finite", "NaN"), GeometryError
        )
        for f in (
            operator_norm,
            norm_interval,
            frobenius_norm,
            trace,
            log_determinant,
            rank,
            null_space,
            pseudo_inverse,
            condition_number,
            singular_values,
        )
    ),
    BadCall(
        "k is missing", lambda: singular_values(K, SAME), ("`k` must be given", "is_circulant"), GeometryError
    ),
    BadCall("k is too large", lambda: singular_values(K, SAME, 31), ("`k`", "30", "31"), GeometryError),
    BadCall("k is 0", lambda: singular_values(K, SAME, 0), ("`k`", "at least 1"), GeometryError),
    BadCall("k is a float", lambda: singular_values(K, SAME, 2.0), ("`k`", "integer"), TypeError),
    BadCall(
        "fourier elsewhere",
        lambda: operator_norm(K, SAME, method="fourier"),
        ("axis 0", "block-circulant"),
        GeometryError,
    ),
    BadCall(
        "gram elsewhere",
        lambda: operator_norm(K, SAME, method="gram"),
        ("axis 0", "block-circulant"),
        GeometryError,
    ),
    BadCall(
        "unknown method",
        lambda: operator_norm(K, SAME, method="power"),
        ("`method`", "'lanczos'"),
        GeometryError,
    ),
    BadCall("no steps", lambda: operator_norm(K, SAME, steps=0), ("`steps`", "at least 1"), GeometryError),
    BadCall(
        "differentiated twice",
        lambda: twice(jnp.asarray(K2)),
        ("differentiable once", "second derivatives"),
        TypeError,
    ),
    BadCall("interval without steps", lambda: norm_interval(K, SAME, steps=0), ("`steps`",), GeometryError),
    BadCall(
        "too few points", lambda: norm_bound(K, points=4), ("`points`", "more than 4", "got 4"), GeometryError
    ),
    BadCall("bound of NaN", lambda: norm_bound(NAN), ("`kernel`", "finite"), GeometryError),
    BadCall(
        "bound of a matrix", lambda: norm_bound(np.ones((3, 3))), ("`kernel`", "spatial axis"), GeometryError
    ),
    BadCall("trace of a strided one", lambda: trace(K1, STRIDED), ("(7,)", "(4,)", "trace"), GeometryError),
    BadCall(
        "not square", lambda: log_determinant(K1, STRIDED), ("square", "4 outputs", "7 inputs"), GeometryError
    ),
    BadCall(
        "large determinant", lambda: log_determinant(K, LARGE), ("2,000 rows", "2,500", "Causal"), SizeError
    ),
    BadCall("large rank", lambda: rank(K, LARGE), ("2,000 rows", "2,500", "circular"), SizeError),
    BadCall("large condition", lambda: condition_number(K, LARGE), ("2,000 rows", "2,500"), SizeError),
    BadCall("large null space", lambda: null_space(K, LARGE), ("2,000 rows", "2,500"), SizeError),
    BadCall(
        "large pseudo-inverse", lambda: pseudo_inverse(K, LARGE), ("2,000 rows", "deconvolve"), SizeError
    ),
    BadCall("negative rtol", lambda: rank(K, SAME, rtol=-1e-3), ("`rtol`", "0 or more"), GeometryError),
    BadCall(
        "null space under jit",
        lambda: jax.jit(lambda k: null_space(k, SAME))(K),
        ("`kernel`", "null_space", "jax.jit"),
        TypeError,
    ),
    BadCall(
        "product with a map",
        lambda: pseudo_inverse(K2, CIRCLE) @ Y[:3],
        ("`y`", "(4,)", "(3, 1)"),
        GeometryError,
    ),
    BadCall(
        "map of another size", lambda: pseudo_inverse(K2, CIRCLE)(Y[:3]), ("`y`", "(3, 1)"), GeometryError
    ),
    BadCall(
        "map of another dtype",
        lambda: pseudo_inverse(K2, CIRCLE)(Y.astype(np.float32)),
        ("`y`", "float32"),
        TypeError,
    ),
    BadCall(
        "operator of an array", lambda: PseudoInverseOperator(K), ("`inverse`", "pseudo_inverse"), TypeError
    ),
    BadCall(
        "negative damping",
        lambda: deconvolve(Y, K2, geometry=CIRCLE, damping=-1.0),
        ("`damping`", "0 or more", "-1.0"),
        GeometryError,
    ),
    BadCall(
        "damping is a word",
        lambda: deconvolve(Y, K2, geometry=CIRCLE, damping="1"),
        ("`damping`", "number"),
        TypeError,
    ),
    BadCall("no input shape", lambda: deconvolve(Y, K2), ("`input_shape`", "geometry"), TypeError),
    BadCall(
        "input shape and geometry",
        lambda: deconvolve(Y, K2, input_shape=(4,), geometry=CIRCLE),
        ("`geometry`", "`input_shape`"),
        GeometryError,
    ),
    BadCall(
        "input shape that does not fit",
        lambda: deconvolve(Y, K2, input_shape=(4,)),
        ("`input_shape`", "(4,)", "5"),
        GeometryError,
    ),
    BadCall(
        "fourier with zeros",
        lambda: deconvolve(Y, K2, input_shape=(5,), method="fourier"),
        ("axis 0",),
        GeometryError,
    ),
    BadCall(
        "unknown way",
        lambda: deconvolve(Y, K2, geometry=CIRCLE, method="lsqr"),
        ("`method`", "'lsmr'"),
        GeometryError,
    ),
    BadCall(
        "y has NaN", lambda: deconvolve(Y * np.nan, K2, geometry=CIRCLE), ("`y`", "finite"), GeometryError
    ),
    BadCall(
        "y has other features",
        lambda: deconvolve(np.ones((4, 2)), K2, input_shape=(5,)),
        ("`y`", "2 features"),
        GeometryError,
    ),
    BadCall(
        "y of another dtype",
        lambda: deconvolve(Y.astype(np.float32), K2, geometry=CIRCLE),
        ("`y`", "`kernel`"),
        TypeError,
    ),
    BadCall(
        "no steps of the iteration",
        lambda: deconvolve(Y, K2, geometry=CIRCLE, max_steps=0),
        ("`max_steps`",),
        GeometryError,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
