r"""Unfolding: the windows of a feature map side by side, and folding, its transpose.

With the windows as rows of a matrix (im2col), a convolution is one matrix product (GEMM), and so are
its transpose and the gradient of its kernel:

>>> from jaxconv.convolution import conv, conv_kernel_vjp, conv_transpose
>>> x = jnp.arange(20.0).reshape(5, 4, 1)  # (*spatial, features)
>>> kernel = jnp.array([[1.0, 2.0], [3.0, 5.0]]).reshape(2, 2, 1, 1)  # (*window, features, out)
>>> K = kernel.reshape(-1, 1)  # (taps * features, out)
>>> y = unfold(x, (2, 2)) @ K
>>> bool((y == conv(x, kernel)).all())
True
>>> bool((fold(y @ K.T, (5, 4), (2, 2)) == conv_transpose(y, kernel)).all())
True
>>> rows = unfold(x, (2, 2)).reshape(-1, 4)  # (positions, taps * features)
>>> bool((rows.T @ y.reshape(-1, 1) == conv_kernel_vjp(x, y, kernel.shape).reshape(-1, 1)).all())
True

Unfolding is itself a convolution with a one-hot kernel: one output feature per tap and feature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxconv.convolution.formulations.im2col import windows
from jaxconv.convolution.formulations.taps import tap_cells, tap_corners
from jaxconv.convolution.formulations.windows import run_length
from jaxconv.convolution.padding import stretch_and_pad
from jaxconv.core.checks import ArrayOrList, check_dtype, check_map
from jaxconv.core.dtypes import accumulator
from jaxconv.core.linear_primitives import linear_transpose, linear_with_transpose
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import at_least_one, per_axis, shape_of
from jaxconv.matrix import ConvMatrix, conv_matrix
from jaxconv.operators.arguments import (
    check_window_fits,
    hint_at_channels_first,
    padding_in_cells,
    split_spatial,
)
from jaxconv.operators.selections import exact_array

__all__ = [
    "fold",
    "unfold",
    "unfold_geometry",
    "unfold_matrix",
]

# Taps of a window up to which they are read, or added, in one loop over the map instead of axis by axis.
# Milliseconds, float32, 2-core CPU, November 2026; windows with a stride are runs of cells (`run_length`):
#   case                                     at once  axis by axis
#   adding   3x3           over 4x56x56x16      0.25          0.40
#   adding   5x5 dilated                        1.5           2.3
#   adding   9x9           over 2x32x32x16      0.71          0.34
#   adding   2x2 stride 2  over 4x112x112x16    0.30          0.08
#   reading  2x2 stride 2  over 4x112x112x16    0.12          0.41
#   reading  2x2 stride 2  over 128x128x3       0.05          0.03
MAX_WINDOW_TAPS_IN_ONE_LOOP = 32
MIN_PARALLEL_FEATURES = 16  # from so many features XLA's parallel loop is faster than its transpose of runs


def unfold(
    x: ArrayOrList,
    window: Sequence[int],
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    padding_mode: PaddingMode = "zeros",
) -> jax.Array:
    """Returns the numbers of every window of a feature map as the features of one position (im2col).

    Args:
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes, of any dtype.
      window: Shape of a window in cells, a tuple of N ints: the N axes of `x` before its features are the
        spatial ones.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
      padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``: what the padding holds.

    Returns:
      ``(*batch, *positions, taps * features)``, of x's dtype, ordered by the tap, row-major, and then by the
      feature. `torch.nn.functional.unfold` and `jax.lax.conv_general_dilated_patches` order by the feature
      first.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: `window` is not a tuple of ints.

    References:
      Chellapilla, Puri & Simard, High performance convolutional neural networks for document processing,
      2006, for convolution as one matrix product.

    >>> unfold(jnp.arange(5).reshape(5, 1), (3,), strides=2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    >>> unfold(jnp.arange(12).reshape(3, 2, 2), (2, 1)).tolist()
    [[[0, 1, 4, 5], [2, 3, 6, 7]], [[4, 5, 8, 9], [6, 7, 10, 11]]]
    """
    x, window = exact_array("x", x), shape_of("window", window)
    _, spatial = split_spatial("x", x.shape, "window", window)
    spatial = shape_of("x.shape", spatial)
    with hint_at_channels_first("x", x.shape, len(window)):
        geometry = unfold_geometry(
            spatial,
            window,
            strides=strides,
            padding=padding,
            dilation=dilation,
            padding_mode=padding_mode,
            features=x.shape[-1],
        )
    return _UNFOLD.bind(x, geometry=geometry)


def fold(
    patches: ArrayOrList,
    input_shape: Sequence[int],
    window: Sequence[int],
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    padding_mode: PaddingMode = "zeros",
) -> jax.Array:
    """Adds up windows where they overlap: the transpose of `unfold` (col2im, overlap-add).

    It is not the inverse of `unfold`: a cell in several windows is added several times, and a cell in none
    is 0. ``fold(unfold(jnp.ones(...)))`` counts how often. Sums of integers are exact, and wrap around
    beyond the range of their dtype.

    Args:
      patches: Windows ``(*batch, *positions, taps * features)``, as `unfold` returns them, of any dtype but
        bool.
      input_shape: Spatial shape of the result, a tuple of N ints.
      window: Shape of a window in cells, a tuple of N ints.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
      padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``: what the padding holds in
        `unfold`. Here the padding is added to the cells that it was copied from.

    Returns:
      ``(*batch, *input_shape, features)``, of the dtype of `patches`.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: A shape is not a tuple of ints, or `patches` are booleans.

    >>> fold(jnp.array([[0, 1, 2], [2, 3, 4]]), (5,), (3,), strides=2).ravel().tolist()
    [0, 1, 4, 3, 4]
    """
    patches, window = exact_array("patches", patches), shape_of("window", window)
    if patches.dtype == bool:
        raise TypeError(
            "`patches` must be numbers, which are added up, got booleans; convert them, for example with "
            "patches.astype(jnp.int32)."
        )
    split_spatial("patches", patches.shape, "window", window)
    split_spatial("patches", patches.shape, "input_shape", shape_of("input_shape", input_shape))
    features, rest = divmod(patches.shape[-1], math.prod(window))
    if rest or not features:
        raise GeometryError(
            f"`patches` must be (*batch, *positions, taps * features) with {math.prod(window)} taps for "
            f"window={window}, got {patches.shape[-1]} numbers per position, not a multiple; pass the "
            "`window` of the `unfold` that returned them."
        )
    geometry = unfold_geometry(
        input_shape,
        window,
        strides=strides,
        padding=padding,
        dilation=dilation,
        padding_mode=padding_mode,
        features=features,
    )
    check_map("patches", patches.shape, geometry.output_shape, geometry.out_features)
    return _FOLD.bind(patches, geometry=geometry)


def unfold_geometry(
    input_shape: Sequence[int],
    window: Sequence[int],
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    padding_mode: PaddingMode = "zeros",
    features: int = 1,
) -> ConvGeometry:
    """Returns the geometry of the convolution that `unfold` is.

    Args:
      input_shape: Spatial shape of the map, a tuple of N ints.
      window: Shape of a window in cells, a tuple of N ints.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
      padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``: what the padding holds.
      features: Number of features of the map.

    Returns:
      A `ConvGeometry` from `features` to ``taps * features`` features.

    Raises:
      GeometryError: Shapes or options contradict each other.

    >>> unfold_geometry((5, 5), (3, 3), strides=2, features=2)
    ConvGeometry((5, 5), (3, 3), in_features=2, out_features=18, strides=(2, 2))
    """
    shape = shape_of("input_shape", input_shape)
    n = len(shape)
    window, features = shape_of("window", window), at_least_one("features", features)
    if len(window) != n:
        raise GeometryError(
            "`input_shape` and `window` must each have one size per spatial axis, without batch and "
            f"features; got {shape} and {window}."
        )
    s, d = per_axis("strides", strides, n), per_axis("dilation", dilation, n)
    pads = padding_in_cells(padding, shape, window, s, d)
    check_window_fits(shape, window, d, pads)
    return ConvGeometry(
        shape,
        window,
        in_features=features,
        out_features=math.prod(window) * features,
        strides=s,
        padding=pads,
        padding_mode=padding_mode,
        kernel_dilation=d,
    )


def unfold_matrix(
    input_shape: Sequence[int],
    window: Sequence[int],
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    padding_mode: PaddingMode = "zeros",
    features: int = 1,
    dtype: DTypeLike = float,
    max_bytes: int | None = None,
) -> ConvMatrix:
    """Returns the matrix C of `unfold`; its transpose is the matrix of `fold`.

    It is meant for study. Each row has at most a single 1, but C stores every entry of its geometry:
    ``positions * (taps * features)**2`` values, of which at most ``positions * taps * features`` are 1.

    Args:
      input_shape: Spatial shape of the map, a tuple of N ints.
      window: Shape of a window in cells, a tuple of N ints.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis.
      padding: ``"VALID"``, ``"SAME"`` or another word of `ConvGeometry`, an int, or per spatial axis an int
        or a ``(low, high)`` pair, in cells.
      dilation: Distance between neighbouring cells of a window, in cells; 1 means adjacent. An int or one int
        per spatial axis.
      padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``: what the padding holds.
      features: Number of features of the map.
      dtype: Dtype of the entries; it must be that of the maps. ``float`` is JAX's default.
      max_bytes: Largest size of the stored entries in bytes; by default the physical memory.

    Returns:
      A `ConvMatrix`: ``C(x)`` equals ``unfold(x, ...)``, and ``C.T(patches)`` equals ``fold(patches, ...)``.

    Raises:
      GeometryError: Shapes or options contradict each other.
      SizeError: The matrix needs more than `max_bytes`.
      TypeError: `dtype` is not floating or complex.

    >>> print(unfold_matrix((4,), (2,), strides=2).todense().astype(int))
    [[1 0 0 0]
     [0 1 0 0]
     [0 0 1 0]
     [0 0 0 1]]
    """
    geometry = unfold_geometry(
        input_shape,
        window,
        strides=strides,
        padding=padding,
        dilation=dilation,
        padding_mode=padding_mode,
        features=features,
    )
    one_hot = jnp.eye(geometry.out_features, dtype=check_dtype(dtype)).reshape(geometry.kernel_array_shape)
    return conv_matrix(one_hot, geometry, max_bytes=max_bytes)


def _gather_windows(x: jax.Array, g: ConvGeometry) -> jax.Array:
    """Reads all windows: ``(N, *input_shape, features)`` to ``(N, *output_shape, taps * features)``."""
    if g.in_features >= MIN_PARALLEL_FEATURES and _has_few_taps(g) and _has_runs(g):
        return _read_at_once(x, g)
    return _read_axis_by_axis(x, g)


def _add_windows(patches: jax.Array, g: ConvGeometry) -> jax.Array:
    """Adds up all windows, rounded once: the transpose of `_gather_windows`."""
    unfolded = _read_at_once if _has_few_taps(g) and not _has_runs(g) else _read_axis_by_axis
    dtype = patches.dtype
    shape = (patches.shape[0], *g.input_shape, g.in_features)
    return linear_transpose(lambda x: unfolded(x, g), shape, patches.astype(accumulator(dtype))).astype(dtype)


def _read_axis_by_axis(x: jax.Array, g: ConvGeometry) -> jax.Array:
    return windows(x, g).reshape(x.shape[0], *g.output_shape, g.out_features)


def _read_at_once(x: jax.Array, g: ConvGeometry) -> jax.Array:
    x = stretch_and_pad(x, g)
    return jnp.concatenate([tap_cells(x, corner, g) for corner in tap_corners(g).tolist()], -1)


def _has_few_taps(g: ConvGeometry) -> bool:
    return math.prod(g.kernel_shape) <= MAX_WINDOW_TAPS_IN_ONE_LOOP


def _has_runs(g: ConvGeometry) -> bool:
    return any(run_length(axis) > 1 for axis in g.axes)


def _for_any_batch(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Returns a function of ``(N, *spatial, features)`` as one of ``(*batch, *spatial, features)``."""

    def of_maps(x: jax.Array, geometry: ConvGeometry) -> jax.Array:
        apply, batch_axes = partial(function, g=geometry), x.ndim - geometry.ndim - 1
        if batch_axes == 0:
            return apply(x[None])[0]
        for _ in range(batch_axes - 1):  # never merged: one of them may be spread over devices
            apply = jax.vmap(apply)
        return apply(x)

    return of_maps


# Each is the derivative of the other. By JAX's own rules the gradient of reading axis by axis would be adding
# axis by axis, even where that is slower, and in 16 bits.
_UNFOLD, _FOLD = linear_with_transpose(
    "jaxconv_unfold", _for_any_batch(_gather_windows), _for_any_batch(_add_windows), lambda geometry: 0
)
