"""Examines convolutions; trains and uses networks that label pixels."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable, Sequence

import tyro

from jaxconv import __version__
from jaxconv.cli.arithmetic import arithmetic
from jaxconv.cli.convolution import matrix, verify
from jaxconv.cli.demo import demo
from jaxconv.cli.explore import explore
from jaxconv.cli.figures import animate, figures
from jaxconv.cli.identify import identify
from jaxconv.cli.info import info
from jaxconv.cli.screen import console, new_console
from jaxconv.cli.segmentation import class_weights, evaluate, export, predict
from jaxconv.cli.spectrum import spectrum
from jaxconv.cli.training import train
from jaxconv.errors import FailureError, JaxconvError

COMMANDS: dict[str, Callable[..., None]] = {
    "verify": verify,
    "arithmetic": arithmetic,
    "identify": identify,
    "matrix": matrix,
    "spectrum": spectrum,
    "explore": explore,
    "animate": animate,
    "figures": figures,
    "demo": demo,
    "class-weights": class_weights,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "export": export,
    "info": info,
}


BROKEN = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}
"""Errors of the operating system that are failures of the machine, which other arguments would not avoid."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command, and prints one line if the library or the operating system raises an error.

    The exit status is 2 for a mistake of the caller, 1 for a failure and 130 for Ctrl-C. Every other
    exception is a mistake of the library and keeps its traceback.

    Args:
      arguments: Words of the command line after `jaxconv`; by default those of the process.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments == ["--version"]:
        console.print(f"jaxconv {__version__}", highlight=False)
        return
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="jaxconv", description=__doc__, args=arguments, sort_subcommands=False
        )
    except (JaxconvError, OSError) as error:
        failed = isinstance(error, FailureError) or getattr(error, "errno", 0) in BROKEN
        raise SystemExit(_print_refusal(str(error), 1 if failed else 2)) from None
    except KeyboardInterrupt:
        raise SystemExit(_print_refusal("interrupted", 128 + signal.SIGINT)) from None


def _print_refusal(message: str, status: int) -> int:
    """Prints why a command ends. Returns its exit status."""
    new_console(stderr=True).print(
        f"jaxconv: {message}", style="red", highlight=False, markup=False, emoji=False, soft_wrap=True
    )
    return status
