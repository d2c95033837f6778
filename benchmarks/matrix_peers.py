"""Other libraries' sparse matrices with the entries of C, and their products."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import scipy.sparse

from benchmarks.torch_ways import device, torch
from jaxconv import ConvMatrix

try:
    import cupy
    import cupyx.scipy.sparse
except ImportError:  # installed only with CUDA
    cupy = None

PEERS = ("SciPy CSR", "BCOO", "BCSR", "PyTorch CSR", "CuPy CSR")


def product_peers(C: ConvMatrix, x: np.ndarray) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yields, for every installed peer, a call that computes C x."""
    csr = C.to_scipy("csr")
    yield "SciPy CSR", lambda: csr @ x
    product = jax.jit(lambda matrix, x: matrix @ x)
    on_device = jax.device_put(x)
    for name, matrix in (("BCOO", C.to_bcoo()), ("BCSR", C.to_bcsr())):
        yield name, lambda matrix=matrix: product(matrix, on_device)
    if torch is not None:
        yield "PyTorch CSR", _torch_product(csr, x)
    if cupy is not None and jax.default_backend() == "gpu":
        yield "CuPy CSR", _cupy_product(csr, x)


def numbers(result: Any) -> np.ndarray:
    """Returns the result of a peer as a NumPy array."""
    if torch is not None and isinstance(result, torch.Tensor):
        return result.cpu().numpy()
    return result.get() if hasattr(result, "get") else np.asarray(result)


def _torch_product(csr: scipy.sparse.csr_array, x: np.ndarray) -> Callable[[], Any]:
    parts = (torch.from_numpy(part) for part in (csr.indptr, csr.indices, csr.data))
    with warnings.catch_warnings(action="ignore"):  # PyTorch warns that its sparse tensors are in beta state
        matrix = torch.sparse_csr_tensor(*parts, size=csr.shape, check_invariants=False).to(device())
    vector = torch.from_numpy(x).to(device())

    def call() -> Any:
        result = matrix @ vector
        if result.is_cuda:
            torch.cuda.synchronize()
        return result

    return call


def _cupy_product(csr: scipy.sparse.csr_array, x: np.ndarray) -> Callable[[], Any]:
    matrix, vector = cupyx.scipy.sparse.csr_matrix(scipy.sparse.csr_matrix(csr)), cupy.asarray(x)

    def call() -> Any:
        result = matrix @ vector
        cupy.cuda.Device().synchronize()
        return result

    return call
