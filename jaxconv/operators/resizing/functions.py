"""Resizing a feature map: a banded matrix along each axis, applied without storing it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import jax
from jax.typing import ArrayLike

from jaxconv.core.checks import check_dtypes, split_map
from jaxconv.geometry.arguments import shape_of
from jaxconv.operators.resizing.options import Resizing, resizing
from jaxconv.operators.resizing.primitive import RESIZE
from jaxconv.operators.resizing.weights import Edges, Method
from jaxconv.operators.selections import check_selectable, exact_array


def resize(
    x: ArrayLike,
    shape: Sequence[int],
    method: Method = "nearest",
    align_corners: bool = False,
    *,
    cubic_a: float = -0.75,
    antialias: bool = False,
    edges: Edges | None = None,
) -> jax.Array:
    r"""A feature map at another size: each output is a weighted sum of the cells around its centre.

    Linear and separable. On an axis of n cells that gets m, output $o$ has its centre at the cell
    coordinate $(o + \frac12) \frac nm - \frac12$ (half-pixel centres), or at $o \frac{n-1}{m-1}$ with
    `align_corners`, 0 where m = 1. Coordinates are exact rationals, weights are computed in float64:
    ``"nearest"`` takes the cell ``(2 o + 1) n // (2 m)`` at any size, where others, in float32, take a
    neighbour now and then (PyTorch 2.13 on a CPU: for 4 cells to 41, and 733 more pairs of sizes below
    200, none of which divide each other; in float64 for none).

    ===============================================  ==================================================
    these numbers                                    come with
    ===============================================  ==================================================
    torch ``interpolate``, ``"nearest-exact"``       the defaults
    torch ``"bilinear"``, ``"bicubic"``              the method, and `align_corners` as there
    torch ``antialias=True``, Pillow                 ``antialias=True, cubic_a=-0.5``
    ``jax.image.resize``, ``"linear"``, ``"cubic"``  ``antialias=True, cubic_a=-0.5``; where antialiasing
                                                     is off there: ``edges="renormalize"`` instead
    ===============================================  ==================================================

    Args:
      x: ``(*batch, *spatial, features)``, any number of batch axes.
      shape: Spatial shape of the result; its length N says how many axes of `x` are spatial.
      method: ``"nearest"``; ``"bilinear"``: two cells an axis; ``"bicubic"``: four.
      align_corners: The centres of corner cells stand over each other, not the maps' edges. With
        `antialias` too, where PyTorch's corners are displaced.
      cubic_a: The parameter of the cubic kernel: PyTorch's -0.75, or -0.5 (Keys), which is exact for
        parabolas.
      antialias: Where an axis shrinks, widen the kernel by n/m, so that every cell counts.
      edges: What happens to the weights of cells outside: ``"clamp"`` gives them to the edge's cell,
        ``"renormalize"`` leaves them out and divides by the sum of the others. By default the latter with
        `antialias`, else the former.

    Returns:
      ``(*batch, *shape, features)``, of x's dtype. A number that is not finite may spread to all
      outputs whose windows hold it, also with weight 0.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: `x` is not floating or complex.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.3, for bilinear upsampling as a convolution;
      R. Keys, Cubic convolution interpolation for digital image processing, IEEE TASSP 29(6), 1981.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([0.0, 4.0, 8.0]).reshape(3, 1)
    >>> resize(x, (6,)).ravel().tolist()
    [0.0, 0.0, 4.0, 4.0, 8.0, 8.0]
    >>> resize(x, (6,), "bilinear").ravel().tolist()
    [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]
    >>> resize(x, (5,), "bilinear", align_corners=True).ravel().tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    x = exact_array("x", x)
    if method == "nearest":
        check_selectable("x", x)
    else:
        check_dtypes(x=x)
    _, spatial = split_map("x", x.shape, len(shape_of("shape", shape)), "`shape`")
    spatial = shape_of("x.shape", spatial)
    return _resize_map(x, resizing(spatial, shape, method, align_corners, cubic_a, antialias, edges))


@partial(jax.jit, static_argnames="geometry")
def _resize_map(x: jax.Array, geometry: Resizing) -> jax.Array:
    """All batch axes as one, and back."""
    batch, features = x.shape[: -geometry.ndim - 1], x.shape[-1]
    x = x.reshape(math.prod(batch), *x.shape[len(batch) :])
    y = RESIZE.bind(x, geometry=geometry)
    return y.reshape(*batch, *y.shape[1:-1], features)
