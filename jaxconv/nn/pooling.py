"""Pooling and unpooling as layers, for networks that are lists of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import jax
from flax import nnx
from jax.typing import ArrayLike

from jaxconv.errors import GeometryError
from jaxconv.geometry import IntPerAxis, Padding
from jaxconv.geometry.arguments import flag, padding_per_axis, per_axis, shape_of
from jaxconv.operators import avg_pool, max_pool, pool_geometry, unpool
from jaxconv.operators.pooling.geometry import refuse_padding_mode


class _Options(TypedDict, total=False):
    """Arguments of both poolings; see `MaxPool`."""

    strides: IntPerAxis | None
    padding: Padding
    dilation: IntPerAxis
    ceil_mode: bool


class _Pool(nnx.Module):
    """What both poolings have: the windows' arguments, checked as far as they can be without a map."""

    _padding_alone = False  # whether a window may hold nothing but padding

    def __init__(
        self,
        window: Sequence[int],
        *,
        strides: IntPerAxis | None = None,
        padding: Padding = "VALID",
        dilation: IntPerAxis = 1,
        ceil_mode: bool = False,
    ) -> None:
        refuse_padding_mode(padding)
        self.window, self.strides, self.padding = shape_of("window", window), strides, padding
        self.dilation, self.ceil_mode = dilation, flag("ceil_mode", ceil_mode)
        g = pool_geometry(self._some_shape(), **self._options())
        for number, (axis, (low, _)) in enumerate(zip(g.axes, g.padding, strict=True)):
            if low >= axis.span and not self._padding_alone:
                raise GeometryError(
                    f"`padding` must be less than the {axis.span} cells of one window on each side, or the "
                    f"first window holds only padding; got {low} cells on axis {number}."
                )

    def _some_shape(self) -> tuple[int, ...]:
        """Returns a spatial shape that every padding leaves room on."""
        n = len(self.window)
        axes = zip(
            self.window,
            per_axis("dilation", self.dilation, n),
            padding_per_axis(self.padding, n),
            strict=True,
        )
        return tuple(
            d * (k - 1) + 1 + (0 if isinstance(pad, str) else sum(map(abs, pad))) for k, d, pad in axes
        )

    def _options(self) -> dict[str, Any]:
        names = ("window", "strides", "padding", "dilation", "ceil_mode")
        return {name: getattr(self, name) for name in names}


class MaxPool(_Pool):
    """`jaxconv.max_pool` as a layer.

    Args:
      window: Spatial shape of the windows; its length is N.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis; by default the shape of the window.
      padding: ``"VALID"``, ``"SAME"`` or another word (see `jaxconv.ConvGeometry`), an int, or per spatial
        axis an int or a ``(low, high)`` pair, in cells.
      dilation: Distance between neighbouring cells of one window, an int or one int per spatial axis; 1
        means adjacent.
      ceil_mode: Whether a last window that extends beyond the map counts; see `jaxconv.pool_geometry`.
      return_switches: Whether a call returns ``(maxima, switches)``, for `Unpool`; PyTorch has
        `return_indices`.

    Raises:
      GeometryError: No pooling has these numbers.
      TypeError: A size is not an integer, a flag is not a bool, or an option is unknown.

    >>> import jax.numpy as jnp
    >>> x = jnp.arange(6.0).reshape(6, 1)
    >>> y, switches = MaxPool((2,), return_switches=True)(x)
    >>> Unpool()(y, switches, (6,)).ravel().tolist()
    [0.0, 1.0, 0.0, 3.0, 0.0, 5.0]
    """

    def __init__(
        self, window: Sequence[int], *, return_switches: bool = False, **options: Unpack[_Options]
    ) -> None:
        super().__init__(window, **options)
        self.return_switches = flag("return_switches", return_switches)

    def __call__(self, x: ArrayLike) -> Any:  # a pair with `return_switches`
        """Returns the maxima of a map's windows, and their switches if asked for; see `jaxconv.max_pool`.

        Args:
          x: Feature map ``(*batch, *spatial, features)``.

        Returns:
          ``(*batch, *output_shape, features)``, or a pair of such arrays: maxima and switches.
        """
        return max_pool(x, return_switches=self.return_switches, **self._options())


class AvgPool(_Pool):
    """`jaxconv.avg_pool` as a layer.

    Args:
      window: Spatial shape of the windows; its length is N.
      strides: Distance between the starts of neighbouring windows, in cells, an int or one int per spatial
        axis; by default the shape of the window.
      padding: ``"VALID"``, ``"SAME"`` or another word (see `jaxconv.ConvGeometry`), an int, or per spatial
        axis an int or a ``(low, high)`` pair, in cells.
      dilation: Distance between neighbouring cells of one window, an int or one int per spatial axis; 1
        means adjacent.
      ceil_mode: Whether a last window that extends beyond the map counts; see `jaxconv.pool_geometry`.
      count_include_pad: Whether a mean counts the padding's zeros as cells.

    Raises:
      GeometryError: No pooling has these numbers.
      TypeError: A size is not an integer, a flag is not a bool, or an option is unknown.

    >>> import jax.numpy as jnp
    >>> AvgPool((2,))(jnp.arange(6.0).reshape(6, 1)).ravel().tolist()
    [0.5, 2.5, 4.5]
    """

    def __init__(
        self, window: Sequence[int], *, count_include_pad: bool = True, **options: Unpack[_Options]
    ) -> None:
        self.count_include_pad = self._padding_alone = flag("count_include_pad", count_include_pad)
        super().__init__(window, **options)

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Returns the means of a map's windows; see `jaxconv.avg_pool`.

        Args:
          x: Feature map ``(*batch, *spatial, features)``.

        Returns:
          Feature map ``(*batch, *output_shape, features)``.
        """
        return avg_pool(x, count_include_pad=self.count_include_pad, **self._options())


class Unpool(nnx.Module):
    """`jaxconv.unpool` as a layer: the transpose of the `MaxPool` that returned the switches.

    PyTorch has `MaxUnpool1d` to `MaxUnpool3d`.
    """

    def __call__(self, y: ArrayLike, switches: ArrayLike, input_shape: Sequence[int]) -> jax.Array:
        """Puts pooled values back where their switches point; see `jaxconv.unpool`.

        Args:
          y: Feature map ``(*batch, *spatial, features)``.
          switches: Which cell each value of `y` came from, as `MaxPool` returns them.
          input_shape: Spatial shape of the map that was pooled.

        Returns:
          Feature map ``(*batch, *input_shape, features)``, zero elsewhere.
        """
        return unpool(y, switches, input_shape)
