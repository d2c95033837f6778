"""Functions compiled by XLA, and whether two of them became one program."""

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
      call: Takes nothing; computes.
      numpy: What `call` returned, as the array to compare.
      temporary: Bytes that XLA asks for beside operands and result; None where it is not XLA's.
      program: The same for programs that are the same; None likewise.
    """

    call: Callable[[], Any]
    numpy: Callable[[Any], np.ndarray] = np.asarray
    temporary: int | None = None
    program: str | None = None


def compiled(function: Callable, *arguments) -> Way:
    """By itself, with the arrays as arguments: XLA would fold constants."""
    program = jax.jit(function).lower(*arguments).compile()
    memory = program.memory_analysis()
    temporary = memory.temp_size_in_bytes if memory else None
    return Way(partial(program, *arguments), np.asarray, temporary, instructions(program.as_text()))


def instructions(text: str) -> str:
    """Optimised HLO without what does not compute: metadata, and the names as they happened to be.

    >>> instructions('  %b.7 = f32[2] add(%a, %a), metadata={op_name="x"}')
    '%0 = f32[2] add(%1, %1)'
    """
    lines = [line.strip() for line in text.splitlines() if " = " in line]
    body = re.sub(r", metadata=\{[^}]*\}", "", "\n".join(lines))
    numbers: dict[str, str] = {}
    return re.sub(r"%[\w.-]+", lambda name: numbers.setdefault(name[0], f"%{len(numbers)}"), body)


def distinct(ways: dict[str, Way]) -> dict[str, str]:
    """By name, the first name of the same program: a program is timed once, however it was written."""
    first: dict[str, str] = {}
    return {name: first.setdefault(way.program or name, name) for name, way in ways.items()}
