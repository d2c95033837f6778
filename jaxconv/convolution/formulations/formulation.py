"""What a formulation is: a function of two arrays and a geometry."""

from __future__ import annotations

from typing import Protocol

import jax

from jaxconv.geometry import ConvGeometry


class Formulation(Protocol):
    """Computes one of ``conv`` (x, kernel), ``conv_transpose`` (y, kernel), ``conv_kernel_vjp`` (x, y).

    Operands have one dtype and one batch axis: ``x: (N, *input_shape, in)``,
    ``kernel: (*kernel_shape, in // groups, out)``, ``y: (N, *output_shape, out)``. The geometry is
    zero-padded. The result is the third of the three.
    """

    def __call__(
        self, a: jax.Array, b: jax.Array, /, g: ConvGeometry, precision: jax.lax.PrecisionLike
    ) -> jax.Array:
        """Computes it."""
