"""C without writing JAX: reads a kernel from a file, prints C or writes it to a file."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import check_kernel
from jaxconv.errors import DataError, OptionError, SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import ConvMatrix, conv_matrix
from jaxconv.matrix.coordinates import Order
from jaxconv.matrix.symbols import MAX_PRINTED_ENTRIES, symbols

SUFFIXES = (".npz", ".mtx", ".png")


def read_kernel(path: Path, geometry: ConvGeometry) -> np.ndarray:
    """Reads the kernel of a .npy file; integers become float64.

    Args:
      path: File that `numpy.save` wrote, of shape ``(*kernel_shape, in // groups, out)``, or
        ``kernel_shape`` for one feature.
      geometry: Convolution that the kernel must fit.

    Returns:
      Kernel, ``(*kernel_shape, in // groups, out)``.

    Raises:
      DataError: The file is not a .npy file of numbers.
      GeometryError: The kernel has another shape.
      OSError: The file cannot be read.
    """
    try:
        kernel = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        raise DataError(
            f"--kernel-file {path} is not a .npy file of numbers; numpy.save(file, array) writes one."
        ) from None
    largest = {"i": 8, "u": 8, "f": 8, "c": 16}  # bytes of the largest numbers of jax
    if not isinstance(kernel, np.ndarray) or kernel.dtype.itemsize > largest.get(kernel.dtype.kind, 0):
        raise DataError(
            f"--kernel-file {path} must contain one array of numbers of at most 64 bits, 128 if complex."
        )
    if kernel.shape == geometry.kernel_shape:
        kernel = kernel[..., None, None]
    check_kernel(kernel.shape, geometry)
    kernel = kernel.astype(kernel.dtype.newbyteorder("="))
    return kernel if np.issubdtype(kernel.dtype, np.inexact) else kernel.astype(np.float64)


def _build_matrix(geometry: ConvGeometry, kernel: np.ndarray | None, transposed: bool) -> ConvMatrix:
    """Builds C or C-transposed; without a kernel its taps are 1, 2, 3, ..."""
    if kernel is None:
        kernel = np.arange(1.0, geometry.parameters + 1).reshape(geometry.kernel_array_shape)
    C = conv_matrix(jnp.asarray(kernel), geometry)
    return C.T if transposed else C


def show(geometry: ConvGeometry, kernel: np.ndarray | None, transposed: bool, order: Order) -> str:
    """Returns C as text, in the numbers of the kernel, or in symbols without a kernel.

    Args:
      geometry: Geometry of the convolution.
      kernel: Kernel, ``(*kernel_shape, in // groups, out)``, or None.
      transposed: Whether to show C-transposed.
      order: Order in which rows and columns number the cells of feature maps.

    Raises:
      SizeError: C is too large to print.
    """
    rows, columns = geometry.matrix_shape
    if rows * columns > MAX_PRINTED_ENTRIES:
        raise SizeError(
            f"C is {rows:,} x {columns:,}, too large to print; write it with --out C.npz, C.mtx or C.png."
        )
    if kernel is None:
        return symbols(geometry, transposed=transposed, order=order)
    with jax.enable_x64(True):
        dense = np.asarray(_build_matrix(geometry, kernel, transposed).todense(order))
    texts = [[f"{value:.4g}" for value in row] for row in dense]
    width = max(len(text) for row in texts for text in row)
    return "\n".join(" ".join(text.rjust(width) for text in row) for row in texts)


def write(
    geometry: ConvGeometry, kernel: np.ndarray | None, transposed: bool, order: Order, path: Path
) -> str:
    """Writes C to a file in the format of its suffix. Returns a line about what was written.

    Args:
      geometry: Geometry of the convolution.
      kernel: Kernel, ``(*kernel_shape, in // groups, out)``; without one the taps are 1, 2, 3, ...
      transposed: Whether to write C-transposed.
      order: Order in which rows and columns number the cells of feature maps.
      path: File to write, with suffix .npz, .mtx or .png; its folder is created if needed.

    Raises:
      OptionError: The suffix is another one.
      SizeError: C does not fit into memory.
    """
    import scipy.io
    import scipy.sparse

    if path.suffix not in SUFFIXES:
        raise OptionError(f"--out must end in one of {', '.join(SUFFIXES)}, got {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with jax.enable_x64(True):
        C = _build_matrix(geometry, kernel, transposed)
        if path.suffix == ".npz":
            scipy.sparse.save_npz(path, C.to_scipy("csr", order))
        elif path.suffix == ".mtx":
            scipy.io.mmwrite(path, C.to_scipy("coo", order), comment=repr(geometry))
        else:
            from jaxconv.figures import draw_matrix

            draw_matrix(C, path, order=order)
    return f"{path}: {C.shape[0]:,} x {C.shape[1]:,}, {C.nnz:,} entries, {C.dtype}"
