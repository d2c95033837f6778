"""Deconvolution in the word's own sense: the solution of C x = y, which C-transposed is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxconv.convolution.options import OPTION_NAMES, instead_of_geometry
from jaxconv.core.checks import (
    ArrayOrList,
    as_array,
    check_dtypes,
    check_features,
    check_map,
    check_option,
    split_map,
)
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import at_least_one
from jaxconv.linalg.arguments import check_finite, checked_kernel, checked_nonnegative, checked_tolerance
from jaxconv.linalg.block_inverses import solve_blocks
from jaxconv.linalg.bounds import rounding
from jaxconv.linalg.circulant import blocks, check_circulant, is_circulant
from jaxconv.linalg.frequencies import from_input_frequencies, to_output_frequencies

METHODS = ("fourier", "lsmr", "cg")


@instead_of_geometry("input_shape", *OPTION_NAMES)
def deconvolve(
    y: ArrayOrList,
    kernel: ArrayOrList,
    *,
    input_shape: Sequence[int] | None = None,
    damping: float = 0.0,
    method: Literal["auto", "fourier", "lsmr", "cg"] = "auto",
    rtol: float | None = None,
    max_steps: int | None = None,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    padding_mode: PaddingMode = "zeros",
    input_dilation: IntPerAxis = 1,
    kernel_dilation: IntPerAxis = 1,
    feature_group_count: int = 1,
    geometry: ConvGeometry | None = None,
) -> jax.Array:
    r"""Computes the inverse of a convolution, not its transpose: x with $C x = y$ in least squares.

    It minimises $|C x - y|^2 + \lambda |x|^2$, and without damping it is the solution with the
    smallest norm. Noise in y is amplified by up to one over the smallest singular value of C
    (`condition_number`); damping limits that to $1 / (2 \sqrt{\lambda})$. Differentiable in y and in the
    kernel, through the solution and never through the iteration; without damping only where the rank of C
    does not change.

    Args:
      y: Feature map ``(*batch, *spatial, out_features)``, as the convolution returns it.
      kernel: Kernel of the convolution, ``(*kernel_shape, in_features // groups, out_features)``.
      input_shape: Spatial shape of the result; must be given unless `geometry` is.
      damping: $\lambda$ of Tikhonov's regularisation, 0 or more.
      method: ``"fourier"`` solves block by block, exactly, where C is circulant (`is_circulant`). ``"lsmr"``
        and ``"cg"`` (on the normal equations) iterate for any C; they need lineax. ``"auto"`` is
        ``"fourier"`` where C is circulant, else ``"lsmr"``.
      rtol: For ``"fourier"`` without damping, the relative size up to which a singular value counts as 0, by
        default a bound of rounding. For the iterations, the relative residual at which to stop, by default
        the dtype's precision to the power 3/4.
      max_steps: Most iterations, by default 10 times the smaller side of C.
      strides: Stride of the window, an int or one int per spatial axis.
      padding: Padding of the convolution: a word (see `ConvGeometry`), an int, or per spatial axis an int or
        a ``(low, high)`` pair, in cells.
      padding_mode: What the padding cells show: ``"zeros"``, ``"circular"``, ``"reflect"`` or
        ``"replicate"``.
      input_dilation: Distance between neighbouring inputs once zeros are inserted, in cells, an int or one
        int per spatial axis.
      kernel_dilation: Distance between neighbouring taps, in cells, an int or one int per spatial axis.
      feature_group_count: Number of groups.
      geometry: Geometry of the convolution, in place of `input_shape`, `strides`, `padding`,
        `padding_mode`, `input_dilation`, `kernel_dilation` and `feature_group_count`.

    Returns:
      Feature map ``(*batch, *input_shape, in_features)``.

    Raises:
      GeometryError: `method` is ``"fourier"`` and C is not circulant, `damping` is negative, shapes or
        options contradict each other, or an operand is not finite.
      FailureError: An iteration did not converge; under `jax.jit` the result is NaN instead.
      MissingExtraError: lineax is not installed and the method needs it.
      TypeError: The operands are not floating or complex, their dtypes differ, or neither `input_shape` nor
        `geometry` is given.

    References:
      Fong & Saunders, 2011, doi:10.1137/10079687X (LSMR).

    >>> x = jnp.array([1.0, 5.0, 2.0, 4.0]).reshape(4, 1)
    >>> kernel = jnp.array([3.0, 1.0]).reshape(2, 1, 1)
    >>> g = ConvGeometry((4,), (2,), padding=((0, 1),), padding_mode="circular")
    >>> from jaxconv import conv
    >>> deconvolve(conv(x, kernel, geometry=g), kernel, geometry=g).ravel().round(4).tolist()
    [1.0, 5.0, 2.0, 4.0]
    """
    y, kernel = as_array("y", y), as_array("kernel", kernel)
    check_dtypes(y=y, kernel=kernel)
    if geometry is None:
        geometry = _geometry_of(
            y.shape,
            kernel.shape,
            input_shape,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
    dtype, g = y.dtype, geometry
    kernel = checked_kernel(kernel, g)
    check_map("y", y.shape, g.output_shape, g.out_features)
    check_finite("y", y)
    damping, rtol = checked_nonnegative("damping", damping), checked_tolerance(rtol)
    check_option("method", method, ("auto", *METHODS))
    if max_steps is not None:
        max_steps = at_least_one("max_steps", max_steps)
    if method == "auto":
        method = "fourier" if is_circulant(g) else "lsmr"
    batch = y.shape[: y.ndim - g.ndim - 1]
    y = y.reshape(math.prod(batch), *g.output_shape, g.out_features).astype(kernel.dtype)
    if method == "fourier":
        check_circulant(g)
        x = _by_blocks(y, kernel, g, damping, rtol)
    else:
        from jaxconv.linalg.lineax import iterate

        x = iterate(y, kernel, g, damping=damping, method=method, rtol=rtol, max_steps=max_steps)
    return x.reshape(*batch, *x.shape[1:]).astype(dtype)


@partial(jax.jit, static_argnames=("g", "damping", "rtol"))
def _by_blocks(
    y: jax.Array, kernel: jax.Array, g: ConvGeometry, damping: float, rtol: float | None
) -> jax.Array:
    rtol = rounding(g, kernel.dtype) if rtol is None else rtol
    real = not jnp.iscomplexobj(y)
    half = real and g.strides[-1] == 1  # the frequencies of a real map that a stride does not fold
    hat = to_output_frequencies(y, g, half=half)
    x = from_input_frequencies(solve_blocks(blocks(kernel, g, half=half), hat, rtol, damping), g, half=half)
    return x.real if real else x


def _geometry_of(
    y: tuple[int, ...], kernel: tuple[int, ...], input_shape: Sequence[int] | None, **options: Any
) -> ConvGeometry:
    """Builds the geometry from the shapes of the output, the kernel array and the input."""
    if input_shape is None:
        raise TypeError(
            "`input_shape` must be the spatial shape of the result, unless `geometry` is given: several "
            "input sizes share an output size."
        )
    if len(kernel) < 3:
        raise GeometryError(
            "`kernel` must be (*kernel_shape, in_features // groups, out_features) with at least one spatial "
            f"axis, got {kernel}."
        )
    spatial = split_map("y", y, len(kernel) - 2, "the kernel")[1]
    groups = at_least_one("feature_group_count", options["feature_group_count"])
    check_features("y", y, kernel, groups, transposed=True)
    options |= {"in_features": kernel[-2] * groups, "out_features": y[-1]}
    return ConvGeometry.from_shapes(input_shape, spatial, kernel[:-2], **options)
