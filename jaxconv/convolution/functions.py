"""Convolution, its transpose and its kernel's gradient, without storing C.

The three are one closed family: the derivative of each in each argument is another of the three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

from jaxconv.convolution.methods import ConvKernelVjpMethod, ConvMethod, ConvTransposeMethod
from jaxconv.convolution.padding import geometry_after_padding, pad_in_mode, pad_in_mode_transpose
from jaxconv.convolution.primitives import CONV_KERNEL_VJP_PRIMITIVE, CONV_PRIMITIVE, CONV_TRANSPOSE_PRIMITIVE
from jaxconv.convolution.registry import CONV, CONV_KERNEL_VJP, CONV_TRANSPOSE
from jaxconv.core.checks import (
    check_dtypes,
    check_kernel,
    check_map,
    check_option,
    check_precision,
    check_result_dtype,
    split_map,
)
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import at_least_one, per_axis, shape_of

CONV_METHODS: tuple[ConvMethod, ...] = tuple(CONV)
CONV_TRANSPOSE_METHODS: tuple[ConvTransposeMethod, ...] = tuple(CONV_TRANSPOSE)
CONV_KERNEL_VJP_METHODS: tuple[ConvKernelVjpMethod, ...] = tuple(CONV_KERNEL_VJP)

__all__ = [
    "CONV_KERNEL_VJP_METHODS",
    "CONV_METHODS",
    "CONV_TRANSPOSE_METHODS",
    "conv",
    "conv_kernel_vjp",
    "conv_transpose",
]


def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    input_dilation: IntPerAxis = 1,
    kernel_dilation: IntPerAxis = 1,
    feature_group_count: int = 1,
    method: ConvMethod = "auto",
    precision: jax.lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    r"""Convolution: $y = C x$, cross-correlation as in every framework.

    Differentiable in both operands, in both modes, to any order, by `conv_transpose`,
    `conv_kernel_vjp` and itself.

    Args:
      x: ``(*batch, *spatial, in_features)``, any number of batch axes.
      kernel: ``(*kernel_shape, in_features // groups, out_features)``; its N = ndim - 2 decides
        how many axes of `x` are spatial.
      strides: An int, or one an axis; see `ConvGeometry`, as for the next five.
      padding: A word, an int, or an int or pair an axis.
      padding_mode: What the padding holds.
      input_dilation: Inserts zeros between inputs.
      kernel_dilation: Inserts zeros between taps.
      feature_group_count: Groups.
      method: One of `CONV_METHODS`, or ``"auto"``, which follows the geometry, the batch and
        the platform. Derivatives choose for themselves. Some formulations multiply by zeros of their
        own, through which numbers that are not finite spread; ``"direct"`` does not.
      precision: As in `jax.lax.conv_general_dilated`.
      preferred_element_type: The output's dtype; that of `x` by default.

    Returns:
      ``(*batch, *output_shape, out_features)``.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: The operands are not floating or complex, or not of one dtype.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 2.

    >>> x = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(5, 1)
    >>> conv(x, jnp.array([1.0, 0.0, -1.0]).reshape(3, 1, 1), strides=2).ravel().tolist()
    [-2.0, -2.0]
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    check_dtypes(x=x, kernel=kernel)
    batch, spatial = _split_batch("x", x.shape, kernel.ndim - 2)
    geometry = ConvGeometry(
        spatial,
        kernel.shape[:-2],
        in_features=x.shape[-1],
        out_features=kernel.shape[-1],
        strides=strides,
        padding=padding,
        padding_mode=padding_mode,
        input_dilation=input_dilation,
        kernel_dilation=kernel_dilation,
        feature_group_count=feature_group_count,
    )
    check_kernel(kernel.shape, geometry)
    static = _static_arguments(geometry, method, CONV_METHODS, precision, preferred_element_type, x.dtype)
    y = CONV_PRIMITIVE.bind(pad_in_mode(_merge_batch(x, batch), geometry), kernel, **static)
    return y.reshape(*batch, *y.shape[1:])


def conv_transpose(
    y: ArrayLike,
    kernel: ArrayLike,
    *,
    input_shape: Sequence[int] | None = None,
    output_padding: IntPerAxis | None = None,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    input_dilation: IntPerAxis = 1,
    kernel_dilation: IntPerAxis = 1,
    feature_group_count: int = 1,
    method: ConvTransposeMethod = "auto",
    precision: jax.lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    r"""Transposed convolution: $x = C^\mathsf{T} y$, with the *forward* convolution's arguments.

    The transpose, not the inverse, and not the adjoint: nothing is conjugated. Several input sizes
    share an output size; `input_shape` or `output_padding` picks one, and with neither the
    smallest is taken (``"SAME"`` and ``"SAME_LOWER"``: strides x the size of `y`).

    Args:
      y: ``(*batch, *spatial, out_features)``: what the forward convolution returns.
      kernel: ``(*kernel_shape, in_features // groups, out_features)``, the forward kernel.
      input_shape: Spatial shape of the result.
      output_padding: $a$, in stretched cells; picks a larger input, pads no output.
      strides: Of the forward convolution, as the next five; see `ConvGeometry`.
      padding: Likewise.
      padding_mode: Likewise; the transpose folds the padding back onto the cells it came from.
      input_dilation: Likewise.
      kernel_dilation: Likewise.
      feature_group_count: Likewise.
      method: One of `CONV_TRANSPOSE_METHODS`, or ``"auto"``.
      precision: As in `jax.lax.conv_general_dilated`.
      preferred_element_type: The result's dtype; that of `y` by default.

    Returns:
      ``(*batch, *input_shape, in_features)``.

    Raises:
      GeometryError: Shapes or options contradict each other, or no input has `y`'s size.
      TypeError: The operands are not floating or complex, or not of one dtype.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4.

    >>> y = jnp.array([1.0, 10.0]).reshape(2, 1)
    >>> kernel = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> conv_transpose(y, kernel, strides=2).ravel().tolist()
    [1.0, 2.0, 13.0, 20.0, 30.0]
    >>> conv_transpose(y, kernel, strides=2, output_padding=1).ravel().tolist()
    [1.0, 2.0, 13.0, 20.0, 30.0, 0.0]
    """
    y, kernel = jnp.asarray(y), jnp.asarray(kernel)
    check_dtypes(y=y, kernel=kernel)
    batch, spatial = _split_batch("y", y.shape, kernel.ndim - 2)
    options: dict[str, Any] = {
        "in_features": kernel.shape[-2] * at_least_one("feature_group_count", feature_group_count),
        "out_features": y.shape[-1],
        "strides": strides,
        "padding": padding,
        "padding_mode": padding_mode,
        "input_dilation": input_dilation,
        "kernel_dilation": kernel_dilation,
        "feature_group_count": feature_group_count,
    }
    if input_shape is None:
        geometry = ConvGeometry.of_transposed(
            spatial, kernel.shape[:-2], output_padding=output_padding, **options
        )
    else:
        geometry = ConvGeometry.from_shapes(input_shape, spatial, kernel.shape[:-2], **options)
        _check_output_padding(geometry, output_padding)
    check_kernel(kernel.shape, geometry)
    static = _static_arguments(
        geometry, method, CONV_TRANSPOSE_METHODS, precision, preferred_element_type, y.dtype
    )
    dtype = static["dtype"]
    if geometry.padding_mode != "zeros" and dtype.itemsize == 2:
        static["dtype"] = jnp.float32  # the padding adds to the product: 16-bit floats are rounded after that
    x = CONV_TRANSPOSE_PRIMITIVE.bind(_merge_batch(y, batch), kernel, **static)
    x = pad_in_mode_transpose(x, geometry).astype(dtype)
    return x.reshape(*batch, *x.shape[1:])


def conv_kernel_vjp(
    x: ArrayLike,
    y: ArrayLike,
    kernel_shape: Sequence[int],
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    input_dilation: IntPerAxis = 1,
    kernel_dilation: IntPerAxis = 1,
    feature_group_count: int = 1,
    method: ConvKernelVjpMethod = "auto",
    precision: jax.lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    r"""The gradient of $\langle \mathrm{conv}(x, k), y \rangle$ in the kernel $k$, summed over batches.

    Args:
      x: ``(*batch, *spatial, in_features)``.
      y: ``(*batch, *output_shape, out_features)``: the cotangent of the convolution's output.
      kernel_shape: The kernel's whole shape, ``(*taps, in_features // groups, out_features)``.
      strides: Of the convolution, as the next five; see `ConvGeometry`.
      padding: Likewise.
      padding_mode: Likewise.
      input_dilation: Likewise.
      kernel_dilation: Likewise.
      feature_group_count: Likewise.
      method: One of `CONV_KERNEL_VJP_METHODS`, or ``"auto"``.
      precision: As in `jax.lax.conv_general_dilated`.
      preferred_element_type: The result's dtype; that of `x` by default.

    Returns:
      An array of shape `kernel_shape`.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: The operands are not floating or complex, or not of one dtype.

    >>> x, y = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1), jnp.array([1.0, 10.0]).reshape(2, 1)
    >>> conv_kernel_vjp(x, y, (2, 1, 1)).ravel().tolist()
    [21.0, 32.0]
    """
    x, y = jnp.asarray(x), jnp.asarray(y)
    check_dtypes(x=x, y=y)
    kernel_shape = shape_of("kernel_shape", kernel_shape)
    batch, spatial = _split_batch("x", x.shape, len(kernel_shape) - 2)
    geometry = ConvGeometry(
        spatial,
        kernel_shape[:-2],
        in_features=x.shape[-1],
        out_features=kernel_shape[-1],
        strides=strides,
        padding=padding,
        padding_mode=padding_mode,
        input_dilation=input_dilation,
        kernel_dilation=kernel_dilation,
        feature_group_count=feature_group_count,
    )
    check_kernel(kernel_shape, geometry)
    check_map("y", y.shape, geometry.output_shape, geometry.out_features, batch)
    static = _static_arguments(
        geometry, method, CONV_KERNEL_VJP_METHODS, precision, preferred_element_type, x.dtype
    )
    return CONV_KERNEL_VJP_PRIMITIVE.bind(
        pad_in_mode(_merge_batch(x, batch), geometry),
        _merge_batch(y, batch),
        **static,
    )


def _split_batch(name: str, shape: tuple[int, ...], n: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The batch and the spatial part of a feature map's shape."""
    if n < 1:
        raise GeometryError(
            f"the kernel must be (*kernel_shape, in // groups, out) with at least one spatial axis, "
            f"got {n + 2} axes."
        )
    return split_map(name, shape, n, "the kernel")


def _static_arguments(
    geometry: ConvGeometry, method: str, methods: tuple[str, ...], precision, preferred_element_type, operand
) -> dict[str, Any]:
    """What the primitives take beside arrays, checked; `operand` is the dtype of the arrays."""
    check_option("method", method, ("auto", *methods))
    return {
        "geometry": geometry_after_padding(geometry),
        "method": method,
        "precision": check_precision(precision),
        "dtype": check_result_dtype(preferred_element_type, operand),
    }


def _merge_batch(x: jax.Array, batch: tuple[int, ...]) -> jax.Array:
    """All batch axes as one."""
    return x.reshape(math.prod(batch), *x.shape[len(batch) :])


def _check_output_padding(geometry: ConvGeometry, output_padding: IntPerAxis | None) -> None:
    """An output padding beside an input shape repeats what that already says."""
    if output_padding is None:
        return
    a = per_axis("output_padding", output_padding, geometry.ndim, least=0)
    if a != geometry.output_padding:
        raise GeometryError(
            f"input_shape={geometry.input_shape} means output_padding={geometry.output_padding}, got {a}; "
            "leave one of the two out."
        )
