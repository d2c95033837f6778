"""Linear algebra of C: spectra, certified norms, determinants, inverses.

A convolution is a matrix, so every question of linear algebra has an answer, mostly exact and without
forming the matrix: where C is block-circulant, unitary Fourier transforms turn it into small blocks
(`symbol`); elsewhere products with C and C-transposed are enough.
"""

from jaxconv.linalg.circulant import is_circulant, symbol

__all__ = [
    "is_circulant",
    "symbol",
]
