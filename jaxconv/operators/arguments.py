"""Arguments that several operators share: checks, and hints for maps in another layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jaxconv.errors import GeometryError


def check_window_fits(
    sizes: Sequence[int], window: Sequence[int], dilation: Sequence[int], padding: Sequence[tuple[int, int]]
) -> None:
    """Checks that the window is not larger than the padded input, on every axis.

    Raises:
      GeometryError: It is, on an axis that the message names.
    """
    axes = zip(sizes, window, dilation, padding, strict=True)
    for axis, (size, cells, distance, (low, high)) in enumerate(axes):
        span = distance * (cells - 1) + 1
        if span > size + low + high:
            lower = "`window` or `dilation`" if distance > 1 else "`window`"
            raise GeometryError(
                f"on axis {axis} `window` spans {span} cells, but the input has {size} and with padding "
                f"{size + low + high}; lower {lower}, or raise `padding`."
            )


@contextmanager
def hint_at_channels_first(name: str, shape: Sequence[int], n: int) -> Iterator[None]:
    """Adds a hint to a `GeometryError` that is raised here, if the map may be channels-first.

    That is so where the first of its `n` spatial axes is shorter than all others and than the last axis.

    >>> with hint_at_channels_first("x", (2, 3, 32, 32), 2):
    ...     raise GeometryError("the window is too large.")
    Traceback (most recent call last):
    jaxconv.errors.GeometryError: the window is too large. `x` has shape (2, 3, 32, 32), and jaxconv is
    channels-last; if its features are on axis 1, use jnp.moveaxis(x, 1, -1).
    """
    try:
        yield
    except GeometryError as error:
        axis = len(shape) - n - 1
        if n < 2 or axis < 0 or shape[axis] >= min(shape[axis + 1 :]):
            raise
        raise type(error)(
            f"{error} `{name}` has shape {tuple(shape)}, and jaxconv is channels-last; if its features are "
            f"on axis {axis}, use jnp.moveaxis({name}, {axis}, -1)."
        ) from None
