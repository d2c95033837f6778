"""The page in which every convolution can be explored: one HTML file that needs no network."""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from jaxconv.core.checks import check_geometry, check_option
from jaxconv.errors import GeometryError, OptionError
from jaxconv.explorer.compact import compact_script, compact_style
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import at_least_one

View = Literal["direct", "transposed", "both"]
Values = Literal["numbers", "symbols"]

# Each imports only from those before it.
MODULES = ("arithmetic", "calls", "state", "model", "drawing", "words", "export", "view")
IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
EXPORT = re.compile(r"^export ", re.MULTILINE)
INDENT = re.compile(r"^ +", re.MULTILINE)
STYLE = re.compile(r"(<style[^>]*>\n)(.*?)(</style>)", re.DOTALL)


def page(geometry: ConvGeometry | None = None, *, view: View = "direct", values: Values = "numbers") -> str:
    """Returns the explorer as one HTML page, which works from a file and without a network.

    The page computes everything itself, so that its reader can change the geometry.

    Args:
      geometry: The convolution that the page shows first, of one to three axes; by default a 3 x 3
        kernel on a 5 x 5 input.
      view: ``"direct"``, ``"transposed"`` or ``"both"``: which of the two operators is shown first.
      values: ``"numbers"`` or ``"symbols"``: what is written into the cells first.

    Raises:
      GeometryError: `geometry` has more than three axes.
      OptionError: `view` or `values` is unknown.
      TypeError: `geometry` is not a `ConvGeometry`.

    >>> from jaxconv import ConvGeometry
    >>> text = page(ConvGeometry((6, 6), (3, 3), strides=2, padding=1), view="both")
    >>> text.startswith("<!doctype html>"), "i=6,6&k=3,3&s=2,2&p=1:1,1:1&view=both" in text
    (True, True)
    """
    fragment = "" if geometry is None else _fragment(geometry)
    check_option("view", view, get_args(View), error=OptionError)
    check_option("values", values, get_args(Values), error=OptionError)
    chosen = {"view": view, "values": values}
    usual = {"view": "direct", "values": "numbers"}
    words = [f"{name}={value}" for name, value in chosen.items() if value != usual[name]]
    state = json.dumps("&".join(filter(None, [fragment, *words]))).replace("<", "\\u003c")
    return _template().replace('"%STATE%"', state)


class Explorer:
    """The explorer inside a notebook: the last line of a cell shows it.

    Args:
      geometry: The convolution that the page shows first, of one to three axes; by default a 3 x 3
        kernel on a 5 x 5 input.
      view: ``"direct"``, ``"transposed"`` or ``"both"``: which of the two operators is shown first.
      values: ``"numbers"`` or ``"symbols"``: what is written into the cells first.
      height: Height of the frame, in pixels.

    Raises:
      GeometryError: `geometry` has more than three axes.
      OptionError: `view` or `values` is unknown, or `height` is below 1.
      TypeError: `geometry` is not a `ConvGeometry`, or `height` is not an integer.

    >>> from jaxconv import ConvGeometry
    >>> Explorer(ConvGeometry((6,), (3,), strides=2, padding=1))
    Explorer(ConvGeometry((6,), (3,), strides=(2,), padding=((1, 1),)))
    """

    def __init__(
        self,
        geometry: ConvGeometry | None = None,
        *,
        view: View = "direct",
        values: Values = "numbers",
        height: int = 900,
    ) -> None:
        self.geometry = geometry
        self.height = at_least_one("height", height, error=OptionError)
        self._page = page(geometry, view=view, values=values)

    def __repr__(self) -> str:
        return f"Explorer({'' if self.geometry is None else self.geometry!r})"

    def _repr_html_(self) -> str:
        """Returns a frame with the page inside of it, which notebooks display."""
        return (
            f'<iframe title="Convolution explorer" srcdoc="{html.escape(self._page)}" width="100%" '
            f'height="{self.height}" style="border: 0" sandbox="allow-scripts allow-downloads '
            'allow-popups"></iframe>'
        )


def joined(*names: str | Path) -> str:
    """Returns some modules as the text of one: imports from each other left out, nothing exported.

    Args:
      *names: Names of this room's modules, or paths of others, each after those that it imports from.
    """
    text = "".join(
        (name if isinstance(name, Path) else files(__package__) / f"{name}.mjs").read_text("utf-8")
        for name in names
    )
    return EXPORT.sub("", IMPORT.sub("", text))


@lru_cache(maxsize=1)
def _template() -> str:
    """Returns the page with a mark in the place of its state."""
    text = (files(__package__) / "page.html").read_text("utf-8")
    text = STYLE.sub(lambda style: style[1] + compact_style(style[2]) + style[3], text)
    return INDENT.sub("", text).replace("%MODULES%", compact_script(joined(*MODULES)))


def _fragment(g: ConvGeometry) -> str:
    """Writes a geometry as the page writes it into its address."""
    check_geometry(g)
    if g.ndim > 3:
        raise GeometryError(f"`geometry` must have one to three spatial axes to be drawn, got {g.ndim}.")
    parts = [f"i={_list(g.input_shape)}", f"k={_list(g.kernel_shape)}"]
    parts += [
        f"{letter}={_list(values)}"
        for letter, values in (("s", g.strides), ("d", g.kernel_dilation), ("f", g.input_dilation))
        if max(values) > 1
    ]
    if any(map(any, g.padding)):
        parts.append(f"p={','.join(f'{low}:{high}' for low, high in g.padding)}")
    words = {
        "mode": g.padding_mode,
        "in": g.in_features,
        "out": g.out_features,
        "groups": g.feature_group_count,
    }
    parts += [f"{name}={word}" for name, word in words.items() if word not in ("zeros", 1)]
    return "&".join(parts)


def _list(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))
