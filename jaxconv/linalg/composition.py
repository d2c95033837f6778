r"""Products of C with others and with itself: several convolutions as one, and $C C^H$ as a convolution."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import jax

from jaxconv.core.checks import ArrayOrList, check_option
from jaxconv.core.kernels import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.composition import border_outputs, compose
from jaxconv.linalg.arguments import checked_kernel
from jaxconv.linalg.circulant import is_circulant
from jaxconv.matrix.composition import compose_kernels

__all__ = ["Gram", "Side", "compose", "compose_kernels", "gram"]

Side = Literal["rows", "columns"]


class Gram(NamedTuple):
    """The convolution whose matrix is the product of C and its adjoint.

    Attributes:
      kernel: Kernel of the convolution.
      geometry: Geometry of the convolution; it takes maps to maps of the same shape.
    """

    kernel: jax.Array
    geometry: ConvGeometry


def gram(kernel: ArrayOrList, geometry: ConvGeometry, side: Side = "rows") -> Gram:
    r"""Returns the convolution whose matrix is $C C^H$, or $C^H C$, where there is one.

    Its kernel is the autocorrelation of `kernel`, which the stride of C samples. $C C^H$ is a convolution if
    no window leaves the map (``"VALID"``), and $C^H C$ is one if every window that meets the input exists
    (``"FULL"`` with stride 1); of a block-circulant matrix, $C C^H$ is one for every stride and $C^H C$
    for stride 1. Elsewhere the borders differ. The eigenvalues are the squares of the singular values of C.

    Args:
      kernel: Kernel of shape ``(*kernel_shape, in_features // groups, out_features)``, floating or complex.
      geometry: Geometry of the convolution.
      side: ``"rows"`` for $C C^H$, which takes maps of the output, ``"columns"`` for $C^H C$, which takes
        maps of the input.

    Returns:
      ``(kernel, geometry)`` of the product.

    Raises:
      GeometryError: The product is not a convolution; the message names the axis and the border. Or the
        kernel's shape contradicts the geometry, or `side` is another word.
      TypeError: The kernel is not floating or complex, or `geometry` is not a `ConvGeometry`.

    >>> import jax.numpy as jnp
    >>> kernel = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> rows = gram(kernel, ConvGeometry((6,), (3,)))
    >>> print(rows.kernel.ravel(), rows.geometry.padding)
    [ 3.  8. 14.  8.  3.] ((2, 2),)
    >>> print(gram(kernel, ConvGeometry((7,), (3,), strides=2)).kernel.ravel())
    [ 3. 14.  3.]
    """
    check_option("side", side, get_args(Side))
    kernel = checked_kernel(kernel, geometry)
    if geometry.padding_mode == "circular" and is_circulant(geometry):
        if side == "rows" or max(geometry.strides) == 1:
            return _circular_gram(kernel, geometry, side)
    if not any(border_outputs(axis).size for axis in geometry.axes):
        geometry = replace(geometry, padding_mode="zeros")  # no window leaves the map
    try:
        return _zero_padded_gram(kernel, geometry, side)
    except GeometryError as error:
        product = "C C-transposed" if side == "rows" else "C-transposed C"
        reason = str(error).partition("is not one convolution: ")[2] or str(error)
        raise GeometryError(f"{product} is not a convolution: {reason}") from None


def _zero_padded_gram(kernel: jax.Array, g: ConvGeometry, side: Side) -> Gram:
    adjoint = g.equivalent_direct()
    flipped = transposed_kernel(kernel, g.feature_group_count).conj()
    if side == "rows":
        return Gram(compose_kernels(flipped, kernel, adjoint, g), compose(adjoint, g))
    return Gram(compose_kernels(kernel, flipped, g, adjoint), compose(g, adjoint))


def _circular_gram(kernel: jax.Array, g: ConvGeometry, side: Side) -> Gram:
    """Wraps around what the product is where nothing wraps."""
    shape, padding = g.input_shape, tuple((axis.span - 1, axis.span - 1) for axis in g.axes)
    if side == "rows":  # a map that the windows of C fill
        shape = tuple((axis.out_size - 1) * axis.stride + axis.span for axis in g.axes)
        padding = ((0, 0),) * g.ndim
    kernel, endless = _zero_padded_gram(
        kernel, replace(g, input_shape=shape, padding=padding, padding_mode="zeros"), side
    )
    return Gram(kernel, replace(endless, padding_mode="circular"))
