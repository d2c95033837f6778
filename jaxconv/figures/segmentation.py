"""Pictures of label maps: in the colours of their classes, over the image, beside truth and prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from jaxconv.figures import canvas

Colors = Sequence[tuple[int, int, int]]

VOID_DARK, VOID_LIGHT = (0.36, 0.36, 0.37), (0.52, 0.52, 0.53)  # stripes: unlike any class
WRONG = (0.84, 0.15, 0.16)
WIDTH, NARROWEST = 2.4, 1.4  # inches of a picture


def paint(labels: np.ndarray, colors: Colors) -> np.ndarray:
    """Paints a label map in the colours of its classes, and void (any other label) in grey stripes.

    Args:
      labels: Label map, ``(rows, columns)`` integers.
      colors: Red, green and blue of every class, 0 to 255.

    Returns:
      ``(rows, columns, 3)``, 0 to 1.

    >>> paint(np.array([[0, 1]]), [(255, 0, 0), (0, 0, 255)]).tolist()
    [[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    rows, columns = np.indices(labels.shape)
    stripe = max(max(labels.shape) // 60, 1)
    dark = ((rows + columns) // stripe % 2 == 0)[..., None]
    known = (labels >= 0) & (labels < len(colors))
    colours = (np.asarray(colors) / 255)[np.where(known, labels, 0)]
    return np.where(known[..., None], colours, np.where(dark, VOID_DARK, VOID_LIGHT))


def overlay(image: np.ndarray, labels: np.ndarray, colors: Colors, opacity: float = 0.55) -> np.ndarray:
    """Paints the labels over the image, which is made grey so that all colours are those of classes.

    Args:
      image: Grey or colour image, ``(rows, columns, features)``, 0 to 1.
      labels: Label map, ``(rows, columns)`` integers.
      colors: Red, green and blue of every class, 0 to 255.
      opacity: Opacity of the painted labels, 0 to 1.

    Returns:
      ``(rows, columns, 3)``, 0 to 1.
    """
    grey = image[..., :3].mean(-1, keepdims=True)
    return opacity * paint(labels, colors) + (1 - opacity) * grey


def draw_predictions(
    path: str | Path,
    images: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    names: Sequence[str],
    colors: Colors,
    *,
    class_iou: Mapping[str, float | None] | None = None,
    title: str = "",
) -> Path:
    """Draws one row per example: the image, the truth, the prediction, and where the two differ.

    Args:
      path: File to write; its suffix is the format.
      images: Grey or colour images, each ``(rows, columns, features)``, 0 to 1.
      labels: True label maps, each ``(rows, columns)``. Labels outside of the classes are void: they do not
        count as wrong.
      predictions: Predicted label maps, each ``(rows, columns)``.
      names: Names of the classes.
      colors: Red, green and blue of every class, 0 to 255.
      class_iou: IoU of every class, None if it is absent; shown in the legend.
      title: Title of the figure.

    Returns:
      `path`.
    """
    height, width = images[0].shape[:2]
    wide = max(NARROWEST, WIDTH * min(1, width / height))
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(4 * wide + 2.4, len(images) * wide * height / width + 0.9)
        grid = figure.subplots(len(images), 4, squeeze=False)
        for row, example in zip(grid, zip(images, labels, predictions, strict=True), strict=True):
            _draw_example(row, *example, colors)
        for ax, name in zip(grid[0], ("image", "truth", "prediction", "wrong pixels"), strict=True):
            ax.set_title(name)
        void = any(((label < 0) | (label >= len(names))).any() for label in labels)
        figure.legend(
            handles=_legend(names, colors, class_iou or {}, void),
            loc="outside right center",
            title=None if class_iou is None else "class   IoU",
            frameon=False,
            labelspacing=0.8,
        )
        figure.suptitle(title, fontsize=11)
    return canvas.save(figure, path)


def _draw_example(
    axes: Sequence[Axes], image: np.ndarray, label: np.ndarray, prediction: np.ndarray, colors: Colors
) -> None:
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_color(canvas.BORDER)
    grey = image.shape[-1] == 1
    axes[0].imshow(image[..., 0] if grey else image[..., :3], cmap="gray", vmin=0, vmax=1)
    axes[1].imshow(paint(label, colors))
    axes[2].imshow(paint(prediction, colors))
    valid = (label >= 0) & (label < len(colors))
    wrong = valid & (label != prediction)
    axes[3].imshow(_errors(image, wrong))
    axes[3].set_xlabel(f"{100 * wrong.sum() / max(valid.sum(), 1):.1f}%")


def _errors(image: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Returns the image in faint grey with the wrong pixels in red, ``(rows, columns, 3)``."""
    picture = np.repeat(0.55 + 0.4 * image[..., :3].mean(-1, keepdims=True), 3, axis=-1)
    picture[wrong] = WRONG
    return picture


def _legend(
    names: Sequence[str], colors: Colors, class_iou: Mapping[str, float | None], void: bool
) -> list[Patch]:
    patches = []
    for name, color in zip(names, colors, strict=True):
        text = name
        if name in class_iou:
            score = class_iou[name]
            text = f"{name}   {'absent' if score is None else f'{score:.3f}'}"
        rgb = (color[0] / 255, color[1] / 255, color[2] / 255)
        patches.append(Patch(facecolor=rgb, label=text, edgecolor=canvas.BORDER, lw=0.5))
    if void:
        patches.append(
            Patch(facecolor=VOID_DARK, edgecolor=VOID_LIGHT, hatch="/////", label="void, not counted")
        )
    return patches
