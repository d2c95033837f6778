"""Is a function linear, apart from a bias, and does it return the same when it is called again?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxconv.errors import GeometryError, OptionError
from jaxconv.interop.identification.box import Box


@dataclass(frozen=True)
class Samples:
    """Random maps and the results of the linear part of a function.

    Attributes:
      maps: Maps ``(batch, *input_shape, in_features)``.
      results: Results ``(batch, *output_shape, out_features)``, without the bias.
      bias: Bias ``(out_features,)``, or None.
      rtol: Largest rounding error of a result, as a share of the largest one.
    """

    maps: np.ndarray
    results: np.ndarray
    bias: np.ndarray | None
    rtol: float

    @property
    def height(self) -> float:
        """A power of 2 for impulses, so large that subtracting the bias costs no digits of the results."""
        largest = abs(self.results).max()
        if self.bias is None or largest == 0 or self.maps.dtype.itemsize < 4:
            return 1.0
        ratio = float(abs(self.bias).max() / largest)
        return 2.0 ** min(max(math.ceil(math.log2(ratio)) + 10, 0), 40) if ratio else 1.0


def relative_tolerance(dtype: Any) -> float:
    """Returns the rounding error of a sum, as a share of the largest one.

    Sums of half-precision numbers are taken in float32 and rounded once.

    >>> relative_tolerance("float32") < 1e-5 < relative_tolerance("bfloat16")
    True
    """
    eps = float(jnp.finfo(dtype).eps)
    return 64 * eps if eps < 1e-4 else 4 * eps


def samples(box: Box, rng: np.random.Generator, rtol: float | None) -> Samples:
    """Calls a function twice with the same maps and checks that it is linear.

    Args:
      box: The function.
      rng: Random generator of the maps.
      rtol: Largest error, as a share of the largest result; by default that of the dtypes.

    Raises:
      GeometryError: It is not linear, or adds different numbers at different positions.
      OptionError: It returns something else when it is called again.
    """
    x, z = random_maps(box, rng, 2)
    a, b = (0.75, -1.25j) if np.iscomplexobj(x) else (0.75, -1.25)  # exact in every dtype
    maps = np.stack([0 * x, x, z, a * x + b * z]).astype(box.dtype)
    y = box(maps)
    again = box(maps[::-1])[::-1]
    share = rtol or max(map(relative_tolerance, (box.dtype, box.out_dtype)))
    y, again = y.astype(wide(y.dtype)), again.astype(wide(y.dtype))
    tolerance = share * max(abs(y).max(), np.finfo(np.float32).tiny)
    if (gap := abs(y - again)).max() > tolerance:
        raise OptionError(
            f"`f` must return the same for the same maps: its results differ by {gap.max():.3g} when it is "
            "called again. Does it draw random numbers, or mix the maps of a batch? A layer with dropout or "
            "batch normalization must be in evaluation mode."
        )
    offset = y[0]
    linear = y[1:] - offset
    gap = abs(linear[2] - (a * linear[0] + b * linear[1]))
    if gap.max() > 4 * tolerance:
        where = np.unravel_index(int((gap > 4 * tolerance).argmax()), gap.shape)
        raise GeometryError(
            f"`f` is not linear: for x, z and {a} x - {-b} z, its outputs at {position(where)} do not add "
            f"up; they miss by {gap[where]:.3g} where the largest result is {abs(y).max():.3g}."
        )
    return Samples(maps[1:3], linear[:2], _bias(offset, tolerance), share)


def random_maps(box: Box, rng: np.random.Generator, count: int) -> np.ndarray:
    """Draws maps whose numbers have magnitudes from 0.5 to 1.5, in the dtype of the function."""
    return generic(rng, (count, *box.input_shape, box.in_features), box.dtype)


def generic(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Draws numbers with magnitudes from 0.5 to 1.5 and random signs, or random phases."""
    magnitude = rng.uniform(0.5, 1.5, shape)
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return (magnitude * np.exp(2j * np.pi * rng.uniform(size=shape))).astype(dtype)
    return (magnitude * rng.choice([-1.0, 1.0], shape)).astype(dtype)


def wide(dtype: Any) -> Any:
    """Returns the dtype in which results are compared: float64, or complex128."""
    return np.complex128 if jnp.issubdtype(dtype, jnp.complexfloating) else np.float64


def _bias(offset: np.ndarray, tolerance: float) -> np.ndarray | None:
    """Returns what is added to every output of a feature."""
    if abs(offset).max() == 0:
        return None
    flat = offset.reshape(-1, offset.shape[-1])
    wrong = abs(flat - flat[0]) > 2 * tolerance
    if wrong.any():
        cell, feature = np.argwhere(wrong)[0]
        there = np.unravel_index(int(cell), offset.shape[:-1])
        first = (0,) * (offset.ndim - 1)
        raise GeometryError(
            "`f` adds numbers that depend on the position, which a bias does not: for a map of zeros, its "
            f"outputs of feature {feature} at {first} and {tuple(map(int, there))} are "
            f"{number(flat[0, feature])} and {number(flat[cell, feature])}."
        )
    return flat[0]


def position(index: tuple[Any, ...]) -> str:
    """Writes the index ``(*spatial, feature)`` of an output."""
    *cell, feature = map(int, index)
    return f"{tuple(cell)} of feature {feature}"


def number(value: Any) -> str:
    """Writes a number for a message.

    >>> number(1 / 3), number(2 - 1j)
    ('0.3333', '2-1j')
    """
    return f"{complex(value):.4g}" if np.iscomplexobj(value) else f"{float(value):.4g}"
