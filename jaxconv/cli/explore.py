"""The command that opens the page in which convolutions can be explored."""

from __future__ import annotations

import tempfile
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxconv.cli.convolution import GeometryOptions
from jaxconv.cli.screen import console
from jaxconv.explorer.document import Values, View, page


@dataclass(frozen=True)
class FirstGeometryOptions(GeometryOptions):
    """Options of the convolution that the page shows first; a single number is used for every axis."""

    input: tuple[int, ...] = (5, 5)
    """Spatial shape of the input."""
    kernel: tuple[int, ...] = (3, 3)
    """Spatial shape of the kernel."""


def explore(
    geometry: Annotated[FirstGeometryOptions, tyro.conf.arg(name="")] = FirstGeometryOptions(),
    view: View = "direct",
    values: Values = "numbers",
    out: Path | None = None,
) -> None:
    """Opens a page in the web browser that draws a convolution, its transpose and the matrix C.

    Args:
      geometry: Options of the convolution that the page shows first.
      view: Operator that the page shows first, the convolution, its transpose, or both.
      values: Texts that the page writes into the cells first.
      out: File for the page; with it no browser is opened.
    """
    text = page(geometry.geometry(), view=view, values=values)
    if out is None:
        path = Path(tempfile.mkdtemp(prefix="jaxconv-")) / "explorer.html"
        path.write_text(text, "utf-8")
        webbrowser.open(path.as_uri())
    else:
        path = out
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    console.print(f"{path}", highlight=False, markup=False, soft_wrap=True)
