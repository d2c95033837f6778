"""C: a convolution as an explicit sparse matrix, its products and its transpose.

C is stored by slots, like a band matrix by its diagonals: a slot has one block for every output
position, the ``out x in`` features that one tap connects. All positions of a slot read cells in
step, so C x is a sum over slots of stored values times a slice of the input. C-transposed adds the
same products to slices: it shares the values, and neither product gathers or scatters.
"""

from __future__ import annotations

import math
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxconv.core.checks import check_dtypes, check_kernel, check_map, check_single
from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError, SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import notebook, stored_taps
from jaxconv.matrix.coordinates import Order, coordinates
from jaxconv.matrix.products import BACK, FORWARD

if TYPE_CHECKING:
    import scipy.sparse
    from jax.experimental.sparse import BCOO, BCSR


def conv_matrix(kernel: ArrayLike, geometry: ConvGeometry, *, max_bytes: int | None = None) -> ConvMatrix:
    r"""The matrix C of a convolution: ``C @ x.ravel()`` is the convolution of ``x``, flat.

    Rows and columns number the cells of channels-last feature maps in row-major order. Linear in
    the kernel and differentiable in it, to any order; `geometry` is static under `jax.jit`.

    Args:
      kernel: ``(*kernel_shape, in_features // groups, out_features)``, real or complex floating.
      geometry: Which convolution.
      max_bytes: Refuse to store more than this; the physical memory by default.

    Returns:
      C, of shape ``geometry.matrix_shape``.

    Raises:
      GeometryError: The kernel's shape contradicts the geometry.
      SizeError: C would not fit; raised before anything is allocated.
      TypeError: The kernel is not floating or complex.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4.1.

    The guide's own example, a 3x3 kernel on a 4x4 input:

    >>> g = ConvGeometry((4, 4), (3, 3))
    >>> C = conv_matrix(jnp.arange(1.0, 10.0).reshape(3, 3, 1, 1), g)
    >>> print(C.todense().astype(int))
    [[1 2 3 0 4 5 6 0 7 8 9 0 0 0 0 0]
     [0 1 2 3 0 4 5 6 0 7 8 9 0 0 0 0]
     [0 0 0 0 1 2 3 0 4 5 6 0 7 8 9 0]
     [0 0 0 0 0 1 2 3 0 4 5 6 0 7 8 9]]
    """
    if not isinstance(geometry, ConvGeometry):
        raise TypeError(f"`geometry` is a ConvGeometry, got {geometry!r}.")
    kernel = jnp.asarray(kernel)
    check_dtypes(kernel=kernel)
    check_kernel(kernel.shape, geometry)
    check_size(geometry, kernel.dtype.itemsize, max_bytes)
    return ConvMatrix(_values(kernel, geometry), geometry)


@partial(jax.jit, static_argnames="geometry")
def _values(kernel: jax.Array, geometry: ConvGeometry) -> jax.Array:
    """The kernel's blocks at every position; one loop that writes, and its gradient one that sums."""
    g, dtype = geometry, kernel.dtype
    kernel = kernel.astype(accumulator(dtype))  # its gradient is a long sum
    kernel = kernel.reshape(*kernel.shape[:-1], g.feature_group_count, -1)
    values = stored_taps.spread_kernel(jnp.moveaxis(kernel, -3, -1), g)  # (..., groups, out, in)
    return values.astype(dtype)


@jax.tree_util.register_pytree_node_class
class ConvMatrix:
    """The matrix of a convolution, or the transpose of one; see `conv_matrix`.

    Attributes:
      values: What is stored, and the only pytree leaf: ``(slots, *output_shape, groups, out, in)``,
        features of a group. Slots that reach no cell hold 0. A transpose shares the values of C.
      geometry: The convolution's, also for a transpose.
      transposed: Whether this is C-transposed.

    `jax.vmap` of something that returns C gives a batch of matrices, whose products and exports are again
    those of `jax.vmap`: ``jax.vmap(lambda C, x: C @ x)(batch, xs)``. Directly it multiplies nothing; its
    `shape` and `nnz` are those of each matrix.

    The rows of C shard over devices by the first spatial axis of `values`, whose size the devices
    must divide: ``jax.device_put(C, NamedSharding(mesh, P(None, "rows")))``, or at once, each device
    making its own share, ``jax.jit(conv_matrix, static_argnums=1, out_shardings=...)(kernel, g)``.

    >>> C = conv_matrix(jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1), ConvGeometry((5,), (3,), strides=2))
    >>> print(C.todense())
    [[1. 2. 3. 0. 0.]
     [0. 0. 1. 2. 3.]]
    >>> print(C.T @ jnp.array([1.0, 10.0]))
    [ 1.  2. 13. 20. 30.]
    """

    __array_ufunc__ = None  # numpy leaves ``array @ C`` to `__rmatmul__`

    def __init__(self, values: jax.Array, geometry: ConvGeometry, transposed: bool = False) -> None:
        """Wraps `values` as they are; `conv_matrix` is the way to make one."""
        self.values = values
        self.geometry = geometry
        self.transposed = transposed

    def tree_flatten(self) -> tuple[tuple[jax.Array], tuple[ConvGeometry, bool]]:
        """`values` is the only leaf."""
        return (self.values,), (self.geometry, self.transposed)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], leaves: tuple[Any]) -> ConvMatrix:
        """Inverse of `tree_flatten`; leaves need not be arrays."""
        return cls(*leaves, *static)

    def __repr__(self) -> str:
        """Size and geometry, not the values."""
        name = "ConvMatrix.T" if self.transposed else "ConvMatrix"
        dtype = getattr(self.values, "dtype", type(self.values).__name__)  # jax prints trees of other leaves
        batch = "a batch of " * (len(getattr(self.values, "shape", ())) > self._axes)
        batch += f"{self.values.size // max(_stored(self.geometry), 1)}: " if batch else ""
        return f"{name}({batch}shape={self.shape}, nnz={self.nnz}, dtype={dtype}, {self.geometry})"

    def _repr_html_(self) -> str:
        return notebook.html(self)

    @property
    def _axes(self) -> int:
        """Axes of `values`, of one matrix."""
        return self.geometry.ndim + 4

    def _check_single(self) -> None:
        check_single("matrices", "C @ x", self.values.shape, self._axes)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        shape = self.geometry.matrix_shape
        return shape[::-1] if self.transposed else shape

    @property
    def ndim(self) -> int:
        """How many axes a matrix has."""
        return 2

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("C is not made dense by accident; call C.todense() or C.to_scipy().")

    @property
    def nnz(self) -> int:
        """Entries: distinct (row, column) pairs that some tap connects."""
        return self.geometry.nnz

    @property
    def dtype(self) -> np.dtype:
        """Of the values."""
        return self.values.dtype

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

    def __matmul__(self, x: ArrayLike) -> jax.Array:
        """C x for a flat ``x``.

        Args:
          x: ``(columns,)`` or ``(columns, batch)``, of C's dtype.

        Returns:
          ``(rows,)`` or ``(rows, batch)``.

        Raises:
          GeometryError: `x` has another shape, or this is a batch of matrices.
          SizeError: The result does not fit into memory.
          TypeError: `x` has another dtype, or is a matrix like this.
        """
        if isinstance(x, ConvMatrix):
            raise TypeError("C multiplies arrays; multiply two matrices as C.to_scipy() @ D.to_scipy().")
        self._check_single()
        x = jnp.asarray(x)
        check_dtypes(C=self, x=x)
        if x.ndim not in (1, 2) or x.shape[0] != self.shape[1]:
            raise GeometryError(
                f"C has shape {self.shape}: it multiplies ({self.shape[1]},) or ({self.shape[1]}, batch), "
                f"got {x.shape}; for feature maps call C(x)."
            )
        self._check_product(math.prod(x.shape[1:]))
        return _product(self, x)

    def __rmatmul__(self, x: ArrayLike) -> jax.Array:
        """``x @ C`` for ``(rows,)`` or ``(batch, rows)``."""
        return (self.T @ jnp.asarray(x).T).T

    def __call__(self, x: ArrayLike, *, precision: jax.lax.PrecisionLike = None) -> jax.Array:
        """C x for feature maps.

        Args:
          x: ``(*batch, *spatial, features)``, any number of batch axes.
          precision: Of matrix products, as in `jax.lax.dot_general`; small blocks are multiplied
            term by term, always in full precision.

        Returns:
          ``(*batch, *spatial, features)`` of the other side.

        Raises:
          GeometryError: `x` is not a map of this size, or this is a batch of matrices.
          SizeError: The result does not fit into memory.
          TypeError: `x` has another dtype.
        """
        self._check_single()
        x = jnp.asarray(x)
        g = self.geometry
        source = (g.output_shape, g.out_features) if self.transposed else (g.input_shape, g.in_features)
        check_dtypes(C=self, x=x)
        check_map("x", x.shape, *source)
        self._check_product(math.prod(x.shape[: x.ndim - g.ndim - 1]))
        return _product_of_maps(self, x, precision)

    def _check_product(self, batch: int) -> None:
        if not isinstance(batch, int):
            return  # exported for any number of maps
        _check_bytes("the product", self.shape[0] * batch * self.dtype.itemsize, None)

    def to_coo(self, order: Order = "channels_last") -> tuple[np.ndarray, np.ndarray, jax.Array]:
        """The entries, sorted by row, then column; duplicates summed, structural zeros dropped.

        Args:
          order: ``"channels_last"`` numbers the cells of ``(*spatial, features)`` maps,
            ``"channels_first"`` those of ``(features, *spatial)``.

        Returns:
          Rows and columns (NumPy, int32 where the shape fits) and values, each ``(nnz,)``.

        Raises:
          GeometryError: Unknown `order`, or this is a batch of matrices.
          SizeError: More values are stored than int32 counts.
        """
        self._check_single()
        entries = coordinates(self.geometry, self.transposed, order)
        values = self.values.ravel()[_index(entries.source)]
        if entries.target is not None:
            work = accumulator(self.dtype)
            values = jnp.zeros(self.nnz, work).at[entries.target].add(values.astype(work)).astype(self.dtype)
        return entries.row, entries.column, values

    def todense(self, order: Order = "channels_last", *, max_bytes: int | None = None) -> jax.Array:
        """All entries, zeros too, ``shape``.

        Raises:
          GeometryError: Unknown `order`, or this is a batch of matrices.
          SizeError: It would not fit into `max_bytes`, the physical memory by default.
        """
        _check_bytes("the dense matrix", math.prod(self.shape) * self.dtype.itemsize, max_bytes)
        row, column, values = self.to_coo(order)
        return jnp.zeros(self.shape, self.dtype).at[row, column].set(values, unique_indices=True)

    def to_scipy(
        self, format: Literal["csr", "csc", "coo"] = "csr", order: Order = "channels_last"
    ) -> scipy.sparse.sparray:
        """A `scipy.sparse` array in ``"csr"``, ``"csc"`` or ``"coo"`` format.

        SciPy has no sparse arrays of 16-bit floats: those become float32, exactly.

        Raises:
          GeometryError: Unknown `format` or `order`, or this is a batch of matrices.
        """
        import scipy.sparse

        if format not in ("csr", "csc", "coo"):
            raise GeometryError(f"`format` is 'csr', 'csc' or 'coo', got {format!r}.")
        row, column, values = self.to_coo(order)
        numbers = np.asarray(values)
        if numbers.dtype.itemsize == 2:
            numbers = numbers.astype(np.float32)
        return scipy.sparse.coo_array((numbers, (row, column)), shape=self.shape).asformat(format)

    def to_bcoo(self, order: Order = "channels_last") -> BCOO:
        """A `jax.experimental.sparse.BCOO`, sorted, without duplicates.

        Raises:
          GeometryError: Unknown `order`, or this is a batch of matrices.
          SizeError: The shape exceeds int32.
        """
        from jax.experimental import sparse

        _check_int32(self.shape)
        row, column, values = self.to_coo(order)
        indices = jnp.stack([jnp.asarray(row), jnp.asarray(column)], axis=1)
        return sparse.BCOO((values, indices), shape=self.shape, indices_sorted=True, unique_indices=True)

    def to_bcsr(self, order: Order = "channels_last") -> BCSR:
        """A `jax.experimental.sparse.BCSR`, sorted, without duplicates.

        Raises:
          GeometryError: Unknown `order`, or this is a batch of matrices.
          SizeError: The shape exceeds int32.
        """
        from jax.experimental import sparse

        _check_int32(self.shape)
        row, column, values = self.to_coo(order)
        starts = np.searchsorted(row, np.arange(self.shape[0] + 1)).astype(np.int32)
        return sparse.BCSR(
            (values, jnp.asarray(column), jnp.asarray(starts)),
            shape=self.shape,
            indices_sorted=True,
            unique_indices=True,
        )


@jax.jit
def _product(C: ConvMatrix, x: jax.Array) -> jax.Array:
    """(columns,) or (columns, batch) -> (rows,) or (rows, batch)."""
    return _multiply(C, x, math.prod(x.shape[1:])).reshape(C.shape[0], *x.shape[1:])


@partial(jax.jit, static_argnames="precision")
def _product_of_maps(C: ConvMatrix, x: jax.Array, precision: jax.lax.PrecisionLike) -> jax.Array:
    """(*batch, *spatial, features) -> the same of the other side."""
    g = C.geometry
    batch = x.shape[: x.ndim - g.ndim - 1]
    y = _multiply(C, x.reshape(math.prod(batch), C.shape[1]).T, math.prod(batch), precision)
    y = jnp.moveaxis(y.reshape(C.shape[0], -1 if y.size else 0), 1, 0)
    shape = (*g.input_shape, g.in_features) if C.transposed else (*g.output_shape, g.out_features)
    return y.reshape(*batch, *shape)


def _multiply(C: ConvMatrix, columns: jax.Array, batch: int, precision: Any = None) -> jax.Array:
    """The columns as maps, with C's blocks: (..., groups, features, batch) of the other side."""
    g = C.geometry
    shape = (*g.output_shape, g.out_features) if C.transposed else (*g.input_shape, g.in_features)
    groups = g.feature_group_count
    maps = columns.reshape(*shape[:-1], groups, shape[-1] // groups, batch)
    product = BACK if C.transposed else FORWARD
    return product.bind(C.values, maps, geometry=g, precision=precision)


def _index(array: np.ndarray) -> np.ndarray:
    """int32 indices: all that jax has without x64."""
    if array.size and array.max() > np.iinfo(np.int32).max:
        raise SizeError(f"exports index with int32, this matrix needs {array.max()}; take smaller maps.")
    return array.astype(np.int32)


def _check_int32(shape: tuple[int, ...]) -> None:
    if max(shape) > np.iinfo(np.int32).max:
        raise SizeError(
            f"JAX's sparse formats index with int32, up to {np.iinfo(np.int32).max}; the matrix has shape "
            f"{shape}. Use to_scipy, which goes on in int64."
        )


def check_size(geometry: ConvGeometry, itemsize: int, max_bytes: int | None) -> None:
    """Refuses a matrix that is too large, from integers alone."""
    _check_bytes(f"C of {geometry}", _stored(geometry) * itemsize, max_bytes)


def _stored(geometry: ConvGeometry) -> int:
    """Values of one matrix."""
    features = geometry.out_features * (geometry.in_features // geometry.feature_group_count)
    return stored_taps.slot_count(geometry) * math.prod(geometry.output_shape) * features


def _check_bytes(what: str, needed: int, max_bytes: int | None) -> None:
    limit = physical_memory() if max_bytes is None else max_bytes
    if needed > limit:
        raise SizeError(
            f"not enough room for {what}: {needed:,} bytes, more than the {limit:,} allowed; take a smaller "
            "map or fewer features, `conv` and `conv_transpose`, which store no matrix, or a larger "
            "`max_bytes`."
        )


def physical_memory() -> int:
    """Bytes of memory of this machine; no limit where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return sys.maxsize
