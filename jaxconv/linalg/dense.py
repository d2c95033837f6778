"""C as a small dense matrix, where no structure helps."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from jaxconv.errors import SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import conv_matrix
from jaxconv.matrix.sizes import check_bytes

MOST_ROWS = 2000  # of a dense C


def dense(kernel: jax.Array, g: ConvGeometry, what: str, way_out: str = "") -> jax.Array:
    """Returns C as a dense matrix, if it has few rows.

    Args:
      kernel: The kernel.
      g: Its geometry.
      what: What is computed, for the message.
      way_out: What else to do, for the message.

    Raises:
      SizeError: C has more than 2,000 rows.
    """
    rows, columns = g.matrix_shape
    if rows > MOST_ROWS:
        raise SizeError(
            f"{what} of a C that is not block-circulant is computed from the dense matrix, up to "
            f"{MOST_ROWS:,} rows; this one has {rows:,}. Use a smaller map, or circular padding with "
            f"outputs x strides = inputs (see is_circulant).{way_out}"
        )
    check_bytes(f"the decomposition of C of {g}", 4 * rows * columns * kernel.dtype.itemsize, None)
    return _dense(kernel, g)


@partial(jax.jit, static_argnames="g")
def _dense(kernel: jax.Array, g: ConvGeometry) -> jax.Array:
    return conv_matrix(kernel, g).todense()


def dense_tolerance(matrix: jax.Array) -> float:
    """Returns below which part of the largest singular value another counts as 0."""
    return max(matrix.shape) * float(jnp.finfo(matrix.dtype).eps)
