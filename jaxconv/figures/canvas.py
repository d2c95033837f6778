"""Parts that all pictures share: a figure without global state, the colours, and the writing of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

DPI = 160
INK = "#2b2b2b"
NO_ENTRY = "#dcdeda"  # cells without an entry: differs from the colours of values and from the page
BORDER = "#8d918b"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so pictures look alike everywhere
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.edgecolor": "#8a8a86",
    "axes.linewidth": 0.6,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "image.interpolation": "nearest",
    "svg.hashsalt": "jaxconv",
}


def new_figure(width: float, height: float) -> Figure:
    """Returns an empty white figure, sizes in inches; axes are laid out so that no text is clipped."""
    with rc_context(STYLE):
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
        return Figure(figsize=(width, height), layout=layout, facecolor="white")


def picture_axes(ax: Axes) -> Axes:
    """Removes ticks and frame from axes that show a picture, and returns the axes."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def by(*sizes: int) -> str:
    """Returns sizes as text: ``by(1200, 3)`` is ``1,200 × 3``."""
    return " \N{MULTIPLICATION SIGN} ".join(f"{size:,}" for size in sizes)


def save(figure: Figure, path: str | Path) -> Path:
    """Writes the figure in the format of the suffix and returns the path; makes the folder if it is missing.

    The same figure gives the same bytes: no date is written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with rc_context(STYLE):
        figure.savefig(path, dpi=DPI, metadata=metadata.get(path.suffix.lower()))
    return path
