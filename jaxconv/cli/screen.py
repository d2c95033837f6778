"""Where the commands write."""

from __future__ import annotations

from rich.console import Console

UNWRAPPED = 10_000
"""Characters of a line in a pipe or a file: no line is wrapped there and no table squeezed."""


def new_console(**options) -> Console:
    """Returns a console as wide as its terminal, and wide enough for everything where there is none.

    Args:
      **options: Those of `rich.console.Console`.
    """
    console = Console(**options)
    if not console.is_terminal:
        console.width = UNWRAPPED
    return console


console = new_console()
