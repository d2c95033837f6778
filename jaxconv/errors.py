"""The library's own errors: each message says what was expected, what came and what to do.

The class says what has to change: shapes (`GeometryError`), files and labels (`DataError`), a configuration
or the folder of a run (`ConfigError`), or an argument of the call (`OptionError`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class JaxconvError(ValueError):
    """Base class of the library's errors; wrong types and dtypes raise Python's `TypeError` instead."""


class GeometryError(JaxconvError):
    """Sizes, padding, features or options that do not make a convolution."""


class SizeError(GeometryError, MemoryError):
    """A result that is too large for the memory or for the integers that index it.

    Raised before anything of that size is allocated.
    """


class DataError(JaxconvError):
    """A file or an example that cannot be used: missing, damaged, or with wrong labels."""


class ConfigError(JaxconvError):
    """A wrong configuration or run: an unknown key, a wrong type, or settings that differ from the run's."""


class OptionError(JaxconvError):
    """A wrong argument of a function, network or command: an unknown word, or a value out of its range."""


class FailureError(JaxconvError, RuntimeError):
    """Work that failed although the call was correct: a damaged run, or a claim that does not hold here."""


class MissingExtraError(ImportError, JaxconvError):
    """A missing package that an extra of jaxconv installs; the message names the extra."""


@contextmanager
def needs_extra(user: str, extra: str) -> Iterator[None]:
    """Turns the import error of a missing package into one that names the extra to install.

    Args:
      user: What needs the package, for the message; usually a module's ``__name__``.
      extra: Name of the extra in pyproject.toml.

    Raises:
      MissingExtraError: A package imported within the context is missing.

    >>> with needs_extra("a picture", "figures"):
    ...     import nowhere
    Traceback (most recent call last):
    jaxconv.errors.MissingExtraError: a picture needs nowhere; install it by: pip install 'jaxconv[figures]'
    """
    try:
        yield
    except ImportError as error:
        package = (error.name or "jaxconv").partition(".")[0]
        if package == "jaxconv" or not isinstance(error, ModuleNotFoundError | MissingExtraError):
            raise
        raise MissingExtraError(
            f"{user} needs {package}; install it by: pip install 'jaxconv[{extra}]'", name=package
        ) from None
