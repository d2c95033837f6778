"""An operator beside every straightforward way to the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

JNP_SLICES = "jnp: slices"


@dataclass(frozen=True)
class OperatorCase:
    """One call and its peers: functions of the feature map `x` and of `constants`.

    Attributes:
      name: Of the row.
      shape: Of x, channels-last.
      ours: The library's call.
      peers: By ``"library: way"``.
      constants: Further arguments, made from the case, such as switches.
      torch: Of ``torch.nn.functional`` and x in PyTorch's layout; None where it has none.
      torch_agrees: Whether PyTorch's numbers are the same and in the same order.
      gradient: Whether to measure the gradient in x too.
      terms: Rounding errors that add up in a number, at most; see `check_agreement`.
      arranged: For a peer whose result has another order of features: puts it into ours.
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
    arranged: dict[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)


def slices(x, window, strides, dilation=None) -> list[jax.Array]:
    """What a reader would write: a strided view for every tap."""
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


def outputs(shape, window, strides) -> list[int]:
    """Positions of the windows that fit, one number an axis."""
    return [(i - k) // s + 1 for i, k, s in zip(shape[1:-1], window, strides, strict=True)]
