"""What `dot_test` and the checks of arrays say about bad arguments."""

import jax
import jax.numpy as jnp
import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError
from jaxconv.core import checks
from jaxconv.core.adjoint_check import dot_test

X, Y = jnp.ones(4), jnp.ones(3)


def f(x):
    return x[:3]


def ft(y):
    return jnp.pad(y, (0, 1))


def features(shape, kernel_shape, groups=1, transposed=False):
    """A call of `check_features`."""
    return lambda: checks.check_features("x", shape, kernel_shape, groups, transposed=transposed)


TORCH = "jnp.moveaxis(kernel, (0, 1), (-1, -2))"
CASES = [
    BadCall("f is an array", lambda: dot_test(X, ft, X, Y), ("`f`", "function"), TypeError),
    BadCall("ft is a number", lambda: dot_test(f, 3, X, Y), ("`ft`", "got 3"), TypeError),
    BadCall(
        "x of integers", lambda: dot_test(f, ft, X.astype(int), Y), ("`x`", "floating or complex"), TypeError
    ),
    BadCall("y is text", lambda: dot_test(f, ft, X, "y"), ("`y`", "'y'"), TypeError),
    BadCall(
        "f of another shape", lambda: dot_test(f, ft, X, X), ("`f`", "(3,)", "`y`", "(4,)"), GeometryError
    ),
    BadCall("ft of another shape", lambda: dot_test(f, f, X, Y), ("`ft`", "`x`", "(4,)"), GeometryError),
    BadCall("f of a tuple", lambda: dot_test(lambda x: (x, x), ft, X, Y), ("`f`", "`y`"), GeometryError),
    BadCall("in jit", lambda: jax.jit(lambda x: dot_test(f, ft, x, Y).gap)(X), ("`x`", "jax.jit"), TypeError),
    BadCall(
        "channels-first",
        features((1, 4, 9, 9), (3, 3, 4, 6)),
        ("`x`", "jnp.moveaxis(x, 1, -1)"),
        GeometryError,
    ),
    BadCall(
        "channels-first, no batch", features((4, 9, 9), (3, 3, 4, 6)), ("moveaxis(x, 0, -1)",), GeometryError
    ),
    BadCall("PyTorch's kernel", features((1, 9, 9, 4), (6, 4, 3, 3)), ("PyTorch", TORCH), GeometryError),
    BadCall(
        "PyTorch's grouped kernel", features((9, 9, 4), (6, 2, 3, 3), 2), ("2 groups", TORCH), GeometryError
    ),
    BadCall(
        "PyTorch's transposed kernel",
        features((9, 9, 6), (6, 4, 3, 3), 1, True),
        ("PyTorch", TORCH),
        GeometryError,
    ),
    BadCall(
        "PyTorch's map and kernel",
        features((1, 4, 9, 9), (6, 4, 5, 5)),
        ("moveaxis(x, 1, -1)", TORCH),
        GeometryError,
    ),
    BadCall("swapped", features((3, 3, 2, 4), (1, 8, 8, 2)), ("swapped", "`x`", "`kernel`"), GeometryError),
    BadCall(
        "features swapped",
        features((9, 9, 4), (3, 3, 6, 4)),
        ("jnp.swapaxes(kernel, -1, -2)",),
        GeometryError,
    ),
    BadCall("no axis of features", features((5, 9, 9), (3, 3, 1, 6)), ("x[..., None]",), GeometryError),
    BadCall("depthwise", features((9, 9, 4), (3, 3, 1, 8)), ("feature_group_count=4",), GeometryError),
    BadCall("grouped", features((9, 9, 4), (3, 3, 2, 8)), ("feature_group_count=2",), GeometryError),
    BadCall("nothing to guess", features((9, 9, 5), (3, 3, 2, 7)), ("`x` has 5", "takes 2"), GeometryError),
    BadCall(
        "too few axes",
        lambda: checks.split_map("x", (9, 9), 2, "the kernel"),
        ("`x`", "x[..., None]"),
        GeometryError,
    ),
    BadCall(
        "no feature axis",
        lambda: checks.check_map("x", (5, 9, 8), (9, 8), 1),
        ("`x`", "x[..., None]"),
        GeometryError,
    ),
    BadCall(
        "an option", lambda: checks.check_option("o", "ab", ("abc", "x")), ("`o`", "'abc'?"), GeometryError
    ),
    BadCall("precision", lambda: checks.check_precision("most"), ("`precision`", "'most'"), GeometryError),
    BadCall("an integer dtype", lambda: checks.check_dtype(int), ("`dtype`", "jnp.float32"), TypeError),
    BadCall("no dtype", lambda: checks.check_dtype("float31"), ("`dtype`", "'float31'"), TypeError),
    BadCall(
        "a real result of complex operands",
        lambda: checks.check_result_dtype(jnp.float32, jnp.complex64),
        ("`preferred_element_type`", "complex64"),
        TypeError,
    ),
    BadCall(
        "8 bits",
        lambda: checks.check_dtypes(x=X.astype(jnp.float8_e4m3fn)),
        ("`x`", "too few bits"),
        TypeError,
    ),
    BadCall(
        "no geometry", lambda: checks.check_geometry({"a": 1}), ("`geometry`", "ConvGeometry"), TypeError
    ),
    BadCall("a ragged list", lambda: checks.as_array("x", [[1.0], [1.0, 2.0]]), ("`x`", "list"), TypeError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)


def test_right_features_pass():
    features((5, 9, 9, 4), (3, 3, 4, 6))()
    features((9, 9, 4), (3, 3, 2, 6), 2)()
    features((9, 9, 6), (3, 3, 4, 6), 1, True)()
    checks.check_kernel((3, 4, 6), ConvGeometry((9,), (3,), in_features=4, out_features=6))
