"""The options of a convolution, given one by one or as one `geometry`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from jaxconv.core.checks import check_geometry
from jaxconv.errors import GeometryError

P = ParamSpec("P")
R = TypeVar("R")

OPTION_NAMES = (
    "strides", "padding", "padding_mode", "input_dilation", "kernel_dilation", "feature_group_count"
)  # fmt: skip


def instead_of_geometry(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Returns a decorator that refuses the named arguments beside `geometry`.

    It sees which arguments a call names, so that one that equals its default is refused too.

    Args:
      *names: Arguments that `geometry` stands for.

    Returns:
      A decorator for functions with a keyword ``geometry: ConvGeometry | None = None``. It raises
      GeometryError where a call gives both, and TypeError where `geometry` is not a ConvGeometry.

    >>> from jaxconv.geometry import ConvGeometry
    >>> @instead_of_geometry("strides")
    ... def window_count(*, strides=1, geometry=None):
    ...     return geometry.output_shape
    >>> window_count(geometry=ConvGeometry((6,), (3,), strides=2))
    (2,)
    >>> window_count(strides=1, geometry=ConvGeometry((6,), (3,), strides=2))
    Traceback (most recent call last):
      ...
    jaxconv.errors.GeometryError: `geometry` already fixes `strides`; leave out one of the two.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            geometry = kwargs.get("geometry")
            if geometry is not None:
                positional = list(signature.parameters)[: len(args)]
                _refuse_beside_geometry(geometry, [n for n in names if n in kwargs or n in positional])
            return function(*args, **kwargs)

        return checked

    return decorate


def _refuse_beside_geometry(geometry: Any, given: list[str]) -> None:
    check_geometry(geometry)
    if given:
        options = ", ".join(f"`{name}`" for name in given)
        which = "one of the two" if len(given) == 1 else "either `geometry` or all of these"
        raise GeometryError(f"`geometry` already fixes {options}; leave out {which}.")
