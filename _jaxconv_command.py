"""Entry point of the command `jaxconv`, outside of the package: Ctrl-C while that loads prints one line."""

import os
import signal


def main() -> None:
    """Loads the command line, which takes a second or two, and runs it."""
    before = signal.signal(signal.SIGINT, _leave)
    from jaxconv.cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


def _leave(number: int, frame: object) -> None:
    """Ends the process at once: an exception would be changed by extension modules that are being loaded."""
    os.write(2, b"jaxconv: interrupted\n")
    os._exit(128 + number)
