"""An operator and every straightforward way to the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

JNP_SLICES = "jnp: slices"


@dataclass(frozen=True)
class OperatorCase:
    """One call and its peers, which are functions of the feature map `x` and of `constants`.

    Attributes:
      name: Name of the row.
      shape: Shape of x, channels-last.
      ours: The call of jaxconv.
      peers: The calls of peers by ``"library: way"``.
      constants: Makes further arguments from x, such as switches.
      torch: The call of PyTorch, a function of ``torch.nn.functional`` and x in PyTorch's layout; None if it
        has none.
      torch_agrees: Whether PyTorch gives the same numbers in the same order.
      gradient: Whether to measure the gradient in x too.
      terms: Upper bound of the rounding errors that add up in a number; see `check_agreement`.
      reorder: For a peer whose result has another order of features, converts it to that of jaxconv.
    """

    name: str
    shape: tuple[int, ...]
    ours: Callable[..., Any]
    peers: dict[str, Callable[..., Any]]
    constants: Callable[[jax.Array], tuple] = lambda x: ()
    torch: Callable[[Any, Any], Any] | None = None
    torch_agrees: bool = True
    gradient: bool = True
    terms: int = 64
    reorder: dict[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)


def slices(
    x: jax.Array, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int] | None = None
) -> list[jax.Array]:
    """Returns a strided view for every tap, the straightforward way in jnp."""
    n = len(window)
    dilation = dilation or (1,) * n
    sizes = [
        (i - d * (k - 1) - 1) // s + 1
        for i, k, s, d in zip(x.shape[1:-1], window, strides, dilation, strict=True)
    ]
    return [
        x[
            (
                slice(None),
                *(
                    slice(t * d, t * d + (o - 1) * s + 1, s)
                    for t, d, o, s in zip(taps, dilation, sizes, strides, strict=True)
                ),
            )
        ]
        for taps in np.ndindex(*window)
    ]


def outputs(shape: Sequence[int], window: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Returns the number of windows that fit, per axis."""
    return [(i - k) // s + 1 for i, k, s in zip(shape[1:-1], window, strides, strict=True)]
