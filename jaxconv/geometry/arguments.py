"""Reads the arguments of a geometry: padding words, numbers that hold for every axis, pairs."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, Literal, TypeGuard, cast, get_args

import numpy as np

from jaxconv.errors import GeometryError, JaxconvError

PaddingWord = Literal["VALID", "SAME", "SAME_LOWER", "HALF", "FULL", "CAUSAL"]
PADDING_WORDS: tuple[PaddingWord, ...] = get_args(PaddingWord)
# The words in small letters, as PyTorch and Keras write them, mean the same.
_SmallPaddingWord = Literal["valid", "same", "same_lower", "half", "full", "causal"]

PaddingMode = Literal["zeros", "circular", "reflect", "replicate"]
PADDING_MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)
_MODES_ELSEWHERE = {"constant": "zeros", "wrap": "circular", "edge": "replicate"}  # numpy.pad's words

# One int for all spatial axes, or one int per axis.
IntPerAxis = int | Sequence[int]
# A word, one int for both sides of every axis, or per axis an int or a (low, high) pair.
Padding = PaddingWord | _SmallPaddingWord | int | Sequence[int | tuple[int, int]]
PaddingPairs = tuple[tuple[int, int], ...]  # (low, high) per axis, as `resolve_padding` returns each


def resolve_padding(
    padding: PaddingWord | tuple[int, int], stretched: int, span: int, stride: int
) -> tuple[int, int]:
    """Returns the padding of one axis as ``(low, high)``.

    Args:
      padding: A word, explained in `ConvGeometry`, or a ``(low, high)`` pair, which is returned as it is.
      stretched: Cells of the input once input dilation has inserted its zeros.
      span: Cells from the first tap of the kernel to the last.
      stride: Stretched cells between neighbouring windows.

    >>> resolve_padding("SAME", stretched=5, span=4, stride=1)
    (1, 2)
    """
    if isinstance(padding, tuple):
        return padding
    if padding in ("SAME", "SAME_LOWER"):
        outputs = -(-stretched // stride)
        total = max((outputs - 1) * stride + span - stretched, 0)
        small, large = total // 2, total - total // 2
        return (small, large) if padding == "SAME" else (large, small)
    return {
        "VALID": (0, 0),
        "HALF": (span // 2, span // 2),
        "FULL": (span - 1, span - 1),
        "CAUSAL": (span - 1, 0),
    }[padding]


def padding_per_axis(padding: Padding, n: int) -> tuple[PaddingWord | tuple[int, int], ...]:
    """Returns a word in capitals or a ``(low, high)`` pair for each of `n` axes.

    Raises:
      GeometryError: An unknown word, or not one entry per axis.
      TypeError: `padding` is not a word, an integer or a sequence of integers and pairs.

    >>> padding_per_axis("same", 2), padding_per_axis([1, (0, 2)], 2)
    (('SAME', 'SAME'), ((1, 1), (0, 2)))
    """
    if isinstance(padding, str):
        return (padding_word(padding),) * n
    if _is_int(padding):
        return ((int(padding), int(padding)),) * n
    if not _is_sequence(padding):
        raise TypeError(
            "`padding` needs a tuple of one int or (low, high) pair per spatial axis, a word such as 'SAME', "
            f"or an int; got {describe(padding)}."
        )
    entries: tuple[Any, ...] = tuple(padding)
    if any(isinstance(entry, str) for entry in entries):
        raise GeometryError(
            f"`padding` takes one word for all axes, or per axis an int or a (low, high) pair; "
            f"got {describe(padding)}."
        )
    if len(entries) != n:
        flat_pair = n == 1 and len(entries) == 2 and all(map(_is_int, entries))
        hint = f" A pair is nested: (({entries[0]}, {entries[1]}),)." if flat_pair else ""
        raise GeometryError(
            f"`padding` needs one int or (low, high) pair for {_each_axis(n)}, got {describe(padding)}.{hint}"
        )
    return tuple(
        (int(entry), int(entry)) if _is_int(entry) else pair_of_ints("padding", entry) for entry in entries
    )


def padding_word(word: str) -> PaddingWord:
    """Returns a padding word in capital letters.

    Raises:
      GeometryError: The word is unknown, or is a padding mode.
    """
    if word.upper() in PADDING_WORDS:
        return cast(PaddingWord, word.upper())
    mode = _MODES_ELSEWHERE.get(word.lower(), word.lower())
    if mode in PADDING_MODES:
        raise GeometryError(
            f"`padding` says how many cells are added, not what they hold; got {word!r}. Pass "
            f"padding_mode={mode!r}, and as `padding` a number of cells or a word such as 'SAME'."
        )
    raise GeometryError(
        f"`padding` must be one of {', '.join(map(repr, PADDING_WORDS))}, an int, or per spatial axis an int "
        f"or a (low, high) pair; got {word!r}{did_you_mean(word.upper(), PADDING_WORDS, otherwise='.')}"
    )


def check_padding_mode(mode: Any) -> None:
    """Checks that `mode` is a padding mode.

    Raises:
      GeometryError: It is not; the message has the nearest one.
    """
    if mode not in PADDING_MODES:
        word = str(mode).lower()
        if word.upper() in PADDING_WORDS:
            hint = f"; that is a word for `padding`: padding={word.upper()!r}."
        else:
            hint = did_you_mean(_MODES_ELSEWHERE.get(word, word), PADDING_MODES, otherwise=".")
        raise GeometryError(
            f"`padding_mode` must be one of {', '.join(map(repr, PADDING_MODES))}; got {describe(mode)}{hint}"
        )


def pair_of_ints(name: str, value: Any) -> tuple[int, int]:
    """Returns a ``(low, high)`` pair of integers of any sign.

    Raises:
      GeometryError: `value` does not have two entries.
      TypeError: An entry is not an integer.
    """
    if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        raise GeometryError(
            f"`{name}` of one axis must be a (low, high) pair of ints, got {describe(value)}."
        )
    low, high = ints(name, value)
    return (low, high)


def per_axis(name: str, value: IntPerAxis, n: int, least: int = 1) -> tuple[int, ...]:
    """Returns one integer for each of `n` axes; an int holds for all of them.

    Raises:
      GeometryError: Not one integer per axis, or one below `least`.
      TypeError: `value` is not an integer or a sequence of integers.
    """
    if not _is_int(value) and not _is_sequence(value):
        raise TypeError(f"`{name}` must be an int, or one int per spatial axis; got {describe(value)}.")
    if _is_int(value):
        _check_least(name, (int(value),), least)
        return (int(value),) * n
    values = ints(name, value)
    if len(values) != n:
        raise GeometryError(f"`{name}` needs one int for {_each_axis(n)}, got {values}.")
    _check_least(name, values, least)
    return values


def _each_axis(n: int) -> str:
    return f"each of the {n} spatial axes" if n > 1 else "the only spatial axis"


def _check_least(name: str, values: tuple[int, ...], least: int) -> None:
    if min(values) < least:
        axis = next(axis for axis, value in enumerate(values) if value < least)
        where = f" on axis {axis}: {values}" if len(values) > 1 else ""
        raise GeometryError(f"`{name}` must be at least {least}, got {values[axis]}{where}.")


def check_output_padding(cells: int, stride: int, where: str = "") -> None:
    """Checks that the output padding of one axis picks one of the input sizes that share an output size.

    Args:
      cells: The output padding, at least 0.
      stride: The stride of the axis, which is the number of those input sizes.
      where: Which axis it is, for the message, such as ``"on axis 1, "``.

    Raises:
      GeometryError: `cells` is not below `stride`.
    """
    if cells >= stride:
        raise GeometryError(
            f"{where}`output_padding` picks one of the {stride} input size(s) that share an output: it must "
            f"lie in [0, strides) = [0, {stride}), got {cells}."
        )


def shape_of(name: str, value: Any, n: int | None = None) -> tuple[int, ...]:
    """Returns a spatial shape, of `n` axes if `n` is given; an int is refused.

    Raises:
      GeometryError: Another number of axes, or a size below 1.
      TypeError: `value` is not a sequence of integers.
    """
    shape = ints(name, value)
    if not shape:
        raise GeometryError(f"`{name}` needs at least one spatial axis, got {describe(value)}.")
    if n is not None and len(shape) != n:
        raise GeometryError(
            f"`{name}` needs one size for {_each_axis(n)}, got {shape}; leave out batch and features."
        )
    _check_least(name, shape, 1)
    return shape


def ints(name: str, value: Any) -> tuple[int, ...]:
    """Returns a sequence of integers of any sign as a tuple; an int is refused.

    Raises:
      TypeError: `value` is not a sequence, or an entry is not an integer.
    """
    if not _is_sequence(value):
        such = f", such as ({value}, {value}) for two axes" if _is_int(value) else ""
        raise TypeError(f"`{name}` needs a tuple of integers, one per axis{such}; got {describe(value)}.")
    values = tuple(value)
    if not all(map(_is_int, values)):
        raise TypeError(f"`{name}` must contain only integers, got {describe(value)}.")
    return tuple(int(v) for v in values)


def at_least_one(name: str, value: Any, *, error: type[JaxconvError] = GeometryError) -> int:
    """Returns a positive integer.

    Args:
      name: Name of the argument, for the message.
      value: The argument.
      error: Class of the error for an integer below 1; `OptionError` where it is not a geometry's.

    Raises:
      GeometryError: It is below 1; or the class given as `error`.
      TypeError: It is not an integer.
    """
    number = integer(name, value)
    if number < 1:
        raise error(f"`{name}` must be at least 1, got {number}.")
    return number


def integer(name: str, value: Any) -> int:
    """Returns an integer of any sign.

    Raises:
      TypeError: It is not an integer; booleans are refused too.
    """
    if not _is_int(value):
        raise TypeError(f"`{name}` must be an integer, got {describe(value)}.")
    return int(value)


def real(name: str, value: Any) -> float:
    """Returns a real number that is known while a program is traced.

    Raises:
      TypeError: It is not a number; booleans and traced arrays are refused too.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number, got {describe(value)}.")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """Returns a flag.

    Raises:
      TypeError: It is neither True nor False; a word such as "no" would count as true.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False, got {describe(value)}.")
    return bool(value)


def _is_int(value: Any) -> TypeGuard[int]:
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def _is_sequence(value: Any) -> TypeGuard[Sequence[Any]]:
    return not isinstance(value, str) and hasattr(value, "__iter__") and getattr(value, "ndim", 1) != 0


def index_of_output(name: str, index: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the index of an output, one int per axis.

    Raises:
      GeometryError: The index lies outside `shape`, or has another number of axes.
      TypeError: `index` is not a sequence of integers.
    """
    cells = ints(name, index)
    if len(cells) != len(shape) or not all(0 <= cell < size for cell, size in zip(cells, shape, strict=True)):
        raise GeometryError(f"`{name}` must be the index of an output in shape {shape}, got {cells}.")
    return cells


def describe(value: Any) -> str:
    """Returns a value for a message: short, and an array by its shape and dtype.

    >>> import numpy as np
    >>> describe("same"), describe(np.float32(2)), describe(np.ones((2, 3)))
    ("'same'", '2.0', 'an array of shape (2, 3) and dtype float64')
    """
    if "Tracer" in type(value).__name__:
        return (
            "a value traced by JAX; make the argument static, for example by functools.partial or "
            "jax.jit(..., static_argnames=...)"
        )
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        return repr(value.item()) if shape == () else f"an array of shape {shape} and dtype {dtype}"
    text = repr(value)
    if isinstance(value, list | tuple):
        entries = ", ".join(map(describe, value[:8])) + (", ..." if len(value) > 8 else "")
        text = f"[{entries}]" if isinstance(value, list) else f"({entries}{',' if len(value) == 1 else ''})"
    return text if len(text) <= 80 else f"{text[:40]}... of type {type(value).__name__}"


def did_you_mean(word: object, known: Iterable[str], *, quote: str = "'", otherwise: str = "") -> str:
    """Returns the end of a message about an unknown word: the nearest known word.

    Args:
      word: The unknown word.
      known: The known words.
      quote: Quotation mark around the suggestion.
      otherwise: End of the message if no known word is near.

    >>> did_you_mean("sam", ["full", "same"])
    "; did you mean 'same'?"
    """
    close = difflib.get_close_matches(str(word), known, 1)
    return f"; did you mean {quote}{close[0]}{quote}?" if close else otherwise
