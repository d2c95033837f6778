"""Convolution, its transpose and its kernel's gradient, without storing C.

The three are one closed family: the derivative of each in each argument is another of the three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxconv.convolution.formulations.onednn import check_onednn
from jaxconv.convolution.methods import ConvKernelVjpMethod, ConvMethod, ConvTransposeMethod
from jaxconv.convolution.options import OPTION_NAMES, instead_of_geometry
from jaxconv.convolution.padding import geometry_after_padding, pad_in_mode, pad_in_mode_transpose
from jaxconv.convolution.primitives import CONV_KERNEL_VJP_PRIMITIVE, CONV_PRIMITIVE, CONV_TRANSPOSE_PRIMITIVE
from jaxconv.convolution.registry import CONV, CONV_KERNEL_VJP, CONV_TRANSPOSE
from jaxconv.core.checks import (
    ArrayOrList,
    as_array,
    check_dtypes,
    check_features,
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


@instead_of_geometry(*OPTION_NAMES)
def conv(
    x: ArrayOrList,
    kernel: ArrayOrList,
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    input_dilation: IntPerAxis = 1,
    kernel_dilation: IntPerAxis = 1,
    feature_group_count: int = 1,
    geometry: ConvGeometry | None = None,
    method: ConvMethod = "auto",
    precision: jax.lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    r"""Computes a convolution, $y = C x$: a cross-correlation, without a flip, as in every framework.

    Differentiable in both operands, in forward and reverse mode, to any order, by `conv_transpose`,
    `conv_kernel_vjp` and `conv` itself.

    Args:
      x: Feature map ``(*batch, *spatial, in_features)`` with any number of batch axes.
      kernel: Array ``(*kernel_shape, in_features // groups, out_features)``. Its number of axes decides how
        many axes of `x` are spatial: ``kernel.ndim - 2``. Convert a kernel from PyTorch first, with
        ``jnp.moveaxis(kernel, (0, 1), (-1, -2))``: in a square kernel of few features the wrong order goes
        unnoticed.
      strides: Stride of the window, an int or one int per spatial axis.
      padding: ``"VALID"``, ``"SAME"`` or another word (see `ConvGeometry`), an int, or per spatial axis an
        int or a ``(low, high)`` pair, in cells. Negative padding crops.
      padding_mode: What the padding cells show: ``"zeros"``, ``"circular"``, ``"reflect"`` or
        ``"replicate"``.
      input_dilation: Distance between neighbouring inputs once zeros are inserted, in cells, an int or one
        int per spatial axis; 1 inserts none.
      kernel_dilation: Distance between neighbouring taps, in cells, an int or one int per spatial axis; 1
        means adjacent.
      feature_group_count: Number of groups; an output feature reads the inputs of its own group only.
      geometry: Geometry of the convolution, in place of `strides`, `padding`, `padding_mode`,
        `input_dilation`, `kernel_dilation` and `feature_group_count`. It also fixes the shapes of `x` and
        `kernel`.
      method: One of `CONV_METHODS`, or ``"auto"``: then `jaxconv.convolution.auto` chooses by the
        geometry, the batch and the platform, and `jaxconv.explain` says how. Derivatives choose for
        themselves. Some methods multiply by zeros of their own, through which infinities and NaNs
        spread to neighbouring outputs; ``"direct"`` does not.
      precision: Precision of the products, as `jax.lax.conv_general_dilated` takes it; None for the
        default of JAX's configuration.
      preferred_element_type: Dtype of the output; by default that of `x`.

    Returns:
      Feature map ``(*batch, *output_shape, out_features)``.

    Raises:
      GeometryError: Shapes or options contradict each other, or an option is given beside `geometry`.
      TypeError: The operands are not floating or complex, or their dtypes differ.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 2.

    >>> x = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(5, 1)
    >>> kernel = jnp.array([1.0, 0.0, -1.0]).reshape(3, 1, 1)
    >>> conv(x, kernel, strides=2).ravel().tolist()
    [-2.0, -2.0]
    >>> conv(x, kernel, geometry=ConvGeometry((5,), (3,), strides=2)).ravel().tolist()
    [-2.0, -2.0]
    """
    x, kernel = as_array("x", x), as_array("kernel", kernel)
    check_dtypes(x=x, kernel=kernel)
    if geometry is None:
        geometry = _geometry_of(
            x.shape,
            kernel.shape,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
    check_kernel(kernel.shape, geometry)
    check_map("x", x.shape, geometry.input_shape, geometry.in_features)
    static = _static_arguments(geometry, method, CONV_METHODS, precision, preferred_element_type, x.dtype)
    y = CONV_PRIMITIVE.bind(pad_in_mode(_merge_batch(x, geometry), geometry), kernel, **static)
    return y.reshape(*_batch(x, geometry), *y.shape[1:])


@instead_of_geometry("input_shape", "output_padding", *OPTION_NAMES)
def conv_transpose(
    y: ArrayOrList,
    kernel: ArrayOrList,
    *,
    input_shape: Sequence[int] | None = None,
    output_padding: IntPerAxis | None = None,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    input_dilation: IntPerAxis = 1,
    kernel_dilation: IntPerAxis = 1,
    feature_group_count: int = 1,
    geometry: ConvGeometry | None = None,
    method: ConvTransposeMethod = "auto",
    precision: jax.lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    r"""Computes a transposed convolution, $x = C^\mathsf{T} y$, from the *forward* convolution's arguments.

    It is the transpose of C, not its inverse, and not its adjoint: nothing is conjugated. Several
    input sizes share an output size; `input_shape` or `output_padding` picks one, and without either
    the result is the smallest (``"SAME"`` and ``"SAME_LOWER"``: strides times the size of `y`).

    Args:
      y: Feature map ``(*batch, *spatial, out_features)``, as the forward convolution returns it.
      kernel: Kernel of the forward convolution, ``(*kernel_shape, in_features // groups, out_features)``.
        Its number of axes decides how many axes of `y` are spatial: ``kernel.ndim - 2``.
      input_shape: Spatial shape of the result.
      output_padding: $a$, cells (of the stretched input) beyond the smallest result, an int or one int
        per spatial axis, each below the stride. It picks a larger result and pads no output.
      strides: Stride of the forward convolution, an int or one int per spatial axis: the upsampling factor.
      padding: Padding of the forward convolution: ``"VALID"``, ``"SAME"`` or another word (see
        `ConvGeometry`), an int, or per spatial axis an int or a ``(low, high)`` pair, in cells.
      padding_mode: What the padding cells of the forward convolution show: ``"zeros"``, ``"circular"``,
        ``"reflect"`` or ``"replicate"``. The transpose adds each padding cell to the cell that it showed.
      input_dilation: Distance between the forward convolution's neighbouring inputs once zeros are
        inserted, in cells, an int or one int per spatial axis; 1 inserts none.
      kernel_dilation: Distance between neighbouring taps, in cells, an int or one int per spatial axis; 1
        means adjacent.
      feature_group_count: Number of groups; an output feature of the forward convolution reads the inputs
        of its own group only.
      geometry: Geometry of the forward convolution, in place of `input_shape`, `output_padding`, `strides`,
        `padding`, `padding_mode`, `input_dilation`, `kernel_dilation` and `feature_group_count`. It also
        fixes the shapes of `y`, `kernel` and the result.
      method: One of `CONV_TRANSPOSE_METHODS`, or ``"auto"``: then `jaxconv.convolution.auto` chooses by
        the geometry, the batch and the platform, and `jaxconv.explain` says how.
      precision: Precision of the products, as `jax.lax.conv_general_dilated` takes it; None for the
        default of JAX's configuration.
      preferred_element_type: Dtype of the result; by default that of `y`.

    Returns:
      Feature map ``(*batch, *input_shape, in_features)``.

    Raises:
      GeometryError: Shapes or options contradict each other, an option is given beside `geometry`, or
        no input has an output of the size of `y`.
      TypeError: The operands are not floating or complex, or their dtypes differ.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4.

    >>> y = jnp.array([1.0, 10.0]).reshape(2, 1)
    >>> kernel = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> conv_transpose(y, kernel, strides=2).ravel().tolist()
    [1.0, 2.0, 13.0, 20.0, 30.0]
    >>> conv_transpose(y, kernel, strides=2, output_padding=1).ravel().tolist()
    [1.0, 2.0, 13.0, 20.0, 30.0, 0.0]
    >>> conv_transpose(y, kernel, geometry=ConvGeometry((6,), (3,), strides=2)).ravel().tolist()
    [1.0, 2.0, 13.0, 20.0, 30.0, 0.0]
    """
    y, kernel = as_array("y", y), as_array("kernel", kernel)
    check_dtypes(y=y, kernel=kernel)
    if geometry is None:
        geometry = _transposed_geometry_of(
            y.shape,
            kernel.shape,
            input_shape,
            output_padding,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
    check_kernel(kernel.shape, geometry)
    check_map("y", y.shape, geometry.output_shape, geometry.out_features)
    static = _static_arguments(
        geometry, method, CONV_TRANSPOSE_METHODS, precision, preferred_element_type, y.dtype
    )
    dtype = static["dtype"]
    if geometry.padding_mode != "zeros" and dtype.itemsize == 2:
        static["dtype"] = jnp.float32  # the padding adds to the product: 16-bit floats are rounded after that
    x = CONV_TRANSPOSE_PRIMITIVE.bind(_merge_batch(y, geometry), kernel, **static)
    x = pad_in_mode_transpose(x, geometry).astype(dtype)
    return x.reshape(*_batch(y, geometry), *x.shape[1:])


@instead_of_geometry(*OPTION_NAMES)
def conv_kernel_vjp(
    x: ArrayOrList,
    y: ArrayOrList,
    kernel_shape: Sequence[int] | None = None,
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    input_dilation: IntPerAxis = 1,
    kernel_dilation: IntPerAxis = 1,
    feature_group_count: int = 1,
    geometry: ConvGeometry | None = None,
    method: ConvKernelVjpMethod = "auto",
    precision: jax.lax.PrecisionLike = None,
    preferred_element_type: DTypeLike | None = None,
) -> jax.Array:
    r"""Computes the gradient of $\langle \mathrm{conv}(x, k), y \rangle$ in the kernel $k$, over all batches.

    Args:
      x: Feature map ``(*batch, *spatial, in_features)``.
      y: Feature map ``(*batch, *output_shape, out_features)``: the cotangent of the convolution's output.
      kernel_shape: Shape of the kernel array, ``(*kernel_shape, in_features // groups, out_features)``;
        may be left out beside `geometry`, which fixes it.
      strides: Stride of the window, an int or one int per spatial axis.
      padding: ``"VALID"``, ``"SAME"`` or another word (see `ConvGeometry`), an int, or per spatial axis an
        int or a ``(low, high)`` pair, in cells. Negative padding crops.
      padding_mode: What the padding cells show: ``"zeros"``, ``"circular"``, ``"reflect"`` or
        ``"replicate"``.
      input_dilation: Distance between neighbouring inputs once zeros are inserted, in cells, an int or one
        int per spatial axis; 1 inserts none.
      kernel_dilation: Distance between neighbouring taps, in cells, an int or one int per spatial axis; 1
        means adjacent.
      feature_group_count: Number of groups; an output feature reads the inputs of its own group only.
      geometry: Geometry of the convolution, in place of `strides`, `padding`, `padding_mode`,
        `input_dilation`, `kernel_dilation` and `feature_group_count`. It also fixes the shapes of `x`, `y`
        and the kernel.
      method: One of `CONV_KERNEL_VJP_METHODS`, or ``"auto"``: then `jaxconv.convolution.auto` chooses by
        the geometry, the batch and the platform, and `jaxconv.explain` says how.
      precision: Precision of the products, as `jax.lax.conv_general_dilated` takes it; None for the
        default of JAX's configuration.
      preferred_element_type: Dtype of the result; by default that of `x`.

    Returns:
      An array of shape ``(*kernel_shape, in_features // groups, out_features)``.

    Raises:
      GeometryError: Shapes or options contradict each other, or an option is given beside `geometry`.
      TypeError: The operands are not floating or complex, their dtypes differ, or neither
        `kernel_shape` nor `geometry` is given.

    >>> x, y = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1), jnp.array([1.0, 10.0]).reshape(2, 1)
    >>> conv_kernel_vjp(x, y, (2, 1, 1)).ravel().tolist()
    [21.0, 32.0]
    >>> conv_kernel_vjp(x, y, geometry=ConvGeometry((3,), (2,))).ravel().tolist()
    [21.0, 32.0]
    """
    x, y = as_array("x", x), as_array("y", y)
    check_dtypes(x=x, y=y)
    if kernel_shape is None and geometry is None:
        raise TypeError(
            "`kernel_shape` must be the shape of the kernel array, (*kernel_shape, in // groups, out), "
            "unless `geometry` is given."
        )
    if kernel_shape is not None:
        kernel_shape = shape_of("kernel_shape", kernel_shape)
    if geometry is None:
        assert kernel_shape is not None
        geometry = _geometry_of(
            x.shape,
            kernel_shape,
            kernel_name="kernel_shape",
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
    if kernel_shape not in (None, geometry.kernel_array_shape):
        raise GeometryError(
            "`kernel_shape` must be the shape of the kernel array, (*kernel_shape, in_features // groups, "
            f"out_features) = {geometry.kernel_array_shape}, got {kernel_shape}."
        )
    check_map("x", x.shape, geometry.input_shape, geometry.in_features)
    check_map("y", y.shape, geometry.output_shape, geometry.out_features, _batch(x, geometry))
    static = _static_arguments(
        geometry, method, CONV_KERNEL_VJP_METHODS, precision, preferred_element_type, x.dtype
    )
    return CONV_KERNEL_VJP_PRIMITIVE.bind(
        pad_in_mode(_merge_batch(x, geometry), geometry),
        _merge_batch(y, geometry),
        **static,
    )


def _geometry_of(
    x: tuple[int, ...], kernel: tuple[int, ...], *, kernel_name: str = "kernel", **options: Any
) -> ConvGeometry:
    """Builds the geometry of a convolution from the shapes of its map and its kernel array."""
    spatial = _spatial_shape("x", x, kernel, kernel_name)
    groups = at_least_one("feature_group_count", options["feature_group_count"])
    check_features("x", x, kernel, groups, kernel_name=kernel_name)
    return ConvGeometry(spatial, kernel[:-2], in_features=x[-1], out_features=kernel[-1], **options)


def _transposed_geometry_of(
    y: tuple[int, ...],
    kernel: tuple[int, ...],
    input_shape: Sequence[int] | None,
    output_padding: IntPerAxis | None,
    **options: Any,
) -> ConvGeometry:
    """Builds the forward geometry from the shapes of its output and its kernel array."""
    spatial = _spatial_shape("y", y, kernel)
    groups = at_least_one("feature_group_count", options["feature_group_count"])
    check_features("y", y, kernel, groups, transposed=True)
    options |= {"in_features": kernel[-2] * groups, "out_features": y[-1]}
    if input_shape is None:
        return ConvGeometry.of_transposed(spatial, kernel[:-2], output_padding=output_padding, **options)
    geometry = ConvGeometry.from_shapes(input_shape, spatial, kernel[:-2], **options)
    _check_output_padding(geometry, output_padding)
    return geometry


def _spatial_shape(
    name: str, shape: tuple[int, ...], kernel: tuple[int, ...], kernel_name: str = "kernel"
) -> tuple[int, ...]:
    """Returns the spatial part of a feature map's shape; the kernel says how many axes that has."""
    n = len(kernel) - 2
    if n < 1:
        raise GeometryError(
            f"`{kernel_name}` must be (*kernel_shape, in_features // groups, out_features) with at least one "
            f"spatial axis, got {kernel}."
        )
    return split_map(name, shape, n, "the kernel")[1]


def _static_arguments(
    geometry: ConvGeometry,
    method: str,
    methods: tuple[str, ...],
    precision: jax.lax.PrecisionLike,
    preferred_element_type: DTypeLike | None,
    operand_dtype: DTypeLike,
) -> dict[str, Any]:
    """Checks and returns what the primitives take besides arrays."""
    check_option("method", method, ("auto", *methods))
    static = {
        "geometry": geometry_after_padding(geometry),
        "method": method,
        "precision": check_precision(precision),
        "dtype": check_result_dtype(preferred_element_type, operand_dtype),
    }
    if method == "onednn":
        check_onednn(static["geometry"], operand_dtype, static["dtype"])
    return static


def _batch(map_: jax.Array, geometry: ConvGeometry) -> tuple[int, ...]:
    """Returns the batch axes of a feature map."""
    return map_.shape[: map_.ndim - geometry.ndim - 1]


def _merge_batch(map_: jax.Array, geometry: ConvGeometry) -> jax.Array:
    """Reshapes a feature map so that it has one batch axis."""
    batch = _batch(map_, geometry)
    return map_.reshape(math.prod(batch), *map_.shape[len(batch) :])


def _check_output_padding(geometry: ConvGeometry, output_padding: IntPerAxis | None) -> None:
    """Checks that an output padding given beside an input shape agrees with it."""
    if output_padding is None:
        return
    a = per_axis("output_padding", output_padding, geometry.ndim, least=0)
    if a != geometry.output_padding:
        raise GeometryError(
            f"`input_shape`={geometry.input_shape} means `output_padding`={geometry.output_padding}, "
            f"got {a}; leave out one of the two."
        )
