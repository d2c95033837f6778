"""The steps of the demo: the claims, a photograph, a network, and a page about them."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.rule import Rule

import jaxconv
from jaxconv.claims import verify
from jaxconv.demo.photograph import show_photograph
from jaxconv.demo.report import html_report
from jaxconv.demo.segmentation import demo_config, train_and_test
from jaxconv.demo.summary import format_summary
from jaxconv.errors import FailureError

__all__ = ["run"]


def run(
    out: Path | str = Path("runs/demo"),
    steps: int | None = None,
    seed: int = 0,
    console: Console | None = None,
) -> dict[str, Any]:
    """Verifies the claims, filters a photograph, trains a small FCN, and writes a report.

    Args:
      out: Folder for ``report.html``, which contains its pictures, ``summary.md``, the same text with its
        pictures beside it, ``explorer.html``, ``metrics.json`` and ``training/``, the run; created if it does
        not exist.
      steps: Steps of the training; by default those of its configuration.
      seed: Seed of all random numbers.
      console: Console for the output; the standard output by default.

    Returns:
      What is written to ``metrics.json``.

    Raises:
      ConfigError: `steps` or `seed` is out of range.
      FailureError: A claim does not hold on this machine, or the training was interrupted.
      DivergenceError: The loss of the training is not finite; the message names the step.
    """
    demo_config(seed, steps)  # a wrong option is refused before the work
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    console = console or Console()
    started = time.perf_counter()
    print_heading("1. the claims", console)
    claims = check_claims(console, seed)
    print_heading("2. a photograph", console)
    draw_examples(out, seed)
    photograph = show_photograph(out)
    for one in photograph:
        console.print(
            f"{one['filter']}: C has {one['entries']:,} entries; the gap to conv is {one['gap_of_conv']:.2f} "
            f"and to conv_transpose {one['gap_of_conv_transpose']:.2f} of the rounding bound"
        )
    print_heading("3. an FCN-8s on mosaics of handwritten digits", console)
    fcn = train_and_test(out, console, seed=seed, steps=steps)
    metrics = {
        "claims": claims,
        "photograph": photograph,
        "fcn": fcn,
        "seed": seed,
        "seconds": time.perf_counter() - started,
        "device": f"{jax.devices()[0].device_kind} ({os.cpu_count()} cores)",
        "versions": {
            "jaxconv": jaxconv.__version__,
            "jax": jax.__version__,
            "python": platform.python_version(),
        },
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    page = format_summary(metrics)
    (out / "summary.md").write_text(page, encoding="utf-8")
    (out / "report.html").write_text(html_report(page, out), encoding="utf-8")
    console.print(
        f"mean IoU over the eleven classes on the test split: [bold]{fcn['mean_iou']:.3f}[/bold] "
        f"({fcn['mosaics']} mosaics of {fcn['samples']['test']} digits that were not used in training)"
    )
    console.print(f"written to {out}, in {metrics['seconds']:.0f} s; open {out / 'report.html'}")
    return metrics


def print_heading(title: str, console: Console) -> None:
    """Prints a line with a title, at most 100 characters wide."""
    console.print(Rule(title), width=min(console.width, 100))


def check_claims(console: Console, seed: int) -> dict[str, Any]:
    """Verifies the claims and prints the report.

    Raises:
      FailureError: A claim does not hold on this machine.
    """
    started = time.perf_counter()
    with console.status("verifying") as status:
        report = verify(seed=seed, progress=lambda row: status.update(f"verified {row.name}"))
    console.print(report.table(console.width >= 110))
    failed = [row.name for row in report.rows if not row.ok]
    if failed:
        raise FailureError(
            f"on this machine {', '.join(failed)} does not hold; `jaxconv verify --claim {failed[0]}` "
            "prints a geometry that shows it."
        )
    return {
        "tried": len(report.rows),
        "held": len(report.rows) - len(failed),
        "worst": max(row.worst for row in report.rows),
        "seconds": time.perf_counter() - started,
    }


def draw_examples(out: Path, seed: int) -> None:
    """Draws the matrix C of a small convolution, an animation of another one, and the explorer."""
    from jaxconv.explorer import page
    from jaxconv.figures import animate, draw_matrix

    geometry = jaxconv.ConvGeometry((8, 8), (3, 3), strides=2, padding=1)
    kernel = np.random.default_rng(seed).normal(size=geometry.kernel_array_shape).astype(np.float32)
    draw_matrix(jaxconv.conv_matrix(jnp.asarray(kernel), geometry), out / "matrix.png")
    small = jaxconv.ConvGeometry((4, 4), (3, 3))
    animate(small, out / "animation.svg", both=True, matrix=True, values="symbols")
    (out / "explorer.html").write_text(page(geometry, view="both"), encoding="utf-8")
