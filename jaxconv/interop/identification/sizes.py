"""Which size of the input tells two convolutions apart that are the same at one size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import PaddingWord, resolve_padding
from jaxconv.interop.identification.axis import AxisFit
from jaxconv.interop.identification.join import Fit
from jaxconv.interop.identification.kernel import taps
from jaxconv.interop.identification.responses import Responses

WORDS: tuple[PaddingWord, ...] = ("SAME", "SAME_LOWER")


def deciding_shape(one: Fit, other: Fit, responses: Sequence[Responses]) -> tuple[int, ...] | None:
    """Returns the nearest larger input shape, one axis changed, at which two convolutions differ.

    Args:
      one: A convolution.
      other: Another one that fits the same function.
      responses: Responses of the axes of that function.

    Returns:
      The shape, or None if they are the same at all sizes that were tried.
    """
    shape = [axis.shape[1] for axis in one.axes]
    for number, (a, b) in enumerate(zip(one.axes, other.axes, strict=True)):
        vectors = responses[number].vectors
        size = None if a == b else _deciding_size(a, b, taps(a, vectors), taps(b, vectors))
        if size is not None:
            return (*shape[:number], size, *shape[number + 1 :])
    return None


def _deciding_size(one: AxisFit, other: AxisFit, taps: np.ndarray, other_taps: np.ndarray) -> int | None:
    """Returns the nearest larger number of inputs at which two axes differ."""
    reach = 2 * max(fit.geometry.span + fit.geometry.stride for fit in (one, other))
    for inputs in range(one.shape[1] + 1, one.shape[1] + reach + 1):
        try:
            a, b = one.resized(inputs), other.resized(inputs)
        except GeometryError:
            continue
        if a.shape != b.shape:
            return inputs
        there = a.responses(taps)
        if abs(there - b.responses(other_taps)).max() > 1e-3 * abs(there).max():
            return inputs
    return None


def padding_word(fit: Fit) -> PaddingWord | None:
    """Returns the padding word that depends on the size and gives the padding of a fit, if there is one."""
    axes = [axis.geometry for axis in fit.axes]
    if fit.transposed or max(g.stride for g in axes) == 1:
        return None
    for word in WORDS:
        if all(g.padding == resolve_padding(word, g.stretched, g.span, g.stride) for g in axes):
            return word
    return None


def deciding_shape_of_word(fit: Fit, word: PaddingWord) -> tuple[int, ...] | None:
    """Returns the nearest larger input shape at which a word means another padding than that of a fit."""
    shape = [axis.shape[1] for axis in fit.axes]
    for number, g in enumerate(axis.geometry for axis in fit.axes):
        for size in range(g.size + 1, g.size + 2 * g.stride + 1):
            stretched = g.input_dilation * (size - 1) + 1
            if resolve_padding(word, stretched, g.span, g.stride) != g.padding:
                return (*shape[:number], size, *shape[number + 1 :])
    return None
