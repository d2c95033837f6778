"""The demo: the claims, a photograph, a network, and a page that tells of them."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.rule import Rule

import jaxconv
from jaxconv.claims import verify
from jaxconv.demo.photograph import show_photograph
from jaxconv.demo.segmentation import demo_config, train_and_test
from jaxconv.demo.summary import summary
from jaxconv.errors import FailureError

__all__ = ["run"]


def run(
    out: Path | str = Path("runs/demo"),
    steps: int | None = None,
    seed: int = 0,
    console: Console | None = None,
) -> dict:
    """Verifies the claims, filters a photograph, trains a small FCN, and writes it all down.

    Args:
      out: Folder for ``matrix.png``, ``photograph.png``, ``predictions.png``, ``curves.png``,
        ``metrics.json``, ``summary.md`` and ``training/``, the run; made if it is missing.
      steps: Of the training; those of its configuration by default.
      seed: Of everything random.
      console: Where to print; the standard output by default.

    Returns:
      What stands in ``metrics.json``.

    Raises:
      ConfigError: No steps.
      FailureError: A claim does not hold on this machine; nothing is built on top.
      DivergenceError: The training diverged.
    """
    demo_config(seed, steps)  # refused before the work, not after it
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    console = console or Console()
    started = time.perf_counter()
    heading("1. the claims", console)
    claims = check_claims(console, seed)
    heading("2. a photograph", console)
    draw_example(out, seed)
    photograph = show_photograph(out)
    for one in photograph:
        console.print(
            f"{one['filter']}: C has {one['entries']:,} entries; in units of the rounding bound, conv is "
            f"{one['gap_of_conv']:.2f} from it and conv_transpose {one['gap_of_conv_transpose']:.2f}"
        )
    heading("3. an FCN-8s on mosaics of handwritten digits", console)
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
    (out / "summary.md").write_text(summary(metrics), encoding="utf-8")
    console.print(
        f"mean IoU over the eleven classes on the test split: [bold]{fcn['mean_iou']:.3f}[/bold] "
        f"({fcn['mosaics']} mosaics of {fcn['samples']['test']} digits never trained on)"
    )
    console.print(f"written to {out}, in {metrics['seconds']:.0f} s; start with {out / 'summary.md'}")
    return metrics


def heading(title: str, console: Console) -> None:
    """Prints a line with a title in it, no longer than a page is wide."""
    console.print(Rule(title), width=min(console.width, 100))


def check_claims(console: Console, seed: int) -> dict:
    """Prints the report; the demo stops where a claim fails."""
    started = time.perf_counter()
    with console.status("verifying") as status:
        report = verify(seed=seed, progress=lambda row: status.update(f"verified {row.name}"))
    console.print(report.table(console.width >= 110))
    failed = [row.name for row in report.rows if not row.ok]
    if failed:
        raise FailureError(
            f"on this machine {', '.join(failed)} does not hold; `jaxconv verify --claim {failed[0]}` "
            "shows a geometry to paste into Python."
        )
    return {
        "tried": len(report.rows),
        "held": len(report.rows) - len(failed),
        "worst": max(row.worst for row in report.rows),
        "seconds": time.perf_counter() - started,
    }


def draw_example(out: Path, seed: int) -> Path:
    """A C small enough to see every entry: ``matrix.png``."""
    from jaxconv.figures import draw_matrix

    geometry = jaxconv.ConvGeometry((8, 8), (3, 3), strides=2, padding=1)
    kernel = np.random.default_rng(seed).normal(size=geometry.kernel_array_shape).astype(np.float32)
    return draw_matrix(jaxconv.conv_matrix(jnp.asarray(kernel), geometry), out / "matrix.png")
