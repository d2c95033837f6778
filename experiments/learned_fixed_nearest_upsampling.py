"""Does FCN-8s (arXiv:1411.4038) gain by learned upsampling, or by interpolation at all?

    python experiments/learned_fixed_nearest_upsampling.py [--out runs/learned_fixed_nearest_upsampling]

A small FCN-8s, whose scores have strides 4, 8 and 16, is trained on mosaics of handwritten digits
(scikit-learn's). Its upsampling is a transposed convolution that starts bilinear and is trained; or stays
bilinear; or repeats every cell. Nothing else differs: data, steps, batches, learning rate. Scores are those
after the last step, on mosaics of held-out digits.

Measured 2026-11-21 on one core of an AMD EPYC, shared, jax 0.10.2, in nine and a half minutes; the mean of
three seeds, the lowest and the highest:

                           mean IoU        global accuracy
    learned     0.692 (0.686-0.704)    0.934 (0.932-0.937)
    fixed       0.611 (0.607-0.616)    0.902 (0.901-0.903)
    nearest     0.496 (0.494-0.497)    0.860 (0.859-0.860)

Both help here: interpolation gains 0.12 of mean IoU and learning another 0.08, several times the spread over
seeds. The finest scores are four pixels apart, which is coarse compared with the strokes of a digit: bilinear
kernels cannot draw a border inside a cell, but learned ones, 8x8 taps for every pair of classes, can. The
experiment says nothing about objects that are large compared with the stride.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from repeated_trainings import Score, repeat, report

UPSAMPLINGS = ("learned", "fixed", "nearest")
SEEDS = (0, 1, 2)
STEPS = 600
HELD_OUT = 256  # mosaics on which the scores are measured
SCORES = {"mean IoU": lambda m: m["mean_iou"], "global accuracy": lambda m: m["global_accuracy"]}


def tables(upsampling: str, steps: int, held_out: int) -> dict[str, Any]:
    """Returns the configuration of one way."""
    return {
        "model": {"name": "fcn8s", "upsampling": upsampling},
        "data": {"name": "digits", "examples": 20_000, "held_out_examples": held_out},
        "schedule": {"learning_rate": 5e-3, "warmup": 1 / 12},
        "training": {"steps": steps, "batch_size": 16, "evaluate_every": steps, "clip_norm": 1.0},
    }


def main(
    out: Path, *, steps: int = STEPS, held_out: int = HELD_OUT, seeds: Sequence[int] = SEEDS
) -> list[Score]:
    """Trains every way with every seed; prints the table, writes the picture and the numbers."""
    ways = {upsampling: tables(upsampling, steps, held_out) for upsampling in UPSAMPLINGS}
    scores = repeat(ways, seeds, SCORES, out)
    report(scores, f"FCN-8s on digits, {steps} steps: mean of {len(seeds)} seeds (lowest-highest)", out)
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/learned_fixed_nearest_upsampling"))
    main(parser.parse_args().out)
