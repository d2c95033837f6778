"""The kernel of the transpose as a convolution."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxconv.core.checks import ArrayOrList, as_array
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import at_least_one


def transposed_kernel(kernel: ArrayOrList, feature_group_count: int = 1) -> jax.Array:
    """Returns the kernel of the equivalent direct convolution: flipped, features swapped inside each group.

    Where Dumoulin & Visin, arXiv:1603.07285, write ``k' = k``, they mean its size; the values are flipped
    along every spatial axis.

    Args:
      kernel: Kernel of the forward convolution, ``(*kernel_shape, in_features // groups, out_features)``.
      feature_group_count: Number of groups of the forward convolution.

    Returns:
      Kernel ``(*kernel_shape, out_features // groups, in_features)``.

    Raises:
      GeometryError: The kernel has fewer than three axes, or groups do not divide its features.

    >>> transposed_kernel(jnp.arange(6.0).reshape(3, 1, 2)).tolist()
    [[[4.0], [5.0]], [[2.0], [3.0]], [[0.0], [1.0]]]
    """
    kernel = as_array("kernel", kernel)
    n = kernel.ndim - 2
    if n < 1:
        raise GeometryError(
            "`kernel` must be (*kernel_shape, in_features // groups, out_features) with at least one spatial "
            f"axis, got the shape {kernel.shape}."
        )
    feature_group_count = at_least_one("feature_group_count", feature_group_count)
    if kernel.shape[-1] % feature_group_count:
        raise GeometryError(
            f"`kernel` has {kernel.shape[-1]} output features on its last axis, which must be divisible by "
            f"feature_group_count={feature_group_count}."
        )
    *taps, inputs, outputs = kernel.shape
    grouped = kernel.reshape(*taps, inputs, feature_group_count, outputs // feature_group_count)
    swapped = jnp.flip(grouped, range(n)).swapaxes(n, n + 2)
    return swapped.reshape(*taps, outputs // feature_group_count, feature_group_count * inputs)
