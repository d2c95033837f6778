"""Functions compiled by XLA, and which of them are the same program."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np


class Way(NamedTuple):
    """One way to a result, ready to be called.

    Attributes:
      call: Computes the result, without arguments.
      numpy: Converts the result of `call` to the array to compare.
      temporary: Bytes that XLA allocates in addition to operands and result; None if it is not XLA.
      program: A text that is the same for equal programs; None if it is not XLA.
    """

    call: Callable[[], Any]
    numpy: Callable[[Any], np.ndarray] = np.asarray
    temporary: int | None = None
    program: str | None = None


def compile_way(function: Callable[..., Any], *arguments: Any) -> Way:
    """Compiles a function of arrays, which are its arguments, since XLA would fold constants."""
    program = jax.jit(function).lower(*arguments).compile()
    memory = program.memory_analysis()
    temporary = memory.temp_size_in_bytes if memory else None
    return Way(partial(program, *arguments), np.asarray, temporary, instructions(program.as_text()))


def instructions(text: str) -> str:
    """Returns optimised HLO without metadata, and with numbers instead of names.

    >>> instructions('  %b.7 = f32[2] add(%a, %a), metadata={op_name="x"}')
    '%0 = f32[2] add(%1, %1)'
    """
    lines = [line.strip() for line in text.splitlines() if " = " in line]
    body = re.sub(r", metadata=\{[^}]*\}", "", "\n".join(lines))
    numbers: dict[str, str] = {}
    return re.sub(r"%[\w.-]+", lambda name: numbers.setdefault(name[0], f"%{len(numbers)}"), body)


def first_names(ways: dict[str, Way]) -> dict[str, str]:
    """Maps each name to the first name of the same program, which is timed only once."""
    first: dict[str, str] = {}
    return {name: first.setdefault(way.program or name, name) for name, way in ways.items()}
