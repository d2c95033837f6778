"""The pseudo-inverse as a linear operator of lineax, and least squares by lineax's iterations."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxconv.errors import FailureError, needs_extra
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import describe
from jaxconv.linalg.arguments import is_traced
from jaxconv.linalg.inverses import PseudoInverse
from jaxconv.linalg.scales import unit_scale

with needs_extra("an iterative solution, or an operator for lineax,", "lineax"):
    import equinox as eqx
    import lineax as lx

    from jaxconv.operators.lineax import ConvOperator


class PseudoInverseOperator(lx.AbstractLinearOperator):
    """The pseudo-inverse of a convolution as a linear operator, for example to precondition a solver.

    Args:
      inverse: What `pseudo_inverse` returned.

    Raises:
      TypeError: `inverse` is not a `PseudoInverse`.

    >>> from jaxconv.linalg import pseudo_inverse
    >>> g = ConvGeometry((4,), (1,))
    >>> operator = PseudoInverseOperator(pseudo_inverse(jnp.array([[[2.0]]]), g))
    >>> operator.mv(jnp.ones(4)).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """

    inverse: PseudoInverse

    def __init__(self, inverse: PseudoInverse) -> None:
        if not isinstance(inverse, PseudoInverse):
            raise TypeError(
                f"`inverse` must be a PseudoInverse, as pseudo_inverse returns it, got {describe(inverse)}."
            )
        self.inverse = inverse

    def mv(self, vector: jax.Array) -> jax.Array:
        """Multiplies a flat vector."""
        return self.inverse @ vector

    def as_matrix(self) -> jax.Array:
        """Returns the dense matrix."""
        return self.inverse @ jnp.eye(self.inverse.shape[1], dtype=self.inverse.dtype)

    def transpose(self) -> PseudoInverseOperator:
        """Returns the transpose."""
        return PseudoInverseOperator(self.inverse.T)

    def in_structure(self) -> jax.ShapeDtypeStruct:
        """Returns the type of the vectors that are multiplied: flat."""
        return jax.ShapeDtypeStruct(self.inverse.shape[1:], self.inverse.dtype)

    def out_structure(self) -> jax.ShapeDtypeStruct:
        """Returns the type of the products: flat vectors."""
        return jax.ShapeDtypeStruct(self.inverse.shape[:1], self.inverse.dtype)


def _conjugate(operator: PseudoInverseOperator) -> PseudoInverseOperator:
    inverse = operator.inverse
    static = inverse.geometry, inverse.dtype, inverse.transposed, not inverse.conjugated
    return PseudoInverseOperator(PseudoInverse(inverse.stored, *static))


lx.linearise.register(PseudoInverseOperator, lambda operator: operator)
lx.conj.register(PseudoInverseOperator, _conjugate)
lx.materialise.register(PseudoInverseOperator, lambda o: lx.MatrixLinearOperator(o.as_matrix()))
lx.diagonal.register(PseudoInverseOperator, lambda operator: jnp.diag(operator.as_matrix()))
for _property in (
    lx.is_symmetric,
    lx.is_diagonal,
    lx.is_tridiagonal,
    lx.has_unit_diagonal,
    lx.is_lower_triangular,
    lx.is_upper_triangular,
    lx.is_positive_semidefinite,
    lx.is_negative_semidefinite,
):
    _property.register(PseudoInverseOperator, lambda operator: False)


class _Damped(lx.AbstractLinearOperator):
    """The operator that takes x to the pair of C x and x times a factor, and its transpose."""

    C: ConvOperator
    factor: jax.Array  # real
    transposed: bool = eqx.field(static=True)

    def mv(self, vector: Any) -> Any:
        if self.transposed:
            return self.C.mv(vector[0]) + self.factor * vector[1]
        return self.C.mv(vector), self.factor * vector

    def as_matrix(self) -> jax.Array:
        raise NotImplementedError

    def transpose(self) -> _Damped:
        return _Damped(self.C.transpose(), self.factor, not self.transposed)

    def _pair(self) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
        a, b = self.C.out_structure(), self.C.in_structure()
        return (b, a) if self.transposed else (a, b)

    def in_structure(self) -> Any:
        return self._pair() if self.transposed else self.C.in_structure()

    def out_structure(self) -> Any:
        return self.C.out_structure() if self.transposed else self._pair()


lx.linearise.register(_Damped, lambda operator: operator)
lx.conj.register(_Damped, lambda o: _Damped(lx.conj(o.C), o.factor, o.transposed))
for _property in (lx.is_symmetric, lx.is_positive_semidefinite, lx.is_negative_semidefinite):
    _property.register(_Damped, lambda operator: False)


def iterate(
    y: jax.Array,
    kernel: jax.Array,
    g: ConvGeometry,
    *,
    damping: float,
    method: Literal["lsmr", "cg"],
    rtol: float | None,
    max_steps: int | None,
) -> jax.Array:
    """Solves ``C x = y`` in least squares for maps ``(batch, *output_shape, out_features)``.

    Raises:
      FailureError: It did not converge in `max_steps`. Under `jax.jit` the result is NaN instead.
    """
    dtype = y.dtype
    rtol = float(jnp.finfo(dtype).eps) ** 0.75 if rtol is None else rtol
    # Where x64 is on, lineax 0.1.1 mixes float32 with its own constants of float64.
    wide = jax.dtypes.canonicalize_dtype(jnp.complex128 if jnp.iscomplexobj(y) else jnp.float64)
    y, kernel = y.astype(wide), kernel.astype(wide)
    solve = partial(_solve, g=g, damping=damping, method=method, rtol=rtol, max_steps=max_steps)
    flat, converged = jax.vmap(lambda one: solve(one.ravel(), kernel))(y)
    if not is_traced(converged) and not bool(converged.all()):
        raise FailureError(
            f"method={method!r} did not converge: raise `max_steps`, `rtol` or `damping`, or use "
            "method='fourier' where C is circulant."
        )
    flat = jnp.where(converged[:, None], flat, jnp.nan).astype(dtype)
    return flat.reshape(len(y), *g.input_shape, g.in_features)


@partial(jax.jit, static_argnames=("g", "damping", "method", "rtol", "max_steps"))
def _solve(
    y: jax.Array,
    kernel: jax.Array,
    *,
    g: ConvGeometry,
    damping: float,
    method: str,
    rtol: float,
    max_steps: int | None,
) -> tuple[jax.Array, jax.Array]:
    """Returns the solution for one flat vector, and whether the iteration converged."""
    # The tolerances of lineax hold beside numbers of about 1.
    kernel, scale = unit_scale(kernel, math.sqrt(damping))
    y, level = unit_scale(y)
    root = math.sqrt(damping) / scale
    C = ConvOperator(kernel, g)
    if method == "cg":
        normal: Any = lx.conj(C).T @ C
        if damping:
            identity = lx.IdentityLinearOperator(C.in_structure())
            normal = normal + lx.MulLinearOperator(identity, (root * root).astype(y.dtype))
        normal = lx.TaggedLinearOperator(normal, lx.positive_semidefinite_tag)
        solver: Any = lx.CG(rtol=rtol, atol=0.0, max_steps=max_steps)
        found = lx.linear_solve(normal, lx.conj(C).T.mv(y), solver, throw=False)
    else:
        solver = lx.LSMR(rtol=rtol, atol=rtol, max_steps=max_steps, conlim=math.inf)
        operator: Any = C
        right: Any = y
        if damping:
            operator = _Damped(C, root.astype(y.dtype), False)
            right = (y, jnp.zeros(g.matrix_shape[1], y.dtype))
        found = lx.linear_solve(operator, right, solver, throw=False)
    x = found.value * (level / scale).astype(y.dtype)
    return x, found.result == lx.RESULTS.successful
