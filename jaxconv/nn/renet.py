"""The ReNet layer: recurrent sweeps over rows and columns instead of a convolution."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from jaxconv.core.checks import ArrayOrList, as_array, check_map, check_option, split_map
from jaxconv.geometry import IntPerAxis
from jaxconv.geometry.arguments import at_least_one, per_axis
from jaxconv.nn.cells import CellName
from jaxconv.nn.recurrent import BidirectionalSweep, Variant
from jaxconv.operators import space_to_depth

Direction = Literal["vertical", "horizontal"]
AXES: dict[str, int] = {"vertical": -3, "horizontal": -2}


class ReNet(nnx.Module):
    """Sweeps over a map of patches, both ways along one spatial axis and then both ways along the other.

    After the first two sweeps an output depends on its own column (or row), after the others on the
    whole map.

    A map is cut into patches that do not overlap, and every patch becomes one position; a map that does
    not consist of whole patches is padded with zeros at its end.

    Args:
      in_features: Number of features of the input.
      units: Number of features of each direction.
      patch: Rows and columns of a patch, an int or a pair of ints.
      cell: Recurrent cell: ``"gru"``, ``"lstm"`` or ``"tanh"``; see `jaxconv.nn.sweep`.
      variant: ``"paper"``: vertically first, the directions independent. ``"released"``, as in ReSeg's
        published code: horizontally first, and each backward sweep reads what the forward sweep returned.
      first: Axis of the first sweeps, ``"vertical"`` or ``"horizontal"``; by default the variant's.
      param_dtype: Dtype of the parameters.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: A size is below 1, or `cell`, `variant` or `first` is unknown.
      TypeError: A size is not an integer, or `param_dtype` is neither floating nor complex.

    References:
      Visin et al., ReNet, arXiv:1505.00393; Visin et al., ReSeg, arXiv:1511.07053.

    >>> layer = ReNet(3, 8, patch=(2, 3), rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((5, 8, 10, 3), jnp.float32)).shape
    (5, 4, 4, 16)
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        patch: IntPerAxis = (1, 1),
        cell: CellName = "gru",
        variant: Variant = "paper",
        first: Direction | None = None,
        param_dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        check_option("variant", variant, ("paper", "released"))
        first = first or ("vertical" if variant == "paper" else "horizontal")
        check_option("first", first, tuple(AXES))
        self.patch = per_axis("patch", patch, 2)
        self.in_features, units = at_least_one("in_features", in_features), at_least_one("units", units)
        self.axes = tuple(sorted(AXES.values(), key=lambda axis: axis != AXES[first]))
        rows, columns = self.patch
        self.sweeps = nnx.List(
            BidirectionalSweep(width, units, cell=cell, variant=variant, param_dtype=param_dtype, rngs=rngs)
            for width in (rows * columns * in_features, 2 * units)
        )

    def __call__(self, x: ArrayOrList) -> jax.Array:
        """Runs the four sweeps.

        Args:
          x: Feature map ``(*batch, rows, columns, in_features)``.

        Returns:
          ``(*batch, rows / patch rows, columns / patch columns, 2 * units)``, sizes rounded up.

        Raises:
          GeometryError: `x` has other features or too few axes.
          TypeError: `x` has another dtype than the parameters.
        """
        x = as_array("x", x)
        batch, spatial = split_map("x", x.shape, 2, "`patch`")
        check_map("x", x.shape, spatial, self.in_features)
        missing = [(0, -size % cells) for size, cells in zip(spatial, self.patch, strict=True)]
        x = space_to_depth(jnp.pad(x, [(0, 0)] * len(batch) + [*missing, (0, 0)]), self.patch)
        for axis, sweep in zip(self.axes, self.sweeps, strict=True):
            x = sweep(x, axis)
        return x
