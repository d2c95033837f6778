"""The formulations by method: a method is the name by which callers choose one.

All take zero-padded geometries only (`padding` turns the other padding modes into one) and operands
of one dtype; see `Formulation`. The names stand in `methods` too, as types.
"""

from __future__ import annotations

import jax

from jaxconv.convolution import auto
from jaxconv.convolution.formulations import (
    direct,
    fft,
    im2col,
    matrix,
    onednn,
    planes,
    space_to_depth,
    split_im2col,
    taps,
    vjp,
    zero_insertion,
)
from jaxconv.convolution.formulations.formulation import Formulation
from jaxconv.convolution.formulations.grouped import (
    grouped_conv,
    grouped_conv_kernel_vjp,
    grouped_conv_transpose,
)
from jaxconv.convolution.formulations.rewriting import (
    rewritten_conv,
    rewritten_conv_kernel_vjp,
    rewritten_conv_transpose,
)
from jaxconv.convolution.formulations.subpixel import by_phases
from jaxconv.convolution.methods import ConvKernelVjpMethod, ConvMethod, ConvTransposeMethod
from jaxconv.core.linear_primitives import linear_transpose
from jaxconv.geometry import ConvGeometry


def _transpose_of_conv(conv: Formulation) -> Formulation:
    """Makes a formulation of ``conv_transpose`` from one of ``conv``, by JAX's own rules for its steps."""

    def conv_transpose(
        y: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        shape = (y.shape[0], *g.input_shape, g.in_features)
        return linear_transpose(lambda x: conv(x, kernel, g, precision), shape, y)

    return conv_transpose


def _kernel_vjp_of_conv(conv: Formulation) -> Formulation:
    """Makes a formulation of ``conv_kernel_vjp`` from one of ``conv``, which is linear in the kernel."""

    def conv_kernel_vjp(
        x: jax.Array, y: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        return linear_transpose(lambda kernel: conv(x, kernel, g, precision), g.kernel_array_shape, y)

    return conv_kernel_vjp


def _kernel_vjp_of_transpose(conv_transpose: Formulation) -> Formulation:
    """Makes a formulation of ``conv_kernel_vjp`` from one of ``conv_transpose``: x and y change roles."""

    def conv_kernel_vjp(
        x: jax.Array, y: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        return linear_transpose(
            lambda kernel: conv_transpose(y, kernel, g, precision), g.kernel_array_shape, x
        )

    return conv_kernel_vjp


def batch_of(x: jax.Array) -> int:
    """Returns the number of maps in ``x: (N, ...)``; a very large one where N is symbolic."""
    return x.shape[0] if isinstance(x.shape[0], int) else 2**31


# The convolution that a rewriting leads to is computed by the method that is fastest for it on a CPU.


def _best_conv(
    x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
) -> jax.Array:
    return CONV[auto.method_for_conv(g, batch_of(x))](x, kernel, g, precision)


def _best_conv_transpose(
    y: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
) -> jax.Array:
    return CONV_TRANSPOSE[auto.method_for_conv_transpose(g, batch_of(y))](y, kernel, g, precision)


def _best_conv_kernel_vjp(
    x: jax.Array, y: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
) -> jax.Array:
    return CONV_KERNEL_VJP[auto.method_for_conv_kernel_vjp(g, batch_of(x))](x, y, g, precision)


CONV: dict[ConvMethod, Formulation] = {
    "direct": direct.conv,
    "matrix": matrix.conv,
    "im2col": im2col.conv,
    "taps": taps.conv,
    "fft": fft.conv,
    "grouped": grouped_conv(_best_conv),
    "planes": rewritten_conv(planes.RULE, _best_conv),
    "space_to_depth": rewritten_conv(space_to_depth.RULE, _best_conv),
    "onednn": onednn.conv,
}
CONV_TRANSPOSE: dict[ConvTransposeMethod, Formulation] = {
    "direct": _transpose_of_conv(direct.conv),
    "matrix": matrix.conv_transpose,
    "im2col": _transpose_of_conv(im2col.conv),
    "taps": by_phases(taps.conv),
    "fft": _transpose_of_conv(fft.conv),
    "grouped": grouped_conv_transpose(_best_conv_transpose),
    "planes": rewritten_conv_transpose(planes.RULE, _best_conv_transpose),
    "space_to_depth": rewritten_conv_transpose(space_to_depth.RULE, _best_conv_transpose),
    "onednn": onednn.conv_transpose,
    "subpixel": by_phases(direct.conv),
    "vjp": vjp.conv_transpose,
    "zero_insertion": zero_insertion.conv_transpose,
}
CONV_KERNEL_VJP: dict[ConvKernelVjpMethod, Formulation] = {
    "direct": _kernel_vjp_of_conv(direct.conv),
    "matrix": _kernel_vjp_of_conv(matrix.conv),
    "im2col": im2col.conv_kernel_vjp,
    "taps": taps.conv_kernel_vjp,
    "fft": _kernel_vjp_of_conv(fft.conv),
    "grouped": grouped_conv_kernel_vjp(_best_conv_kernel_vjp),
    "planes": rewritten_conv_kernel_vjp(planes.RULE, _best_conv_kernel_vjp),
    "space_to_depth": rewritten_conv_kernel_vjp(space_to_depth.RULE, _best_conv_kernel_vjp),
    "onednn": onednn.conv_kernel_vjp,
    "split_im2col": split_im2col.conv_kernel_vjp,
    "zero_insertion": _kernel_vjp_of_transpose(zero_insertion.conv_transpose),
}
