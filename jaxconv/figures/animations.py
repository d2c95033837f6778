"""Animations of convolutions: any geometry, the window over the map, and the row of C beside it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from numpy.typing import ArrayLike

from jaxconv.core.checks import check_geometry
from jaxconv.errors import GeometryError, OptionError, SizeError
from jaxconv.figures.display import DisplayList, Group, Item
from jaxconv.figures.numbers import (
    Texts,
    Values,
    check_values,
    kernel_of,
    map_of,
    number_texts,
    results,
    symbol_texts,
)
from jaxconv.figures.panel import draw_panel
from jaxconv.figures.pictures import SUFFIXES, Animation, path_with_suffix
from jaxconv.figures.plan import Panel
from jaxconv.figures.themes import ThemeOption, resolve_theme
from jaxconv.figures.words import describe_maps
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.scene import Scene, scenes

MOST_FRAMES = 500
SHORTEST, LONGEST = 20, 60_000  # milliseconds of a frame


def animate(
    geometry: ConvGeometry,
    path: str | Path,
    *,
    transposed: bool = False,
    both: bool = False,
    kernel: ArrayLike | None = None,
    x: ArrayLike | None = None,
    values: Values | None = None,
    matrix: bool = False,
    milliseconds: int = 600,
    theme: ThemeOption = "auto",
) -> Path:
    """Writes an animation of a convolution: one frame per output cell, in the order of the rows of C.

    An SVG file is sharp at any size, follows the page into dark mode, stops for readers who prefer reduced
    motion, and runs inside of ``<img>``. The same call writes the same bytes.

    Args:
      geometry: Geometry of the forward convolution, with any number of axes. Maps of three axes or more
        are drawn as slices side by side, features as sheets below each other.
      path: File to write; it ends in ``.svg``, ``.gif`` or ``.webp``.
      transposed: Whether the transposed convolution is drawn, as its equivalent direct convolution.
      both: Whether the convolution is drawn, and below it its transpose, with the same duration.
      kernel: Kernel of the forward convolution, ``(*kernel_shape, in // groups, out)``, or ``kernel_shape``
        for one feature; by default the numbers of arXiv:1603.07285, figure 1.1.
      x: Input of what is drawn, ``(*shape, features)``, or the spatial shape alone for one feature. With
        `transposed` it has the shape of the convolution's output. With `both` it is the input of the
        convolution, and the transpose is applied to the output. By default the numbers of
        arXiv:1603.07285, figure 1.1.
      values: ``"numbers"`` or ``"symbols"``, which are written into the cells, with the sum of the frame
        below the maps. None, the default, writes nothing unless `kernel` or `x` is given.
      matrix: Whether C is drawn too, or C-transposed, with the row of the frame highlighted.
      milliseconds: Duration of a frame in milliseconds, from 20 to 60,000.
      theme: ``"auto"`` (light, and dark where the page is), ``"light"``, ``"dark"``, or a `Theme`.

    Returns:
      `path`.

    Raises:
      TypeError: `geometry` is not a ConvGeometry, or `kernel` or `x` does not hold numbers.
      OptionError: An unknown suffix, word or theme, milliseconds out of range, `transposed` together with
        `both`, or symbols together with numbers.
      GeometryError: `kernel` or `x` has another shape, or the transpose is drawn and `padding_mode` is not
        ``"zeros"``.
      SizeError: More than 500 frames, or too many cells to be seen.
      OSError: The file cannot be written.

    References:
      Dumoulin & Visin, arXiv:1603.07285, whose figures `guide` draws.

    >>> import tempfile
    >>> g = ConvGeometry((5, 5), (3, 3), strides=2, padding=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     animate(g, f"{folder}/stride_2.svg", matrix=True).read_text()[:4]
    '<svg'
    """
    path_with_suffix(path, SUFFIXES)  # refused before the work, not after it
    picture = animation(
        geometry,
        transposed=transposed,
        both=both,
        kernel=kernel,
        x=x,
        values=values,
        matrix=matrix,
        milliseconds=milliseconds,
        theme=theme,
    )
    return picture.save(path)


def animation(
    geometry: ConvGeometry,
    *,
    transposed: bool = False,
    both: bool = False,
    kernel: ArrayLike | None = None,
    x: ArrayLike | None = None,
    values: Values | None = None,
    matrix: bool = False,
    milliseconds: int = 600,
    theme: ThemeOption = "auto",
) -> Animation:
    """Returns the animation that `animate` writes; notebooks show it.

    Args:
      geometry: Geometry of the forward convolution.
      transposed: Whether the transposed convolution is drawn, as its equivalent direct convolution.
      both: Whether the convolution is drawn, and below it its transpose, with the same duration.
      kernel: Kernel of the forward convolution, ``(*kernel_shape, in // groups, out)``, or ``kernel_shape``
        for one feature; by default the numbers of arXiv:1603.07285, figure 1.1.
      x: Input of what is drawn, ``(*shape, features)``, or the spatial shape alone for one feature. With
        `transposed` it has the shape of the convolution's output. With `both` it is the input of the
        convolution, and the transpose is applied to the output. By default the numbers of
        arXiv:1603.07285, figure 1.1.
      values: ``"numbers"`` or ``"symbols"``, which are written into the cells. None, the default, writes
        nothing unless `kernel` or `x` is given.
      matrix: Whether C is drawn too, or C-transposed, with the row of the frame highlighted.
      milliseconds: Duration of a frame in milliseconds, from 20 to 60,000.
      theme: ``"auto"`` (light, and dark where the page is), ``"light"``, ``"dark"``, or a `Theme`.

    Returns:
      An `Animation` with one frame per output cell; its method ``save`` writes it to a file.

    Raises:
      TypeError: `geometry` is not a ConvGeometry, or `kernel` or `x` does not hold numbers.
      OptionError: An unknown word or theme, milliseconds out of range, or options that exclude each other.
      GeometryError: `kernel` or `x` has another shape, or the transpose is drawn and `padding_mode` is not
        ``"zeros"``.
      SizeError: More than 500 frames, or too many cells to be seen.

    >>> animation(ConvGeometry((5, 5), (3, 3)), values="symbols").frames
    9
    """
    check_geometry(geometry)
    if transposed and both:
        raise OptionError(
            "`transposed` and `both` exclude each other: `both` draws the transpose too; leave out one."
        )
    if transposed or both:
        _check_transpose(geometry, "both" if both else "transposed")
    check_values(values)
    if values == "symbols" and not (kernel is None and x is None):
        raise OptionError(
            "`values='symbols'` writes no numbers; leave out `kernel` and `x`, or leave out `values`."
        )
    if values is None and not (kernel is None and x is None):
        values = "numbers"
    ways = (False, True) if both else (transposed,)
    for way in ways:
        _check_frames(geometry, way)
    all_scenes = [scenes(geometry, transposed=way) for way in ways]
    texts = _texts(geometry, all_scenes, kernel, x, values)
    panels = [
        Panel(one, text, matrix, "Transposed convolution" if way else "Convolution")
        for one, text, way in zip(all_scenes, texts, ways, strict=True)
    ]
    title = "Convolution and its transpose" if both else panels[0].heading
    return of_panels(panels, f"{title}: {describe_maps(all_scenes[0][0])}", milliseconds, theme)


def frame(
    scene: Scene,
    *,
    kernel: ArrayLike | None = None,
    x: ArrayLike | None = None,
    values: Values | None = None,
    matrix: bool = False,
    theme: ThemeOption = "auto",
) -> Animation:
    """Returns the picture of one scene.

    Args:
      scene: Scene to draw, one of those that `scenes` returns.
      kernel: Kernel of the forward convolution, ``(*kernel_shape, in // groups, out)``, or ``kernel_shape``
        for one feature; by default the numbers of arXiv:1603.07285, figure 1.1.
      x: Input of what is drawn, ``(*shape, features)``, or the spatial shape alone for one feature; for a
        scene of the transpose, of the shape of the convolution's output. By default the numbers of
        arXiv:1603.07285, figure 1.1.
      values: ``"numbers"`` or ``"symbols"``, which are written into the cells. None, the default, writes
        nothing unless `kernel` or `x` is given.
      matrix: Whether C is drawn too, or C-transposed, with the row of the scene highlighted.
      theme: ``"auto"`` (light, and dark where the page is), ``"light"``, ``"dark"``, or a `Theme`.

    Returns:
      An `Animation` with one frame.

    Raises:
      TypeError: `scene` is not a Scene, or `kernel` or `x` does not hold numbers.
      OptionError: An unknown word or theme.
      GeometryError: `kernel` or `x` has another shape.
      SizeError: Too many cells to be seen.

    >>> picture = frame(scenes(ConvGeometry((5, 5), (3, 3)))[4], matrix=True)
    >>> picture.frames, picture.svg().count("<svg")
    (1, 2)
    """
    if not isinstance(scene, Scene):
        raise TypeError(
            f"`scene` must be a Scene, such as scenes(geometry)[0], got {type(scene).__name__}; `animation` "
            "draws all scenes of a geometry."
        )
    picture = animation(
        scene.geometry,
        transposed=scene.transposed,
        kernel=kernel,
        x=x,
        values=values,
        matrix=matrix,
        theme=theme,
    )
    return picture.frame(scene.row)


def of_panels(
    panels: Sequence[Panel],
    title: str,
    milliseconds: int,
    theme: ThemeOption,
    steps: Sequence[Sequence[int]] | None = None,
) -> Animation:
    """Returns panels one below the other, all with the same duration.

    Args:
      panels: Panels to draw, from top to bottom.
      title: Description of the picture for screen readers.
      milliseconds: Duration of a frame in milliseconds.
      theme: Colours, or the word for them.
      steps: For each panel, the scene that each frame of the animation shows; all of one length. By default
        the panel with the most scenes shows one per frame, and the others repeat theirs evenly.
    """
    light, dark = resolve_theme(theme)
    duration = _milliseconds(milliseconds)
    pictures = [draw_panel(panel) for panel in panels]
    if steps is None:
        frames = max(picture.frames for picture in pictures)
        steps = [[at * picture.frames // frames for at in range(frames)] for picture in pictures]
    return Animation(_stack_pictures(pictures, steps), title, duration, light, dark)


def _stack_pictures(pictures: Sequence[DisplayList], steps: Sequence[Sequence[int]]) -> DisplayList:
    frames = len(steps[0])
    groups, y = [], 0.0
    for picture, own in zip(pictures, steps, strict=True):
        items = tuple(_choose_frames(item, own) for item in picture.items)
        groups.append(Group(items, ((0.0, y),) * frames, (0.0, y)))
        y += picture.height
    return DisplayList(max(picture.width for picture in pictures), y, tuple(groups), frames)


def _choose_frames(item: Item, steps: Sequence[int]) -> Item:
    """Returns an item whose frame n is frame ``steps[n]`` of the given one."""
    if not isinstance(item, Group):
        return item
    return replace(
        item,
        items=tuple(_choose_frames(one, steps) for one in item.items),
        offsets=tuple(item.offsets[step] for step in steps) if item.offsets else (),
        still=item.at(0) if item.still == "first" else item.still,
    )


def _texts(
    geometry: ConvGeometry,
    all_scenes: Sequence[tuple[Scene, ...]],
    kernel: ArrayLike | None,
    x: ArrayLike | None,
    values: Values | None,
) -> list[Texts | None]:
    if values is None:
        return [None] * len(all_scenes)
    if values == "symbols":
        return [symbol_texts(one) for one in all_scenes]
    weights = kernel_of(kernel, geometry)
    first = all_scenes[0][0].shown
    way = (
        "With `transposed`, `x` has the shape of the convolution's output."
        if all_scenes[0][0].transposed
        else ""
    )
    numbers = map_of("x", x, first.input_shape, first.in_features, way)
    texts: list[Texts | None] = []
    for one in all_scenes:
        texts.append(number_texts(one, numbers, weights))
        numbers = results(one, numbers, weights)
    return texts


def _check_transpose(geometry: ConvGeometry, option: str) -> None:
    if geometry.padding_mode != "zeros":
        raise GeometryError(
            f"`{option}=True` draws the transpose as an equivalent direct convolution, which "
            f"{geometry.padding_mode!r} padding does not have; leave out `{option}`. With `matrix=True` the "
            "picture shows C, whose columns are the rows of the transpose."
        )


def _check_frames(geometry: ConvGeometry, transposed: bool) -> None:
    count = geometry.matrix_shape[int(transposed)]
    if count > MOST_FRAMES:
        which = "transposed convolution" if transposed else "convolution"
        raise SizeError(
            f"this {which} would have {count:,} frames, one per output cell, and an animation has at most "
            f"{MOST_FRAMES}; use a smaller `input_shape`. Got {geometry}."
        )


def _milliseconds(value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if not SHORTEST <= number <= LONGEST:
        raise OptionError(f"`milliseconds` must be an integer from {SHORTEST} to {LONGEST:,}, got {value!r}.")
    return number
