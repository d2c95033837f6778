"""Texts of the cells: numbers, or symbols that stand for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import did_you_mean
from jaxconv.geometry.scene import Scene

Values = Literal["numbers", "symbols"]
MOST_TERMS = 12  # terms of a sum that is written out

# The input and the kernel that are printed in arXiv:1603.07285, figure 1.1.
PRINTED_INPUT = (3, 3, 2, 1, 0, 0, 0, 1, 3, 1, 3, 1, 2, 2, 3, 2, 0, 0, 2, 2, 2, 0, 0, 0, 1)
PRINTED_KERNEL = (0, 1, 2, 2, 2, 0, 0, 1, 2)


@dataclass(frozen=True)
class Texts:
    """Texts of the cells of a shown convolution.

    Attributes:
      input: ``(*input_shape, in_features)`` of the shown convolution.
      kernel: ``(*kernel_shape, in // groups, out)`` of the forward convolution; None for pooling.
      output: ``(*output_shape, out_features)`` of the shown convolution.
      times: Sign between the two factors of a product.
    """

    input: np.ndarray
    kernel: np.ndarray | None
    output: np.ndarray
    times: str = "\N{DOT OPERATOR}"

    def sum_of(self, scene: Scene) -> str:
        """Returns the sum of one output cell; empty if it has more than 12 terms, or for a pooling."""
        if self.kernel is None or len(scene.entries) > MOST_TERMS:
            return ""
        flat = self.input.reshape(-1)
        terms = [
            f"{_bracket(self.kernel[entry.kernel_index])}{self.times}{_bracket(flat[entry.column])}"
            for entry in scene.entries
        ]
        result = self.output[(*scene.output, scene.output_feature)]
        return f"{result} = {' + '.join(terms) or '0'}"


def _bracket(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def symbol_texts(scenes: Sequence[Scene]) -> Texts:
    """Returns letters with indices, such as x01 and w12."""
    first = scenes[0]
    shown, geometry = first.shown, first.geometry
    letters = "yz" if first.transposed else "xy"  # C-transposed y is not x
    return Texts(
        _names(letters[0], shown.input_shape, (shown.in_features,)),
        _names("w", geometry.kernel_shape, geometry.kernel_array_shape[-2:]),
        _names(letters[1], shown.output_shape, (shown.out_features,)),
        times=" ",
    )


def _names(letter: str, shape: tuple[int, ...], features: tuple[int, ...]) -> np.ndarray:
    """Returns the letter with the indices of every cell, and of its features if there are several."""

    def digits(index: Sequence[int], sizes: Sequence[int]) -> str:
        return ("" if max(sizes) <= 10 else "_").join(map(str, index))

    names = np.empty((*shape, *features), dtype=object)
    for index in np.ndindex(*names.shape):
        cell, feature = index[: len(shape)], index[len(shape) :]
        name = f"{letter}{digits(cell, shape)}"
        names[index] = name + (f",{digits(feature, features)}" if max(features) > 1 else "")
    return names


def number_texts(scenes: Sequence[Scene], x: np.ndarray, kernel: np.ndarray) -> Texts:
    """Returns numbers as texts; the output is computed from the scenes."""
    return Texts(_format_array(x), _format_array(kernel), _format_array(results(scenes, x, kernel)))


def results(scenes: Sequence[Scene], x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Returns the output of the shown convolution, ``(*output_shape, out_features)``.

    Args:
      scenes: All scenes of the convolution, in order.
      x: Input of the shown convolution, ``(*input_shape, in_features)``.
      kernel: Kernel of the forward convolution, ``(*kernel_shape, in // groups, out)``.
    """
    shown, flat = scenes[0].shown, x.reshape(-1)
    sums = [
        sum(kernel[entry.kernel_index] * flat[entry.column] for entry in scene.entries) for scene in scenes
    ]
    return np.array(sums).reshape(*shown.output_shape, shown.out_features)


def _format_array(array: np.ndarray) -> np.ndarray:
    texts = np.empty(array.shape, dtype=object)
    for index, value in np.ndenumerate(array):
        texts[index] = format_number(value)
    return texts


def format_number(value: complex) -> str:
    """Returns a number as it is written into a cell, with three digits.

    >>> format_number(2.0), format_number(0.12345), format_number(-7)
    ('2', '0.123', '-7')
    """
    if isinstance(value, complex | np.complexfloating):
        return f"{value:.3g}".strip("()")
    return f"{float(value):.3g}" if float(value) % 1 else f"{float(value):.0f}"


def check_values(values: str | None) -> None:
    """Refuses words other than those of `Values`.

    Raises:
      OptionError: Another word.
    """
    if values is not None and values not in get_args(Values):
        hint = did_you_mean(values, get_args(Values), otherwise=".")
        raise OptionError(f"`values` must be None or one of {get_args(Values)}, got {values!r}{hint}")


def map_of(
    name: str, value: ArrayLike | None, shape: tuple[int, ...], features: int, hint: str = ""
) -> np.ndarray:
    """Returns a map ``(*shape, features)``: `value`, or small integers if it is None.

    Raises:
      GeometryError: It has another shape.
      TypeError: It does not hold numbers.
    """
    return _array(name, value, shape, (features,), PRINTED_INPUT, hint)


def kernel_of(value: ArrayLike | None, geometry: ConvGeometry) -> np.ndarray:
    """Returns a kernel ``(*kernel_shape, in // groups, out)``: `value`, or small integers if it is None.

    Raises:
      GeometryError: It has another shape.
      TypeError: It does not hold numbers.
    """
    *_, inputs, outputs = geometry.kernel_array_shape
    return _array("kernel", value, geometry.kernel_shape, (inputs, outputs), PRINTED_KERNEL)


def _array(
    name: str,
    value: ArrayLike | None,
    shape: tuple[int, ...],
    features: tuple[int, ...],
    default: tuple[int, ...],
    hint: str = "",
) -> np.ndarray:
    whole = (*shape, *features)
    if value is None:
        index = np.arange(math.prod(whole))
        return np.array(default)[(index + index // len(default)) % len(default)].reshape(whole)
    array = np.asarray(value)
    if array.dtype.kind not in "iufcb":
        raise TypeError(
            f"`{name}` must be an array of numbers, got {type(value).__name__} with dtype {array.dtype}."
        )
    if array.shape == shape and set(features) == {1}:
        return array.reshape(whole)
    if array.shape != whole:
        short = f", or {shape}" if set(features) == {1} else ""
        if sorted(array.shape) == sorted(whole) and set(features) != {1}:
            hint = f"Features are on the last axis. {hint}"
        raise GeometryError(f"`{name}` must have shape {whole}{short}, got {array.shape}. {hint}".rstrip())
    return array
