"""The ReNet layer: recurrent sweeps over rows and columns in the place of a convolution."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import ArrayLike, DTypeLike

from jaxconv.core.checks import check_option, split_map
from jaxconv.geometry.arguments import per_axis
from jaxconv.nn.cells import CellName
from jaxconv.nn.recurrent import BidirectionalSweep, Variant
from jaxconv.operators import space_to_depth

Direction = Literal["vertical", "horizontal"]
AXES: dict[str, int] = {"vertical": -3, "horizontal": -2}


class ReNet(nnx.Module):
    """Sweeps over a map of patches, both ways along one axis and then both ways along the other.

    After the first sweep a cell has seen its own column (or row), after the second the whole map.

    A map is cut into patches that do not overlap; one that does not consist of whole patches is
    padded with zeros at its end. Every patch becomes one cell.

    Args:
      in_features: Features of the input.
      units: Features of each direction.
      patch: Rows and columns of a patch.
      cell: See `jaxconv.nn.sweep`.
      variant: ``"paper"``: vertically first, the directions independent. ``"released"``, the published
        code of ReSeg: horizontally first, and each backward sweep reads what the forward sweep returned.
      first: Along which axis first, in the place of the variant's.
      param_dtype: Of the parameters.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: An empty patch, no unit, or no such cell, variant or axis.

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
        patch: tuple[int, int] = (1, 1),
        cell: CellName = "gru",
        variant: Variant = "paper",
        first: Direction | None = None,
        param_dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        check_option("variant", variant, ("paper", "released"))
        first = first or ("vertical" if variant == "paper" else "horizontal")
        check_option("first", first, tuple(AXES))
        self.patch = per_axis("patch", patch, 2)
        self.axes = tuple(sorted(AXES.values(), key=lambda axis: axis != AXES[first]))
        rows, columns = self.patch
        self.sweeps = nnx.List(
            BidirectionalSweep(width, units, cell=cell, variant=variant, param_dtype=param_dtype, rngs=rngs)
            for width in (rows * columns * in_features, 2 * units)
        )

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Sweeps.

        Args:
          x: ``(*batch, rows, columns, in_features)``.

        Returns:
          ``(*batch, rows / patch rows, columns / patch columns, 2 * units)``, rounded up.

        Raises:
          GeometryError: `x` has other features, or too few axes.
          TypeError: `x` has another dtype than the parameters.
        """
        x = jnp.asarray(x)
        batch, spatial = split_map("x", x.shape, 2, "`patch`")
        missing = [(0, -size % cells) for size, cells in zip(spatial, self.patch, strict=True)]
        x = space_to_depth(jnp.pad(x, [(0, 0)] * len(batch) + [*missing, (0, 0)]), self.patch)
        for axis, sweep in zip(self.axes, self.sweeps, strict=True):
            x = sweep(x, axis)
        return x
