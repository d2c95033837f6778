"""oneDNN's convolutions, for CPUs that have the library.

The handler reads all sizes from its buffers, so one program serves every batch. Parts of a batch, or rows of
a map, are computed side by side in threads of XLA's pool, and sums over parts are added in one order: results
are the same from run to run, but those of `conv_kernel_vjp` depend on the number of threads.

References:
  oneDNN developer guide, primitive "Convolution".
"""

from __future__ import annotations

import math
from functools import lru_cache

import jax
import ml_dtypes
import numpy as np
from jax.typing import DTypeLike

from jaxconv.convolution import native
from jaxconv.convolution.formulations.formulation import Formulation
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry

DTYPES = (np.float32, np.float16, ml_dtypes.bfloat16)  # 16-bit floats are computed in float32
# Taps up to which oneDNN's general kernels are fast for the gradient of a depthwise kernel: 0.8 ms where
# `taps` takes 1.7 for 5x5 with stride 2, but 1.3 where it takes 0.6 for 7x7.
MAX_TAPS = 25
MAX_BYTES = 2**31  # of a map and of its strides: the offsets in oneDNN's kernels are 32-bit integers
LARGE_BATCH = 2**16  # the batch for which oneDNN is asked where the number of maps is symbolic


def reason_against(g: ConvGeometry) -> str:
    """Returns what oneDNN needs and a geometry does not have; an empty string if oneDNN takes it.

    >>> reason_against(ConvGeometry((5,), (3,), input_dilation=2))
    'an input dilation of 1 on every axis, got (2,)'
    """
    if g.ndim > native.MAX_AXES:
        return f"at most {native.MAX_AXES} spatial axes, got {g.ndim}"
    if set(g.input_dilation) != {1}:
        return f"an input dilation of 1 on every axis, got {g.input_dilation}"
    if min(map(min, g.padding)) < 0:
        return f"padding that is not negative, got {g.padding}"
    # The kernel's gradient of oneDNN 3.2 with AVX-512 is wrong for some volumes with more padding.
    if g.ndim > 2 and max(g.padding[0]) > g.axes[0].span // 2:
        return f"padding of at most half a window on the first of three axes, got {g.padding}"
    if _bytes(g) >= MAX_BYTES:
        return f"maps and a kernel of less than 2 GB (strides, dilations and padding count too), got {g!r}"
    return ""


def _bytes(g: ConvGeometry) -> int:
    """Returns a bound on the offsets, in bytes of float32, between the cells of a map and in the kernel."""
    axes = zip(g.input_shape, g.output_shape, g.strides, g.kernel_dilation, map(sum, g.padding), strict=True)
    cells = math.prod(max(size, *others) for size, *others in axes)
    return 4 * max(cells * max(g.in_features, g.out_features), g.parameters)


def is_for(kind: native.Kind, g: ConvGeometry, batch: int, *dtypes: DTypeLike) -> bool:
    """Returns whether ``method="auto"`` may take oneDNN for operands and a result of these dtypes."""
    return all(dtype in DTYPES for dtype in dtypes) and has_kernel(kind, g, batch) and native.available()


def has_kernel(kind: native.Kind, g: ConvGeometry, batch: int) -> bool:
    """Returns whether a oneDNN was found that has a fast kernel for a geometry.

    Some geometries it computes by reference loops, or by columns and a product of matrices; and a depthwise
    convolution that its depthwise kernels do not take (3-D, 1-D, several outputs each) as many tiny ones.
    """
    if reason_against(g) or not native.found().available:
        return False
    name = _implementation(kind, g, min(batch, LARGE_BATCH)) or "ref"
    return "dw" in name if _needs_depthwise(kind, g) else "ref" not in name and "gemm" not in name


def _needs_depthwise(kind: native.Kind, g: ConvGeometry) -> bool:
    """Returns whether only a depthwise kernel is faster than the fused loops of this library."""
    one_to_one = g.in_features == g.out_features
    if g.feature_group_count != g.in_features:
        return False
    if kind == native.Kind.CONV_KERNEL_VJP:
        return one_to_one and g.in_features > 1 and math.prod(g.kernel_shape) > MAX_TAPS
    return one_to_one or (g.in_features > 1 and kind == native.Kind.CONV)


_implementation = lru_cache(maxsize=4096)(native.implementation)


def formulation(kind: native.Kind, devices: int = 1) -> Formulation:
    """Makes the formulation of a member, for a program that so many devices of a process run at once."""

    def multiply(a: jax.Array, b: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike) -> jax.Array:
        return native.call(kind, a, b, g, devices)

    return multiply


def check_onednn(g: ConvGeometry, *dtypes: DTypeLike) -> None:
    """Checks that oneDNN can do what it is asked for by name.

    Args:
      g: Geometry of the convolution, without another padding mode than zeros.
      *dtypes: Dtypes of the operands and of the result.

    Raises:
      GeometryError: It cannot, or it is not available.
    """
    reason = reason_against(g)
    if reason:
        raise GeometryError(f'`method`="onednn" needs {reason}. `method`="auto" chooses another one.')
    wide = [dtype for dtype in dtypes if dtype not in DTYPES]
    if wide:
        raise GeometryError(
            f'`method`="onednn" computes in float32, got operands or a result of {np.dtype(wide[0])}. '
            '`method`="auto" chooses another one.'
        )
    if not native.available():
        raise GeometryError(
            f'`method`="onednn" needs oneDNN: {native.state().reason}. '
            "Install it by: pip install 'jaxconv[onednn]'; `jaxconv info` prints what was found."
        )


conv = formulation(native.Kind.CONV)
conv_transpose = formulation(native.Kind.CONV_TRANSPOSE)
conv_kernel_vjp = formulation(native.Kind.CONV_KERNEL_VJP)
