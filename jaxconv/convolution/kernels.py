"""What the transpose does to a kernel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import at_least_one


def transposed_kernel(kernel: ArrayLike, feature_group_count: int = 1) -> jax.Array:
    """The kernel of the equivalent direct convolution: flipped, features swapped inside each group.

    The guide says ``k' = k`` of its size only; its values are flipped on every spatial axis.

    Args:
      kernel: ``(*kernel_shape, in // groups, out)`` of the forward convolution.
      feature_group_count: Groups.

    Returns:
      ``(*kernel_shape, out // groups, in)``.

    Raises:
      GeometryError: The kernel has no spatial axis, or groups do not divide its features.

    >>> transposed_kernel(jnp.arange(6.0).reshape(3, 1, 2)).tolist()
    [[[4.0], [5.0]], [[2.0], [3.0]], [[0.0], [1.0]]]
    """
    kernel = jnp.asarray(kernel)
    n = kernel.ndim - 2
    if n < 1:
        raise GeometryError(f"a kernel is (*kernel_shape, in // groups, out), got shape {kernel.shape}.")
    feature_group_count = at_least_one("feature_group_count", feature_group_count)
    if kernel.shape[-1] % feature_group_count:
        raise GeometryError(
            f"out_features={kernel.shape[-1]} is not divisible by feature_group_count={feature_group_count}."
        )
    *taps, inputs, outputs = kernel.shape
    grouped = kernel.reshape(*taps, inputs, feature_group_count, outputs // feature_group_count)
    swapped = jnp.flip(grouped, range(n)).swapaxes(n, n + 2)
    return swapped.reshape(*taps, outputs // feature_group_count, feature_group_count * inputs)
