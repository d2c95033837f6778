"""Arguments that several operators share: checks, and hints for maps in another layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jaxconv.core.checks import split_map
from jaxconv.errors import GeometryError
from jaxconv.geometry import Padding
from jaxconv.geometry.arguments import padding_per_axis, resolve_padding


def check_window_fits(
    sizes: Sequence[int],
    window: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[tuple[int, int]],
    *,
    name: str = "window",
    dilation_name: str = "dilation",
) -> None:
    """Checks that the window is not larger than the padded input, on every axis.

    Args:
      sizes: Spatial shape of the input.
      window: Cells of the window, per axis.
      dilation: Distance between neighbouring cells of the window, per axis.
      padding: ``(low, high)`` in cells, per axis.
      name: Name of the window, for the message.
      dilation_name: Name of the dilation, for the message.

    Raises:
      GeometryError: It is, on an axis that the message names.
    """
    axes = zip(sizes, window, dilation, padding, strict=True)
    for axis, (size, cells, distance, (low, high)) in enumerate(axes):
        span = distance * (cells - 1) + 1
        if span > size + low + high:
            lower = f"lower `{dilation_name}`, take a smaller" if distance > 1 else "take a smaller"
            raise GeometryError(
                f"on axis {axis} `{name}` spans {span} cells, but the input has {size} and with padding "
                f"{size + low + high}; {lower} `{name}`, or raise `padding`."
            )


def padding_in_cells(
    padding: Padding,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> tuple[tuple[int, int], ...]:
    """Returns the padding of every axis as ``(low, high)``.

    >>> padding_in_cells("SAME", (5, 5), (3, 1), (1, 1), (2, 1))
    ((2, 2), (0, 0))
    """
    axes = zip(padding_per_axis(padding, len(sizes)), sizes, window, strides, dilation, strict=True)
    return tuple(resolve_padding(pad, i, d * (k - 1) + 1, s) for pad, i, k, s, d in axes)


def split_spatial(
    name: str, shape: tuple[int, ...], argument: str, sizes: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the batch axes and the spatial axes of a map: as many as another argument has sizes.

    Args:
      name: Name of the map, for the message.
      shape: Shape of the map.
      argument: Name of the other argument, for the message.
      sizes: The other argument, a spatial shape.

    Raises:
      GeometryError: The map has too few axes; the message has the likeliest mistake.
    """
    n = len(sizes)
    if n == len(shape) > 2:
        spatial, otherwise = sizes[1:-1], ""
        if n == 3:
            spatial, otherwise = sizes[:-1], f"; or if `{name}` lacks its features axis, {name}[..., None]"
        raise GeometryError(
            f"`{argument}` must be the spatial shape, without batch and features; got {sizes} for `{name}` "
            f"of shape {shape}. Try {spatial}{otherwise}."
        )
    return split_map(name, shape, n, f"`{argument}`")


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
