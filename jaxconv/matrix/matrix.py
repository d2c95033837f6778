"""C: a convolution as an explicit sparse matrix, its products, its transpose and its algebra.

C is stored by slots, as a band matrix is stored by its diagonals: a slot has one block per output position,
with the ``out x in`` features that one tap connects. Neighbouring positions of a slot read neighbouring
cells, so C x is a sum over slots of stored values times a slice of the input. C-transposed adds the same
products to slices: it shares the values, and neither product gathers or scatters.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, overload

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes, check_geometry, check_kernel, check_map
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import describe
from jaxconv.matrix import composition, notebook, stored_taps
from jaxconv.matrix.exports import MatrixExports
from jaxconv.matrix.products import BACK, FORWARD
from jaxconv.matrix.sizes import check_bytes, check_size, stored_count

if TYPE_CHECKING:
    import scipy.sparse

Scalar = int | float | complex | np.number | jax.Array


def conv_matrix(kernel: ArrayOrList, geometry: ConvGeometry, *, max_bytes: int | None = None) -> ConvMatrix:
    r"""Builds the matrix C of a convolution: ``C @ x.ravel()`` is the convolution of ``x``, flat.

    Rows and columns number the cells of channels-last feature maps in row-major order. C is linear in the
    kernel and differentiable in it, to any order; `geometry` is static under `jax.jit`.

    Args:
      kernel: Kernel of shape ``(*kernel_shape, in_features // groups, out_features)``, floating or complex.
      geometry: Geometry of the convolution.
      max_bytes: Largest number of bytes that C may store; by default the physical memory.

    Returns:
      C, of shape ``geometry.matrix_shape``.

    Raises:
      GeometryError: The kernel's shape contradicts the geometry.
      SizeError: C would not fit into `max_bytes`; raised before anything is allocated.
      TypeError: The kernel is not floating or complex, or `geometry` is not a `ConvGeometry`.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4.1.

    The example of that section, a 3x3 kernel on a 4x4 input:

    >>> g = ConvGeometry((4, 4), (3, 3))
    >>> C = conv_matrix(jnp.arange(1.0, 10.0).reshape(3, 3, 1, 1), g)
    >>> print(C.todense().astype(int))
    [[1 2 3 0 4 5 6 0 7 8 9 0 0 0 0 0]
     [0 1 2 3 0 4 5 6 0 7 8 9 0 0 0 0]
     [0 0 0 0 1 2 3 0 4 5 6 0 7 8 9 0]
     [0 0 0 0 0 1 2 3 0 4 5 6 0 7 8 9]]
    """
    check_geometry(geometry)
    kernel = as_array("kernel", kernel)
    check_dtypes(kernel=kernel)
    check_kernel(kernel.shape, geometry)
    check_size(geometry, kernel.dtype.itemsize, max_bytes)
    return ConvMatrix(stored_taps.values_of(kernel, geometry), geometry)


@jax.tree_util.register_pytree_node_class
class ConvMatrix(MatrixExports):
    """The matrix C of a convolution, or its transpose; `conv_matrix` builds it.

    ``C @ x`` and ``x @ C`` multiply flat arrays, ``C(x)`` feature maps; ``C.T`` and ``C.H`` are the transpose
    and the adjoint. ``a * C``, ``C / a``, ``-C``, ``C + D`` and ``C - D`` are matrices again, for scalars
    ``a`` and for matrices ``D`` of the same geometry and orientation. They keep the dtype of C. Other sums
    have other patterns: use ``C.to_scipy() + D.to_scipy()``. ``C @ D`` is a matrix again where it is one
    convolution, and otherwise SciPy's product.

    Attributes:
      values: The stored values, and the only pytree leaf: ``(slots, *output_shape, groups, out, in)``, with
        the features of one group. Slots that reach no cell hold 0. A transpose shares the values of C.
      geometry: Geometry of the convolution, also for a transpose.
      transposed: Whether this is C-transposed.

    `jax.vmap` of a function that returns C returns a batch of matrices, whose products and exports are again
    used inside `jax.vmap`: ``jax.vmap(lambda C, x: C @ x)(batch, xs)``. Outside of
    `jax.vmap` the products and exports of a batch raise GeometryError; its `shape` and `nnz` are those of
    each matrix.

    The rows of C shard over devices by the first spatial axis of `values`, whose size must be a multiple of
    the number of devices: ``jax.device_put(C, NamedSharding(mesh, P(None, "rows")))``, or so that each device
    makes its own share, ``jax.jit(conv_matrix, static_argnums=1, out_shardings=...)(kernel, g)``.

    >>> C = conv_matrix(jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1), ConvGeometry((5,), (3,), strides=2))
    >>> print(C.todense())
    [[1. 2. 3. 0. 0.]
     [0. 0. 1. 2. 3.]]
    >>> print(C.T @ jnp.array([1.0, 10.0]))
    [ 1.  2. 13. 20. 30.]
    >>> print((2 * C - C / 2).todense())
    [[1.5 3.  4.5 0.  0. ]
     [0.  0.  1.5 3.  4.5]]
    """

    __array_ufunc__ = None  # NumPy leaves ``array @ C`` and ``number * C`` to the methods of C

    def __init__(self, values: jax.Array, geometry: ConvGeometry, transposed: bool = False) -> None:
        """Wraps `values` as they are; `conv_matrix` makes them from a kernel."""
        self.values = values
        self.geometry = geometry
        self.transposed = transposed

    def tree_flatten(self) -> tuple[tuple[jax.Array], tuple[ConvGeometry, bool]]:
        """Returns `values` as the only leaf; geometry and orientation are static."""
        return (self.values,), (self.geometry, self.transposed)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], leaves: tuple[Any]) -> ConvMatrix:
        """Returns the matrix that `tree_flatten` took apart; its leaf need not be an array."""
        return cls(*leaves, *static)

    def __repr__(self) -> str:
        """Returns size and geometry, without the values."""
        name = "ConvMatrix.T" if self.transposed else "ConvMatrix"
        dtype = getattr(self.values, "dtype", type(self.values).__name__)  # jax prints trees of other leaves
        batch = ""
        if len(getattr(self.values, "shape", ())) > self.geometry.ndim + 4:
            batch = f"a batch of {self.values.size // max(stored_count(self.geometry), 1)}: "
        return f"{name}({batch}shape={self.shape}, nnz={self.nnz}, dtype={dtype}, {self.geometry})"

    def _repr_html_(self) -> str:
        return notebook.html(self)

    @property
    def ndim(self) -> int:
        """Number of axes of a matrix: 2."""
        return 2

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("C is not converted to a dense array silently; call C.todense() or C.to_scipy().")

    @property
    def nnz(self) -> int:
        """Number of entries: distinct (row, column) pairs that a tap connects."""
        return self.geometry.nnz

    @property
    def nbytes(self) -> int:
        """Bytes of `values`."""
        return self.values.size * self.values.dtype.itemsize

    @property
    def T(self) -> ConvMatrix:
        """The transpose; it shares the values."""
        return ConvMatrix(self.values, self.geometry, not self.transposed)

    @property
    def H(self) -> ConvMatrix:
        """The adjoint: the transpose, conjugated."""
        return ConvMatrix(self.values.conj(), self.geometry, not self.transposed)

    @overload
    def __matmul__(self, x: ConvMatrix) -> ConvMatrix | scipy.sparse.csr_array: ...
    @overload
    def __matmul__(self, x: ArrayOrList) -> jax.Array: ...
    def __matmul__(self, x: ConvMatrix | ArrayOrList) -> jax.Array | ConvMatrix | scipy.sparse.csr_array:
        """Computes C x for a flat array, or the product of two matrices.

        ``C2 @ C1`` applies C1 first. Where it is the matrix of one convolution, as
        `jaxconv.linalg.compose` says, it is a `ConvMatrix`, differentiable in the values of both. Elsewhere
        it is SciPy's product, a `scipy.sparse.csr_array`. Inside `jax.jit` SciPy cannot be used, and whether
        `values` belong to a kernel cannot be checked.

        Args:
          x: ``(columns,)`` or ``(columns, batch)``, of C's dtype, or a `ConvMatrix` with as many rows as C
            has columns.

        Returns:
          ``(rows,)`` or ``(rows, batch)``; or the product of the two matrices.

        Raises:
          GeometryError: `x` has another shape, this is a batch of matrices, or a product of two matrices is
            not one convolution inside `jax.jit`.
          SizeError: The result does not fit into memory.
          TypeError: `x` has another dtype.
        """
        self._check_single()
        if isinstance(x, ConvMatrix):
            return self._times(x)
        x = as_array("x", x)
        check_dtypes(C=self, x=x)
        columns = self.shape[1]
        if x.ndim not in (1, 2) or x.shape[0] != columns:
            hint = ""
            if x.ndim == 2 and x.shape[1] == columns:
                hint = " Its batch must be the last axis: try C @ x.T."
            elif x.ndim in (1, 2) and x.shape[0] == self.shape[0]:
                hint = " It has one entry per row: is C.T @ x meant?"
            raise GeometryError(
                f"`x` must have shape ({columns},) or ({columns}, batch) to be multiplied by C of shape "
                f"{self.shape}, got {x.shape}; for feature maps call C(x).{hint}"
            )
        self._check_product(math.prod(x.shape[1:]))
        return _product(self, x)

    def _times(self, other: ConvMatrix) -> ConvMatrix | scipy.sparse.csr_array:
        """Multiplies two matrices."""
        other._check_single()
        check_dtypes(C=self, D=other)
        if self.shape[1] != other.shape[0]:
            raise GeometryError(
                f"C @ D needs as many rows of D as C has columns, got C of shape {self.shape} and D of shape "
                f"{other.shape}." + (" Is D @ C meant?" if self.shape[0] == other.shape[1] else "")
            )
        one = composition.matrix_product(self, other)
        if one is None:
            with jax.ensure_compile_time_eval():  # the numbers are known
                return self.to_scipy() @ other.to_scipy()
        kernel, geometry, transposed = one
        product = conv_matrix(kernel, geometry)
        return product.T if transposed else product

    def __rmatmul__(self, x: ArrayOrList) -> jax.Array:
        """Computes ``x @ C`` for ``(rows,)`` or ``(batch, rows)``."""
        x, rows = as_array("x", x), self.shape[0]
        if x.ndim not in (1, 2) or x.shape[-1] != rows:
            raise GeometryError(
                f"`x` must have shape ({rows},) or (batch, {rows}) in x @ C with C of shape {self.shape}, "
                f"got {x.shape}."
            )
        return (self.T @ x.T).T

    def __call__(self, x: ArrayOrList, *, precision: jax.lax.PrecisionLike = None) -> jax.Array:
        """Computes C x for feature maps.

        Args:
          x: ``(*batch, *spatial, features)``, with any number of batch axes.
          precision: Precision of matrix products, as in `jax.lax.dot_general`; small blocks are multiplied
            term by term, always in full precision.

        Returns:
          ``(*batch, *spatial, features)``, the maps on the other side.

        Raises:
          GeometryError: `x` is not a map of this size, or this is a batch of matrices.
          SizeError: The result does not fit into memory.
          TypeError: `x` has another dtype.
        """
        self._check_single()
        x = as_array("x", x)
        g = self.geometry
        sides = (g.input_shape, g.in_features), (g.output_shape, g.out_features)
        (spatial, features), (other, other_features) = sides[::-1] if self.transposed else sides
        check_dtypes(C=self, x=x)
        hint = ""
        if x.shape[-g.ndim - 1 :] == (*other, other_features):
            hint = f" It has the shape of a result: is {'C(x)' if self.transposed else 'C.T(x)'} meant?"
        elif x.shape[-1:] == self.shape[1:] and x.ndim <= 2:
            hint = f" Flat maps are multiplied by {'C @ x' if x.ndim == 1 else 'C @ x.T'}."
        check_map("x", x.shape, spatial, features, hint=hint)
        self._check_product(math.prod(x.shape[: x.ndim - g.ndim - 1]))
        return _product_of_maps(self, x, precision)

    def _check_product(self, batch: int) -> None:
        if not isinstance(batch, int):
            return  # exported for any number of maps
        check_bytes("the product", self.shape[0] * batch * self.dtype.itemsize, None)

    def __neg__(self) -> ConvMatrix:
        return ConvMatrix(-self.values, self.geometry, self.transposed)

    def __mul__(self, a: Scalar) -> ConvMatrix:
        """Multiplies all entries by a scalar; the dtype of C stays.

        Raises:
          TypeError: `a` is not a scalar, or is complex where C is real.
        """
        if isinstance(a, ConvMatrix):
            raise TypeError("C * a takes a scalar; multiply two matrices as C @ D.")
        return self._with_values(self.values * self._as_scalar("C * a", a))

    __rmul__ = __mul__

    def __truediv__(self, a: Scalar) -> ConvMatrix:
        """Divides all entries by a scalar; the dtype of C stays.

        Raises:
          TypeError: `a` is not a scalar, or is complex where C is real.
        """
        return self._with_values(self.values / self._as_scalar("C / a", a))

    def __add__(self, other: ConvMatrix) -> ConvMatrix:
        """Adds a matrix of the same geometry and orientation.

        Raises:
          GeometryError: The matrices have different geometries, or one is transposed.
          TypeError: `other` is not a `ConvMatrix`, or has another dtype.
        """
        self._check_same_pattern("C + D", other)
        return ConvMatrix(self.values + other.values, self.geometry, self.transposed)

    __radd__ = __add__

    def __sub__(self, other: ConvMatrix) -> ConvMatrix:
        """Subtracts a matrix of the same geometry and orientation.

        Raises:
          GeometryError: The matrices have different geometries, or one is transposed.
          TypeError: `other` is not a `ConvMatrix`, or has another dtype.
        """
        self._check_same_pattern("C - D", other)
        return ConvMatrix(self.values - other.values, self.geometry, self.transposed)

    __rsub__ = __sub__  # of other types, which are refused

    def _with_values(self, values: jax.Array) -> ConvMatrix:
        """Returns C with other values; slots that reach no cell hold 0 even if an infinity was multiplied."""
        values = stored_taps.clear_empty_slots(values, self.geometry)
        return ConvMatrix(values, self.geometry, self.transposed)

    def _as_scalar(self, expression: str, a: Any) -> jax.Array:
        """Returns a factor in C's dtype."""
        if not isinstance(a, int | float | complex | np.number | np.ndarray | jax.Array) or _is_boolean(a):
            raise TypeError(f"`a` must be a scalar in {expression}, got {describe(a)}.")
        if np.ndim(a):
            raise TypeError(
                f"`a` must be a scalar in {expression}, got an array of shape {np.shape(a)}; for products "
                "with arrays use C @ x or C(x)."
            )
        if jnp.iscomplexobj(a) and not jnp.issubdtype(self.dtype, jnp.complexfloating):
            raise TypeError(
                f"`a` must be real in {expression} with C of {self.dtype}, got a complex number; make C of a "
                "complex kernel, or take the real part of `a`."
            )
        return jnp.asarray(a).astype(self.dtype) if hasattr(a, "dtype") else jnp.asarray(a, self.dtype)

    def _check_same_pattern(self, expression: str, other: Any) -> None:
        if not isinstance(other, ConvMatrix):
            raise TypeError(
                f"{expression} takes two ConvMatrix objects, got {describe(other)}; for arrays use "
                "C.todense()."
            )
        way_out = f"Use SciPy: {expression.replace('C', 'C.to_scipy()').replace('D', 'D.to_scipy()')}."
        if self.geometry != other.geometry:
            raise GeometryError(
                f"{expression} needs one geometry, because other geometries have entries in other places; "
                f"got {self.geometry} and {other.geometry}. {way_out}"
            )
        if self.transposed != other.transposed:
            raise GeometryError(
                f"{expression} needs two matrices of one orientation, but one of them is transposed: their "
                f"entries stand in other places. {way_out}"
            )
        if self.dtype != other.dtype:
            raise TypeError(
                f"{expression} needs one dtype, got {self.dtype} and {other.dtype}; make both matrices of "
                "kernels of one dtype."
            )
        if self.values.shape != other.values.shape:  # one is a batch of matrices
            self._check_single()
            other._check_single()


def _is_boolean(a: Any) -> bool:
    return isinstance(a, bool) or getattr(a, "dtype", None) == np.dtype(bool)


@jax.jit
def _product(C: ConvMatrix, x: jax.Array) -> jax.Array:
    """Multiplies (columns,) or (columns, batch) to (rows,) or (rows, batch)."""
    return _multiply(C, x, math.prod(x.shape[1:])).reshape(C.shape[0], *x.shape[1:])


@partial(jax.jit, static_argnames="precision")
def _product_of_maps(C: ConvMatrix, x: jax.Array, precision: jax.lax.PrecisionLike) -> jax.Array:
    """Multiplies maps (*batch, *spatial, features) to maps of the other side."""
    g = C.geometry
    batch = x.shape[: x.ndim - g.ndim - 1]
    y = _multiply(C, x.reshape(math.prod(batch), C.shape[1]).T, math.prod(batch), precision)
    y = jnp.moveaxis(y.reshape(C.shape[0], -1 if y.size else 0), 1, 0)
    shape = (*g.input_shape, g.in_features) if C.transposed else (*g.output_shape, g.out_features)
    return y.reshape(*batch, *shape)


def _multiply(
    C: ConvMatrix, columns: jax.Array, batch: int, precision: jax.lax.PrecisionLike = None
) -> jax.Array:
    """Multiplies columns as maps, block by block, to (..., groups, features, batch) of the other side."""
    g = C.geometry
    shape = (*g.output_shape, g.out_features) if C.transposed else (*g.input_shape, g.in_features)
    groups = g.feature_group_count
    maps = columns.reshape(*shape[:-1], groups, shape[-1] // groups, batch)
    product = BACK if C.transposed else FORWARD
    return product.bind(C.values, maps, geometry=g, precision=precision)
