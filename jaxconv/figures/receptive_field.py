"""Pictures of receptive fields: the cells that an output reads, and how strongly each changes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxconv.errors import GeometryError
from jaxconv.figures import canvas

THEORETICAL = "#d9482b"
MEASURED = "#1f6f9f"
MARGIN = 2.5  # cells around the largest field


def receptive_field_figure(
    measured: Sequence[np.ndarray],
    fields: Sequence[tuple[range, range]],
    names: Sequence[str],
    *,
    part: float = 0.95,
) -> Figure:
    """Draws effective receptive fields side by side, each with a frame around the theoretical field.

    White cells have zero gradient. All pictures show the same number of cells.

    Args:
      measured: Effective receptive fields, each ``(rows, columns)``, as `jaxconv.effective_receptive_field`
        returns them.
      fields: Rows and columns of the theoretical field of every picture, as
        `jaxconv.ReceptiveField.interval` returns them; they may reach beyond the map.
      names: Title of every picture.
      part: Share of the gradient, 0 to 1. A second frame is drawn around the smallest square with this
        share.

    Returns:
      A matplotlib figure; `figure.savefig(path)` writes it.

    Raises:
      GeometryError: A measured field does not have two axes, or the numbers of `measured`, `fields` and
        `names` differ.
    """
    for array in measured:
        if np.ndim(array) != 2:
            raise GeometryError(
                f"`measured` must be arrays of two axes, (rows, columns), got shape {np.shape(array)}."
            )
    if not len(measured) == len(fields) == len(names):
        raise GeometryError(
            "`fields` and `names` must have one element per array of `measured`, got "
            f"{len(measured)} arrays, {len(fields)} fields and {len(names)} names."
        )
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(2.75 * len(measured) + 0.9, 3.6)
        reach = max(len(interval) for field in fields for interval in field) / 2 + MARGIN
        axes = figure.subplots(1, len(measured), squeeze=False)[0]
        for ax, array, field, name in zip(axes, measured, fields, names, strict=True):
            picture = np.asarray(array, float)
            picture = np.ma.masked_less_equal(picture / picture.max(), 0)
            image = ax.imshow(picture, cmap="magma_r", vmin=0, vmax=1)
            canvas.picture_axes(ax)
            ax.spines[:].set(visible=True, color=canvas.BORDER)
            theoretical = _frame(ax, field, THEORETICAL, "theoretical")
            square = smallest_square(np.asarray(array, float), field, part)
            frame = _frame(ax, square, MEASURED, f"{part:.0%} of the gradient", dashed=True)
            (top, bottom), (left, right) = (_around(interval, reach) for interval in field)
            ax.set(xlim=(left, right), ylim=(bottom, top), title=name)
            ax.set_xlabel(
                f"{canvas.by(*map(len, field))} cells,  {part:.0%} in {canvas.by(*map(len, square))}"
            )
        bar = figure.colorbar(image, ax=list(axes), fraction=0.03, pad=0.01, aspect=28)
        bar.outline.set_visible(False)
        bar.set_label("mean |gradient| / largest")
        figure.legend(handles=[theoretical, frame], loc="outside lower center", ncols=2, frameon=False)
    return figure


def _around(interval: range, reach: float) -> tuple[float, float]:
    """Returns the ends of `reach` cells to both sides of the middle of an interval."""
    middle = (interval.start + interval.stop - 1) / 2
    return middle - reach, middle + reach


def _frame(ax: Axes, field: tuple[range, range], colour: str, label: str, dashed: bool = False) -> Rectangle:
    """Draws a rectangle around rows and columns of cells."""
    rows, columns = field
    corner = columns.start - 0.5, rows.start - 0.5
    frame = Rectangle(
        corner, len(columns), len(rows), fill=False, edgecolor=colour, linewidth=1.4, label=label
    )
    frame.set_linestyle("--" if dashed else "-")
    ax.add_patch(frame)
    return frame


def smallest_square(
    measured: np.ndarray, field: tuple[range, range], part: float = 0.95
) -> tuple[range, range]:
    """Finds the smallest square around the middle of the theoretical field with this part of the gradient.

    If the middle lies between two cells along one axis only, the square is one cell shorter along the other.

    Args:
      measured: Effective receptive field, ``(rows, columns)``, not negative.
      field: Rows and columns of the theoretical field; only its middle is used.
      part: Share of the sum of `measured`, 0 to 1.

    Returns:
      Rows and columns of the square.

    >>> measured = np.zeros((9, 9))
    >>> measured[4, 3:6] = 1, 8, 1
    >>> [smallest_square(measured, (range(2, 7), range(2, 7)), part) for part in (0.8, 0.9)]
    [(range(4, 5), range(4, 5)), (range(3, 6), range(3, 6))]
    """
    middles = [interval.start + interval.stop - 1 for interval in field]  # doubled: it may lie between cells
    down, along = (abs(2 * np.arange(n) - middle) for n, middle in zip(measured.shape, middles, strict=True))
    distance = np.maximum(down[:, None], along[None, :]).ravel()
    order = np.argsort(distance, kind="stable")
    sums = np.cumsum(measured.ravel()[order])
    reach = int(distance[order[np.searchsorted(sums, part * sums[-1])]])
    rows, columns = (range(-((reach - middle) // 2), (middle + reach) // 2 + 1) for middle in middles)
    return rows, columns


def draw_receptive_fields(
    path: str | Path,
    measured: Sequence[np.ndarray],
    fields: Sequence[tuple[range, range]],
    names: Sequence[str],
    *,
    part: float = 0.95,
) -> Path:
    """Writes the picture of `receptive_field_figure` to a file.

    Args:
      path: File to write; its suffix is the format.
      measured: Effective receptive fields, each ``(rows, columns)``.
      fields: Rows and columns of the theoretical field of every picture.
      names: Title of every picture.
      part: Share of the gradient inside the second frame, 0 to 1.

    Returns:
      `path`.

    Raises:
      GeometryError: A measured field does not have two axes, or the numbers of `measured`, `fields` and
        `names` differ.
    """
    return canvas.save(receptive_field_figure(measured, fields, names, part=part), path)
