"""Checks values from files and command lines against type annotations, and converts them."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from jaxconv.errors import ConfigError
from jaxconv.geometry.arguments import did_you_mean
from jaxconv.limits import Within


@dataclass(frozen=True)
class Choice:
    """A model, data set, loss, optimiser or schedule by name, with all its options, defaults included.

    Attributes:
      name: Name in its registry, such as `jaxconv.models.MODELS`.
      pairs: Pairs of option and value, in the order of its signature.
    """

    name: str
    pairs: tuple[tuple[str, Any], ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """The options as keyword arguments."""
        return dict(self.pairs)


def options_of(function: Callable) -> dict[str, tuple[Any, Any]]:
    """Returns the keyword-only parameters of a function or class: name to (annotation, default).

    Parameters without an annotation or a default are left out: a configuration cannot set them.

    >>> def model(x, *, features: tuple[int, ...] = (8, 16), rngs=None): ...
    >>> options_of(model)
    {'features': (tuple[int, ...], (8, 16))}
    """
    if inspect.isclass(function):
        function = function.__init__  # flax's metaclass hides its signature from inspect
    hints = get_type_hints(function, include_extras=True)
    return {
        name: (hints[name], parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        and name in hints
        and parameter.default is not parameter.empty
    }


def convert_options(
    given: Mapping[str, Any], known: Mapping[str, tuple[Any, Any]], where: str
) -> dict[str, Any]:
    """Returns every known option: the given value, converted, or the default.

    Args:
      given: Options in a table of a file, name to value.
      known: Known options, name to (annotation, default), as `options_of` returns them.
      where: Name of the table, for messages.

    Raises:
      ConfigError: An option is not known (the message names the nearest known one), or a value does not
        fit its annotation.
    """
    for name in given:
        if name not in known:
            raise ConfigError(f"[{where}] has no option `{name}`{suggestion(name, known)}")
    return {
        name: convert_value(given[name], annotation, f"{where}.{name}") if name in given else default
        for name, (annotation, default) in known.items()
    }


def suggestion(name: str, known: Iterable[str]) -> str:
    """Returns the end of a message: the name that was probably meant, or all known names.

    Args:
      name: The unknown name.
      known: All known names.

    >>> suggestion("learning_rat", ["momentum", "learning_rate"])
    '; did you mean `learning_rate`?'
    """
    known = list(known)
    return did_you_mean(name, known, quote="`", otherwise=f"; choose from {', '.join(known) or 'none'}.")


def convert_value(value: Any, annotation: Any, where: str) -> Any:
    """Converts a value to the type of an annotation: lists become tuples.

    An int is accepted as a float, and the word ``"none"`` as None, because TOML has no null. Nothing else
    is converted. Numbers must be finite, and inside the range that the annotation gives by
    `jaxconv.limits.Within`.

    Args:
      value: Value from a file or a command line.
      annotation: Type annotation of the option.
      where: Name of the option, for messages.

    Raises:
      ConfigError: The value does not fit; the message says what is expected.

    >>> convert_value([1, 2], tuple[int, ...], "model.features")
    (1, 2)
    >>> convert_value("none", float | None, "training.clip_norm")
    """
    fits, result = _convert(value, annotation)
    if not fits:
        raise ConfigError(f"`{where}` must be {_describe(annotation)}, got {abbreviate(value)}.")
    return result


def _convert(value: Any, annotation: Any) -> tuple[bool, Any]:
    """Returns whether the value fits the annotation, and the converted value."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return value in (None, "none"), None
    if origin is Annotated:
        fits, result = _convert(value, arguments[0])
        size = len(result) if isinstance(result, tuple) else result
        return fits and all(size in limit for limit in _limits(annotation)), result
    if origin in (Union, types.UnionType):
        # None first, so that "none" is not read as a string.
        for kind in sorted(arguments, key=lambda kind: kind is not type(None)):
            fits, result = _convert(value, kind)
            if fits:
                return True, result
        return False, None
    if origin is Literal:
        return any(value == word and type(value) is type(word) for word in arguments), value
    if origin is tuple:
        return _convert_tuple(value, arguments)
    if annotation is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        number = number and abs(value) <= sys.float_info.max  # neither NaN nor an int that no float holds
        return number, float(value) if number else None
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    return isinstance(value, annotation), value


def _convert_tuple(value: Any, kinds: tuple[Any, ...]) -> tuple[bool, Any]:
    if not isinstance(value, list | tuple):
        return False, None
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        return False, None
    pairs = [_convert(one, kind) for one, kind in zip(value, kinds, strict=True)]
    return all(fits for fits, _ in pairs), tuple(result for _, result in pairs)


def _limits(annotation: Any) -> list[Within]:
    return [limit for limit in annotation.__metadata__ if isinstance(limit, Within)]


def _describe(annotation: Any) -> str:
    """Returns what an annotation expects, for messages."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return '"none"'
    if origin is Annotated:
        limits = " ".join(map(str, _limits(annotation)))
        if get_origin(arguments[0]) is tuple:
            return f"{_describe(arguments[0])}, with a number of entries {limits}"
        return f"{_describe(arguments[0])} {limits}"
    if origin in (Union, types.UnionType):
        kinds = list(map(_describe, arguments))
        return (", or " if any(" list" in kind for kind in kinds) else " or ").join(kinds)
    if origin is Literal:
        return "one of " + ", ".join(f'"{word}"' for word in arguments)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"a list, each {_describe(arguments[0])}"
        return f"a list of {len(arguments)}, each {' and '.join(dict.fromkeys(map(_describe, arguments)))}"
    return {int: "an integer", float: "a number", bool: "true or false", str: "a string"}.get(
        annotation, str(annotation)
    )


def abbreviate(value: Any) -> str:
    """Returns a value as text, shortened for messages.

    >>> abbreviate("a" * 300)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    try:
        text = repr(value)
    except ValueError:  # Python does not print integers of more than 4300 digits
        return "an integer of thousands of digits"
    return text if len(text) <= 200 else f"{text[:60]}..."
