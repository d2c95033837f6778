"""The command line: convolutions examined, networks trained and used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import tyro
from rich.console import Console

from jaxconv import __version__
from jaxconv.cli.convolution import arithmetic, matrix, verify
from jaxconv.cli.demo import demo
from jaxconv.cli.screen import console
from jaxconv.cli.segmentation import class_weights, evaluate, export, predict
from jaxconv.cli.training import train
from jaxconv.errors import GeometryError

COMMANDS: dict[str, Callable] = {
    "verify": verify,
    "arithmetic": arithmetic,
    "matrix": matrix,
    "demo": demo,
    "class-weights": class_weights,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "export": export,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command; a mistake of the caller is one line and exit status 2, a failure 1."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments == ["--version"]:
        console.print(f"jaxconv {__version__}", highlight=False)
        return
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="jaxconv", description=__doc__, args=arguments, sort_subcommands=False
        )
    except (GeometryError, TypeError, OSError, RuntimeError, FloatingPointError) as error:
        found = isinstance(error, RuntimeError | FloatingPointError)  # of the work, not of the caller
        message = f"jaxconv: {error}"
        Console(stderr=True).print(message, style="red", highlight=False, markup=False, soft_wrap=True)
        raise SystemExit(1 if found else 2) from None
