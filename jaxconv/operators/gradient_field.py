"""The input cells on which an output of any function depends, measured by its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import at_least_one, index_of_output, shape_of


def effective_receptive_field(
    function: Callable[[jax.Array], jax.Array],
    input_shape: Sequence[int],
    *,
    features: int,
    key: jax.Array,
    position: Sequence[int] | None = None,
    samples: int = 32,
    dtype: DTypeLike = jnp.float32,
) -> jax.Array:
    r"""Measures how much each input cell changes one output: the mean magnitude of its gradient.

    At every cell $q$ this is $\mathrm{mean}_x \sum_c | \partial \sum_j y_{p,j} / \partial x_{q,c} |$ over
    normally distributed inputs x. It can be nonzero only inside the receptive field of the output.

    Args:
      function: Maps ``(samples, *input_shape, features)`` to ``(samples, *output_shape, any)``, each sample
        independently of the others; for example a flax.nnx model.
      input_shape: Spatial shape of the input of `function`, a tuple of N ints.
      features: Number of features of the input.
      key: JAX random key for the inputs.
      position: Index $p$ of the output, one int per spatial axis; by default the central one.
      samples: Number of random inputs, over which the mean is taken.
      dtype: Dtype of the inputs, real floating.

    Returns:
      Mean magnitudes of the gradient, not negative: an array of shape `input_shape` and of `dtype`.

    Raises:
      GeometryError: The result of `function` is not a feature map, or has no output at `position`.
      TypeError: `dtype` is not real and floating.

    References:
      Luo, Li, Urtasun & Zemel, arXiv:1701.04128.

    A box filter uses all its cells equally; two of them use the central cell most:

    >>> from jaxconv import conv
    >>> box = lambda x: conv(x, jnp.ones((3, 1, 1), x.dtype), padding=1)
    >>> measure = lambda f: effective_receptive_field(f, (7,), features=1, key=jax.random.key(0))
    >>> measure(box).tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    >>> measure(lambda x: box(box(x))).tolist()
    [0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0]
    """
    shape = shape_of("input_shape", input_shape)
    batch = at_least_one("samples", samples)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(
            f"`dtype` must be real and floating, so that there is a gradient; got {jnp.dtype(dtype)}."
        )
    x = jax.random.normal(key, (batch, *shape, at_least_one("features", features)), dtype)
    output_shape = jnp.shape(jax.eval_shape(function, x))
    if len(output_shape) != x.ndim or output_shape[0] != batch:
        wanted = ", ".join([str(batch), *("output size",) * len(shape), "features"])
        raise GeometryError(
            f"`function` must return a feature map ({wanted}) for an input of shape {x.shape}, got "
            f"{output_shape}."
        )
    spatial = output_shape[1:-1]
    index = tuple(n // 2 for n in spatial)
    if position is not None:
        index = index_of_output("position", position, spatial)

    def output(x: jax.Array) -> jax.Array:
        return function(x)[(slice(None), *index)].sum()  # samples do not depend on each other

    return jax.jit(lambda x: abs(jax.grad(output)(x)).sum(-1).mean(0))(x)
