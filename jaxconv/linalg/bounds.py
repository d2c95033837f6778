"""Certified bounds of the operator norm: for one map, and for maps of every size."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.convolution import conv, conv_transpose
from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes
from jaxconv.core.dtypes import accumulator
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry, IntPerAxis
from jaxconv.geometry.arguments import at_least_one, per_axis
from jaxconv.geometry.pattern import source_cells
from jaxconv.linalg.arguments import check_finite, checked_kernel
from jaxconv.linalg.circulant import blocks, is_circulant
from jaxconv.linalg.entries import frobenius_norm
from jaxconv.linalg.products import largest, products
from jaxconv.linalg.scales import unit_scale
from jaxconv.linalg.starts import start_vector
from jaxconv.linalg.top_pairs import top_pair


class NormInterval(NamedTuple):
    """Two numbers between which the operator norm lies.

    Attributes:
      low: Lower bound: how much longer C makes one vector.
      high: Upper bound.
    """

    low: jax.Array
    high: jax.Array


def norm_interval(kernel: ArrayOrList, geometry: ConvGeometry, *, steps: int = 12) -> NormInterval:
    r"""Computes two numbers between which the operator norm of C lies, for any padding mode.

    Where C is circulant both are the norm, apart from rounding. Elsewhere:

    - the lower one is $\|C v\| / \|v\|$ of the best vector that ``2 steps + 1`` products with C and its
      transpose find;
    - the upper one is the least of three bounds: the exact norm of a circular convolution on a larger map,
      of which C is a part, times the root of how often the padding shows a cell at most; the Frobenius norm;
      and the root of the largest row sum times the largest column sum of C's magnitudes.

    Both are moved apart by a bound of their rounding errors. With zero padding the interval closes like the
    inverse square of the map's size; other padding modes may keep a gap, because a border that repeats cells
    can have a larger norm than the interior.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.
      steps: Products with C, and with its adjoint, for the lower bound.

    Returns:
      ``(low, high)``, real numbers.

    Raises:
      GeometryError: The kernel's shape contradicts the geometry, the kernel is not finite, or `steps` is
        below 1.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.

    References:
      Golub & Kahan, 1965, doi:10.1137/0702016, for the lower bound.

    >>> g = ConvGeometry((32, 32), (3, 3), padding="SAME")
    >>> low, high = norm_interval(jax.random.normal(jax.random.key(0), (3, 3, 1, 1)), g)
    >>> bool(low <= high), bool(high / low < 1.01)
    (True, True)
    """
    kernel = checked_kernel(kernel, geometry)
    return _interval(kernel, geometry, at_least_one("steps", steps))


@partial(jax.jit, static_argnames=("g", "steps"))
def _interval(kernel: jax.Array, g: ConvGeometry, steps: int) -> NormInterval:
    margin = rounding(g, kernel.dtype)
    kernel, scale = unit_scale(kernel)
    low, high = _bounds(kernel, g, steps)
    return NormInterval(low * (1 - margin) * scale, high * (1 + margin) * scale)


def _bounds(kernel: jax.Array, g: ConvGeometry, steps: int) -> tuple[jax.Array, jax.Array]:
    """Returns the two bounds, but for rounding."""
    if is_circulant(g):
        value = top_pair(kernel, g, "fourier", 0).value
        return value, value
    torus, copies = _torus(g)
    wave, bound = _torus_norm(kernel, torus)
    high = jnp.minimum(bound * math.sqrt(copies), frobenius_norm(kernel, g))
    high = jnp.minimum(high, _schur_bound(kernel, g))
    return _stretch(kernel, g, wave, steps), high


def rounding(g: ConvGeometry, dtype: np.dtype) -> float:
    """Returns a relative bound of the rounding of a product with C, and of the norms of C's blocks."""
    terms = math.prod(g.kernel_array_shape[:-1]) + g.out_features // g.feature_group_count
    return 4 * (terms + 8 * g.ndim) * float(jnp.finfo(dtype).eps)


def _torus(g: ConvGeometry) -> tuple[ConvGeometry, int]:
    """Returns a circular geometry of which C is a part, and how often C's padding shows one cell at most."""
    if g.padding_mode == "zeros":
        shown = [1] * g.ndim
        sizes = [axis.stretched + max(*axis.padding, 0) for axis in g.axes]
    else:
        shown = [_most_copies(axis) for axis in g.axes]
        sizes = [axis.padded for axis in g.axes]
    shape, padding = [], []
    for axis, size in zip(g.axes, sizes, strict=True):
        size = max(size, axis.out_size * axis.stride, axis.span)
        shape.append(-(-size // axis.stride) * axis.stride)
        padding.append((0, axis.span - axis.stride))
    torus = ConvGeometry(
        shape,
        g.kernel_shape,
        in_features=g.in_features,
        out_features=g.out_features,
        strides=g.strides,
        padding=padding,
        padding_mode="circular",
        kernel_dilation=g.kernel_dilation,
        feature_group_count=g.feature_group_count,
    )
    return torus, math.prod(shown)


def _most_copies(axis: AxisGeometry) -> int:
    """Returns how many positions of the padded axis show the same input cell, at most."""
    cells = source_cells(axis, np.arange(axis.padded))
    cells = cells[cells % axis.input_dilation == 0]
    return int(np.bincount(cells).max()) if cells.size else 1


def _torus_norm(kernel: jax.Array, torus: ConvGeometry) -> tuple[jax.Array, jax.Array]:
    """Returns the top right singular vector on a torus, a wave, and the norm."""
    pair = top_pair(kernel, torus, "fourier", 0)
    return pair.right, pair.value


def _stretch(kernel: jax.Array, g: ConvGeometry, wave: jax.Array, steps: int) -> jax.Array:
    """Returns how much longer C makes the best vector, found from the torus's wave, faded at the border."""
    for place, (f, axis) in enumerate(zip(g.input_dilation, g.axes, strict=True)):
        index = np.arange(axis.size) * f % wave.shape[place]
        fade = np.sin(np.pi * (np.arange(axis.size) + 1) / (axis.size + 1))
        shape = [1] * wave.ndim
        shape[place] = axis.size
        wave = jnp.take(wave, index, place) * jnp.asarray(fade.reshape(shape), wave.dtype)
    start = wave.ravel()
    start = start if jnp.iscomplexobj(kernel) else start.real + start.imag
    noise = start_vector(0, start.size, start.dtype)
    start += 0.2 * jnp.linalg.norm(start).astype(start.dtype) * noise / math.sqrt(start.size)
    found = largest(kernel, g, k=1, steps=steps, size=steps, start=start)
    v = found.right[0]
    return jnp.linalg.norm(products(kernel, g)[0](v)) / jnp.maximum(jnp.linalg.norm(v), 1e-30)


def _schur_bound(kernel: jax.Array, g: ConvGeometry) -> jax.Array:
    """Returns the root of the largest row sum times the largest column sum of C's magnitudes."""
    size = abs(kernel)
    rows = conv(jnp.ones((*g.input_shape, g.in_features), size.dtype), size, geometry=g)
    columns = conv_transpose(jnp.ones((*g.output_shape, g.out_features), size.dtype), size, geometry=g)
    return jnp.sqrt(rows.max() * columns.max())


def norm_bound(
    kernel: ArrayOrList,
    *,
    strides: IntPerAxis = 1,
    kernel_dilation: IntPerAxis = 1,
    feature_group_count: int = 1,
    points: int | None = None,
) -> jax.Array:
    r"""Computes an upper bound of the operator norm that holds for maps of every size, with zero padding.

    The squared norms over all frequencies are bounded by a trigonometric polynomial of degree
    $D = \lfloor (k - 1) / s \rfloor$ per axis. So they exceed their largest value on a grid of $M > 2 D$
    frequencies by a factor of $1 / \cos(\pi D / M)$ per axis at most. It holds for any padding in cells and
    any crop, and for circular padding where C is circulant (`is_circulant`).

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      strides: Stride of the window, an int or one int per spatial axis.
      kernel_dilation: Distance between neighbouring taps, in cells, an int or one int per spatial axis. It
        only matters beside a stride with which it shares a factor.
      feature_group_count: Number of groups.
      points: M, grid points per axis, more than 2 D. By default 16 D, which makes the factor at most 1.02 in
        two dimensions; on three axes or more 8 D.

    Returns:
      A real number. Differentiable, through the singular values on the grid.

    Raises:
      GeometryError: `points` is too small, the options do not fit the kernel, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array.

    References:
      Ehlich & Zeller, Mathematische Zeitschrift 86, 1964, pages 41 to 44; Pfister & Bresler, IEEE
      Transactions on Signal Processing 67, 2019, for several axes.

    >>> kernel = jnp.array([1.0, 2.0, 1.0]).reshape(3, 1, 1)
    >>> bool(4 <= norm_bound(kernel) < 4.05)
    True
    """
    kernel = as_array("kernel", kernel)
    check_dtypes(kernel=kernel)
    n = kernel.ndim - 2
    if n < 1:
        raise GeometryError(
            "`kernel` must be (*kernel_shape, in_features // groups, out_features) with at least one spatial "
            f"axis, got {kernel.shape}."
        )
    check_finite("kernel", kernel)
    kernel = kernel.astype(accumulator(kernel.dtype))
    dilation = per_axis("kernel_dilation", kernel_dilation, n)
    # Taps meet in a fold if their distance times the dilation is a multiple of the stride.
    steps = [s // math.gcd(s, d) for s, d in zip(per_axis("strides", strides, n), dilation, strict=True)]
    degrees = [(k - 1) // s for k, s in zip(kernel.shape, steps, strict=False)]
    grid = [_points(degree, n, points) for degree in degrees]
    groups = at_least_one("feature_group_count", feature_group_count)
    g = ConvGeometry(
        [m * s for m, s in zip(grid, steps, strict=True)],
        kernel.shape[:-2],
        in_features=kernel.shape[-2] * groups,
        out_features=kernel.shape[-1],
        strides=steps,
        padding=[(0, k - s) for k, s in zip(kernel.shape, steps, strict=False)],
        padding_mode="circular",
        feature_group_count=groups,
    )
    excess = math.prod(math.cos(math.pi * degree / m) for degree, m in zip(degrees, grid, strict=True))
    half = blocks(kernel, g, half=not jnp.iscomplexobj(kernel))
    largest_on_grid = jnp.linalg.svd(half, compute_uv=False).max()
    return largest_on_grid / math.sqrt(excess) * (1 + rounding(g, kernel.dtype))


def _points(degree: int, n: int, points: int | None) -> int:
    """Returns the grid points of an axis."""
    if points is None:
        return max(degree * (16 if n < 3 else 8), 1)
    if at_least_one("points", points) <= 2 * degree:
        raise GeometryError(
            f"`points` must be more than {2 * degree}, twice the degree of the squared norm in frequency; "
            f"got {points}."
        )
    return points
