"""The demo's picture of the filtered photograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxconv.figures import canvas


def draw_photograph(
    path: str | Path, photograph: np.ndarray, filters: Sequence[Mapping[str, Any]], caption: str
) -> Path:
    """Draws the photograph, and for each filter its kernel, C x, C-transposed y and the gap to the functions.

    Args:
      path: File to write.
      photograph: Photograph, ``(rows, columns, 3)`` from 0 to 1.
      filters: Results of each filter: ``name``, ``kernel`` ``(k, k)``, ``filtered`` and ``upsampled``
        (feature maps from 0 to 1 or, if ``signed``, around 0), ``brightness`` (the factor of
        ``upsampled``), ``gap`` (of the shape of ``upsampled``, in units of its rounding bound) and
        ``largest_gap`` (over both products).
      caption: Text beside the photograph.

    Returns:
      `path`.
    """
    rows, columns = photograph.shape[:2]
    high = 2.35
    wide = high * columns / rows
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(0.72 * high + 3 * wide + 1.2, (len(filters) + 1) * high + 1.3)
        grid = figure.subplots(len(filters) + 1, 4, width_ratios=[0.72 * high, wide, wide, wide])
        for ax in grid[0]:
            ax.set_axis_off()
        grid[0, 1].imshow(photograph)
        grid[0, 1].set_title(f"the photograph $x$\n{canvas.by(rows, columns, 3)}")
        text = grid[0, 2].text(0, 0.98, caption, va="top", linespacing=1.6, transform=grid[0, 2].transAxes)
        text.set(fontsize=10, in_layout=False)  # it may reach into the next column, which is empty
        for line, found in zip(grid[1:], filters, strict=True):
            _draw_filter(figure, line, found)
    return canvas.save(figure, path)


def _draw_filter(figure: Figure, axes: Sequence[Axes], found: Mapping[str, Any]) -> None:
    """Draws one line of the picture: the kernel, both products, and the gap."""
    kernel, signed = found["kernel"], found["signed"]
    for ax in axes:
        canvas.picture_axes(ax)
    largest = abs(kernel).max()
    axes[0].imshow(kernel, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes[0].set_title(f"{found['name']}\n{canvas.by(*kernel.shape)}, stride 2")
    factor = "" if signed else f"{found['brightness']}\\,"
    titles = ("$y = C\\,x$", rf"${factor}C^\mathsf{{T}} y$")
    for ax, name, text in zip(axes[1:3], ("filtered", "upsampled"), titles, strict=True):
        shown = found[name]
        shown = 0.5 + shown / (2 * np.quantile(abs(shown), 0.995)) if signed else shown
        ax.imshow(shown.clip(0, 1))
        ax.set_title(f"{text}\n{canvas.by(*shown.shape[:2])}")
    image = axes[3].imshow(found["gap"].max(-1), cmap="magma", vmin=0, interpolation="antialiased")
    axes[3].set_title(
        r"$|\,C^\mathsf{T} y\,-\,\mathrm{conv\_transpose}(y)\,|$"
        f"\nlargest, and of $C\\,x$ to conv: {found['largest_gap']:.2f}"
    )
    bar = figure.colorbar(image, ax=axes[3], fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("of the rounding bound")
