"""A call in another library: printed for a reader, or made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Name(str):
    """A name that is printed as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Call:
    """A function of another library with its arguments.

    >>> call = Call("nn.Conv1d", (1, 8, (3,)), {"stride": (2,), "bias": False})
    >>> print(call)
    nn.Conv1d(1, 8, (3,), stride=(2,), bias=False)
    """

    name: str
    positional: tuple
    options: dict[str, Any]

    def __str__(self) -> str:
        """Python."""
        options = (f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.name}({', '.join((*map(repr, self.positional), *options))})"

    def call_in(self, module, **options):
        """Calls it in a module; `options` take the place of what was only named."""
        return getattr(module, self.name.rpartition(".")[2])(*self.positional, **self.options | options)


def without_defaults(**options) -> dict[str, Any]:
    """Options without those that say nothing: None, and 1 on every axis.

    >>> without_defaults(strides=(2, 1), dilation=(1, 1), groups=1, use_bias=None)
    {'strides': (2, 1)}
    """
    return {name: value for name, value in options.items() if value is not None and not _all_one(value)}


def _all_one(value) -> bool:
    values = value if isinstance(value, tuple) else (value,)
    return all(type(v) is int and v == 1 for v in values)
