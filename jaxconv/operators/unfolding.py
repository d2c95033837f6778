r"""Unfolding: the windows of a feature map side by side, and folding, its transpose.

With the windows as rows of a matrix (the lecture's im2col), a convolution is one matrix product
(GEMM), and so are its transpose and its kernel's gradient:

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

Unfolding is itself a convolution, with a one-hot kernel: an output feature for each tap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike, DTypeLike

from jaxconv.convolution.formulations.im2col import windows
from jaxconv.convolution.formulations.taps import tap_cells, tap_corners
from jaxconv.convolution.formulations.windows import run_length
from jaxconv.convolution.padding import stretch_and_pad
from jaxconv.core.checks import check_dtype, check_map, split_map
from jaxconv.core.dtypes import accumulator
from jaxconv.core.linear_primitives import linear_transpose, linear_with_transpose
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import at_least_one, shape_of
from jaxconv.matrix import ConvMatrix, conv_matrix
from jaxconv.operators.selections import exact_array

# Taps that are taken, or added, in one loop over the map rather than axis by axis. Milliseconds, float32,
# 2-core CPU, November 2026, one loop first. Adding: 3x3 over 4x56x56x16 0.25, 0.40; 5x5 dilated 1.5, 2.3;
# 9x9 over 2x32x32x16 0.71, 0.34. Where windows are whole runs of cells (see `run_length`): 2x2 stride 2 over
# 4x112x112x16: adding 0.30, 0.08, taking 0.12, 0.41; taking from 3 features over 128x128: 0.05, 0.03.
MAX_TAPS_AT_ONCE = 32
MIN_PARALLEL_FEATURES = 16  # features, for which XLA's parallel loop beats its serial transpose of runs


def unfold(
    x: ArrayLike,
    window: Sequence[int],
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    padding_mode: PaddingMode = "zeros",
) -> jax.Array:
    """Every window of a feature map as the features of one position (im2col).

    Args:
      x: ``(*batch, *spatial, features)``, any number of batch axes, of any dtype.
      window: Cells of a window along each spatial axis; its length is N.
      strides: Cells between neighbouring windows; see `ConvGeometry`, as for the next three.
      padding: A word, an int, or an int or pair an axis.
      dilation: Cells between neighbouring taps of a window.
      padding_mode: What the padding holds.

    Returns:
      ``(*batch, *positions, taps * features)``: taps first, in row-major order, features fastest.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: `window` is no tuple of ints.

    References:
      Lecture on convolution layers, im2col and GEMM. `torch.nn.functional.unfold` has features
      first, `jax.lax.conv_general_dilated_patches` too.

    >>> unfold(jnp.arange(5).reshape(5, 1), (3,), strides=2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    >>> unfold(jnp.arange(12).reshape(3, 2, 2), (2, 1)).tolist()
    [[[0, 1, 4, 5], [2, 3, 6, 7]], [[4, 5, 8, 9], [6, 7, 10, 11]]]
    """
    x, window = exact_array("x", x), shape_of("window", window)
    _, spatial = split_map("x", x.shape, len(window), "`window`")
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
    patches: ArrayLike,
    input_shape: Sequence[int],
    window: Sequence[int],
    *,
    strides: IntPerAxis = 1,
    padding: Padding = "VALID",
    dilation: IntPerAxis = 1,
    padding_mode: PaddingMode = "zeros",
) -> jax.Array:
    """The transpose of `unfold`: windows added up where they overlap (col2im, overlap-add).

    Not its inverse: a cell that several windows hold is counted as often, one that none holds is 0.
    ``fold(unfold(jnp.ones(...)))`` counts them.

    Args:
      patches: ``(*batch, *positions, taps * features)``: what `unfold` returns, of any dtype that adds.
      input_shape: Spatial shape of the result.
      window: As in `unfold`, as all that follow.
      strides: Likewise.
      padding: Likewise.
      dilation: Likewise.
      padding_mode: Likewise; what lies in the padding is added to the cell that it shows.

    Returns:
      ``(*batch, *input_shape, features)``.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: A shape is no tuple of ints, or `patches` are booleans.

    References:
      Lecture on convolution layers, im2col; `torch.nn.functional.fold`.

    >>> fold(jnp.array([[0, 1, 2], [2, 3, 4]]), (5,), (3,), strides=2).ravel().tolist()
    [0, 1, 4, 3, 4]
    """
    patches, window = exact_array("patches", patches), shape_of("window", window)
    if patches.dtype == bool:
        raise TypeError("`patches` are added up, got booleans; convert them with .astype.")
    split_map("patches", patches.shape, len(window), "`window`")
    features, rest = divmod(patches.shape[-1], math.prod(window))
    if rest or not features:
        raise GeometryError(
            f"`patches` must be (*batch, *positions, taps * features) with {math.prod(window)} taps for "
            f"window={window}, got {patches.shape[-1]} numbers a position; change `window`."
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
    """The convolution that `unfold` is: from `features` to taps x features.

    Args:
      input_shape: Spatial shape of the map.
      window: As in `unfold`, as all that follow.
      strides: Likewise.
      padding: Likewise.
      dilation: Likewise.
      padding_mode: Likewise.
      features: Of the map.

    Raises:
      GeometryError: Shapes or options contradict each other.

    >>> unfold_geometry((5, 5), (3, 3), strides=2, features=2)
    ConvGeometry((5, 5), (3, 3), in_features=2, out_features=18, strides=(2, 2))
    """
    window, features = shape_of("window", window), at_least_one("features", features)
    return ConvGeometry(
        input_shape,
        window,
        in_features=features,
        out_features=math.prod(window) * features,
        strides=strides,
        padding=padding,
        padding_mode=padding_mode,
        kernel_dilation=dilation,
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
    """`unfold` as a matrix: C of the convolution with the one-hot kernel; its transpose is `fold`.

    A matrix to look at and to calculate with. A row has a single 1, but C stores its geometry's every
    entry: ``positions (taps features)^2`` values, of which ``positions taps features`` at most are 1.

    Args:
      input_shape: Spatial shape of the map.
      window: As in `unfold`, as the next four.
      strides: Likewise.
      padding: Likewise.
      dilation: Likewise.
      padding_mode: Likewise.
      features: Of the map.
      dtype: Of the values: that of the maps. ``float`` is jax's default.
      max_bytes: Refuse to store more than this; the physical memory by default.

    Returns:
      C: ``C(x)`` is ``unfold(x, ...)`` and ``C.T(patches)`` is ``fold(patches, ...)``.

    Raises:
      GeometryError: Shapes or options contradict each other.
      SizeError: C would not fit.
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
    """``(N, *input_shape, features)`` to ``(N, *output_shape, taps * features)``."""
    if g.in_features >= MIN_PARALLEL_FEATURES and _has_few_taps(g) and _has_runs(g):
        return _read_at_once(x, g)
    return _read_axis_by_axis(x, g)


def _add_windows(patches: jax.Array, g: ConvGeometry) -> jax.Array:
    """``(N, *output_shape, taps * features)`` to ``(N, *input_shape, features)``, rounded once."""
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
    return math.prod(g.kernel_shape) <= MAX_TAPS_AT_ONCE


def _has_runs(g: ConvGeometry) -> bool:
    return any(run_length(axis) > 1 for axis in g.axes)


def _for_any_batch(function: Callable) -> Callable:
    """A function of ``(N, *spatial, features)`` as one of ``(*batch, *spatial, features)``."""

    def of_maps(x: jax.Array, geometry: ConvGeometry) -> jax.Array:
        apply, batch_axes = partial(function, g=geometry), x.ndim - geometry.ndim - 1
        if batch_axes == 0:
            return apply(x[None])[0]
        for _ in range(batch_axes - 1):  # never merged: one of them may be spread over devices
            apply = jax.vmap(apply)
        return apply(x)

    return of_maps


# Each is the other's derivative. By jax's own rules the gradient of taking axis by axis would be adding
# axis by axis, whatever is faster, and in 16 bits.
_UNFOLD, _FOLD = linear_with_transpose(
    "jaxconv_unfold", _for_any_batch(_gather_windows), _for_any_batch(_add_windows), lambda geometry: 0
)
