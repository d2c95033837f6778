"""Reading the arguments of a geometry: words, ints that serve every axis, pairs."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, Literal, TypeGuard, cast, get_args

import numpy as np

from jaxconv.errors import GeometryError

PaddingWord = Literal["VALID", "SAME", "SAME_LOWER", "HALF", "FULL", "CAUSAL"]
PADDING_WORDS: tuple[str, ...] = get_args(PaddingWord)

# One int that serves every spatial axis, or one int per axis.
IntPerAxis = int | Sequence[int]
# A word, one int for every side of every axis, or per axis an int or a (low, high) pair.
Padding = PaddingWord | int | Sequence[int | tuple[int, int]]


def resolve_padding(
    pad: PaddingWord | tuple[int, int], stretched: int, span: int, stride: int
) -> tuple[int, int]:
    """``(low, high)`` of one axis, in stretched cells; see `ConvGeometry` for the words.

    >>> resolve_padding("SAME", stretched=5, span=4, stride=1)
    (1, 2)
    """
    if isinstance(pad, tuple):
        return pad
    if pad in ("SAME", "SAME_LOWER"):
        outputs = -(-stretched // stride)
        total = max((outputs - 1) * stride + span - stretched, 0)
        small, large = total // 2, total - total // 2
        return (small, large) if pad == "SAME" else (large, small)
    return {
        "VALID": (0, 0),
        "HALF": (span // 2, span // 2),
        "FULL": (span - 1, span - 1),
        "CAUSAL": (span - 1, 0),
    }[pad]


def padding_per_axis(padding: Padding, n: int) -> tuple[PaddingWord | tuple[int, int], ...]:
    """A word or a ``(low, high)`` pair for each of `n` axes."""
    if isinstance(padding, str):
        if padding not in PADDING_WORDS:
            raise GeometryError(
                f"`padding` is one of {PADDING_WORDS}, an int, or one int or (low, high) pair an axis; "
                f"got {padding!r}{did_you_mean(padding.upper(), PADDING_WORDS)}"
            )
        return (cast(PaddingWord, padding),) * n
    if _is_int(padding):
        return ((int(padding), int(padding)),) * n
    entries = _sequence("padding", padding)
    if len(entries) != n:
        hint = f" A pair is nested: (({entries[0]}, {entries[1]}),)." if len(entries) == 2 and n == 1 else ""
        raise GeometryError(
            f"`padding` needs one int or (low, high) pair for each of the {n} spatial axes, "
            f"got {padding!r}.{hint}"
        )
    return tuple(_pair(entry) for entry in entries)


def _pair(entry: Any) -> tuple[int, int]:
    if _is_int(entry):
        return (int(entry), int(entry))
    return pair_of_ints("padding", entry)


def pair_of_ints(name: str, value: Any) -> tuple[int, int]:
    """A ``(low, high)`` pair, of any sign."""
    if not hasattr(value, "__len__") or len(value) != 2:
        raise GeometryError(f"`{name}` of an axis is a (low, high) pair of ints, got {value!r}.")
    low, high = ints(name, value)
    return (low, high)


def per_axis(name: str, value: IntPerAxis, n: int, least: int = 1) -> tuple[int, ...]:
    """One integer for each of `n` axes; a bare int serves all of them."""
    values = (int(value),) * n if _is_int(value) else ints(name, value)
    if len(values) != n:
        raise GeometryError(f"`{name}` needs one int for each of the {n} spatial axes, got {values}.")
    if any(v < least for v in values):
        raise GeometryError(f"`{name}` must be at least {least} on every axis, got {values}.")
    return values


def check_output_padding(cells: int, stride: int) -> None:
    """An output padding picks one of the input sizes that share an output.

    Raises:
      GeometryError: There are fewer of them.
    """
    if cells >= stride:
        raise GeometryError(
            f"`output_padding` picks one of the {stride} input sizes that share an output: it must lie in "
            f"[0, strides) = [0, {stride}), got {cells}."
        )


def shape_of(name: str, value: Any, n: int | None = None) -> tuple[int, ...]:
    """A spatial shape, of `n` axes if that is given; a bare int is none."""
    shape = ints(name, value)
    if not shape:
        raise GeometryError(f"`{name}` needs at least one spatial axis, got {value!r}.")
    if n is not None and len(shape) != n:
        raise GeometryError(f"`{name}` needs one size for each of the {n} spatial axes, got {shape}.")
    if min(shape) < 1:
        raise GeometryError(f"`{name}` must be at least 1 on every axis, got {shape}.")
    return shape


def ints(name: str, value: Any) -> tuple[int, ...]:
    """Integers of any sign, one an axis; a bare int is none."""
    values = _sequence(name, value)
    if not all(map(_is_int, values)):
        raise TypeError(f"`{name}` holds integers, got {value!r}.")
    return tuple(int(v) for v in values)


def _sequence(name: str, value: Any) -> tuple:
    if isinstance(value, str) or not hasattr(value, "__iter__") or getattr(value, "ndim", 1) == 0:
        raise TypeError(f"`{name}` needs a tuple with one entry for each spatial axis, got {value!r}.")
    return tuple(value)


def at_least_one(name: str, value: Any) -> int:
    """One positive integer."""
    number = integer(name, value)
    if number < 1:
        raise GeometryError(f"`{name}` must be at least 1, got {number}.")
    return number


def integer(name: str, value: Any) -> int:
    """One integer of any sign; bools are refused."""
    if not _is_int(value):
        raise TypeError(f"`{name}` must be an integer, got {value!r}.")
    return int(value)


def real(name: str, value: Any) -> float:
    """One real number that is known while a program is traced; bools are refused."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number known when the program is made, got {value!r}.")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """Returns a flag.

    Raises:
      TypeError: It is neither True nor False; a word such as "no" would count as true.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False, got {value!r}.")
    return bool(value)


def _is_int(value: Any) -> TypeGuard[int]:
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def index_of_output(name: str, index: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """An output's index, one int an axis."""
    cells = ints(name, index)
    if len(cells) != len(shape) or not all(0 <= cell < size for cell, size in zip(cells, shape, strict=True)):
        raise GeometryError(f"`{name}` is the index of an output in {shape}, got {index}.")
    return cells


def did_you_mean(word: object, known: Iterable[str], *, quote: str = "'", otherwise: str = "") -> str:
    """Returns the end of a message about an unknown word: the nearest known one.

    Args:
      word: What was given.
      known: The words that would do.
      quote: What stands around the suggestion.
      otherwise: The end of the message where no known word is near.

    >>> did_you_mean("sam", ["full", "same"])
    "; did you mean 'same'?"
    """
    close = difflib.get_close_matches(str(word), known, 1)
    return f"; did you mean {quote}{close[0]}{quote}?" if close else otherwise
