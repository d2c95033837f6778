"""Resizing a feature map: a banded matrix along each axis, applied without storing it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from jaxconv.core.checks import ArrayOrList, check_dtypes
from jaxconv.geometry.arguments import shape_of
from jaxconv.operators.arguments import split_spatial
from jaxconv.operators.resizing.options import Resizing, resizing
from jaxconv.operators.resizing.primitive import RESIZE
from jaxconv.operators.resizing.weights import Edges, Method
from jaxconv.operators.selections import check_selectable, exact_array


def resize(
    x: ArrayOrList,
    shape: Sequence[int],
    method: Method = "nearest",
    align_corners: bool = False,
    *,
    cubic_a: float = -0.75,
    antialias: bool = False,
    edges: Edges | None = None,
) -> jax.Array:
    r"""Resizes a feature map: each output is a weighted sum of the cells around its centre.

    Linear and separable. On an axis that is resized from n to m cells, output $o$ has its centre at the cell
    coordinate $(o + \frac12) \frac nm - \frac12$ (half-pixel centres), or at $o \frac{n-1}{m-1}$ with
    `align_corners`, 0 if m = 1. Coordinates are exact rationals, and weights are computed in float64.
    ``"nearest"`` copies the cell ``(2 o + 1) n // (2 m)`` exactly, for any sizes; libraries that compute
    coordinates in float32 sometimes copy a neighbour (PyTorch 2.13 on a CPU: from 4 cells to 41, and for 733
    more pairs of sizes below 200, none of which divide each other; in float64 for none).

    ===============================================  ==================================================
    to get the numbers of                            use
    ===============================================  ==================================================
    torch ``interpolate``, ``"nearest-exact"``       the defaults
    torch ``"bilinear"``, ``"bicubic"``              the method, and `align_corners` as there
    torch ``antialias=True``, Pillow                 ``antialias=True, cubic_a=-0.5``
    ``jax.image.resize``, ``"linear"``, ``"cubic"``  ``antialias=True, cubic_a=-0.5``; where antialiasing
                                                     is off there: ``edges="renormalize"`` instead
    ===============================================  ==================================================

    Args:
      x: Feature map ``(*batch, *spatial, features)`` with any number of batch axes, floating or complex;
        for ``"nearest"`` also integer or boolean, such as a map of labels.
      shape: Spatial shape of the result, a tuple of N ints, without batch and features. The N axes of `x`
        before its features are the spatial ones.
      method: ``"nearest"`` copies one cell, ``"bilinear"`` weights two cells per axis, ``"bicubic"`` four.
      align_corners: Whether the centres of the corner cells of both maps coincide, rather than the maps'
        edges. With `antialias` too, where PyTorch displaces the corners.
      cubic_a: Parameter of the cubic kernel: PyTorch's -0.75, or Keys's -0.5, which is exact for parabolas.
      antialias: Whether the kernel is widened by n/m on an axis that shrinks, so that every cell counts.
      edges: What happens to the weights of cells outside the map: ``"clamp"`` adds them to the cell at the
        edge, ``"renormalize"`` drops them and divides by the sum of the others. The default is
        ``"renormalize"`` with `antialias`, else ``"clamp"``.

    Returns:
      ``(*batch, *shape, features)``, of x's dtype. A number that is not finite may spread to all
      outputs whose windows contain it, even with weight 0.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: The dtype of `x` does not fit the method, or a flag is not a boolean.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.3, for bilinear upsampling as a convolution;
      R. Keys, Cubic convolution interpolation for digital image processing, IEEE TASSP 29(6), 1981.

    >>> x = jnp.array([0.0, 4.0, 8.0]).reshape(3, 1)
    >>> resize(x, (6,)).ravel().tolist()
    [0.0, 0.0, 4.0, 4.0, 8.0, 8.0]
    >>> resize(x, (6,), "bilinear").ravel().tolist()
    [0.0, 1.0, 3.0, 5.0, 7.0, 8.0]
    >>> resize(x, (5,), "bilinear", align_corners=True).ravel().tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]

    A map of labels, which stay integers:

    >>> labels = jnp.array([[0, 7], [255, 3]], jnp.uint8)
    >>> print(resize(labels[..., None], (2, 4))[..., 0])
    [[  0   0   7   7]
     [255 255   3   3]]
    """
    x = exact_array("x", x)
    if method == "nearest":
        check_selectable("x", x)
    else:
        _check_weighted(x, method)
    _, spatial = split_spatial("x", x.shape, "shape", shape_of("shape", shape))
    spatial = shape_of("x.shape", spatial)
    return _resize_map(x, resizing(spatial, shape, method, align_corners, cubic_a, antialias, edges))


@partial(jax.jit, static_argnames="geometry")
def _resize_map(x: jax.Array, geometry: Resizing) -> jax.Array:
    """Resizes with all batch axes merged into one."""
    batch, features = x.shape[: -geometry.ndim - 1], x.shape[-1]
    x = x.reshape(math.prod(batch), *x.shape[len(batch) :])
    y = RESIZE.bind(x, geometry=geometry)
    return y.reshape(*batch, *y.shape[1:-1], features)


def _check_weighted(x: jax.Array, method: str) -> None:
    """Checks the dtype of a map that is multiplied by weights."""
    if jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == bool:
        raise TypeError(
            f"`x` must be floating or complex, got {x.dtype}: method={method!r} computes weighted means. "
            "Convert it, for example with x.astype(jnp.float32), or use method='nearest', which copies "
            "integers."
        )
    check_dtypes(x=x)
