"""conv, conv_transpose and all their derivatives, compared with every way of lax and with PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.agreement import check_agreement
from benchmarks.cases import CASES, Case
from benchmarks.programs import Way, compile_way, first_names
from benchmarks.table import Megabytes, Ratio, Row, Table, geometric_mean, ratio
from benchmarks.timing import Timing, timings
from benchmarks.torch_ways import torch_convolutions
from benchmarks.ways import ARGUMENTS, Ways, jaxconv_ways, lax_ways, operands, plain_ways, terms

TIE = 0.95  # a ratio below it counts as slower
QUICK = (
    "1-D k1024 stride 256 (audio)",
    "3x3 16 to 16",
    "1x1 256 to 64",
    "3x3 dilated 2, 32 to 32",
    "3x3 4 groups, 64 to 64",
    "3x3 depthwise 64",
    "31x31 1 to 1",
    "4x4 stride 2, 32 to 64",
    "3x3x3 8 to 16",
)
RATIOS = ("lax / ours", "PyTorch / ours", "lax / plain", "PyTorch / plain")
OURS = {  # our two ways to each result: by conv, by conv_transpose
    "y": ("conv", "vjp of conv_transpose"),
    "x": ("vjp of conv", "conv_transpose"),
    "w": ("vjp of conv", "vjp of conv_transpose"),
}


def table(*, quick: bool = False, cases: Sequence[Case] | None = None, seconds: float = 0.3) -> Table:
    """Measures every case, three rows per case for the results y, x and w."""
    if cases is None:
        cases = [case for case in CASES if not quick or case.name in QUICK]
    rows = [row for case in cases for row in case_rows(case, seconds / 3 if quick else seconds)]
    return Table(
        "convolution",
        "Milliseconds of conv and conv_transpose: forward (y, x), gradient in the map (x, y), in the "
        "kernel (w). Ratios are of the slower of our two to the best way of the peer. Plain: without oneDNN.",
        rows,
        _summary(rows),
    )


def case_rows(case: Case, seconds: float) -> list[Row]:
    """Measures one case: a row for each of the results y, x and w."""
    arrays, n = operands(case), terms(case)
    ours = _compile(jaxconv_ways(case), arrays)
    plain = _compile(plain_ways(case), arrays)
    lax = _compile(lax_ways(case), arrays)
    torch = _torch(case, arrays)
    rows = []
    for result in ARGUMENTS:
        peers = {"jaxconv": ours[result], "plain": plain[result]}
        peers |= {"lax": lax[result], "PyTorch": torch[result]}
        rows.append(_row(f"{case.name}: {result}", result, peers, n[result], seconds))
    return rows


def _row(what: str, result: str, peers: dict[str, dict[str, Way]], n: int, seconds: float) -> Row:
    ways = {f"{peer}: {name}": way for peer, calls in peers.items() for name, way in calls.items()}
    expected = next(iter(ways.values()))
    expected = expected.numpy(expected.call())

    def check(name: str, value: Any) -> None:
        check_agreement(f"{what} by {name}", ways[name].numpy(value), expected, n)

    first = first_names(ways)
    once = timings({name: ways[name].call for name in first.values()}, seconds=seconds, check=check)
    times = {name: once[program] for name, program in first.items()}
    by_conv, by_transpose = (times[f"jaxconv: {name}"] for name in OURS[result])
    plain, lax, torch = (_best(times, peer) for peer in ("plain", "lax", "PyTorch"))
    slower = max(by_conv, by_transpose)
    cells = {
        "case": what.removesuffix(f": {result}"),
        "result": result,
        "conv": by_conv,
        "conv_transpose": by_transpose,
        "plain": times[plain],
        "lax": times[lax],
        "PyTorch": times.get(torch),
        "lax / ours": ratio(slower, times[lax]),
        "PyTorch / ours": ratio(slower, times.get(torch)),
        "lax / plain": ratio(times[plain], times[lax]),
        "PyTorch / plain": ratio(times[plain], times.get(torch)),
        "MB": Megabytes(max(way.temporary for way in peers["jaxconv"].values()) / 1e6),
        "lax MB": Megabytes(ways[lax].temporary / 1e6),
        "lax by": lax.removeprefix("lax: "),
        "PyTorch by": torch and torch.removeprefix("PyTorch: "),
    }
    temporary = {name: way.temporary for name, way in ways.items() if way.temporary is not None}
    return Row(cells, {"ways": times, "temporary bytes": temporary})


def _best(times: dict[str, Timing], peer: str) -> str | None:
    return min((name for name in times if name.startswith(f"{peer}: ")), key=times.get, default=None)


def _compile(ways: Ways, arrays: dict[str, np.ndarray]) -> dict[str, dict[str, Way]]:
    arguments = {
        result: [jax.device_put(arrays[name]) for name in names] for result, names in ARGUMENTS.items()
    }
    return {
        result: {name: compile_way(function, *arguments[result]) for name, function in functions.items()}
        for result, functions in ways.items()
    }


def _torch(case: Case, arrays: dict[str, np.ndarray]) -> dict[str, dict[str, Way]]:
    ways: dict[str, dict[str, Way]] = {result: {} for result in ARGUMENTS}
    for layout, convolution in torch_convolutions(case, arrays).items():
        for result, calls in convolution.ways().items():
            for name, call in calls.items():
                ways[result][f"{name}, {layout}"] = Way(call, partial(convolution.numpy, result))
    return ways


def _summary(rows: list[Row]) -> list[str]:
    """Writes notes: the mean and the worst ratio, and every slower row by name."""
    notes = []
    for column in RATIOS:
        peer = column.partition(" ")[0]
        ratios = {f"{row.cells['case']}, {row.cells['result']}": row.cells[column] for row in rows}
        ratios = {name: value for name, value in ratios.items() if value is not None}
        notes.append(
            _sentence(column, ratios) if ratios else f"{peer} is not installed: its columns are empty."
        )
    return notes


def _sentence(column: str, ratios: dict[str, Ratio]) -> str:
    mean, worst = Ratio(geometric_mean(ratios.values())), min(ratios, key=ratios.get)
    slower = [f"{name} ({value})" for name, value in ratios.items() if value < TIE]
    return (
        f"{column}: geometric mean {mean} over {len(ratios)} rows, worst {ratios[worst]} ({worst}), "
        f"slower by more than 5% in {len(slower)}{': ' if slower else ''}{'; '.join(slower)}."
    )
