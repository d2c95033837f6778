"""Which input cells an output of any function sees, by its gradient."""

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
    r"""How much each input cell moves one output: the mean magnitude of its gradient.

    $\mathrm{mean}_x \sum_c | \partial \sum_j y_{p,j} / \partial x_{q,c} |$ at every cell $q$, over
    normally distributed inputs. The theoretical field says which of these can be other than 0.

    Args:
      function: ``(samples, *input_shape, features)`` to ``(samples, *output_shape, any)``, such as a
        flax.nnx model; it treats samples one by one.
      input_shape: Spatial shape of its input.
      features: Of its input.
      key: Of the random inputs.
      position: Index $p$ of the output; the central one by default.
      samples: Inputs that the mean is over.
      dtype: Of the inputs.

    Returns:
      An array of `input_shape`.

    Raises:
      GeometryError: The function's result is no such map, or has no such position.
      TypeError: `dtype` is not real and floating.

    References:
      Luo, Li, Urtasun & Zemel, arXiv:1701.04128.

    A box filter uses all cells alike, and two of them the central one most:

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
        raise TypeError(f"`dtype` must be real and floating, to have a gradient; got {jnp.dtype(dtype)}.")
    x = jax.random.normal(key, (batch, *shape, at_least_one("features", features)), dtype)
    found = jnp.shape(jax.eval_shape(function, x))
    if len(found) != x.ndim or found[0] != batch:
        wanted = ", ".join([str(batch), *("output size",) * len(shape), "features"])
        raise GeometryError(f"`function` must return a feature map ({wanted}), got {found}.")
    middle = tuple(n // 2 for n in found[1:-1])
    index = middle if position is None else index_of_output("position", position, found[1:-1])

    def output(x: jax.Array) -> jax.Array:
        return function(x)[(slice(None), *index)].sum()  # of all samples: each has a gradient of its own

    return jax.jit(lambda x: abs(jax.grad(output)(x)).sum(-1).mean(0))(x)
