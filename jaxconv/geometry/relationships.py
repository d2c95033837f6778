r"""The fifteen relationships of Dumoulin & Visin, arXiv:1603.07285, each a function of its letters.

The letters stand for numbers of one axis: $i$ input size, $k$ kernel size, $s$ stride, $p$ padding on both
sides, $d$ kernel dilation, $o$ output size. Primes denote the equivalent direct convolution of the
transpose, whose input size $i'$ is the forward $o$, and $a$ is $(i + 2p - k) \bmod s$. Arguments and results
are integers or NumPy arrays of integers.

Where the two sides are padded differently, $2p$ means $p_l + p_h$.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxconv.geometry.axis import AxisGeometry
from jaxconv.geometry.conv_geometry import ConvGeometry


@dataclass(frozen=True)
class Relationship:
    """One relationship between the sizes of one axis: when it applies, and the size that it states.

    Attributes:
      number: Number of the relationship in Dumoulin & Visin, arXiv:1603.07285.
      section: Section of arXiv:1603.07285 that states it.
      name: Subject of the relationship.
      condition: Condition under which it applies, in words; `applies` computes it.
      formula: Formula of the size, in letters; `size` computes it.
      transposed: Whether it states the output size $o'$ of a transpose rather than $o$.
    """

    number: int
    section: str
    name: str
    condition: str
    formula: str
    transposed: bool
    _applies: Callable[..., Any]
    _size: Callable[..., Any]

    def applies(self, letters: Mapping[str, Any]) -> Any:
        """Returns whether the letters meet the condition, elementwise for arrays.

        Args:
          letters: Numbers by their letters, as `letters_of` returns them.
        """
        return _call(self._applies, letters)

    def size(self, letters: Mapping[str, Any]) -> Any:
        """Returns the size that the formula gives: $o$, or $o'$ for a transpose.

        Args:
          letters: Numbers by their letters, as `letters_of` returns them.
        """
        return _call(self._size, letters)


RELATIONSHIPS: list[Relationship] = []


def _call(function: Callable[..., Any], letters: Mapping[str, Any]) -> Any:
    return function(**{name: letters[name] for name in inspect.signature(function).parameters})


def _relationship(
    number: int, section: str, condition: str, formula: str, applies: Callable, transposed: bool = False
) -> Callable:
    def register(function: Callable) -> Callable:
        name = function.__name__.replace("_", " ")
        RELATIONSHIPS.append(
            Relationship(number, section, name, condition, formula, transposed, applies, function)
        )
        return function

    return register


def letters_of(axis: AxisGeometry) -> dict[str, int]:
    """Returns the numbers of one axis by their letters in arXiv:1603.07285.

    `p2` is the padding of both sides together, $2p$ there, `i_` is $i'$, and `f` the input dilation.

    >>> letters = letters_of(AxisGeometry(6, 3, stride=2, padding=(1, 1)))
    >>> letters["i"], letters["o"], letters["a"]
    (6, 3, 1)
    """
    return {
        "i": axis.size,
        "k": axis.kernel,
        "s": axis.stride,
        "d": axis.dilation,
        "f": axis.input_dilation,
        "p2": sum(axis.padding),
        "same_sides": axis.padding[0] == axis.padding[1],
        "o": axis.out_size,
        "i_": axis.out_size,
        "a": axis.output_padding,
    }


def relationship_of(axis: AxisGeometry, transposed: bool = False) -> Relationship:
    """Returns the most specific relationship that applies to one axis.

    Input dilation has no relationship of its own; it counts as the cells that it inserts.

    Args:
      axis: Geometry of the axis.
      transposed: Whether to return the relationship of the transpose's output size.

    Returns:
      A `Relationship`: for a convolution one of 1 to 6 and 15, for its transpose one of 8 to 14.

    >>> relationship_of(AxisGeometry(6, 3, stride=2, padding=(1, 1))).number
    6
    >>> relationship_of(AxisGeometry(5, 3, padding=(1, 1)), transposed=True).number
    10
    """
    letters = letters_of(axis)
    general = 14 if transposed else 15
    order: Iterable[int] = (10, 11, 8, 9, 12, 13, 14) if transposed else (3, 4, 1, 2, 5, 6, 15)
    by_number = {relationship.number: relationship for relationship in RELATIONSHIPS}
    return next((by_number[n] for n in order if by_number[n].applies(letters)), by_number[general])


@_relationship(
    1,
    "2.1",
    "s = 1, p = 0",
    "o = (i - k) + 1",
    lambda s, p2, d, same_sides: (s == 1) & (p2 == 0) & (d == 1) & same_sides,
)
def no_zero_padding_unit_strides(i: int, k: int) -> int:
    """Computes $o = (i - k) + 1$ for $s = 1$ and $p = 0$: relationship 1.

    >>> no_zero_padding_unit_strides(i=4, k=3)
    2
    """
    return (i - k) + 1


@_relationship(2, "2.2", "s = 1", "o = (i - k) + 2p + 1", lambda s, d: (s == 1) & (d == 1))
def zero_padding_unit_strides(i: int, k: int, p2: int) -> int:
    """Computes $o = (i - k) + 2p + 1$ for $s = 1$: relationship 2.

    >>> zero_padding_unit_strides(i=5, k=4, p2=2 * 2)
    6
    """
    return (i - k) + p2 + 1


@_relationship(
    3,
    "2.2.1",
    "s = 1, k odd, p = (k - 1) / 2",
    "o = i",
    lambda k, s, p2, d, same_sides: (s == 1) & (d == 1) & (k % 2 == 1) & (p2 == k - 1) & (k > 1) & same_sides,
)
def half_padding(i: int) -> int:
    """Returns $o = i$, as half (same) padding keeps the size: relationship 3.

    >>> half_padding(i=5)
    5
    """
    return i


@_relationship(
    4,
    "2.2.2",
    "s = 1, p = k - 1",
    "o = i + (k - 1)",
    lambda k, s, p2, d, same_sides: (s == 1) & (d == 1) & (p2 == 2 * (k - 1)) & (k > 1) & same_sides,
)
def full_padding(i: int, k: int) -> int:
    """Computes $o = i + (k - 1)$ for full padding, with every overlap of kernel and input: relationship 4.

    >>> full_padding(i=5, k=3)
    7
    """
    return i + (k - 1)


@_relationship(
    5,
    "2.3",
    "p = 0",
    "o = floor((i - k) / s) + 1",
    lambda p2, d, same_sides: (p2 == 0) & (d == 1) & same_sides,
)
def no_zero_padding_non_unit_strides(i: int, k: int, s: int) -> int:
    r"""Computes $o = \lfloor (i - k) / s \rfloor + 1$ for $p = 0$: relationship 5.

    >>> no_zero_padding_non_unit_strides(i=5, k=3, s=2)
    2
    """
    return (i - k) // s + 1


@_relationship(6, "2.4", "d = 1", "o = floor((i + 2p - k) / s) + 1", lambda d: d == 1)
def zero_padding_non_unit_strides(i: int, k: int, s: int, p2: int) -> int:
    r"""Computes $o = \lfloor (i + 2p - k) / s \rfloor + 1$: relationship 6.

    >>> [zero_padding_non_unit_strides(i, k=3, s=2, p2=2 * 1) for i in (5, 6)]
    [3, 3]
    """
    return (i + p2 - k) // s + 1


@_relationship(
    7,
    "3",
    "pooling, p = 0",
    "o = floor((i - k) / s) + 1",
    lambda p2, d, same_sides: (p2 == 0) & (d == 1) & same_sides,
)
def pooling(i: int, k: int, s: int) -> int:
    r"""Computes $o = \lfloor (i - k) / s \rfloor + 1$ for pooling with $p = 0$: relationship 7.

    >>> pooling(i=5, k=3, s=1)
    3
    """
    return (i - k) // s + 1


@_relationship(
    8,
    "4.3",
    "s = 1, p = 0",
    "o' = i' + (k - 1)",
    lambda s, p2, d, same_sides: (s == 1) & (p2 == 0) & (d == 1) & same_sides,
    transposed=True,
)
def no_zero_padding_unit_strides_transposed(i_: int, k: int) -> int:
    """Computes $o' = i' + (k - 1)$: relationship 8.

    The equivalent direct convolution has full padding, $p' = k - 1$, and the flipped kernel.

    >>> no_zero_padding_unit_strides_transposed(i_=2, k=3)
    4
    """
    return i_ + (k - 1)


@_relationship(9, "4.4", "s = 1", "o' = i' + (k - 1) - 2p", lambda s, d: (s == 1) & (d == 1), transposed=True)
def zero_padding_unit_strides_transposed(i_: int, k: int, p2: int) -> int:
    """Computes $o' = i' + (k - 1) - 2p$: relationship 9.

    The equivalent direct convolution has $p' = k - p - 1$ and the flipped kernel. Where $p > k - 1$, which
    arXiv:1603.07285 does not discuss, $p'$ is negative and the input is cropped.

    >>> zero_padding_unit_strides_transposed(i_=6, k=4, p2=2 * 2)
    5
    """
    return i_ + (k - 1) - p2


@_relationship(
    10,
    "4.4.1",
    "s = 1, k odd, p = (k - 1) / 2",
    "o' = i'",
    lambda k, s, p2, d, same_sides: (s == 1) & (d == 1) & (k % 2 == 1) & (p2 == k - 1) & (k > 1) & same_sides,
    transposed=True,
)
def half_padding_transposed(i_: int) -> int:
    """Returns $o' = i'$: relationship 10.

    The equivalent direct convolution has $p' = p$ and the flipped kernel.

    >>> half_padding_transposed(i_=5)
    5
    """
    return i_


@_relationship(
    11,
    "4.4.2",
    "s = 1, p = k - 1",
    "o' = i' - (k - 1)",
    lambda k, s, p2, d, same_sides: (s == 1) & (d == 1) & (p2 == 2 * (k - 1)) & (k > 1) & same_sides,
    transposed=True,
)
def full_padding_transposed(i_: int, k: int) -> int:
    """Computes $o' = i' - (k - 1)$: relationship 11.

    The equivalent direct convolution has $p' = 0$ and the flipped kernel.

    >>> full_padding_transposed(i_=7, k=3)
    5
    """
    return i_ - (k - 1)


@_relationship(
    12,
    "4.5",
    "p = 0, i - k a multiple of s",
    "o' = s (i' - 1) + k",
    lambda p2, d, a, same_sides: (p2 == 0) & (d == 1) & (a == 0) & same_sides,
    transposed=True,
)
def no_zero_padding_non_unit_strides_transposed(i_: int, k: int, s: int) -> int:
    r"""Computes $o' = s (i' - 1) + k$: relationship 12.

    The equivalent direct convolution has an input stretched to $\tilde i' = s (i' - 1) + 1$, $s' = 1$,
    $p' = k - 1$ and the flipped kernel.

    >>> no_zero_padding_non_unit_strides_transposed(i_=2, k=3, s=2)
    5
    """
    return s * (i_ - 1) + k


@_relationship(
    13,
    "4.6",
    "i + 2p - k a multiple of s",
    "o' = s (i' - 1) + k - 2p",
    lambda d, a: (d == 1) & (a == 0),
    transposed=True,
)
def zero_padding_non_unit_strides_transposed(i_: int, k: int, s: int, p2: int) -> int:
    """Computes $o' = s (i' - 1) + k - 2p$: relationship 13.

    The equivalent direct convolution has $p' = k - p - 1$ and the flipped kernel.

    >>> zero_padding_non_unit_strides_transposed(i_=3, k=3, s=2, p2=2 * 1)
    5
    """
    return s * (i_ - 1) + k - p2


@_relationship(
    14,
    "4.6",
    "any; a = (i + 2p - span) mod s",
    "o' = s (i' - 1) + a + span - 2p",
    lambda d: d >= 1,
    transposed=True,
)
def output_padding_transposed(i_: int, k: int, s: int, p2: int, a: int, d: int = 1) -> int:
    """Computes $o' = s (i' - 1) + a + k - 2p$, with $d (k - 1) + 1$ for $k$ if dilated: relationship 14.

    $a$ picks one of the $s$ input sizes that share $i'$. Its cells are added to the high (bottom and right)
    edges of the stretched input, not to the top as early versions of arXiv:1603.07285 say. The output is not
    padded.

    >>> [output_padding_transposed(i_=3, k=3, s=2, p2=2 * 1, a=a) for a in (0, 1)]
    [5, 6]
    """
    return s * (i_ - 1) + a + d * (k - 1) + 1 - p2


@_relationship(15, "5.1", "any dilation d", "o = floor((i + 2p - d (k - 1) - 1) / s) + 1", lambda d: d >= 1)
def dilated(i: int, k: int, s: int, p2: int, d: int) -> int:
    r"""Computes $o = \lfloor (i + 2p - k - (k - 1)(d - 1)) / s \rfloor + 1$: relationship 15.

    >>> dilated(i=7, k=3, s=1, p2=0, d=2)
    3
    """
    return (i + p2 - k - (k - 1) * (d - 1)) // s + 1


def transposed_size(
    size: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    output_padding: int = 0,
) -> int:
    r"""Computes the size of the feature map that the transpose of a convolution returns, on one axis.

    $o' = s(i'-1) + d(k-1) + 1 - p_l - p_h + a$

    Args:
      size: $i'$, cells of the map that is upsampled.
      kernel: $k$, taps of the kernel.
      stride: $s$, stride of the forward convolution.
      padding: Padding ``(low, high)`` of the forward convolution, in cells.
      dilation: $d$, kernel dilation of the forward convolution.
      output_padding: $a$, which picks one of the $s$ input sizes that share $i'$.

    Returns:
      $o'$, in cells.

    Raises:
      GeometryError: ``output_padding`` lies outside ``[0, stride)``, or a size is below 1.

    References:
      Dumoulin & Visin, arXiv:1603.07285, relationship 14.

    >>> transposed_size(3, 3, stride=2, padding=(1, 1), output_padding=1)
    6
    """
    geometry = ConvGeometry.of_transposed(
        (size,),
        (kernel,),
        strides=stride,
        padding=(padding,),
        kernel_dilation=dilation,
        output_padding=output_padding,
    )
    return geometry.input_shape[0]
