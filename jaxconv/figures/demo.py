"""The demo's pictures: the photograph, the mosaics, the training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.colors import BoundaryNorm, ListedColormap, to_hex
from matplotlib.patches import Patch

from jaxconv.figures import canvas

DIGIT_COLOURS = [*map(to_hex, colormaps["tab10"](np.arange(10)))]
NO_DIGIT = "#f1f1ee"


def draw_photograph(path: str | Path, photograph: np.ndarray, filters: Sequence[dict], caption: str) -> Path:
    """The photograph; for each filter its kernel, C x, C-transposed y, and the gap to the functions.

    Args:
      path: Where to.
      photograph: ``(rows, columns, 3)``, 0 to 1.
      filters: For each, ``name``, ``kernel`` ``(k, k)``, ``filtered`` and ``upsampled`` (feature maps,
        0 to 1 or, if ``signed``, around 0), ``brightness`` (the factor of the latter), ``gap`` (as
        ``upsampled``, in units of its rounding bound) and ``largest_gap`` (over both products).
      caption: Beside the photograph.

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


def _draw_filter(figure, axes, found: dict) -> None:
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


def draw_predictions(
    path: str | Path,
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    class_names: Sequence[str],
    class_iou: np.ndarray,
) -> Path:
    """Mosaics above their truth, their prediction, and where the two differ.

    Args:
      path: Where to.
      images: ``(n, rows, columns)``, 0 to 1.
      labels: ``(n, rows, columns)``, classes; the last one is background.
      predictions: Likewise.
      class_names: For the legend.
      class_iou: Beside them.

    Returns:
      `path`.
    """
    n = len(images)
    colours = ListedColormap([*DIGIT_COLOURS, NO_DIGIT])
    norm = BoundaryNorm(np.arange(len(class_names) + 1) - 0.5, len(class_names))
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(1.75 * n + 2.3, 4 * 1.75 + 0.6)
        grid = figure.subplots(4, n, squeeze=False)
        for column, parts in enumerate(zip(images, labels, predictions, strict=True)):
            image, label, prediction = parts
            axes = [_framed(ax) for ax in grid[:, column]]
            axes[0].imshow(image, cmap="gray_r", vmin=0, vmax=1)
            axes[1].imshow(label, cmap=colours, norm=norm)
            axes[2].imshow(prediction, cmap=colours, norm=norm)
            wrong = label != prediction
            axes[3].imshow(_errors(image, wrong))
            axes[3].set_xlabel(f"{100 * wrong.mean():.1f}% wrong")
        for ax, name in zip(grid[:, 0], ("mosaic", "truth", "prediction", "wrong pixels"), strict=True):
            ax.set_ylabel(name, fontsize=10)
        figure.legend(
            handles=[
                Patch(
                    facecolor=colours(i),
                    edgecolor=canvas.BORDER,
                    linewidth=0.5,
                    label=f"{name}   {score:.3f}",
                )
                for i, (name, score) in enumerate(zip(class_names, class_iou, strict=True))
            ],
            loc="outside right center",
            title="class   IoU",
            frameon=False,
            labelspacing=0.9,
        )
        figure.suptitle("Held-out mosaics: no digit in them was trained on", fontsize=11)
    return canvas.save(figure, path)


def _framed(ax):
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def _errors(image: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The mosaic in faint grey with the wrong pixels in red, ``(rows, columns, 3)``."""
    shown = np.repeat(1 - 0.3 * image[..., None], 3, axis=-1)
    shown[wrong] = (0.84, 0.15, 0.16)
    return shown


def draw_training(
    path: str | Path, losses: Sequence[float], scores: Sequence[tuple[int, float]], note: str = ""
) -> Path:
    """The loss of every step, and the held-out mean IoU while it fell.

    Args:
      path: Where to.
      losses: One a step.
      scores: ``(step, mean IoU)``.
      note: What to know about the scores.

    Returns:
      `path`.
    """
    curve = np.asarray(losses)
    window = max(len(curve) // 40, 1)
    smooth = np.convolve(curve, np.ones(window) / window, mode="valid")
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(9.0, 3.6)
        left, right = figure.subplots(1, 2)
        left.semilogy(curve, color="#9db7d5", linewidth=0.7, label="every step")
        left.semilogy(np.arange(len(smooth)) + window - 1, smooth, color="#1f4e8c", label=f"mean of {window}")
        left.set(xlabel="step", ylabel="cross-entropy of a pixel", title="training loss")
        left.legend(frameon=False)
        steps, values = zip(*scores, strict=True)
        right.plot(steps, values, color="#b5432a", marker="o", markersize=3.5)
        right.annotate(
            f"{values[-1]:.3f}", (steps[-1], values[-1]), (0, -14), textcoords="offset points", ha="center"
        )
        right.set(
            xlabel=f"step{note and f'; {note}'}",
            ylabel="mean IoU",
            title="held-out mean IoU, eleven classes",
            ylim=(0, 1),
        )
        for ax in (left, right):
            ax.grid(color="#e3e3df", linewidth=0.6)
            ax.set_axisbelow(True)
            ax.spines[["top", "right"]].set_visible(False)
    return canvas.save(figure, path)
