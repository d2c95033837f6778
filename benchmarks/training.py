"""A training step and a forward pass of small networks, compared with PyTorch.

Every library is timed in processes of its own: threads of PyTorch would occupy the cores that XLA needs.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np

from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.memory import Peak, answer, in_child
from benchmarks.table import Megabytes, Row, Table, ratio
from benchmarks.timing import Timing, timings
from benchmarks.trainable import Ours, Size
from jaxconv.convolution.native.library import VARIABLE
from jaxconv.training.devices import prepare_cpu

NETWORKS = ("unet", "fcn8s", "reseg")


PLAIN = "jaxconv, plain"  # without oneDNN


def _theirs(network: str, size: Size, *, channels_last: bool) -> Any:
    from benchmarks.trainable_torch import Theirs  # PyTorch is an extra

    return Theirs(network, size, channels_last=channels_last)


SIDES = {
    "jaxconv": Ours,
    PLAIN: Ours,
    "PyTorch": partial(_theirs, channels_last=False),
    "PyTorch, channels last": partial(_theirs, channels_last=True),
}
SIZE = Size()
PROCESSES = 3  # per library, in turn
STEPS = 3  # whose losses are compared


def table(*, quick: bool = False, size: Size = SIZE, seconds: float = 3.0) -> Table:
    """Measures every network, two rows per network."""
    processes = 1 if quick else PROCESSES
    rows = []
    for network in NETWORKS:
        count = compare(network, size)
        results = _measure_all(network, size, seconds / 6 if quick else seconds, processes)
        rows += [_row(network, count, what, results) for what in ("forward", "step")]
    batch, height, width = size
    return Table(
        "training",
        f"Milliseconds of a network at its small size on {batch} images of {height}x{width}, float32; MB: "
        "the highest resident memory in the steps, above that before the first step. Plain: without oneDNN.",
        rows,
        [
            "A step: loss, gradients and SGD; that of jaxconv is compiled as by the train command. The time "
            "of PyTorch is that of the faster of its two layouts.",
            "Parameters are copied; logits, losses of three steps and the norm of the gradient agree up to "
            "rounding errors before anything is timed.",
            f"Medians of the middle one of {processes} processes per library. The GRUs of PyTorch have a "
            "second bias, which is zero, not trained and not counted.",
        ],
    )


def compare(network: str, size: Size) -> int:
    """Compares the libraries on one network, and returns its number of parameters.

    Raises:
      Disagreement: Numbers of parameters differ, or logits, losses or gradients differ by more than
        rounding errors.
    """
    sides = {name: side(network, size) for name, side in SIDES.items() if name != PLAIN}
    counts = {name: side.parameters for name, side in sides.items()}
    if len(set(counts.values())) > 1:
        raise Disagreement(f"{network}: {counts} parameters.")
    ours = sides.pop("jaxconv")
    logits, records = ours.forward(), [ours.step() for _ in range(STEPS)]
    for name, theirs in sides.items():
        check = partial(check_agreement, terms=ours.parameters)
        check(f"{network}: logits of {name}", theirs.forward(), logits)
        for record in records:
            check(f"{network}: loss of {name}", theirs.step()["loss"], record["loss"])
            check(f"{network}: gradient of {name}", theirs.gradient_norm(), record["gradient_norm"])
    return ours.parameters


def measure(network: str, side: str, size: Size, seconds: float) -> dict[str, Any]:
    """Measures times, and the memory of the first steps, in this process."""
    if side in ("jaxconv", PLAIN):
        prepare_cpu(size.batch)
    trainable = SIDES[side](network, size)
    peak = Peak()
    for _ in range(STEPS):
        np.asarray(trainable.step()["loss"])
    memory = {"peak": peak.bytes, "temporary": trainable.temporary}
    return timings({"forward": trainable.forward, "step": trainable.step}, seconds=seconds) | memory


def _measure_all(network: str, size: Size, seconds: float, processes: int) -> dict[str, dict[str, Any]]:
    """Measures every library in several processes, in turn, and returns the middle one of each."""
    arguments = (*map(str, size), str(seconds))
    runs = [
        {
            side: in_child(
                "benchmarks.training",
                network,
                side,
                *arguments,
                variables={VARIABLE: "off"} if side == PLAIN else None,
            )
            for side in SIDES
        }
        for _ in range(processes)
    ]
    return {side: _middle([run[side] for run in runs]) for side in SIDES}


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    middle = {
        what: sorted((Timing(*run[what]) for run in runs), key=lambda timing: timing.median)[len(runs) // 2]
        for what in ("forward", "step")
    }
    return runs[0] | middle


def _row(network: str, parameters: int, what: str, results: dict[str, dict[str, Any]]) -> Row:
    ours, plain, *peers = (side[what] for side in results.values())
    best = min(peers, key=lambda timing: timing.median)
    cells: dict[str, Any] = {"network": network, "parameters": f"{parameters:,}", "what": what}
    cells |= {"jaxconv": ours, "plain": plain, "PyTorch": best}
    cells |= {"PyTorch / ours": ratio(ours, best), "PyTorch / plain": ratio(plain, best)}
    sides = ("jaxconv", PLAIN, "PyTorch")
    memory = [results[side]["peak"] for side in sides] if what == "step" else (None,) * len(sides)
    cells |= {
        label: None if peak is None else Megabytes(peak / 1e6)
        for label, peak in zip(("MB", "plain MB", "PyTorch MB"), memory, strict=True)
    }
    return Row(cells, {side: {what: of[what]} for side, of in results.items()})


def main(network: str, side: str, batch: str, rows: str, columns: str, seconds: str) -> None:
    """Measures one library in a process of its own."""
    answer(measure(network, side, Size(int(batch), int(rows), int(columns)), float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
