"""The console to which the commands print."""

from __future__ import annotations

from typing import Any

from rich.console import Console

UNWRAPPED = 10_000
"""Width of a pipe or file in characters, so that lines are not wrapped and tables not squeezed there."""


def new_console(**options: Any) -> Console:
    """Builds a console as wide as its terminal, or `UNWRAPPED` characters wide without a terminal.

    Args:
      **options: Options of `rich.console.Console`.
    """
    console = Console(**options)
    if not console.is_terminal:
        console.width = UNWRAPPED
    return console


console = new_console()
