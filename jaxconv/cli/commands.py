"""The command line: convolutions examined, networks trained and used."""

from __future__ import annotations

import errno
import signal
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


BROKEN = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
"""Errors of the operating system that are the machine's failure: no other argument would avoid them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command; a mistake of the caller is one line and exit status 2, a failure 1, Ctrl-C 130."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments == ["--version"]:
        console.print(f"jaxconv {__version__}", highlight=False)
        return
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="jaxconv", description=__doc__, args=arguments, sort_subcommands=False
        )
    except (GeometryError, TypeError, OSError, RuntimeError, FloatingPointError) as error:
        failed = isinstance(error, RuntimeError | FloatingPointError) or getattr(error, "errno", 0) in BROKEN
        raise SystemExit(_refusal(str(error), 1 if failed else 2)) from None
    except KeyboardInterrupt:
        raise SystemExit(_refusal("interrupted", 128 + signal.SIGINT)) from None


def _refusal(message: str, status: int) -> int:
    """Prints why a command ends, and returns its exit status."""
    console = Console(stderr=True)
    console.print(f"jaxconv: {message}", style="red", highlight=False, markup=False, soft_wrap=True)
    return status
