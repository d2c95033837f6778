r"""Rewriting a convolution as another one that is faster.

A rewriting consists of three linear functions, which take the map, the kernel and the output into the
other convolution: $B\,C(k)\,x = C'(K k)\,A x$, where $B$ only rearranges. The transpose and the kernel's
gradient follow: they are those of the other convolution, between these functions and their transposes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxconv.convolution.formulations.formulation import Formulation
from jaxconv.core.linear_primitives import linear_transpose
from jaxconv.geometry import ConvGeometry

ArrayMap = Callable[[jax.Array, ConvGeometry], jax.Array]


class Rewriting(NamedTuple):
    """A convolution as another one; every function is called with the geometry of the first.

    Attributes:
      geometry: Returns the geometry of the other convolution.
      x: $A$, maps the input.
      kernel: $K$, maps the kernel.
      y: $B$, maps the output.
    """

    geometry: Callable[[ConvGeometry], ConvGeometry]
    x: ArrayMap
    kernel: ArrayMap
    y: ArrayMap


def rewritten_conv(rule: Rewriting, inner: Formulation) -> Formulation:
    """Makes a formulation of ``conv`` from one of the convolution that a rewriting leads to."""

    def conv(x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike) -> jax.Array:
        y = inner(rule.x(x, g), rule.kernel(kernel, g), rule.geometry(g), precision)
        shape = (x.shape[0], *g.output_shape, g.out_features)
        return linear_transpose(lambda y: rule.y(y, g), shape, y)  # B's transpose is its inverse

    return conv


def rewritten_conv_transpose(rule: Rewriting, inner: Formulation) -> Formulation:
    """Makes a formulation of ``conv_transpose`` from one of the convolution that a rewriting leads to."""

    def conv_transpose(
        y: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        x = inner(rule.y(y, g), rule.kernel(kernel, g), rule.geometry(g), precision)
        shape = (y.shape[0], *g.input_shape, g.in_features)
        return linear_transpose(lambda x: rule.x(x, g), shape, x)

    return conv_transpose


def rewritten_conv_kernel_vjp(rule: Rewriting, inner: Formulation) -> Formulation:
    """Makes a formulation of ``conv_kernel_vjp`` from one of the convolution that a rewriting leads to."""

    def conv_kernel_vjp(
        x: jax.Array, y: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        kernel = inner(rule.x(x, g), rule.y(y, g), rule.geometry(g), precision)
        return linear_transpose(lambda kernel: rule.kernel(kernel, g), g.kernel_array_shape, kernel)

    return conv_kernel_vjp
