"""A convolution as a lineax linear operator, matrix-free or explicit, for lineax's solvers."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxconv.convolution import conv, conv_transpose
from jaxconv.core.checks import (
    ArrayOrList,
    as_array,
    check_dtypes,
    check_geometry,
    check_kernel,
    check_single,
)
from jaxconv.errors import GeometryError, needs_extra
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import describe, flag
from jaxconv.matrix import ConvMatrix

with needs_extra(__name__, "lineax"):
    import equinox as eqx
    import lineax as lx


class ConvOperator(lx.AbstractLinearOperator):
    """C as a matrix-free linear operator: `conv` and `conv_transpose` on flat vectors.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.
      transposed: Whether the operator is C-transposed.

    Raises:
      GeometryError: The kernel's shape contradicts the geometry.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    The least-squares solution of ``C x = y`` with the smallest norm:

    >>> kernel = jnp.array([1.0, 2.0, 1.0]).reshape(3, 1, 1)
    >>> operator = ConvOperator(kernel, ConvGeometry((6,), (3,)))
    >>> x = lx.linear_solve(operator, jnp.ones(4), lx.LSMR(rtol=1e-5, atol=1e-5)).value
    >>> bool(jnp.allclose(operator.mv(x), 1.0, atol=1e-4))
    True
    """

    kernel: jax.Array
    geometry: ConvGeometry = eqx.field(static=True)
    transposed: bool = eqx.field(static=True)

    def __init__(self, kernel: ArrayOrList, geometry: ConvGeometry, transposed: bool = False) -> None:
        check_geometry(geometry)
        kernel = as_array("kernel", kernel)
        check_dtypes(kernel=kernel)
        check_kernel(kernel.shape, geometry)
        self.kernel, self.geometry = kernel, geometry
        self.transposed = flag("transposed", transposed)

    def _check_single(self) -> None:
        check_single("operators", "C.mv(x)", self.kernel.shape, len(self.geometry.kernel_array_shape))

    def mv(self, vector: jax.Array) -> jax.Array:
        """Computes C x, or C-transposed x, for a flat vector ``x``."""
        g = self.geometry
        self._check_single()
        _check_vector(self, vector)
        if self.transposed:
            y = vector.reshape(*g.output_shape, g.out_features)
            return conv_transpose(y, self.kernel, geometry=g).ravel()
        return conv(vector.reshape(*g.input_shape, g.in_features), self.kernel, geometry=g).ravel()

    def as_matrix(self) -> jax.Array:
        """Returns the dense matrix."""
        return _as_matrix(self)

    def transpose(self) -> ConvOperator:
        """Returns the transpose, matrix-free again."""
        self._check_single()
        return ConvOperator(self.kernel, self.geometry, not self.transposed)

    def in_structure(self) -> jax.ShapeDtypeStruct:
        """Returns the type of the vectors that are multiplied: flat."""
        return _structure(self.geometry, self.transposed, 1, self.kernel.dtype)

    def out_structure(self) -> jax.ShapeDtypeStruct:
        """Returns the type of the products: flat vectors."""
        return _structure(self.geometry, self.transposed, 0, self.kernel.dtype)


class ConvMatrixOperator(lx.AbstractLinearOperator):
    """A stored C as a linear operator.

    Args:
      matrix: C or its transpose, as `conv_matrix` returns it.

    Raises:
      TypeError: `matrix` is not a `ConvMatrix`.

    >>> from jaxconv import conv_matrix
    >>> C = conv_matrix(jnp.array([1.0, 2.0]).reshape(2, 1, 1), ConvGeometry((3,), (2,)))
    >>> ConvMatrixOperator(C).T.mv(jnp.array([1.0, 10.0])).tolist()
    [1.0, 12.0, 20.0]
    """

    matrix: ConvMatrix

    def __init__(self, matrix: ConvMatrix) -> None:
        if not isinstance(matrix, ConvMatrix):
            raise TypeError(
                f"`matrix` must be a ConvMatrix, as conv_matrix returns it, got {describe(matrix)}."
            )
        self.matrix = matrix

    def mv(self, vector: jax.Array) -> jax.Array:
        """Computes C x for a flat vector ``x``."""
        return self.matrix @ vector

    def as_matrix(self) -> jax.Array:
        """Returns the dense matrix."""
        return self.matrix.todense()

    def transpose(self) -> ConvMatrixOperator:
        """Returns the transpose, explicit again."""
        return ConvMatrixOperator(self.matrix.T)

    def in_structure(self) -> jax.ShapeDtypeStruct:
        """Returns the type of the vectors that are multiplied: flat."""
        return _structure(self.matrix.geometry, self.matrix.transposed, 1, self.matrix.dtype)

    def out_structure(self) -> jax.ShapeDtypeStruct:
        """Returns the type of the products: flat vectors."""
        return _structure(self.matrix.geometry, self.matrix.transposed, 0, self.matrix.dtype)


def _structure(geometry: ConvGeometry, transposed: bool, axis: int, dtype: DTypeLike) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((geometry.matrix_shape[axis ^ transposed],), dtype)


def _check_vector(operator: ConvOperator, vector: jax.Array) -> None:
    expected = operator.in_structure().shape
    if jnp.shape(vector) != expected:
        raise GeometryError(
            f"`vector` must be a flat vector of shape {expected}, got {jnp.shape(vector)}; use .ravel()."
        )


def _as_matrix(operator: ConvOperator) -> jax.Array:
    structure = operator.in_structure()
    return jax.vmap(operator.mv, out_axes=1)(jnp.eye(structure.size, dtype=structure.dtype))


# Functions that lineax needs for every operator. A convolution has none of the properties in general.
for _operator in (ConvOperator, ConvMatrixOperator):
    lx.linearise.register(_operator, lambda operator: operator)
    lx.conj.register(_operator, partial(jax.tree.map, jnp.conj))
    lx.materialise.register(_operator, lambda operator: lx.MatrixLinearOperator(operator.as_matrix()))
    lx.diagonal.register(_operator, lambda operator: jnp.diag(operator.as_matrix()))
    lx.tridiagonal.register(
        _operator, lambda operator: lx.tridiagonal(lx.MatrixLinearOperator(operator.as_matrix()))
    )
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
        _property.register(_operator, lambda operator: False)
