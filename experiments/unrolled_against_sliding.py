"""How many times faster is a classifier unrolled over a map than run on each of its windows?

    python experiments/unrolled_against_sliding.py [--out runs/unrolled_against_sliding]

The network has the size of LeNet (two 5x5 convolutions, each with a rectifier and 2x2 average pooling, and
three dense layers: 32x32 to 10 scores), random weights, float32. `jaxconv.fully_convolutional` applies it to
a whole map at once, where its windows are 4 cells apart. The other way crops the same windows and classifies
them in batches, by `jaxconv.sliding_windows`, with the fastest of the batch sizes below. Both are one jitted
call on one map. Multiplications are counted by the geometries of the layers: unrolling saves the convolutions
that neighbouring windows share, but not the dense layers.

Measured 2026-11-21 on a 2-core CPU, jax 0.10.2; milliseconds, the best batch of windows:

    map        windows   unrolled   every window   times faster   fewer multiplications
    32x32            1       0.10           0.11            1.2                     1.0
    64x64           81       0.44            2.2            5.0                     4.9
    128x128        625        1.2             14             12                     5.5
    256x256      3,249        6.3             73             12                     5.7

So unrolling is an order of magnitude faster from maps of about 100x100 on (11 to 13 times in two runs). Half
of it is fewer multiplications. This saving has a limit, however many windows there are: the dense layers run
at every position in both ways, and are eight tenths of the multiplications that the unrolled run still makes
at 256x256. The other half is speed: the same multiplications take less time on one map than on windows, for
every batch size.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from matplotlib import rc_context
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from jaxconv import ConvGeometry, avg_pool, fully_convolutional, sliding_windows
from jaxconv.figures import canvas
from jaxconv.nn import Conv

WINDOW = (32, 32)
MAPS = (32, 48, 64, 96, 128, 192, 256)  # rows and columns
BATCHES = (1, 16, 64, 256, 1024)  # windows at a time; all of them, too
CALLS, SECONDS = 15, 1.5  # calls of each way at most, and their time in seconds
SEED = 0


@dataclass(frozen=True)
class Comparison:
    """Both ways on maps of one size; times are medians in milliseconds."""

    size: int
    windows: int
    unrolled: float
    sliding: dict[int, float]  # by the number of windows at a time
    multiplications: float  # those of the windows, divided by those of the unrolled network
    gap: float  # the largest difference, relative to the largest score

    @property
    def batch(self) -> int:
        """The fastest number of windows at a time."""
        return min(self.sliding, key=self.sliding.get)

    @property
    def faster(self) -> float:
        """How many times faster the unrolled network is."""
        return self.sliding[self.batch] / self.unrolled


def classifier(seed: int = SEED) -> nnx.Sequential:
    """Builds LeNet-5 with rectifiers."""
    rngs = nnx.Rngs(seed)
    pool = partial(avg_pool, window=(2, 2))
    return nnx.Sequential(
        *(Conv(1, 6, (5, 5), rngs=rngs), nnx.relu, pool),
        *(Conv(6, 16, (5, 5), rngs=rngs), nnx.relu, pool),
        lambda x: x.reshape(x.shape[0], -1),
        *(nnx.Linear(400, 120, rngs=rngs), nnx.relu),
        *(nnx.Linear(120, 84, rngs=rngs), nnx.relu),
        nnx.Linear(84, 10, rngs=rngs),
    )


def multiplications(size: int) -> int:
    """Counts the multiplications of the network on a square map, without the poolings."""
    total = 0
    for taps, before, after, window in (
        (5, 1, 6, 2),
        (5, 6, 16, 2),
        (5, 16, 120, 1),
        (1, 120, 84, 1),
        (1, 84, 10, 1),
    ):
        g = ConvGeometry((size,) * 2, (taps,) * 2, in_features=before, out_features=after)
        total += g.multiplications
        size = g.output_shape[0] // window
    return total


def median_milliseconds(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> float:
    """Returns the median time of calls after the first, which compiles."""
    jax.block_until_ready(function(x))
    seconds: list[float] = []
    while (len(seconds) < CALLS and sum(seconds) < SECONDS) or len(seconds) < 3:
        start = time.perf_counter()
        jax.block_until_ready(function(x))
        seconds.append(time.perf_counter() - start)
    return 1e3 * float(np.median(seconds))


def compare(size: int) -> Comparison:
    """Times both ways on one map, and compares their scores."""
    model = classifier()
    unrolled = fully_convolutional(model, WINDOW)
    x = jax.random.normal(jax.random.key(SEED), (1, size, size, 1), jnp.float32)
    windows = math.prod((size - w) // s + 1 for w, s in zip(WINDOW, unrolled.strides, strict=True))
    batches = [*(batch for batch in BATCHES if batch < windows), windows]
    whole = jax.jit(unrolled)
    ways = {
        batch: jax.jit(lambda x, b=batch: sliding_windows(model, x, WINDOW, unrolled.strides, batch_size=b))
        for batch in batches
    }
    scores = whole(x)
    gap = max(float(abs(way(x) - scores).max()) for way in ways.values())
    return Comparison(
        size,
        windows,
        median_milliseconds(whole, x),
        {batch: median_milliseconds(way, x) for batch, way in ways.items()},
        windows * multiplications(WINDOW[0]) / multiplications(size),
        gap / float(abs(scores).max()),
    )


def table(rows: list[Comparison]) -> Table:
    """Builds a table with one row per map."""
    printed = Table(title="milliseconds per map", title_justify="left", box=box.SIMPLE_HEAD)
    headings = (
        "map",
        "windows",
        "unrolled",
        "sliding",
        "at a time",
        "times faster",
        "multiplications",
        "gap",
    )
    for heading in headings:
        printed.add_column(heading, justify="right")
    for row in rows:
        printed.add_row(
            f"{row.size}x{row.size}",
            f"{row.windows:,}",
            f"{row.unrolled:.3g}",
            f"{row.sliding[row.batch]:.3g}",
            str(row.batch),
            f"{row.faster:.1f}",
            f"{row.multiplications:.1f} times",
            f"{row.gap:.1g}",
        )
    return printed


def picture(rows: list[Comparison]) -> Figure:
    """Draws both times, and the speedup, over the size of the map."""
    sizes = [row.size for row in rows]
    with rc_context(canvas.STYLE):
        figure = canvas.new_figure(9.0, 3.6)
        left, right = figure.subplots(1, 2)
        for values, colour, name in (
            ([row.sliding[row.batch] for row in rows], "#b5432a", "every window"),
            ([row.unrolled for row in rows], "#1f6f9f", "unrolled"),
        ):
            left.loglog(sizes, values, color=colour, marker="o", markersize=4)
            left.annotate(
                name, (sizes[-1], values[-1]), (-4, 9), textcoords="offset points", ha="right", color=colour
            )
        left.set(ylabel="milliseconds per map", title="the same scores, two ways")
        left.margins(y=0.14)  # room for the names
        right.semilogx(
            sizes,
            [row.multiplications for row in rows],
            color=canvas.BORDER,
            linestyle="--",
            label="fewer multiplications",
        )
        right.semilogx(
            sizes, [row.faster for row in rows], color="#1b7f5c", marker="o", markersize=4, label="faster"
        )
        right.set(ylabel="times", title="what unrolling saves", ylim=(0, None))
        right.legend(frameon=False, loc="upper left")
        for ax in (left, right):
            ax.set_xticks(sizes, [str(size) for size in sizes])
            ax.minorticks_off()
            ax.set_xlabel("rows and columns of the map; windows of 32, 4 apart")
            ax.grid(color="#e3e3df", linewidth=0.6)
            ax.set_axisbelow(True)
            ax.spines[["top", "right"]].set_visible(False)
    return figure


def main(out: Path, sizes: Sequence[int] = MAPS) -> list[Comparison]:
    """Compares both ways on every size, prints the table, writes the picture and the numbers."""
    rows = [compare(size) for size in sizes]
    console = Console()
    console.width = max(console.width, 110)
    console.print(table(rows))
    out.mkdir(parents=True, exist_ok=True)
    canvas.save(picture(rows), out / "times.png")
    report = {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "maps": [asdict(row) for row in rows],
    }
    (out / "times.json").write_text(json.dumps(report))
    console.print(f"written to {out}")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/unrolled_against_sliding"))
    main(parser.parse_args().out)
