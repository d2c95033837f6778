"""What is deconvolution? Does a transposed convolution undo a convolution?

    python experiments/what_is_deconvolution.py [--out runs/what_is_deconvolution]

A photograph of 128x128 cells (scikit-learn's sample "china.jpg", grey) is blurred by a 5x5 binomial kernel on
circular maps, y = C x. Then x is to be found from y: by the transposed convolution C' y, which is often
called deconvolution; by its best multiple a C' y; by the pseudo-inverse, and by the damped inverse
(C' C + damping I)^-1 C' y, the last two also of y with noise of 1 % of the largest grey level. The error is
|found - x| / |x| of the photograph without its mean.

MEASURED
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_sample_image

from jaxconv import ConvGeometry, avg_pool, binomial_filter, conv, conv_transpose
from jaxconv.figures import inverse_figure
from jaxconv.figures.canvas import save
from jaxconv.figures.spectra import relative_error
from jaxconv.linalg import condition_number, deconvolve, rank

SIZE = 128  # rows and columns of the photograph
TAPS = 5  # of the blur, per axis
NOISE = 0.01  # standard deviation, of grey levels from 0 to 1
DAMPINGS = (1e-4, 1e-3, 1e-2)
SEED = 0


@dataclass(frozen=True)
class Answer:
    """One way back from y: its name, the noise in y, and the relative error of what it found."""

    way: str
    noise: float
    error: float


def photograph(size: int) -> jax.Array:
    """Returns a square of scikit-learn's photograph, in grey levels from 0 to 1, without its mean."""
    image = load_sample_image("china.jpg")[20:404, 60:444].astype(np.float64).mean(-1, keepdims=True) / 255
    image = avg_pool(jnp.asarray(image), (384 // size,) * 2)
    return image - image.mean()


def ways_back(y: jax.Array, x: jax.Array, kernel: jax.Array, g: ConvGeometry) -> dict[str, jax.Array]:
    """Returns what every way finds. The multiple of the transpose is the best one for this x."""
    transpose = conv_transpose(y, kernel, geometry=g)
    best = (transpose * x).sum() / (transpose**2).sum()
    found = {"blurred": y, "transpose": transpose, "best multiple of it": best * transpose}
    found["pseudo-inverse"] = deconvolve(y, kernel, geometry=g)
    for damping in DAMPINGS:
        found[f"damping {damping:g}"] = deconvolve(y, kernel, geometry=g, damping=damping)
    return found


def measure(size: int) -> tuple[list[Answer], dict[str, np.ndarray], str]:
    """Returns the errors, the maps of the picture, and a line about C."""
    g = ConvGeometry((size, size), (TAPS, TAPS), padding="SAME", padding_mode="circular")
    kernel = jnp.asarray(binomial_filter((TAPS, TAPS), dtype=jnp.float64))[..., None, None]
    x = photograph(size)
    y = conv(x, kernel, geometry=g)
    noise = NOISE * jax.random.normal(jax.random.key(SEED), y.shape, y.dtype)
    condition, full = float(condition_number(kernel, g)), int(rank(kernel, g))
    line = f"C: {g.matrix_shape[0]:,} rows, rank {full:,}, condition {condition:.2g}"
    answers, maps = [], {}
    for level, blurred in ((0.0, y), (NOISE, y + noise)):
        for way, found in ways_back(blurred, x, kernel, g).items():
            answers.append(Answer(way, level, relative_error(np.asarray(found), np.asarray(x))))
            maps[f"{way}, noise" if level else way] = np.asarray(found)[..., 0]
    return answers, {"original": np.asarray(x)[..., 0], **maps}, line


def table(answers: list[Answer]) -> Table:
    """Builds a table with one row per way back."""
    printed = Table(title="relative error", title_justify="left", box=box.SIMPLE_HEAD)
    printed.add_column("way back", no_wrap=True)
    for heading in ("without noise", f"noise {NOISE:g}"):
        printed.add_column(heading, justify="right")
    clean, noisy = ([one for one in answers if bool(one.noise) == with_noise] for with_noise in (False, True))
    for one, other in zip(clean, noisy, strict=True):
        printed.add_row(one.way, f"{one.error:.2g}", f"{other.error:.2g}")
    return printed


def main(out: Path, *, size: int = SIZE) -> list[Answer]:
    """Measures, prints the table, writes the picture and the numbers."""
    with jax.enable_x64(True):
        answers, maps, line = measure(size)
    console = Console()
    console.width = max(console.width, 100)
    console.print(line, highlight=False)
    console.print(table(answers))
    shown = ("blurred", "transpose", "best multiple of it", "pseudo-inverse", "pseudo-inverse, noise",
             "damping 0.001, noise", "damping 0.01, noise")  # fmt: skip
    save(inverse_figure(maps["original"], {name: maps[name] for name in shown}), out / "deconvolution.png")
    report = {"jax": jax.__version__, "size": size, "answers": [asdict(one) for one in answers]}
    (out / "deconvolution.json").write_text(json.dumps(report))
    console.print(f"written to {out}")
    return answers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/what_is_deconvolution"))
    main(parser.parse_args().out)
