r"""A test of a linear function and its transpose, for any pair of functions.

$f$ and $f^T$ are transposes of each other if and only if
$\langle f(x), y \rangle = \langle x, f^T(y) \rangle$ for all $x$ and $y$. In exact arithmetic a wrong pair
almost never fulfils this for random $x$ and $y$.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import describe, flag


@dataclass(frozen=True)
class DotTestResult:
    """The two sides of a dot test. It is true if they agree up to rounding: ``bool(result)``.

    Attributes:
      left: The inner product of ``f(x)`` and `y`.
      right: The inner product of `x` and ``ft(y)``.
      bound: The largest difference that rounding explains.
    """

    left: float | complex
    right: float | complex
    bound: float

    @property
    def gap(self) -> float:
        """The distance between the two sides."""
        return abs(self.left - self.right)

    def __bool__(self) -> bool:
        return bool(self.gap <= self.bound)  # false for NaN

    def __repr__(self) -> str:
        verdict, sign = ("passed", "<=") if self else ("FAILED", ">")
        return (
            f"DotTestResult({verdict}: gap {self.gap:.3g} {sign} bound {self.bound:.3g}, "
            f"left={self.left:.6g}, right={self.right:.6g})"
        )


def dot_test(
    f: Callable[[Any], Any], ft: Callable[[Any], Any], x: Any, y: Any, *, adjoint: bool = False
) -> DotTestResult:
    r"""Tests whether one linear function is the transpose of another.

    Computes both sides of

    $$ \langle f(x), y \rangle = \langle x, f^T(y) \rangle $$

    and compares them up to rounding. Give random `x` and `y`: ones and symmetric arrays hide mistakes such
    as a kernel that is not flipped. The inner products are summed in double precision, so that rounding is
    that of `f` and `ft` alone. The bound is

    $$ 4\, (u + \sqrt{n}\, v) \Big( \sqrt{\sum_i |f(x)_i\, y_i|^2} + \sqrt{\sum_j |x_j\, f^T(y)_j|^2} \Big) $$

    with n numbers in `x` and `y` together, u the eps of the coarsest dtype and v the eps in which it is
    summed (float32 for 16-bit floats): independent rounding errors of n terms add up to about the square root
    of n of them. Test in float64 where you can: in 16 bits errors of a few per cent pass.

    Args:
      f: A linear function; ``f(x)`` must have the structure and shapes of `y`.
      ft: The function to test as the transpose of `f`; ``ft(y)`` must have the structure and shapes of `x`.
      x: An array, or a pytree of arrays, floating or complex.
      y: An array, or a pytree of arrays, floating or complex.
      adjoint: Whether to test for the adjoint, the conjugate of the transpose: the inner products then
        conjugate their left factor. For real functions both tests are the same.

    Returns:
      Both sides, their distance and its bound; the result is true if the test passes.

    Raises:
      GeometryError: ``f(x)`` has other shapes than `y`, or ``ft(y)`` than `x`; `x` or `y` is empty; or all
        terms of both sides are 0, which says nothing about `f` and `ft`.
      TypeError: `f` or `ft` cannot be called, an array is not floating or complex, or is traced.

    References:
      Claerbout & Fomel, Image Estimation by Example, chapter 1. For the bound: Higham & Mary, "A New
      Approach to Probabilistic Rounding Error Analysis", SIAM J. Sci. Comput. 41(5), 2019.

    >>> from jaxconv import conv, conv_transpose
    >>> kernel, x, y = (
    ...     jax.random.normal(jax.random.key(i), shape)
    ...     for i, shape in enumerate([(3, 2, 4), (8, 2), (3, 4)])
    ... )
    >>> forward = lambda x: conv(x, kernel, strides=2)
    >>> bool(dot_test(forward, lambda y: conv_transpose(y, kernel, strides=2, input_shape=(8,)), x, y))
    True
    >>> flipped = kernel[::-1]
    >>> bool(dot_test(forward, lambda y: conv_transpose(y, flipped, strides=2, input_shape=(8,)), x, y))
    False
    """
    for name, function in (("f", f), ("ft", ft)):
        if not callable(function):
            raise TypeError(f"`{name}` must be a function, got {describe(function)}.")
    flag("adjoint", adjoint)
    for name, tree in (("x", x), ("y", y)):
        _check_arrays(name, tree)
        if not sum(np.size(leaf) for leaf in jax.tree.leaves(tree)):
            raise GeometryError(
                f"`{name}` must have at least one number, got {describe(tree)}; give random arrays."
            )
    fx, fty = f(x), ft(y)
    _check_alike("f", fx, "y", y)
    _check_alike("ft", fty, "x", x)
    _check_arrays("f(x)", fx)
    _check_arrays("ft(y)", fty)
    left, left_norm = _inner(fx, y, adjoint)
    right, right_norm = _inner(x, fty, adjoint)
    if left_norm + right_norm == 0:
        raise GeometryError("all terms of both inner products are 0; give random `x` and `y`, without zeros.")
    dtypes = [_dtype(leaf) for leaf in jax.tree.leaves((x, y, fx, fty))]
    stored = max(float(jnp.finfo(dtype).eps) for dtype in dtypes)
    summed = max(float(jnp.finfo(accumulator(dtype)).eps) for dtype in dtypes)
    count = sum(np.size(leaf) for leaf in jax.tree.leaves((x, y)))
    return DotTestResult(left, right, 4 * (stored + math.sqrt(count) * summed) * (left_norm + right_norm))


def _inner(a: Any, b: Any, conjugate: bool) -> tuple[float | complex, float]:
    """Returns the inner product of two pytrees, and the Euclidean norm of its terms."""
    total, squares = 0.0, 0.0
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        one, other = (_wide(leaf) for leaf in (one, other))
        terms = (one.conj() if conjugate else one) * other
        total += terms.sum().item()
        squares += (abs(terms) ** 2).sum().item()
    return total, math.sqrt(squares)


def _wide(leaf: Any) -> np.ndarray:
    """Returns an array in double precision."""
    is_complex = jnp.issubdtype(_dtype(leaf), jnp.complexfloating)
    return np.asarray(leaf).astype(np.complex128 if is_complex else np.float64)


def _dtype(leaf: Any) -> np.dtype:
    """Returns the dtype of an array as it is: NumPy's float64 stays float64 where jax would use float32."""
    return leaf.dtype if hasattr(leaf, "dtype") else jnp.asarray(leaf).dtype


def _check_arrays(name: str, tree: Any) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        where = f"{name}{jax.tree_util.keystr(path)}"
        if isinstance(leaf, jax.core.Tracer):
            raise TypeError(
                f"`{where}` is traced, but dot_test compares numbers: call it outside of jax.jit."
            )
        try:
            dtype = _dtype(leaf)
        except (TypeError, ValueError):
            raise TypeError(f"`{where}` must be an array, got {describe(leaf)}.") from None
        if not jnp.issubdtype(dtype, jnp.inexact):
            raise TypeError(f"`{where}` must be floating or complex, got {dtype}.")


def _check_alike(function: str, result: Any, name: str, example: Any) -> None:
    """Checks that what a function returned has the structure and the shapes of an example."""
    returned: Any = jax.tree.structure(result)
    expected: Any = jax.tree.structure(example)
    if returned != expected:
        raise GeometryError(
            f"`{function}` returned a pytree of structure {returned}, but `{name}` has {expected}; they must "
            "match."
        )
    for (path, one), other in zip(
        jax.tree_util.tree_leaves_with_path(result), jax.tree.leaves(example), strict=True
    ):
        if np.shape(one) != np.shape(other):
            at = jax.tree_util.keystr(path)
            raise GeometryError(
                f"`{function}` returned an array of shape {np.shape(one)}{f' at {at}' if at else ''}, but "
                f"`{name}` has shape {np.shape(other)}; change the function or give another `{name}`."
            )
