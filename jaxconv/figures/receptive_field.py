"""Pictures of receptive fields: what an output may see, and what moves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxconv.errors import GeometryError
from jaxconv.figures import canvas

THEORETICAL = "#d9482b"
HOLDS = "#1f6f9f"
MARGIN = 2.5  # cells around the largest field


def receptive_field_figure(
    measured: Sequence[np.ndarray],
    fields: Sequence[tuple[range, range]],
    names: Sequence[str],
    *,
    part: float = 0.95,
) -> Figure:
    """Effective receptive fields side by side, each with its theoretical one.

    White is no gradient at all. All pictures show as many cells.

    Args:
      measured: Arrays (rows, columns), as `jaxconv.effective_receptive_field` returns them.
      fields: For each, the rows and columns of the theoretical field, as
        `jaxconv.ReceptiveField.interval` returns them; they may reach beyond the map.
      names: For each, a title.
      part: A second frame, around the smallest square that holds so much of the gradient.

    Returns:
      A matplotlib figure; `figure.savefig(path)` writes it.

    Raises:
      GeometryError: A measured field has not two axes.
    """
    for array in measured:
        if np.ndim(array) != 2:
            raise GeometryError(f"a picture shows fields of two axes, got shape {np.shape(array)}.")
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(2.75 * len(measured) + 0.9, 3.6)
        reach = max(len(interval) for field in fields for interval in field) / 2 + MARGIN
        axes = figure.subplots(1, len(measured), squeeze=False)[0]
        for ax, array, field, name in zip(axes, measured, fields, names, strict=True):
            shown = np.asarray(array, float)
            shown = np.ma.masked_less_equal(shown / shown.max(), 0)
            image = ax.imshow(shown, cmap="magma_r", vmin=0, vmax=1)
            canvas.picture_axes(ax)
            ax.spines[:].set(visible=True, color=canvas.BORDER)
            theoretical = _frame(ax, field, THEORETICAL, "theoretical")
            square = holding_square(np.asarray(array, float), field, part)
            held = _frame(ax, square, HOLDS, f"holds {part:.0%} of the gradient", dashed=True)
            (top, bottom), (left, right) = (_around(interval, reach) for interval in field)
            ax.set(xlim=(left, right), ylim=(bottom, top), title=name)
            ax.set_xlabel(
                f"{canvas.by(*map(len, field))} cells,  {part:.0%} in {canvas.by(*map(len, square))}"
            )
        bar = figure.colorbar(image, ax=list(axes), fraction=0.03, pad=0.01, aspect=28)
        bar.outline.set_visible(False)
        bar.set_label("mean |gradient|, of the largest")
        figure.legend(handles=[theoretical, held], loc="outside lower center", ncols=2, frameon=False)
    return figure


def _around(interval: range, reach: float) -> tuple[float, float]:
    """So many cells to both sides of an interval's middle."""
    middle = (interval.start + interval.stop - 1) / 2
    return middle - reach, middle + reach


def _frame(ax, field: tuple[range, range], colour: str, label: str, dashed: bool = False) -> Rectangle:
    """A rectangle around rows and columns of cells."""
    rows, columns = field
    corner = columns.start - 0.5, rows.start - 0.5
    frame = Rectangle(
        corner, len(columns), len(rows), fill=False, edgecolor=colour, linewidth=1.4, label=label
    )
    frame.set_linestyle("--" if dashed else "-")
    return ax.add_patch(frame)


def holding_square(
    measured: np.ndarray, field: tuple[range, range], part: float = 0.95
) -> tuple[range, range]:
    """The smallest square, in the middle of the theoretical field, with this part of the gradient.

    Where the middle lies between cells along one axis only, it is a cell shorter along the other.

    Args:
      measured: (rows, columns), not negative.
      field: Rows and columns of the theoretical field; only its middle is used.
      part: Of the sum of `measured`.

    Returns:
      Its rows and columns.

    >>> measured = np.zeros((9, 9))
    >>> measured[4, 3:6] = 1, 8, 1
    >>> [holding_square(measured, (range(2, 7), range(2, 7)), part) for part in (0.8, 0.9)]
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


def draw_receptive_fields(path: str | Path, *arguments, **options) -> Path:
    """Writes `receptive_field_figure` of the same arguments to `path`, which it returns."""
    return canvas.save(receptive_field_figure(*arguments, **options), path)
