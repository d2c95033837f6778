"""The commands that draw: the figures of arXiv:1603.07285, and an animation of any convolution."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxconv.cli.convolution import Geometry
from jaxconv.cli.screen import console
from jaxconv.errors import OptionError


def figures(
    number: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    all: bool = False,
    format: str = "svg",
    out: Path = Path("runs/figures"),
) -> None:
    """Draws the figures of arXiv:1603.07285, animated; without arguments it lists them.

    Args:
      number: Numbers of figures, such as 2.7 4.7, or "draft 3.7".
      all: Draw every figure.
      format: Formats of the files, one or more of svg, gif and webp, such as svg,gif.
      out: Folder for the figures and for index.html, the page that shows them.
    """
    from jaxconv.figures.gallery import write_gallery
    from jaxconv.figures.guide_figures import GUIDE, figure_of

    if all and number:
        raise OptionError("--all draws every figure; leave out the numbers, or leave out --all.")
    if not all and not number:
        for figure in GUIDE.values():
            console.print(f"{figure.number:8}{figure.caption}", highlight=False, markup=False)
        return
    selection = list(GUIDE.values()) if all else [figure_of(one) for one in number]
    page, *files = write_gallery(selection, out, [one.strip() for one in format.split(",")])
    for path in (*files, page):
        console.print(str(path), highlight=False, markup=False, soft_wrap=True)


def animate(
    geometry: Geometry,
    out: Path,
    transposed: bool = False,
    both: bool = False,
    matrix: bool = False,
    values: Literal["numbers", "symbols"] | None = None,
    milliseconds: int = 600,
    theme: Literal["auto", "light", "dark"] = "auto",
) -> None:
    """Draws a convolution frame by frame: the window over the input, and the output cell that it computes.

    Args:
      geometry: Options of the convolution.
      out: File to write, .svg, .gif or .webp.
      transposed: Draw the transposed convolution instead of the convolution.
      both: Draw the convolution, and below it its transpose.
      matrix: Draw the matrix C too, with the row of the frame highlighted.
      values: Write numbers or symbols into the cells.
      milliseconds: Duration of a frame in milliseconds.
      theme: Colours; auto is light, and dark on dark pages if the file is an SVG file.
    """
    from jaxconv.figures import animate as draw

    path = draw(
        geometry.geometry(),
        out,
        transposed=transposed,
        both=both,
        matrix=matrix,
        values=values,
        milliseconds=milliseconds,
        theme=theme,
    )
    console.print(str(path), highlight=False, markup=False, soft_wrap=True)
