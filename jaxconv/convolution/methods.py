"""The names of the methods as types, so that editors complete them and type checkers find misspelt ones.

A new formulation needs its name here, beside its entry in `registry`.
"""

from typing import Literal

ConvMethod = Literal[
    "auto", "direct", "matrix", "im2col", "taps", "fft", "grouped", "planes", "space_to_depth", "onednn"
]  # fmt: skip
ConvTransposeMethod = Literal[
    "auto", "direct", "matrix", "im2col", "taps", "fft", "grouped", "planes", "space_to_depth", "onednn",
    "subpixel", "vjp", "zero_insertion",
]  # fmt: skip
ConvKernelVjpMethod = Literal[
    "auto", "direct", "matrix", "im2col", "taps", "fft", "grouped", "planes", "space_to_depth", "onednn",
    "split_im2col", "zero_insertion",
]  # fmt: skip
