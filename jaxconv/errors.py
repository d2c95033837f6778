"""The library's own errors: each message has the limit, what was found and the way out.

The class says what has to change: shapes (`GeometryError`), files and labels (`DataError`), a configuration
or the folder of a run (`ConfigError`), or an argument of the call (`OptionError`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class JaxconvError(ValueError):
    """Base class of all errors that the library raises for its own reasons, but for `TypeError`."""


class GeometryError(JaxconvError):
    """Sizes, padding, features or options that no convolution has."""


class SizeError(GeometryError, MemoryError):
    """A matrix too large for the memory, or for the integers, that it is asked to fit in.

    Raised before anything of that size is allocated.
    """


class DataError(JaxconvError):
    """A file or an example that cannot be used: missing, damaged, or with labels that are not classes."""


class ConfigError(JaxconvError):
    """A configuration or run that does not fit: an unknown key, a wrong type, other settings than before."""


class OptionError(JaxconvError):
    """An argument of a function, network or command: an unknown word, or a value out of its range."""


class FailureError(JaxconvError, RuntimeError):
    """Work that failed although the call was right: a damaged run, a claim that does not hold here."""


class MissingExtraError(ImportError, JaxconvError):
    """A package that only an extra of jaxconv brings; the message names the extra."""


@contextmanager
def needs_extra(user: str, extra: str) -> Iterator[None]:
    """Within this context a package that cannot be found is one that an extra brings.

    Args:
      user: What needs it, for the message; a module's ``__name__``.
      extra: One of the extras of pyproject.toml.

    Raises:
      MissingExtraError: A package is missing.

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
