"""What a linear function returns for lines of impulses along one axis.

An impulse at one position of an axis, times random numbers over all other axes and features, shows that axis
alone: its outputs at two positions are equal vectors if and only if (with probability 1) one tap of a
convolution makes both. So the axes of a map of any size take as many maps as they have cells together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jaxconv.interop.identification.box import Box
from jaxconv.interop.identification.linear import generic, wide

VECTORS = 8  # components of the vectors that are compared


@dataclass(frozen=True)
class Responses:
    """The responses of one axis.

    Attributes:
      whole: Results with the outputs of the axis first: ``(outputs, inputs, *others, out_features)``.
      vectors: A few random combinations of them, ``(outputs, inputs, V)``.
      tolerance: Largest rounding error of a component.
    """

    whole: np.ndarray
    vectors: np.ndarray
    tolerance: float


def axis_responses(
    box: Box, bias: np.ndarray | None, height: float, rng: np.random.Generator, rtol: float
) -> list[Responses]:
    """Calls a function once with the impulses of all axes.

    Args:
      box: The function.
      bias: What it adds to every output of a feature.
      height: Height of the impulses, a power of 2.
      rng: Random generator of the numbers over the other axes.
      rtol: Largest error of a result, as a share of the largest one.
    """
    n = len(box.input_shape)
    maps = np.concatenate([_line(box, axis, rng) for axis in range(n)])
    results = box(maps * np.asarray(height, box.dtype))
    results = results.astype(wide(results.dtype))
    if bias is not None:
        results -= bias
    results /= height
    extra = 0.0 if bias is None else float(abs(bias).max()) / height
    found = []
    for axis, size in enumerate(box.input_shape):
        own, results = results[:size], results[size:]
        whole = np.moveaxis(own, axis + 1, 0)
        flat = whole.reshape(*whole.shape[:2], -1)
        vectors = flat
        if flat.shape[-1] > VECTORS:
            vectors = flat @ rng.normal(size=(flat.shape[-1], VECTORS)) / np.sqrt(flat.shape[-1])
        largest = max(abs(flat).max(), abs(vectors).max())
        found.append(Responses(whole, vectors, rtol * (largest + extra)))
    return found


def _line(box: Box, axis: int, rng: np.random.Generator) -> np.ndarray:
    """Returns one map per position of an axis: there random numbers over the rest, and zeros elsewhere."""
    n, size = len(box.input_shape), box.input_shape[axis]
    others = [1 if other == axis else cells for other, cells in enumerate(box.input_shape)]
    numbers = generic(rng, (1, *others, box.in_features), box.dtype)
    if numbers.size == 1:  # nothing to combine: the responses are the weights themselves
        numbers = np.ones_like(numbers)
    here = np.eye(size, dtype=box.dtype).reshape(size, *(size if a == axis else 1 for a in range(n)), 1)
    return here * numbers
