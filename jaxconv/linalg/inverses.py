"""The pseudo-inverse of C as an operator."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes, check_map, check_single
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.linalg.arguments import checked_kernel, checked_tolerance
from jaxconv.linalg.block_inverses import inverse_blocks, multiply_blocks
from jaxconv.linalg.bounds import rounding
from jaxconv.linalg.circulant import blocks, is_circulant
from jaxconv.linalg.dense import dense, dense_tolerance
from jaxconv.linalg.frequencies import (
    from_input_frequencies,
    from_output_frequencies,
    to_input_frequencies,
    to_output_frequencies,
)


def pseudo_inverse(
    kernel: ArrayOrList, geometry: ConvGeometry, *, rtol: float | None = None
) -> PseudoInverse:
    r"""Computes the Moore-Penrose pseudo-inverse of C, as an operator.

    ``P @ y`` is the least-squares solution of ``C x = y`` with the smallest norm. Where C is circulant
    (`is_circulant`) the operator holds the pseudo-inverses of the blocks of `symbol` and multiplies by
    Fourier transforms; elsewhere it holds the dense matrix. Many systems with one kernel are solved faster
    by it than by `deconvolve`, one system with damping by `deconvolve`. Differentiable where the rank of C
    does not change.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution, circulant or with at most 2,000 rows of C.
      rtol: Relative size up to which a singular value of C counts as 0; by default a bound of the rounding
        errors.

    Returns:
      An operator with ``P @ y`` for flat arrays, ``P(y)`` for feature maps, ``P.T`` and ``P.H``. For lineax
      wrap it as ``jaxconv.linalg.PseudoInverseOperator(P)``.

    Raises:
      GeometryError: C is not circulant and has more than 2,000 rows; or the kernel's shape contradicts the
        geometry, the kernel is not finite, or `rtol` is negative.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    >>> g = ConvGeometry((4,), (2,), padding=((0, 1),), padding_mode="circular")
    >>> P = pseudo_inverse(jnp.array([2.0, 1.0]).reshape(2, 1, 1), g)
    >>> [round(x, 4) for x in (P @ jnp.array([4.0, 7.0, 10.0, 9.0])).tolist()]
    [1.0, 2.0, 3.0, 4.0]
    """
    kernel, rtol = checked_kernel(kernel, geometry), checked_tolerance(rtol)
    if is_circulant(geometry):
        rtol = rounding(geometry, kernel.dtype) if rtol is None else rtol
        return PseudoInverse(_inverses(kernel, geometry, rtol), geometry, kernel.dtype)
    matrix = dense(kernel, geometry, "the pseudo-inverse", " Or solve by `deconvolve`, method='lsmr'.")
    rtol = dense_tolerance(matrix) if rtol is None else rtol
    return PseudoInverse(jnp.linalg.pinv(matrix, rtol=rtol), geometry, kernel.dtype)


@partial(jax.jit, static_argnames=("g", "rtol"))
def _inverses(kernel: jax.Array, g: ConvGeometry, rtol: float) -> jax.Array:
    return inverse_blocks(blocks(kernel, g), rtol)


@jax.tree_util.register_pytree_node_class
class PseudoInverse:
    """The pseudo-inverse of a convolution, its transpose or its adjoint; `pseudo_inverse` makes it.

    Attributes:
      stored: The inverse blocks ``(*output_shape, groups, folds * in // groups, out // groups)`` of a
        circulant C, or the dense inverse ``(inputs, outputs)``.
      geometry: Geometry of the convolution.
      dtype: Dtype of the arrays that are multiplied.
      transposed: Whether this is the transpose.
      conjugated: Whether the entries are conjugated.
    """

    __array_ufunc__ = None

    def __init__(
        self,
        stored: jax.Array,
        geometry: ConvGeometry,
        dtype: Any,
        transposed: bool = False,
        conjugated: bool = False,
    ) -> None:
        """Wraps what `pseudo_inverse` computed."""
        self.stored, self.geometry, self.dtype = stored, geometry, jnp.dtype(dtype)
        self.transposed, self.conjugated = transposed, conjugated

    def tree_flatten(self) -> tuple[tuple[jax.Array], tuple[Any, ...]]:
        """Returns `stored` as the only leaf."""
        return (self.stored,), (self.geometry, self.dtype, self.transposed, self.conjugated)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], leaves: tuple[Any]) -> PseudoInverse:
        """Returns the operator that `tree_flatten` took apart."""
        return cls(*leaves, *static)

    def __repr__(self) -> str:
        """Returns size and geometry, without the numbers."""
        transposes = ("", ".H.T"), (".T", ".H")
        name = "PseudoInverse" + transposes[self.transposed][self.conjugated]
        return f"{name}(shape={self.shape}, dtype={self.dtype}, {self.geometry})"

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns): those of C exchanged."""
        rows, columns = self.geometry.matrix_shape
        return (rows, columns) if self.transposed else (columns, rows)

    @property
    def T(self) -> PseudoInverse:
        """The transpose, which is the pseudo-inverse of C-transposed."""
        static = self.geometry, self.dtype, not self.transposed, self.conjugated
        return PseudoInverse(self.stored, *static)

    @property
    def H(self) -> PseudoInverse:
        """The adjoint: the transpose, conjugated."""
        static = self.geometry, self.dtype, not self.transposed, not self.conjugated
        return PseudoInverse(self.stored, *static)

    def __matmul__(self, y: ArrayOrList) -> jax.Array:
        """Multiplies a flat array.

        Args:
          y: ``(columns,)`` or ``(columns, batch)``, of the operator's dtype.

        Raises:
          GeometryError: `y` has another shape.
          TypeError: `y` has another dtype.
        """
        y = as_array("y", y)
        if y.ndim not in (1, 2) or y.shape[0] != self.shape[1]:
            raise GeometryError(
                f"`y` must have shape ({self.shape[1]},) or ({self.shape[1]}, batch) to be multiplied by an "
                f"operator of shape {self.shape}, got {y.shape}; for feature maps call P(y)."
            )
        x = self(jnp.moveaxis(y, 0, -1).reshape(*y.shape[1:], *self._side(1)))
        return jnp.moveaxis(x.reshape(*y.shape[1:], -1), -1, 0)

    def __call__(self, y: ArrayOrList) -> jax.Array:
        """Multiplies feature maps ``(*batch, *spatial, features)``.

        Raises:
          GeometryError: `y` is not a map of this size, or this is a batch of operators.
          TypeError: `y` has another dtype.
        """
        y = as_array("y", y)
        check_dtypes(P=self, y=y)
        *spatial, features = self._side(1)
        check_map("y", y.shape, tuple(spatial), features)
        axes = self.geometry.ndim + 3 if is_circulant(self.geometry) else 2
        check_single("operators", "C @ x", self.stored.shape, axes)
        return _product(self, y)

    def _side(self, axis: int) -> tuple[int, ...]:
        """Returns the shape of the maps that are multiplied (1) or that result (0)."""
        g = self.geometry
        if (axis == 1) != self.transposed:
            return (*g.output_shape, g.out_features)
        return (*g.input_shape, g.in_features)

    def _multiply_blocks(self, y: jax.Array) -> jax.Array:
        """Multiplies by the pseudo-inverse, or its adjoint if this is a transpose."""
        g = self.geometry
        if self.transposed:
            return from_output_frequencies(
                multiply_blocks(self.stored.mT.conj(), to_input_frequencies(y, g)), g
            )
        return from_input_frequencies(multiply_blocks(self.stored, to_output_frequencies(y, g)), g)

    def _multiply_dense(self, y: jax.Array) -> jax.Array:
        """Multiplies by the dense pseudo-inverse, or its adjoint if this is a transpose."""
        batch = y.shape[: y.ndim - self.geometry.ndim - 1]
        matrix = self.stored.mT.conj() if self.transposed else self.stored
        x = jnp.matmul(y.reshape(*batch, -1), matrix.mT, precision="highest")
        return x.reshape(*batch, *self._side(0))


@jax.jit
def _product(P: PseudoInverse, y: jax.Array) -> jax.Array:
    """Multiplies maps of the operator's size."""
    flip = P.conjugated != P.transposed  # conjugate, multiply by P or its adjoint, conjugate
    y = y.conj() if flip else y
    x = P._multiply_blocks(y) if is_circulant(P.geometry) else P._multiply_dense(y)
    x = x.conj() if flip else x
    return x if jnp.issubdtype(P.dtype, jnp.complexfloating) else x.real
