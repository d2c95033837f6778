"""Pooling and unpooling as layers, for networks that are lists of layers."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from flax import nnx

from jaxconv.arguments import Ints, Padding
from jaxconv.pooling import avg_pool, max_pool, unpool


class _Pool(nnx.Module):
    """The windows' arguments, which the functions check when they meet a map."""

    def __init__(
        self,
        window: Sequence[int],
        *,
        strides: Ints | None = None,
        padding: Padding = "VALID",
        dilation: Ints = 1,
        ceil_mode: bool = False,
    ):
        self.window, self.strides, self.padding = window, strides, padding
        self.dilation, self.ceil_mode = dilation, ceil_mode

    def _options(self) -> dict:
        names = ("window", "strides", "padding", "dilation", "ceil_mode")
        return {name: getattr(self, name) for name in names}


class MaxPool(_Pool):
    """`jaxconv.max_pool` as a layer.

    Args:
      window: As in `jaxconv.max_pool`, as the others.
      strides: Likewise.
      padding: Likewise.
      dilation: Likewise.
      ceil_mode: Likewise.
      return_switches: Whether a call returns ``(maxima, switches)``, for `Unpool`.

    >>> import jax.numpy as jnp
    >>> x = jnp.arange(6.0).reshape(6, 1)
    >>> y, switches = MaxPool((2,), return_switches=True)(x)
    >>> Unpool()(y, switches, (6,)).ravel().tolist()
    [0.0, 1.0, 0.0, 3.0, 0.0, 5.0]
    """

    def __init__(self, window: Sequence[int], *, return_switches: bool = False, **options):
        super().__init__(window, **options)
        self.return_switches = return_switches

    def __call__(self, x: jax.Array):
        """``(*batch, *spatial, features)`` to ``(*batch, *output_shape, features)``."""
        return max_pool(x, return_switches=self.return_switches, **self._options())


class AvgPool(_Pool):
    """`jaxconv.avg_pool` as a layer.

    Args:
      window: As in `jaxconv.avg_pool`, as the others.
      strides: Likewise.
      padding: Likewise.
      dilation: Likewise.
      ceil_mode: Likewise.
      count_include_pad: Likewise.

    >>> import jax.numpy as jnp
    >>> AvgPool((2,))(jnp.arange(6.0).reshape(6, 1)).ravel().tolist()
    [0.5, 2.5, 4.5]
    """

    def __init__(self, window: Sequence[int], *, count_include_pad: bool = True, **options):
        super().__init__(window, **options)
        self.count_include_pad = count_include_pad

    def __call__(self, x: jax.Array) -> jax.Array:
        """``(*batch, *spatial, features)`` to ``(*batch, *output_shape, features)``."""
        return avg_pool(x, count_include_pad=self.count_include_pad, **self._options())


class Unpool(nnx.Module):
    """`jaxconv.unpool` as a layer: the transpose of the `MaxPool` that returned the switches."""

    def __call__(self, y: jax.Array, switches: jax.Array, input_shape: Sequence[int]) -> jax.Array:
        """``(*batch, *spatial, features)`` to ``(*batch, *input_shape, features)``."""
        return unpool(y, switches, input_shape)
