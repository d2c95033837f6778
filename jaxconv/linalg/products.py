"""Singular triplets of any C from its products with feature maps."""

from __future__ import annotations

import jax

from jaxconv.convolution import conv, conv_transpose
from jaxconv.geometry import ConvGeometry
from jaxconv.linalg.golub_kahan import Product, Triplets, largest_triplets
from jaxconv.linalg.starts import start_vector


def products(kernel: jax.Array, g: ConvGeometry) -> tuple[Product, Product]:
    """Returns functions that multiply flat vectors by C and by its adjoint."""

    def forward(x: jax.Array) -> jax.Array:
        x = x.reshape(*g.input_shape, g.in_features)
        return conv(x, kernel, geometry=g, precision="highest").ravel()

    def adjoint(y: jax.Array) -> jax.Array:
        y = y.conj().reshape(*g.output_shape, g.out_features)
        return conv_transpose(y, kernel, geometry=g, precision="highest").ravel().conj()

    return forward, adjoint


def largest(
    kernel: jax.Array,
    g: ConvGeometry,
    *,
    k: int,
    steps: int,
    size: int,
    again: bool = False,
    start: jax.Array | None = None,
) -> Triplets:
    """Computes the `k` largest singular triplets of C.

    Args:
      kernel: The kernel.
      g: Its geometry.
      k: Number of singular values.
      steps: Most products with C, and with its adjoint.
      size: Number of vectors to keep; as many as the smaller side of C has are enough.
      again: Whether to look for singular values that occur several times.
      start: First vector, on the side of the inputs; by default a random one, the same at every call.
    """
    forward, adjoint = products(kernel, g)
    rows, columns = g.matrix_shape
    wide = columns > rows  # grow V on the smaller side, where it can span everything
    if start is None:
        start = start_vector(0, min(rows, columns), kernel.dtype)
    elif wide:
        start = forward(start)
    if wide:
        forward, adjoint = adjoint, forward
    size = min(size, rows, columns)
    found = largest_triplets(forward, adjoint, start, k=k, size=size, steps=steps, again=again)
    return Triplets(found.values, found.right, found.left) if wide else found
