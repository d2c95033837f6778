"""C in other formats: dense, coordinates, SciPy's and JAX's sparse arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import check_option, check_single
from jaxconv.core.dtypes import accumulator
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix.coordinates import Order, coordinates
from jaxconv.matrix.sizes import as_int32, check_bytes, check_int32

if TYPE_CHECKING:
    import scipy.sparse
    from jax.experimental.sparse import BCOO, BCSR

ScipyFormat = Literal["csr", "csc", "coo"]


class MatrixExports:
    """The exports of `ConvMatrix`, which inherits them: they read its values, geometry and orientation."""

    values: jax.Array
    geometry: ConvGeometry
    transposed: bool

    def _check_single(self) -> None:
        check_single("matrices", "C @ x", self.values.shape, self.geometry.ndim + 4)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        shape = self.geometry.matrix_shape
        return shape[::-1] if self.transposed else shape

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the values."""
        return self.values.dtype

    def to_coo(self, order: Order = "channels_last") -> tuple[np.ndarray, np.ndarray, jax.Array]:
        """Returns the entries as (rows, columns, values), sorted by row and then by column.

        Entries that several taps share are summed. Values that no tap writes are left out, entries that
        happen to be 0 are not.

        Args:
          order: ``"channels_last"`` numbers the cells of ``(*spatial, features)`` maps,
            ``"channels_first"`` those of ``(features, *spatial)`` maps.

        Returns:
          Rows and columns (NumPy, int32 where the shape fits) and values, each ``(nnz,)``.

        Raises:
          GeometryError: `order` is unknown, or this is a batch of matrices.
          SizeError: More values are stored than int32 can count.
        """
        self._check_single()
        entries = coordinates(self.geometry, self.transposed, order)
        values = self.values.ravel()[as_int32(entries.source)]
        if entries.target is not None:
            work = accumulator(self.dtype)
            sums = jnp.zeros(self.geometry.nnz, work)
            values = sums.at[entries.target].add(values.astype(work)).astype(self.dtype)
        return entries.row, entries.column, values

    def todense(self, order: Order = "channels_last", *, max_bytes: int | None = None) -> jax.Array:
        """Returns the whole matrix, zeros included, as an array of shape `shape`.

        Args:
          order: ``"channels_last"`` numbers the cells of ``(*spatial, features)`` maps,
            ``"channels_first"`` those of ``(features, *spatial)`` maps.
          max_bytes: Largest size in bytes; by default the physical memory.

        Raises:
          GeometryError: `order` is unknown, or this is a batch of matrices.
          SizeError: The result would be larger than `max_bytes`.
        """
        check_bytes("the dense matrix", math.prod(self.shape) * self.dtype.itemsize, max_bytes)
        row, column, values = self.to_coo(order)
        return jnp.zeros(self.shape, self.dtype).at[row, column].set(values, unique_indices=True)

    def to_scipy(self, format: ScipyFormat = "csr", order: Order = "channels_last") -> scipy.sparse.sparray:
        """Returns a `scipy.sparse` array.

        SciPy has no sparse arrays of 16-bit floats: those become float32, exactly.

        Args:
          format: ``"csr"``, ``"csc"`` or ``"coo"``.
          order: ``"channels_last"`` numbers the cells of ``(*spatial, features)`` maps,
            ``"channels_first"`` those of ``(features, *spatial)`` maps.

        Raises:
          GeometryError: `format` or `order` is unknown, or this is a batch of matrices.
        """
        import scipy.sparse

        check_option("format", format, get_args(ScipyFormat))
        row, column, values = self.to_coo(order)
        numbers = np.asarray(values)
        if numbers.dtype.itemsize == 2:
            numbers = numbers.astype(np.float32)
        return scipy.sparse.coo_array((numbers, (row, column)), shape=self.shape).asformat(format)

    def to_bcoo(self, order: Order = "channels_last") -> BCOO:
        """Returns a `jax.experimental.sparse.BCOO`, sorted and without duplicates.

        Args:
          order: ``"channels_last"`` numbers the cells of ``(*spatial, features)`` maps,
            ``"channels_first"`` those of ``(features, *spatial)`` maps.

        Raises:
          GeometryError: `order` is unknown, or this is a batch of matrices.
          SizeError: The matrix has more rows or columns than int32 can count.
        """
        from jax.experimental import sparse

        check_int32(self.shape)
        row, column, values = self.to_coo(order)
        indices = jnp.stack([jnp.asarray(row), jnp.asarray(column)], axis=1)
        return sparse.BCOO((values, indices), shape=self.shape, indices_sorted=True, unique_indices=True)

    def to_bcsr(self, order: Order = "channels_last") -> BCSR:
        """Returns a `jax.experimental.sparse.BCSR`, sorted and without duplicates.

        Args:
          order: ``"channels_last"`` numbers the cells of ``(*spatial, features)`` maps,
            ``"channels_first"`` those of ``(features, *spatial)`` maps.

        Raises:
          GeometryError: `order` is unknown, or this is a batch of matrices.
          SizeError: The matrix has more rows or columns than int32 can count.
        """
        from jax.experimental import sparse

        check_int32(self.shape)
        row, column, values = self.to_coo(order)
        starts = np.searchsorted(row, np.arange(self.shape[0] + 1)).astype(np.int32)
        return sparse.BCSR(
            (values, jnp.asarray(column), jnp.asarray(starts)),
            shape=self.shape,
            indices_sorted=True,
            unique_indices=True,
        )
