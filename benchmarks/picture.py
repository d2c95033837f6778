"""A picture of the growth table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = (("build", "build, ms"), ("C @ x", "C @ x, ms"), ("C.T @ y", "C.T @ y, ms"), ("held", "C, MB"))
COLOURS = {"jaxconv": "#d1495b", "SciPy CSR": "#30638e"}


def draw(results: dict[int, dict[str, Any]], folder: Path, name: str = "growth") -> Path:
    """Draws four panels over the number of stored entries, with logarithmic axes.

    Args:
      results: By the number of entries of C, the results of `growth.measure`.
      folder: Folder of the file.
      name: Name of the file, without suffix.

    Returns:
      The path of the file.
    """
    figure, axes = plt.subplots(1, len(PANELS), figsize=(13, 3.4), layout="constrained")
    for axis, (step, label) in zip(axes, PANELS, strict=True):
        for library, colour in COLOURS.items():
            values = [_value(result[library], step) for result in results.values()]
            axis.loglog(list(results), values, "o-", color=colour, markersize=4, label=library)
        if step == "held":
            peaks = [(result["jaxconv"]["peak"] or 0) / 1e6 for result in results.values()]
            axis.loglog(
                list(results), peaks, ":", color=COLOURS["jaxconv"], label="jaxconv, peak of the build"
            )
        axis.set_xlabel("entries of C")
        axis.set_title(label)
        axis.grid(which="major", alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    axes[-1].legend(frameon=False, fontsize="small")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.png"
    figure.savefig(file, dpi=150)
    plt.close(figure)
    return file


def _value(result: dict[str, Any], step: str) -> float:
    return result[step] / 1e6 if step == "held" else result[step]["median"]
