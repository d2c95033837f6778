"""Linear algebra of C: spectra, certified norms, determinants, inverses, composition, checkerboards.

A convolution is a matrix, so every question of linear algebra has an answer, mostly exact and without
forming the matrix: where C is block-circulant, unitary Fourier transforms turn it into small blocks
(`symbol`); elsewhere products with C and C-transposed are enough.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from jaxconv.linalg.bounds import NormInterval, norm_bound, norm_interval
from jaxconv.linalg.checkerboards import even_kernel, is_even, overlap, phase_sums
from jaxconv.linalg.circulant import is_circulant, symbol
from jaxconv.linalg.composition import Gram, compose, compose_kernels, gram
from jaxconv.linalg.deconvolution import deconvolve
from jaxconv.linalg.determinants import log_determinant
from jaxconv.linalg.entries import frobenius_norm, trace
from jaxconv.linalg.inverses import PseudoInverse, pseudo_inverse
from jaxconv.linalg.norms import operator_norm
from jaxconv.linalg.spectra import condition_number, rank, singular_values
from jaxconv.linalg.subspaces import null_space

if TYPE_CHECKING:
    from jaxconv.linalg.lineax import PseudoInverseOperator as PseudoInverseOperator
else:  # a type checker that saw this function would accept every name

    def __getattr__(name):
        if name == "PseudoInverseOperator":  # it needs lineax, which is loaded on first use
            return import_module("jaxconv.linalg.lineax").PseudoInverseOperator
        raise AttributeError(f"module 'jaxconv.linalg' has no attribute {name!r}")


__all__ = [  # without the operator of lineax, which `import *` would load
    "Gram",
    "NormInterval",
    "PseudoInverse",
    "compose",
    "compose_kernels",
    "condition_number",
    "deconvolve",
    "even_kernel",
    "frobenius_norm",
    "gram",
    "is_circulant",
    "is_even",
    "log_determinant",
    "norm_bound",
    "norm_interval",
    "null_space",
    "operator_norm",
    "overlap",
    "phase_sums",
    "pseudo_inverse",
    "rank",
    "singular_values",
    "symbol",
    "trace",
]
