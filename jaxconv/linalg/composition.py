r"""Products of C with others and with itself: several convolutions as one, and $C C^H$ as a convolution."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import jax

from jaxconv.core.checks import ArrayOrList, check_option
from jaxconv.core.kernels import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.composition import compose
from jaxconv.linalg.arguments import checked_kernel
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
    (``"FULL"`` with stride 1); block-circulant matrices with stride 1 have both. Elsewhere the borders
    differ. The eigenvalues are the squares of the singular values of C.

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

    >>> kernel = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> rows = gram(kernel, ConvGeometry((6,), (3,)))
    >>> print(rows.kernel.ravel(), rows.geometry.padding)
    [ 3.  8. 14.  8.  3.] ((2, 2),)
    >>> print(gram(kernel, ConvGeometry((7,), (3,), strides=2)).kernel.ravel())
    [ 3. 14.  3.]
    """
    check_option("side", side, get_args(Side))
    g = geometry
    kernel = checked_kernel(kernel, g)
    if g.padding_mode == "circular":
        first, k1 = _circular_adjoint(g), kernel
    try:
        adjoint = g.equivalent_direct()
        pair = (adjoint, g) if side == "rows" else (g, adjoint)
        product = compose(*pair)
    except GeometryError as error:
        name = "C C-transposed" if side == "rows" else "C-transposed C"
        raise GeometryError(f"{name} is not a convolution: {error}") from None
    flipped = transposed_kernel(kernel, g.feature_group_count).conj()
    kernels = (flipped, kernel) if side == "rows" else (kernel, flipped)
    return Gram(compose_kernels(*kernels, *pair), product)
