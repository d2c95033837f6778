"""The growth table as curves."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = (("build", "build, ms"), ("C @ x", "C @ x, ms"), ("C.T @ y", "C.T @ y, ms"), ("held", "held, MB"))
COLOURS = {"jaxconv": "#d1495b", "SciPy CSR": "#30638e"}


def draw(found: dict[int, dict], folder: Path, name: str = "growth") -> Path:
    """Four panels over the number of stored entries, both axes logarithmic.

    Args:
      found: By entries of C, what `growth.measure` returned.
      folder: Where the file goes.
      name: Of the file.
    """
    figure, axes = plt.subplots(1, len(PANELS), figsize=(13, 3.4), layout="constrained")
    for axis, (step, label) in zip(axes, PANELS, strict=True):
        for library, colour in COLOURS.items():
            values = [_value(measured[library], step) for measured in found.values()]
            axis.loglog(list(found), values, "o-", color=colour, markersize=4, label=library)
        if step == "held":
            peaks = [(measured["jaxconv"]["peak"] or 0) / 1e6 for measured in found.values()]
            axis.loglog(list(found), peaks, ":", color=COLOURS["jaxconv"], label="jaxconv, peak of the build")
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


def _value(measured: dict, step: str) -> float:
    return measured[step] / 1e6 if step == "held" else measured[step]["median"]
