"""The command line: examines convolutions, trains and uses networks."""

from jaxconv.cli.commands import COMMANDS, main

__all__ = [
    "COMMANDS",
    "main",
]
