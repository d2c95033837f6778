"""A call of another library, which can be printed or made."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any


class Name(str):
    """A name, which is printed without quotation marks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Call:
    """A function of another library with its arguments.

    Args:
      name: Name of the function with its module, as it is printed.
      positional: Positional arguments.
      options: Keyword arguments.

    >>> call = Call("nn.Conv1d", (1, 8, (3,)), {"stride": (2,), "bias": False})
    >>> print(call)
    nn.Conv1d(1, 8, (3,), stride=(2,), bias=False)
    """

    name: str
    positional: tuple
    options: dict[str, Any]

    def __str__(self) -> str:
        """The call as Python code."""
        options = (f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.name}({', '.join((*map(repr, self.positional), *options))})"

    def call_in(self, module: ModuleType, **options: Any) -> Any:
        """Calls the function of `module` with this name; `options` replace or add keyword arguments."""
        return getattr(module, self.name.rpartition(".")[2])(*self.positional, **self.options | options)


def without_defaults(**options: Any) -> dict[str, Any]:
    """Returns the options without those that have a default: None, and 1 on every axis.

    >>> without_defaults(strides=(2, 1), dilation=(1, 1), groups=1, use_bias=None)
    {'strides': (2, 1)}
    """
    return {name: value for name, value in options.items() if value is not None and not _all_one(value)}


def _all_one(value: Any) -> bool:
    values = value if isinstance(value, tuple) else (value,)
    return all(type(v) is int and v == 1 for v in values)
