"""Bad calls of the public API, and what their messages must say. `python tests/messages.py` prints them all.

Every room's `test_messages_ROOM.py` has a table `CASES` of bad calls. A message must name the argument
that is wrong, fit on a screen, and never print an array.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LONGEST_MESSAGE = 500


class BadCall(NamedTuple):
    """A call that must be refused: the words that its message must contain, and the type of its error."""

    name: str
    call: Callable[[], object]
    words: tuple[str, ...]
    error: type[Exception]


def message_of(case: BadCall) -> str:
    """Makes the call and returns the message of its error."""
    try:
        case.call()
    except case.error as error:
        return str(error)
    raise AssertionError(f"{case.name}: nothing was raised")


def check(case: BadCall) -> None:
    """Holds a message to the three rules."""
    message = message_of(case)
    for word in case.words:
        assert word in message, f"{case.name}: no {word!r} in {message!r}"
    assert len(message) <= LONGEST_MESSAGE, f"{case.name}: {len(message)} characters: {message!r}"
    printed = re.search(r"Array\(|\[\[|\d\.\d+ +-?\d+\.\d", message)
    assert not printed, f"{case.name} prints an array: {message!r}"


def main() -> None:
    """Prints every message, room by room."""
    for path in sorted(Path(__file__).parent.glob("*/test_messages_*.py")):
        sys.path.insert(0, str(path.parent))
        for case in importlib.import_module(path.stem).CASES:
            print(f"{path.stem.removeprefix('test_messages_')}: {case.name}\n    {message_of(case)}")


if __name__ == "__main__":
    main()
