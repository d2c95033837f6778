"""Pictures of linear algebra: the singular values of C, and the transpose beside the inverse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxconv.core.checks import ArrayOrList
from jaxconv.errors import GeometryError
from jaxconv.figures import canvas
from jaxconv.geometry import ConvGeometry
from jaxconv.linalg import frobenius_norm, is_circulant, singular_values, symbol
from jaxconv.linalg.arguments import checked_kernel
from jaxconv.linalg.dense import MOST_ROWS, dense

BLUE, RED = "#1f4e8c", "#b5432a"
MOST_VALUES = 64  # of a large C that is not circulant
FLOOR = 1e-8  # of the axis of singular values, relative to the largest


def spectrum_figure(kernel: ArrayOrList, geometry: ConvGeometry) -> Figure:
    """Draws the singular values of C in descending order, and in two dimensions the map over frequencies.

    All values are drawn where C is circulant (`jaxconv.linalg.is_circulant`) or has at most 2,000 rows, else
    the 64 largest. The map shows the largest singular value of each block of a circulant C, with frequency 0
    in the middle.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.

    Returns:
      A matplotlib figure; `figure.savefig(path)` writes it.

    Raises:
      GeometryError: The kernel's shape contradicts the geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.
    """
    kernel = checked_kernel(kernel, geometry)
    has_map = is_circulant(geometry) and geometry.ndim == 2
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(8.6 if has_map else 5.2, 3.8)
        axes = figure.subplots(1, 1 + has_map, squeeze=False)[0]
        _draw_values(axes[0], _values(kernel, geometry), kernel, geometry)
        if has_map:
            _draw_map(axes[1], figure, kernel, geometry)
    return figure


def _values(kernel: jax.Array, g: ConvGeometry) -> np.ndarray:
    """Returns all singular values, or as many as are drawn."""
    if is_circulant(g):
        return np.asarray(singular_values(kernel, g))
    if g.matrix_shape[0] <= MOST_ROWS:
        return np.linalg.svd(np.asarray(dense(kernel, g, "the spectrum")), compute_uv=False)
    return np.asarray(singular_values(kernel, g, min(MOST_VALUES, *g.matrix_shape)))


def _draw_values(ax: Axes, values: np.ndarray, kernel: jax.Array, g: ConvGeometry) -> None:
    count = min(g.matrix_shape)
    top = float(values[0])
    ax.plot(np.arange(1, values.size + 1), values, color=BLUE, linewidth=1.6)
    mean = float(frobenius_norm(kernel, g)) / count**0.5
    ax.axhline(mean, color=RED, linewidth=0.9, linestyle="--")
    ax.text(0.98, mean, "root mean square", color=RED, ha="right", va="bottom",
            transform=ax.get_yaxis_transform())  # fmt: skip
    lowest = max(float(values.min()), FLOOR * top)
    if top > 20 * lowest:
        ax.set_yscale("log")
        ax.set_ylim(lowest / 1.3, 1.3 * top)
    elif top > 0:
        ax.set_ylim(0, 1.05 * top)
    shown = f"all {count:,}" if values.size == count else f"the largest {values.size} of {count:,}"
    ax.set(title=f"singular values, {shown}", xlabel="number", ylabel="singular value")
    ax.set_xlim(1, max(values.size, 2))
    ax.grid(color="#e3e3df", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _draw_map(ax: Axes, figure: Figure, kernel: jax.Array, g: ConvGeometry) -> None:
    tops = np.linalg.svd(np.asarray(symbol(kernel, g)), compute_uv=False)[..., 0].max(-1)
    rows, columns = tops.shape
    edges = [n / 2 + 0.5 if n % 2 == 0 else n / 2 for n in (rows, columns)]
    extent = (-edges[1], columns - edges[1], rows - edges[0], -edges[0])
    image = ax.imshow(np.fft.fftshift(tops), cmap="viridis", extent=extent, vmin=0)
    ax.set(title="largest singular value per frequency", xlabel="waves across", ylabel="waves down")
    bar = figure.colorbar(image, ax=ax, fraction=0.046, pad=0.02)
    bar.outline.set_visible(False)


def draw_spectrum(path: str | Path, kernel: ArrayOrList, geometry: ConvGeometry) -> Path:
    """Writes the picture of `spectrum_figure` to a file.

    Args:
      path: File to write; its suffix is the format.
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution.

    Returns:
      `path`.

    Raises:
      GeometryError: The kernel's shape contradicts the geometry, or the kernel is not finite.
      TypeError: The kernel is not a floating or complex array, or `geometry` is not a `ConvGeometry`.
    """
    return canvas.save(spectrum_figure(kernel, geometry), path)


def inverse_figure(original: np.ndarray, maps: Mapping[str, np.ndarray], *, columns: int = 4) -> Figure:
    """Draws what came out beside what went in: a transpose, an inverse, each with its relative error.

    The error is the norm of the difference, divided by the norm of the original. All pictures have the grey
    levels of the original; darker and brighter cells are cut off.

    Args:
      original: The map before the convolution, ``(rows, columns)``.
      maps: Maps to draw after it by their titles, each ``(rows, columns)``, of any size. Those of another
        size than the original have no error.
      columns: Pictures per row.

    Returns:
      A matplotlib figure; `figure.savefig(path)` writes it.

    Raises:
      GeometryError: A map does not have two axes.

    >>> inverse_figure(np.eye(3), {"transpose": np.eye(3) / 2}).axes[1].get_xlabel()
    'error 0.5'
    """
    pictures = {"original": np.asarray(original), **{name: np.asarray(one) for name, one in maps.items()}}
    for name, picture in pictures.items():
        if picture.ndim != 2:
            raise GeometryError(
                f"`maps` and `original` must have two axes, (rows, columns); {name!r} has shape "
                f"{picture.shape}. Take one feature, as in x[..., 0]."
            )
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    low, high = float(np.min(original)), float(np.max(original))
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(2.3 * columns, 2.7 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (name, picture) in zip(grid, pictures.items(), strict=False):
            canvas.picture_axes(ax).imshow(picture, cmap="gray", vmin=low, vmax=high)
            ax.set_title(name)
            if name != "original" and picture.shape == pictures["original"].shape:
                ax.set_xlabel(f"error {relative_error(picture, pictures['original']):.2g}")
        for ax in grid[len(pictures) :]:
            ax.set_visible(False)
    return figure


def relative_error(found: np.ndarray, original: np.ndarray) -> float:
    """Returns the norm of the difference divided by the norm of the original."""
    return float(np.linalg.norm(found - original) / np.linalg.norm(original))
