"""The figures of Dumoulin & Visin, arXiv:1603.07285, by their numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from jaxconv.errors import OptionError
from jaxconv.figures.animations import animation, of_panels
from jaxconv.figures.counting_positions import draw_kernel, draw_positions
from jaxconv.figures.guide_captions import CAPTIONS
from jaxconv.figures.numbers import PRINTED_INPUT, PRINTED_KERNEL, Texts, number_texts
from jaxconv.figures.pictures import Animation
from jaxconv.figures.plan import Panel
from jaxconv.figures.themes import ThemeOption, resolve_theme
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.scene import scenes

# The outputs that are printed in the figures.
PRINTED_OUTPUTS: dict[str, tuple[tuple[float, ...], ...]] = {
    "1.1": ((12, 12, 17), (10, 17, 19), (9, 6, 14)),
    "1.2": ((6, 17, 3), (8, 17, 13), (6, 4, 4)),
    "1.5": ((1.7, 1.7, 1.7), (1.0, 1.2, 1.8), (1.1, 0.8, 1.3)),
    "1.6": ((3, 3, 3), (3, 3, 3), (3, 2, 3)),
}


@dataclass(frozen=True)
class GuideFigure:
    """A figure of arXiv:1603.07285.

    Attributes:
      number: Number of the figure in arXiv:1603.07285v2; for the kernel of section 1.1 and the matrix of
        section 4.1, which have none, ``"kernel"`` and ``"matrix"``.
      draft: Number in the draft of the thesis from which the article grew, or empty.
      caption: Caption in other words than the printed one; where that is wrong, it is corrected.
      geometry: Geometry of the forward convolution, or of the pooling's windows.
      transposed: Whether the figure shows the transposed convolution.
      draw: Function that draws the figure, given the milliseconds per frame and the theme.
    """

    number: str
    draft: str
    caption: str
    geometry: ConvGeometry
    transposed: bool
    draw: Callable[[int, ThemeOption], Animation]

    @property
    def parameters(self) -> str:
        """Sizes and options of one axis, in the letters of arXiv:1603.07285.

        >>> GUIDE["4.7"].parameters
        "i = 6, k = 3, s = 2, p = 1; i' = 3, stretched to 5, a = 1, k' = 3, s' = 1, p' = 1; o' = 6"
        """
        axis = self.geometry.axes[0]
        dilation = f", d = {axis.dilation}" if axis.dilation > 1 else ""
        forward = f"i = {axis.size}, k = {axis.kernel}, s = {axis.stride}, p = {axis.padding[0]}{dilation}"
        if not self.transposed:
            return f"{forward}; o = {axis.out_size}"
        e = axis.equivalent_direct()
        stretched = f", stretched to {e.stretched}" if e.input_dilation > 1 else ""
        extra = f", a = {axis.output_padding}" if axis.output_padding else ""
        return (
            f"{forward}; i' = {e.size}{stretched}{extra}, k' = {e.kernel}, s' = {e.stride}, "
            f"p' = {e.padding[0]}; o' = {e.out_size}"
        )


def guide(number: str, path: str | Path, *, theme: ThemeOption = "auto", milliseconds: int = 600) -> Path:
    """Writes a figure of arXiv:1603.07285 to a file.

    Args:
      number: Number of the figure, from ``"1.1"`` to ``"5.1"``, ``"kernel"`` or ``"matrix"``; or its number
        in the draft, such as ``"draft 2.3"``. `GUIDE` has them all.
      path: File to write; it ends in ``.svg``, ``.gif`` or ``.webp``, or in ``.png`` for a figure that does
        not move.
      theme: ``"auto"`` (light, and dark where the page is), ``"light"``, ``"dark"``, or a `Theme`.
      milliseconds: Duration of a frame in milliseconds, from 20 to 60,000.

    Returns:
      `path`.

    Raises:
      OptionError: An unknown number, suffix or theme, or milliseconds out of range.
      OSError: The file cannot be written.

    References:
      Dumoulin & Visin, arXiv:1603.07285.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     guide("2.3", f"{folder}/half_padding.svg").name
    'half_padding.svg'
    """
    return guide_animation(number, theme=theme, milliseconds=milliseconds).save(path)


def guide_animation(number: str, *, theme: ThemeOption = "auto", milliseconds: int = 600) -> Animation:
    """Returns a figure of arXiv:1603.07285, as `guide` writes it.

    Args:
      number: Number of the figure, from ``"1.1"`` to ``"5.1"``, ``"kernel"`` or ``"matrix"``; or its number
        in the draft, such as ``"draft 2.3"``.
      theme: ``"auto"`` (light, and dark where the page is), ``"light"``, ``"dark"``, or a `Theme`.
      milliseconds: Duration of a frame in milliseconds, from 20 to 60,000.

    Returns:
      An `Animation`, of one frame if the figure does not move.

    Raises:
      OptionError: An unknown number or theme, or milliseconds out of range.
    """
    figure = figure_of(number)
    picture = figure.draw(milliseconds, theme)
    name = f"Figure {figure.number}" if figure.number[0].isdigit() else figure.number.capitalize()
    return replace(picture, title=f"{name}: {figure.caption}")


def figure_of(number: str) -> GuideFigure:
    """Returns the figure of a number, or of a number in the draft.

    Raises:
      OptionError: `number` is not the number of a figure.

    >>> figure_of("draft 2.3").number
    '1.1'
    """
    name = str(number).strip().lower().removeprefix("figure ")
    drafts = {f"draft {figure.draft}": figure for figure in GUIDE.values() if figure.draft}
    if name in GUIDE:
        return GUIDE[name]
    if name in drafts:
        return drafts[name]
    parts = [part for part in (f"{name}a", f"{name}b") if part in GUIDE]
    if parts:
        raise OptionError(
            f"`number` {number!r} has two parts, {' and '.join(map(repr, parts))}; name one of them."
        )
    if f"draft {name}" in drafts:
        raise OptionError(f"`number` {number!r} is a figure of the draft only; write 'draft {name}'.")
    raise OptionError(
        f"`number` {number!r} is not a figure of arXiv:1603.07285. The numbers are {', '.join(GUIDE)}; "
        "those of the draft are written 'draft 2.3'."
    )


def _square(i: int, k: int, s: int = 1, p: int = 0, d: int = 1) -> ConvGeometry:
    return ConvGeometry((i, i), (k, k), strides=s, padding=p, kernel_dilation=d)


def _plain_animation(
    geometry: ConvGeometry, transposed: bool = False
) -> Callable[[int, ThemeOption], Animation]:
    """Returns a function that draws a convolution without numbers."""
    return lambda milliseconds, theme: animation(
        geometry, transposed=transposed, milliseconds=milliseconds, theme=theme
    )


def _printed_example(
    number: str, geometry: ConvGeometry, pooling: str = ""
) -> Callable[[int, ThemeOption], Animation]:
    """Returns a function that draws the example with the printed numbers, convolved or pooled."""

    def draw(milliseconds: int, theme: ThemeOption) -> Animation:
        steps = scenes(geometry)
        x = np.array(PRINTED_INPUT).reshape(5, 5, 1)
        texts = number_texts(steps, x, np.array(PRINTED_KERNEL).reshape(3, 3, 1, 1))
        heading = "Convolution"
        if pooling:
            heading = "Average pooling" if pooling == "average" else "Max pooling"
            texts = Texts(texts.input, None, _printed_texts(number))
        return of_panels([Panel(steps, texts, False, heading, pooling)], "", milliseconds, theme)

    return draw


def _printed_texts(number: str) -> np.ndarray:
    rows = PRINTED_OUTPUTS[number]
    words = [[f"{value:.1f}" if isinstance(value, float) else str(value) for value in row] for row in rows]
    return np.array(words, dtype=object)[..., None]


def _subsampling(milliseconds: int, theme: ThemeOption) -> Animation:
    """Draws stride 2, and below it stride 1, with every second output along each axis crossed out."""
    strided, unit = _square(5, 3, 2), _square(5, 3)
    subsample = frozenset((row, column) for row in (0, 2) for column in (0, 2))
    panels = [
        Panel(scenes(strided), heading="Stride 2"),
        Panel(scenes(unit), heading="Stride 1, one in two outputs retained", subsample=subsample),
    ]
    # Stride 2 moves on when stride 1 reaches the next output that is retained: 0, 2, 6 and 8.
    steps = [0, 0, 1, 1, 1, 1, 2, 2, 3], range(9)
    return of_panels(panels, "", milliseconds, theme, steps)


def _matrix(milliseconds: int, theme: ThemeOption) -> Animation:
    return animation(_square(4, 3), values="symbols", matrix=True, milliseconds=milliseconds, theme=theme)


def _still_picture(number: str, geometry: ConvGeometry) -> Callable[[int, ThemeOption], Animation]:
    """Returns a function that draws a picture that does not move."""

    def draw(milliseconds: int, theme: ThemeOption) -> Animation:
        light, dark = resolve_theme(theme)
        kernel = np.array(PRINTED_KERNEL).reshape(3, 3)
        display = draw_kernel(kernel) if number == "kernel" else draw_positions(geometry)
        return Animation(display, "", milliseconds, light, dark)

    return draw


def _figures() -> dict[str, GuideFigure]:
    """Returns all figures, in order."""
    features = _square(5, 3).with_features(2, 3)
    numerical, strided = _square(5, 3), _square(5, 3, 2, 1)
    figures = [
        ("kernel", "", numerical, _still_picture("kernel", numerical)),
        ("1.1", "2.3", numerical, _printed_example("1.1", numerical)),
        ("1.2", "2.4", strided, _printed_example("1.2", strided)),
        ("1.3", "2.5", features, _plain_animation(features)),
        ("1.4", "2.6", _square(5, 3, 2), _subsampling),
        ("1.5", "2.7", numerical, _printed_example("1.5", numerical, "average")),
        ("1.6", "2.8", numerical, _printed_example("1.6", numerical, "maximum")),
        *((f"2.{n}", f"3.{n}", g, _plain_animation(g)) for n, g in enumerate(_ARITHMETIC, start=1)),
        ("2.8a", "3.8a", numerical, _still_picture("2.8a", numerical)),
        ("2.8b", "3.8b", _square(5, 3, 2), _still_picture("2.8b", _square(5, 3, 2))),
        *((f"4.{n}", f"5.{n}", g, _plain_animation(g, True)) for n, g in enumerate(_ARITHMETIC, start=1)),
        ("5.1", "", _square(7, 3, d=2), _plain_animation(_square(7, 3, d=2))),
        ("matrix", "", _square(4, 3), _matrix),
    ]
    return {
        number: GuideFigure(number, draft, CAPTIONS[number], geometry, number.startswith("4."), draw)
        for number, draft, geometry, draw in figures
    }


# Figures 2.1 to 2.7, whose transposes are figures 4.1 to 4.7.
_ARITHMETIC = (
    _square(4, 3),
    _square(5, 4, p=2),
    _square(5, 3, p=1),
    _square(5, 3, p=2),
    _square(5, 3, 2),
    _square(5, 3, 2, 1),
    _square(6, 3, 2, 1),
)
GUIDE: dict[str, GuideFigure] = _figures()
