"""What `identify` returns: a `Convolution` that also says how it was found and what else fits."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from jaxconv.geometry import ConvGeometry
from jaxconv.interop.layer import Convolution


@dataclass(frozen=True, eq=False)
class Alternative:
    """Another convolution that is the same function at the size that was examined.

    Attributes:
      layer: The convolution, with its kernel.
      deciding_shape: Spatial input shape at which it differs from the answer.
    """

    layer: Convolution
    deciding_shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Identification:
    """How a convolution was recovered from a function.

    Attributes:
      input_shape: Spatial shape of the maps with which the function was called.
      geometry: Geometry of the forward convolution at that size.
      alternatives: Other convolutions that are the same function at that size, the simplest first. A
        strided one has several: the last input cells that no window reaches may be padding or not.
      notes: What that size cannot show, and what is the same at every size, in words.
      calls: Number of calls of the function.
      maps: Number of maps in these calls.
      error: Largest difference between the function and the convolution on random maps, as a share of the
        largest result.
    """

    input_shape: tuple[int, ...]
    geometry: ConvGeometry
    alternatives: tuple[Alternative, ...]
    notes: tuple[str, ...]
    calls: int
    maps: int
    error: float


@jax.tree_util.register_pytree_node_class
class IdentifiedConvolution(Convolution):
    """A `Convolution` recovered from a function.

    Attributes:
      identification: How it was found and what else fits; None for a layer that was made from this one,
        as by `dataclasses.replace` or `jax.tree.map`.
    """

    identification: Identification | None = None


def identified(layer: Convolution, identification: Identification) -> IdentifiedConvolution:
    """Returns a layer together with how it was found."""
    result = object.__new__(IdentifiedConvolution)
    for name, value in {**vars(layer), "identification": identification}.items():
        object.__setattr__(result, name, value)
    return result
