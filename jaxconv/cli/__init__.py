"""The command line: convolutions examined, networks trained and used."""

from jaxconv.cli.commands import COMMANDS, main

__all__ = [
    "COMMANDS",
    "main",
]
