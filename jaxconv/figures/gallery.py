"""A page with figures, their captions and their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from jaxconv.errors import OptionError
from jaxconv.figures.guide_figures import GuideFigure, guide_animation
from jaxconv.geometry.arguments import did_you_mean

FORMATS = ("svg", "gif", "webp")
STYLE = """
:root { color-scheme: light dark; --paper: #f4f6f8; --card: #ffffff; --ink: #1d2733; --muted: #5b6773; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #0b1015; --card: #12181f; --ink: #eef3f8; --muted: #a3afbb; }
}
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
a { color: inherit; }
main { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 34rem), 1fr)); }
figure { margin: 0; padding: 1rem; border-radius: 12px; background: var(--card); }
img { max-width: 100%; height: auto; }
.parameters { color: var(--muted); font-size: 0.9rem; }
"""
HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Figures of convolution arithmetic</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Figures of convolution arithmetic</h1>
<p>The figures of Dumoulin &amp; Visin, <i>A guide to convolution arithmetic for deep learning</i>,
<a href="https://arxiv.org/abs/1603.07285">arXiv:1603.07285</a>, drawn by jaxconv. Blue cells are the input of
the convolution and the output of its transpose, green cells the reverse. The colours of the kernel say which
tap reads which cell. Dashed cells are padding, the shaded ones among them the output padding a of a
transpose; cells with a dot are inserted zeros.</p>
<main>
"""


def write_gallery(
    figures: Sequence[GuideFigure], folder: str | Path, formats: Sequence[str] = ("svg",)
) -> tuple[Path, ...]:
    """Draws figures into a folder, and writes a page ``index.html`` that shows them.

    Args:
      figures: Figures to draw, values of `GUIDE`.
      folder: Folder for the files; it is created if it does not exist.
      formats: One or more of ``"svg"``, ``"gif"`` and ``"webp"``; the page shows the first.

    Returns:
      Path of the page, then the paths of the figures.

    Raises:
      OptionError: An unknown format, or none.
      OSError: A file cannot be written.
    """
    for format in formats or [""]:
        if format not in FORMATS:
            hint = did_you_mean(format, FORMATS, otherwise=".")
            raise OptionError(f"`formats` must be some of {', '.join(FORMATS)}, got {format!r}{hint}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files, cards = [], []
    for figure in figures:
        picture = guide_animation(figure.number)
        paths = [picture.save(folder / f"{figure.number}.{format}") for format in formats]
        files += paths
        cards.append(_card(figure, [path.name for path in paths], picture.frames))
    page = folder / "index.html"
    page.write_text(_page(cards), encoding="utf-8", newline="\n")
    return (page, *files)


def _card(figure: GuideFigure, names: Sequence[str], frames: int) -> str:
    number = f"Figure {figure.number}" if figure.number[0].isdigit() else figure.number.capitalize()
    draft = f" (in the draft {figure.draft})" if figure.draft else ""
    count = f"; {frames} frames" if frames > 1 else ""
    others = ", ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in names)
    return (
        f'<figure id="{escape(figure.number)}">\n'
        f'<img src="{escape(names[0])}" alt="{escape(figure.caption)}" loading="lazy">\n'
        f"<figcaption><b>{number}</b>{draft}. {escape(figure.caption)}\n"
        f'<div class="parameters">{escape(figure.parameters)}{count}. {others}</div></figcaption>\n'
        "</figure>"
    )


def _page(cards: Sequence[str]) -> str:
    return HEAD + "\n".join(cards) + "\n</main></body></html>\n"
